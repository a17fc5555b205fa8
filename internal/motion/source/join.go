package source

import (
	_ "embed" // the join is a file of its own
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// defaultJoin joins a record with all that it points to (motion contract §2.1).
//
//go:embed join.sql
var defaultJoin string

// Query says how the records of a database are found.
type Query struct {
	// JoinFile is a file with the SELECT that joins each record with all that it
	// points to; "" for the built-in one.
	JoinFile string
	// Table has the records, and EnabledColumn is not 0 for those that count.
	Table, EnabledColumn string
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// join gives the SQL of the join.
func (q Query) join() (string, error) {
	if q.JoinFile == "" {
		return defaultJoin, nil
	}
	content, err := os.ReadFile(q.JoinFile)
	if err != nil {
		return "", fmt.Errorf("the SQL join: %w", err)
	}
	text := strings.TrimRight(string(content), "; \t\r\n")
	if text == "" {
		return "", fmt.Errorf("the SQL join %s is empty", q.JoinFile)
	}
	return text, nil
}

// enabled gives the SQL of the ids that count.
func (q Query) enabled() (string, error) {
	for _, name := range []string{q.Table, q.EnabledColumn} {
		if !identifier.MatchString(name) {
			return "", fmt.Errorf("%q is not a name of a table or column", name)
		}
	}
	return "SELECT motion_record_id FROM " + q.Table + " WHERE " + q.EnabledColumn + " = 1", nil
}

// errNoID is a join whose rows cannot be told apart.
var errNoID = errors.New("the SQL join gives no column motion_record_id")

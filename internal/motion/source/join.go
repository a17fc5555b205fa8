package source

import (
	_ "embed" // for the join, which is in a separate file
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"web-backend/internal/motion"
)

// defaultJoin joins a record with all that it points to (motion contract §2.1).
//
//go:embed join.sql
var defaultJoin string

// readTimeout is the time limit for reading all data of a database once.
const readTimeout = time.Minute

// Query configures how the records of a database are found.
type Query struct {
	// JoinFile is the path of a file with the SELECT that joins each record with
	// the tables to which it refers; "" for the built-in one.
	JoinFile string
	// Table has the records. EnabledColumn is 1 for the records that are served.
	Table, EnabledColumn string
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// join returns the SQL of the join.
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

// enabled returns the SQL that selects the ids of the enabled records.
func (q Query) enabled() (string, error) {
	for _, name := range []string{q.Table, q.EnabledColumn} {
		if !identifier.MatchString(name) {
			return "", fmt.Errorf("%q is not a name of a table or column", name)
		}
	}
	return "SELECT " + idColumn + " FROM " + q.Table + " WHERE " + q.EnabledColumn + " = 1", nil
}

// idColumn is the column that identifies a record.
const idColumn = "motion_record_id"

// selection collects the first row of each wanted record. If a join returns a
// record many times, for example because its conditions are missing, this does
// not take more memory.
type selection struct {
	wanted   map[int64]bool // ids that are wanted and not yet found
	rows     []motion.Row
	nameless bool // whether a row does not have an id
}

func newSelection(ids []int64) *selection {
	s := &selection{wanted: make(map[int64]bool, len(ids))}
	for _, id := range ids {
		s.wanted[id] = true
	}
	return s
}

func (s *selection) add(row motion.Row) {
	id, ok := row[idColumn].(int64)
	s.nameless = s.nameless || !ok
	if s.wanted[id] {
		s.rows = append(s.rows, row)
		delete(s.wanted, id)
	}
}

func (s *selection) result() ([]motion.Row, error) {
	if s.nameless {
		return nil, fmt.Errorf("the SQL join gives no column %s", idColumn)
	}
	if len(s.rows) == 0 && len(s.wanted) > 0 {
		return nil, errors.New("the SQL join gives none of the enabled records")
	}
	for id := range s.wanted {
		s.rows = append(s.rows, motion.Row{idColumn: id})
	}
	return s.rows, nil
}

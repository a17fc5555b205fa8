package source_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"web-backend/internal/motion"
	"web-backend/internal/motion/source"
)

// joined returns the golden database with the given join.
func joined(t *testing.T, join string) *source.SQLite {
	t.Helper()
	file := filepath.Join(t.TempDir(), "join.sql")
	if err := os.WriteFile(file, []byte(join), 0o600); err != nil {
		t.Fatal(err)
	}
	return source.NewSQLite("../testdata/golden/motion_database.db",
		source.Query{JoinFile: file, Table: "motion_record", EnabledColumn: "enabled"})
}

// The first row of a record is used.
func TestSQLite_FirstRows(t *testing.T) {
	t.Parallel()
	once, err := joined(t, "SELECT * FROM motion_record").Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	often, err := joined(t, "SELECT mr.* FROM motion_record AS mr, motion_record").Read(t.Context())
	if err != nil || len(once.Rows) == 0 || len(often.Rows) != len(once.Rows) {
		t.Errorf("got %d rows, %v, want %d", len(often.Rows), err, len(once.Rows))
	}
}

// If the join omits a record, the record is still reported.
func TestSQLite_RecordsWithoutRow(t *testing.T) {
	t.Parallel()
	g, err := motion.Load(t.Context(), motion.Sources{
		Database: joined(t, "SELECT * FROM motion_record WHERE motion_record_id <> 11"), Clips: source.NewFolder(t.TempDir()),
	}, motion.Options{})
	if err != nil {
		t.Fatal(err)
	}
	named := func(f motion.Fault) bool { return f.String() == "record 11: the SQL join leaves it out" }
	if !slices.ContainsFunc(g.Faults(), named) {
		t.Errorf("the faults are %v, want one of record 11", g.Faults())
	}
}

func TestSQLite_EndlessJoin(t *testing.T) {
	t.Parallel()
	database := joined(t, "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT mr.* FROM n, motion_record AS mr")
	database.SetLimit(100 * time.Millisecond)
	if _, err := database.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "is not read within 100ms") {
		t.Errorf("got %v, want that it takes too long", err)
	}
}

// A join file cannot change the database.
func TestSQLite_JoinsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, join := range []string{
		"DELETE FROM motion_record", "DROP TABLE motion_record", "SELECT 1; DELETE FROM motion_record",
		"WITH n AS (SELECT 1) DELETE FROM motion_record", "ATTACH 'other.db' AS other", "PRAGMA user_version = 7",
		"VACUUM INTO 'copy.db'", "COMMIT", "SELECT load_extension('x')",
	} {
		if table, err := joined(t, join).Read(t.Context()); err == nil {
			t.Errorf("%s is run, and gives %v", join, table)
		}
	}
}

package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/motion"
)

// SQLite is a database in one file. It is only read, never written to.
type SQLite struct {
	path  string
	query Query
	limit time.Duration // for Read
}

// NewSQLite returns the database at path. It does not need to exist yet.
func NewSQLite(path string, query Query) *SQLite { return &SQLite{path, query, readTimeout} }

// Fingerprint implements [motion.Database]. It returns the times and sizes of
// the files.
func (s *SQLite) Fingerprint(context.Context) (string, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return "", fmt.Errorf("the motion database: %w", err)
	}
	parts := []string{fingerprint(info)}
	for _, beside := range []string{s.path + "-wal", s.query.JoinFile} {
		if info, err := os.Stat(beside); err == nil {
			parts = append(parts, fingerprint(info))
		}
	}
	return strings.Join(parts, " "), nil
}

// Read implements [motion.Database]. The version is user_version. If that is 0,
// the version is the time of the file's last change, in seconds (motion
// contract §4).
func (s *SQLite) Read(ctx context.Context) (motion.Table, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	table, err := s.read(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("is not read within %s: does the SQL join lack a condition?", s.limit)
	}
	if err != nil {
		return table, fmt.Errorf("the motion database %s: %w", s.path, err)
	}
	return table, nil
}

func (s *SQLite) read(ctx context.Context) (table motion.Table, err error) {
	join, err := s.query.join()
	if err != nil {
		return table, err
	}
	enabled, err := s.query.enabled()
	if err != nil {
		return table, err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return table, withoutPath(err)
	}
	db, err := s.open(ctx)
	if err != nil {
		return table, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Exec("BEGIN"); err != nil { // so that all data is from the same moment
		return table, err
	}
	version, err := integers(db, "PRAGMA user_version")
	if err != nil {
		return table, err
	}
	if table.Version = strconv.FormatInt(version[0], 10); version[0] == 0 {
		table.Version = strconv.FormatInt(info.ModTime().Unix(), 10)
	}
	ids, err := integers(db, enabled)
	if err != nil {
		return table, err
	}
	wanted := newSelection(ids)
	err = each(db, join, func(statement *sqlite3.Stmt) {
		row := make(motion.Row, statement.ColumnCount())
		for i := range statement.ColumnCount() {
			row[statement.ColumnName(i)] = value(statement, i)
		}
		wanted.add(row)
	})
	if err != nil {
		return table, err
	}
	table.Rows, err = wanted.result()
	return table, err
}

// open opens the file for reading.
func (s *SQLite) open(ctx context.Context) (*sqlite3.Conn, error) {
	name := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(s.path) + "?mode=ro"
	if s.isAtRest() {
		name += "&immutable=1"
	}
	return openReadOnly(ctx, name)
}

// isAtRest reports whether the database uses a write-ahead log but the log does
// not exist, which means that no program has it open. To read such a database,
// SQLite would create the log and its index and leave them there, or fail in a
// folder that is not writable. If another program begins to write at this
// moment, the next check finds the change.
func (s *SQLite) isAtRest() bool {
	const readVersion, writeAhead = 19, 2 // https://sqlite.org/fileformat.html#file_format_version_numbers
	file, err := os.Open(s.path)
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // it was only read
	var version [1]byte
	if _, err := file.ReadAt(version[:], readVersion); err != nil || version[0] != writeAhead {
		return false
	}
	_, err = os.Stat(s.path + "-wal")
	return errors.Is(err, fs.ErrNotExist)
}

func openReadOnly(ctx context.Context, name string) (*sqlite3.Conn, error) {
	db, err := sqlite3.OpenFlags(name, sqlite3.OPEN_READONLY|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	db.SetInterrupt(ctx)
	err = db.BusyTimeout(5 * time.Second)
	if err == nil {
		err = db.Exec("PRAGMA trusted_schema = OFF; SELECT count(*) FROM sqlite_schema")
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// integers returns the first column of a query.
func integers(db *sqlite3.Conn, query string) (values []int64, err error) {
	err = each(db, query, func(row *sqlite3.Stmt) { values = append(values, row.ColumnInt64(0)) })
	return values, err
}

// value returns a column in the form of a [motion.Row].
func value(row *sqlite3.Stmt, column int) any {
	switch row.ColumnType(column) {
	case sqlite3.INTEGER:
		return row.ColumnInt64(column)
	case sqlite3.FLOAT:
		return row.ColumnFloat(column)
	case sqlite3.TEXT, sqlite3.BLOB:
		return row.ColumnText(column)
	case sqlite3.NULL:
	}
	return nil
}

// each calls do for every row of one statement. The statement may only read.
func each(db *sqlite3.Conn, query string, do func(row *sqlite3.Stmt)) error {
	statement, tail, err := db.Prepare(query)
	if err != nil {
		return err
	}
	if statement == nil {
		return errors.New("the SQL is empty")
	}
	defer statement.Close() //nolint:errcheck // its error is that of Err
	if strings.TrimSpace(tail) != "" || !statement.ReadOnly() {
		return errors.New("the SQL must be one SELECT")
	}
	for statement.Step() {
		do(statement)
	}
	return statement.Err()
}

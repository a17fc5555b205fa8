package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// conn is one connection with its prepared statements. Only one goroutine may
// use it at a time.
type conn struct {
	*sqlite3.Conn
	statements map[string]*sqlite3.Stmt // by SQL text
}

// pragmas are set on every connection. busy_timeout covers the moments when a
// reader and a checkpoint block each other.
var pragmas = []string{
	"PRAGMA busy_timeout = 5000",
	"PRAGMA synchronous = FULL",
	"PRAGMA temp_store = MEMORY",
	// A backup keeps the WAL from being emptied while it reads. Afterwards the
	// file shrinks to this many bytes.
	"PRAGMA journal_size_limit = 67108864",
	// A provider key that was cleared, or a password that was replaced, must
	// not stay readable in the file.
	"PRAGMA secure_delete = ON",
}

// guards are set on every connection. They keep code inside a database file
// from running. checkObjects rejects a file with such code; the guards make a
// file that passed that check harmless.
var guards = []struct {
	option sqlite3.DBConfig
	on     bool
}{
	{sqlite3.DBCONFIG_DEFENSIVE, true},
	{sqlite3.DBCONFIG_TRUSTED_SCHEMA, false},
	{sqlite3.DBCONFIG_ENABLE_TRIGGER, false},
	{sqlite3.DBCONFIG_ENABLE_VIEW, false},
}

// openConn opens a connection. It runs the extra statements after pragmas.
func openConn(uri string, extra ...string) (*conn, error) {
	return openWith(func(*sqlite3.Conn) {}, uri, extra...)
}

// strangeHeap is the memory limit for reading a file that may be malicious, in
// bytes. A normal file needs less than a tenth of it.
const strangeHeap = 128 << 20

// openStrange opens a file that may be malicious. No operation lasts longer
// than ctx or uses more memory than strangeHeap.
func openStrange(ctx context.Context, uri string, extra ...string) (*conn, error) {
	return openWith(func(db *sqlite3.Conn) {
		db.HardHeapLimit(strangeHeap) // applies to this connection only: each has its own memory
		db.SetInterrupt(ctx)
	}, uri, extra...)
}

// errMemory is the error for a file that needs more memory than the connection
// has.
var errMemory = fmt.Errorf("reading the file takes more than %d MiB of memory, and a file of web-backend needs less; do not use it",
	strangeHeap>>20)

// catchMemory must be deferred. It turns the panic of the driver on a lack of
// memory into errMemory. The connection is then lost, and its file stays open.
func catchMemory(err *error) {
	thrown := recover() //nolint:revive // each use is deferred
	if thrown == nil {
		return
	}
	if lack, ok := thrown.(error); !ok || lack.Error() != "sqlite3: out of memory" { // not exported by the driver
		panic(thrown)
	}
	*err = errMemory
}

// openWith opens a connection. It calls limit before anything reads the file,
// because even the pragmas read it.
func openWith(limit func(*sqlite3.Conn), uri string, extra ...string) (_ *conn, err error) {
	defer catchMemory(&err)
	db, err := sqlite3.Open(uri)
	if err != nil {
		return nil, err
	}
	limit(db)
	for _, guard := range guards {
		if _, err := db.Config(guard.option, guard.on); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	c := &conn{Conn: db, statements: make(map[string]*sqlite3.Stmt)}
	for _, statement := range append(pragmas, extra...) {
		if err := db.Exec(statement); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return c, nil
}

// close closes the connection. A nil connection counts as closed.
func (c *conn) close() error {
	if c == nil {
		return nil
	}
	errs := make([]error, 0, len(c.statements)+1)
	for _, statement := range c.statements {
		errs = append(errs, statement.Close())
	}
	return errors.Join(append(errs, c.Close())...)
}

// blob is an argument that is stored as a blob. A []byte is stored as text.
type blob []byte

// query runs one statement with its arguments and calls row, if it is not nil,
// for each row of the result. An argument is a string, a []byte (stored as
// text), a blob, a backend.TokenHash, an int64, a bool or nil. The statement
// stays prepared, so sql must be one of a fixed set of texts.
func (c *conn) query(sql string, args []any, row func(*sqlite3.Stmt) error) error {
	statement, err := c.prepare(sql)
	if err != nil {
		return err
	}
	for i, arg := range args {
		if err := bind(statement, i+1, arg); err != nil {
			return err
		}
	}
	for statement.Step() {
		if row == nil {
			continue
		}
		if err := row(statement); err != nil {
			return errors.Join(err, reset(statement))
		}
	}
	return reset(statement)
}

// run executes a statement and returns the number of rows that it changed.
func (c *conn) run(sql string, args ...any) (changed int64, err error) {
	err = c.query(sql, args, nil)
	return c.Changes(), err
}

func (c *conn) prepare(sql string) (*sqlite3.Stmt, error) {
	if statement, ok := c.statements[sql]; ok {
		return statement, nil
	}
	statement, _, err := c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	c.statements[sql] = statement
	return statement, nil
}

func bind(statement *sqlite3.Stmt, param int, arg any) error {
	switch v := arg.(type) {
	case nil:
		return statement.BindNull(param)
	case string:
		return statement.BindText(param, v)
	case []byte:
		return statement.BindRawText(param, v)
	case blob:
		return statement.BindBlob(param, v)
	case backend.TokenHash:
		return statement.BindBlob(param, v[:])
	case int64:
		return statement.BindInt64(param, v)
	case bool:
		return statement.BindBool(param, v)
	}
	panic("sqlite: argument of an unknown type")
}

// reset returns the error of the last step and makes the statement ready for
// its next use. The statement then holds no row and no arguments.
func reset(statement *sqlite3.Stmt) error {
	err := statement.Err()
	if resetErr := statement.Reset(); err == nil {
		err = resetErr
	}
	return errors.Join(err, statement.ClearBindings())
}

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// Internals for the tests of package sqlite_test.
const (
	DatabaseFile = databaseFile
	LockFile     = lockFile
	MaxBatch     = maxBatch
	SliceSize    = charactersOfSlice
	MaxExpired   = maxExpired
	RecentRead   = recentRead
)

// SchemaVersion is the newest version that this program knows.
var SchemaVersion = len(migrations)

// SchemaV1 creates the schema of version 1 in a file.
var SchemaV1 = fmt.Sprintf("%s PRAGMA application_id = %d; PRAGMA user_version = 1;", migrations[0], applicationID)

// ErrEndless is the cause of a context that ends because an examination took
// too long.
var ErrEndless = errEndless

// UseVFS sets the registered VFS for all stores that this process opens after
// this call, and how a full disk is found.
func UseVFS(name string, write func(folder string) error) { vfsName, tryToWrite = name, write }

// WriteSchema creates an empty database with a version of the schema.
func WriteSchema(path string, version int) (err error) {
	c, err := openConn(databaseURI(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := registerKeys(c); err != nil {
		return err
	}
	return c.Exec(strings.Join(migrations[:version], "") +
		fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version))
}

// LeaveWAL sets the journal mode of a database file to one without a WAL.
func LeaveWAL(path string) (err error) {
	c, err := openConn(databaseURI(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return setJournalMode(c, "delete")
}

// ShareOneSlice upgrades a database of version 5 to the state after a server
// was killed after the first slice of its first start.
func ShareOneSlice(path string) (shared int, err error) {
	c, err := openConn(databaseURI(path), "PRAGMA journal_mode = WAL")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.Exec(migrations[firstSharing-1] + fmt.Sprintf("PRAGMA user_version = %d", firstSharing)); err != nil {
		return 0, err
	}
	done, err := shareSlice(c, -1)
	return done.shared, err
}

// SchemaTexts returns the texts that a version of the schema is compared with.
func SchemaTexts(version int) (string, error) {
	versions, err := schemas()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%q", versions[version]), nil
}

// PageQueries are the queries of UserPage.
var PageQueries = pageQueries

// OnWriter runs fn on the writer's connection, as one of its writes.
func (s *Store) OnWriter(ctx context.Context, fn func(*sqlite3.Conn) error) error {
	return s.write(ctx, nil, func(c *conn) error { return fn(c.Conn) })
}

// Waiting returns the number of writes that wait for the writer.
func (s *Store) Waiting() int { return len(s.jobs) }

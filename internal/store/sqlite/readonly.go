package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// errReadOnly is the error for every change to a store that OpenReadOnly
// opened.
var errReadOnly = &backend.Error{Kind: backend.Unavailable,
	Message: "the data folder was opened for reading only; nothing was changed"}

// OpenReadOnly opens the store in folder dir for reading, without the lock. So
// it works while another process owns the folder. It changes nothing. A missing
// folder or database is an error (fs.ErrNotExist). A database of another
// program, or of a newer or an older version of this program, is also an error;
// the server brings an older one up to date when it starts. Methods that change
// something return Unavailable. Provider keys are opened with the master keys
// that keys returns.
func OpenReadOnly(dir string, keys KeySource) (_ *Store, err error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	s := &Store{
		path:       filepath.Join(dir, databaseFile),
		jobs:       make(chan *job),
		writerDone: make(chan struct{}),
		readers:    make(chan *conn, 1),
	}
	close(s.writerDone) // there is no writer to wait for
	for _, place := range []struct{ what, path string }{{"data folder", dir}, {"database", s.path}} {
		if _, err := os.Stat(place.path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s %s does not exist: %w", place.what, place.path, fs.ErrNotExist)
		}
	}
	uri := readOnlyURI(s.path)
	if s.readOnly, err = freeze(s.path, strings.HasSuffix(uri, immutable)); err != nil {
		return nil, err
	}
	c, err := openConn(uri, "PRAGMA query_only = on")
	if err != nil {
		return nil, fmt.Errorf("database %s cannot be opened: %w", s.path, err)
	}
	if s.sealing, err = openSealing(c, keys); err != nil {
		if errors.Is(err, sqlite3.NOTADB) {
			err = errors.New("the file is not a database")
		}
		return nil, errors.Join(fmt.Errorf("database %s: %w", s.path, err), c.close())
	}
	if err := giveSharedMemory(s.path); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", s.path, err), c.close())
	}
	s.readers <- c
	return s, nil
}

// openSealing checks the schema and gets the master keys. It changes nothing.
func openSealing(c *conn, keys KeySource) (s sealing, err error) {
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		return s, err
	}
	version, err := schemaVersion(c)
	if err != nil {
		return s, err
	}
	if version < int64(len(migrations)) {
		return s, fmt.Errorf("the schema has version %d and this program reads version %d; "+
			"start the server once, which brings it up to date", version, len(migrations))
	}
	use, err := keyUse(c)
	if err != nil {
		return s, err
	}
	s.ring, err = keys(use)
	s.plain = use.Plain > 0
	return s, err
}

// frozen detects changes to a database that was opened as immutable. No process
// had the database open at that time. Otherwise the WAL files would have
// existed, and SQLite would have seen the writes of the other process.
type frozen struct {
	path     string
	watching bool
	size     int64
	changed  time.Time
}

func freeze(path string, watching bool) (*frozen, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("database %s cannot be read: %w", path, err)
	}
	return &frozen{path: path, watching: watching, size: info.Size(), changed: info.ModTime()}, nil
}

// check returns Unavailable if another process has opened the database since
// freeze, because the data just read may then mix two states. If f is nil, check
// returns nil.
func (f *frozen) check() error {
	if f == nil || !f.watching {
		return nil
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return unavailable(err)
	}
	_, err = os.Stat(f.path + "-wal")
	if errors.Is(err, fs.ErrNotExist) && info.Size() == f.size && info.ModTime().Equal(f.changed) {
		return nil
	}
	return unavailable(errors.New("a server started on the data folder while it was read"))
}

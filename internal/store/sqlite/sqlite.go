// Package sqlite is the embedded store: one SQLite file in the data folder,
// owned by one process. When a write returns, its data is on disk (WAL with
// synchronous=FULL). Waiting writes share one commit; see writer.go.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/gofrs/flock"
	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/fileowner"
)

// FilePrefix is the prefix of the names of the database and of the files that
// SQLite and a restore put beside it. No other file has it.
const FilePrefix = "web-backend.db"

// Names of the files in the data folder.
const (
	databaseFile = FilePrefix
	lockFile     = "web-backend.lock"
)

// Store is the embedded store. Use [Open] to create one.
type Store struct {
	path string
	lock *flock.Flock

	readOnly *frozen // set by OpenReadOnly, which uses no lock and no writer

	writer     *conn
	jobs       chan *job
	writerDone chan struct{} // closed when the writer goroutine has ended

	sealing sealing

	readers chan *conn // one slot per reader; a slot is nil until its reader is first used
	recent  *recent    // nil if nothing is kept, or if another process writes
	rests   recentRests

	counters

	closing sync.RWMutex // every running call holds it for reading
	closed  bool
}

var _ backend.Store = (*Store)(nil)

// ErrInUse is the error of [Open] when another process owns the folder.
var ErrInUse = errors.New("is in use by another web-backend process")

// Open opens the store in folder dir, and brings the schema up to date. It
// creates the folder if it does not exist. The store owns the folder until
// Close: a second Open, also by another process, is an error. A database of a
// newer version of this program is an error, too. Provider keys are sealed with
// the master keys that keys returns.
func Open(dir string, keys KeySource) (*Store, error) {
	return OpenLogging(dir, keys, slog.New(slog.DiscardHandler))
}

// OpenLogging is like [Open], and logs those steps of a schema update that take
// long.
func OpenLogging(dir string, keys KeySource, log *slog.Logger) (_ *Store, err error) {
	if err := fileowner.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder %s cannot be made: %w", dir, err)
	}
	s := &Store{
		path:       filepath.Join(dir, databaseFile),
		jobs:       make(chan *job, maxBatch),
		writerDone: make(chan struct{}),
		readers:    make(chan *conn, max(2, runtime.GOMAXPROCS(0))),
		recent:     newRecent(RecentBytes),
	}
	if s.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fullDisk(err, dir), s.writer.close(), s.lock.Close())
		}
	}()

	// The file holds provider keys, so only its owner may read it. The WAL gets
	// the same owner and mode. The -shm file holds no content.
	if err := fileowner.Touch(s.path, 0o600); err != nil {
		return nil, fmt.Errorf("database %s cannot be opened: %w", s.path, err)
	}
	if s.writer, err = openConn(databaseURI(s.path)); err != nil {
		if errors.Is(err, sqlite3.NOTADB) {
			err = errors.New("the file is not a database; move it away to start with a new one")
		}
		return nil, fmt.Errorf("database %s cannot be opened: %w", s.path, err)
	}
	if err := migrate(s.writer, log); err != nil {
		return nil, fmt.Errorf("database %s: %w", s.path, err)
	}
	if err := giveSharedMemory(s.path); err != nil {
		return nil, fmt.Errorf("database %s: %w", s.path, err)
	}
	if s.sealing, err = startSealing(s.writer, keys); err != nil {
		return nil, fmt.Errorf("database %s: %w", s.path, err)
	}
	for range cap(s.readers) {
		s.readers <- nil
	}
	go s.writeLoop()
	return s, nil
}

// KeepRecent limits the memory for recent reads to bytes bytes; 0 turns it off.
// The default is [RecentBytes]. Call it before the first read.
func (s *Store) KeepRecent(bytes int64) { s.recent = newRecent(bytes) }

// Path returns the path of the database file.
func (s *Store) Path() string { return s.path }

// databaseURI returns the SQLite URI of a database file. The parameter modeof
// gives the WAL the mode of the database file. Spaces are encoded as %20
// because SQLite does not read "+" as a space.
func databaseURI(path string) string {
	path = strings.ReplaceAll(url.QueryEscape(filepath.ToSlash(path)), "+", "%20")
	uri := "file:" + path + "?modeof=" + path
	if vfsName != "" {
		uri += "&vfs=" + vfsName
	}
	return uri
}

// giveSharedMemory gives the -shm file, if it exists, the owner of the
// database, as SQLite does for the WAL. If a command of root was killed, the
// file stays, and a server that cannot write to it cannot start.
func giveSharedMemory(path string) error { return fileowner.Give(path+"-shm", path) }

// Close implements [backend.Store].
func (s *Store) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.jobs)
	<-s.writerDone
	var errs []error
	for range cap(s.readers) {
		errs = append(errs, (<-s.readers).close())
	}
	// Close the writer last: the last connection to close empties the WAL.
	errs = append(errs, s.writer.close())
	if s.lock != nil {
		errs = append(errs, forgetAddress(filepath.Dir(s.path)), s.lock.Close())
	}
	return errors.Join(errs...)
}

// Ping implements [backend.Store].
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, func(c *conn) error {
		return c.query(`SELECT 1 FROM users LIMIT 1`, nil, nil)
	})
}

// enter marks a call as running until leave. It fails after Close.
func (s *Store) enter() error {
	s.closing.RLock()
	if s.closed {
		s.closing.RUnlock()
		return unavailable(errors.New("the store is closed"))
	}
	return nil
}

func (s *Store) leave() { s.closing.RUnlock() }

// read runs fn on a reader connection. Each query in fn sees one snapshot,
// which contains every write that returned before. fn must copy the data that
// it keeps.
func (s *Store) read(ctx context.Context, fn func(*conn) error) (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()

	var c *conn
	select {
	case c = <-s.readers:
	default:
		if c, err = s.waitForReader(ctx); err != nil {
			return err
		}
	}
	defer func() { s.readers <- c }()

	if c == nil {
		opened, err := openConn(databaseURI(s.path), "PRAGMA query_only = on")
		if err != nil {
			return storeError(err)
		}
		c = opened
		s.opened.Add(1)
	}
	c.SetInterrupt(ctx)
	defer c.SetInterrupt(context.Background())
	if err := fn(c); err != nil {
		return storeError(err)
	}
	return s.readOnly.check()
}

// readAtOnce runs fn like read, but with one snapshot for all its queries.
func (s *Store) readAtOnce(ctx context.Context, fn func(*conn) error) error {
	return s.read(ctx, func(c *conn) error {
		if _, err := c.run(`BEGIN`); err != nil {
			return err
		}
		err := fn(c)
		c.SetInterrupt(context.Background()) // the transaction must end even if ctx has ended
		_, endErr := c.run(`COMMIT`)
		return errors.Join(err, endErr)
	})
}

func (s *Store) waitForReader(ctx context.Context) (*conn, error) {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	select {
	case c := <-s.readers:
		return c, nil
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

// Package sqlite is the embedded store: one SQLite file in the data folder,
// owned by one process. An answered write is on disk (WAL with
// synchronous=FULL), and waiting writes share one commit; see writer.go.
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

// FilePrefix begins the names of the database, of what SQLite and a restore put
// beside it, and of no other file.
const FilePrefix = "web-backend.db"

// Names of the files in the data folder.
const (
	databaseFile = FilePrefix
	lockFile     = "web-backend.lock"
)

// Store is the embedded store. [Open] makes it.
type Store struct {
	path string
	lock *flock.Flock

	readOnly *frozen // set by OpenReadOnly; then there is no lock and no writer

	writer     *conn
	jobs       chan *job
	writerDone chan struct{} // closed when the writer goroutine has ended

	sealing sealing

	readers chan *conn // a slot per reader; nil until the reader is first used
	recent  *recent    // nil for none, and where another process writes
	rests   recentRests

	counters

	closing sync.RWMutex // held for reading by every running call
	closed  bool
}

var _ backend.Store = (*Store)(nil)

// ErrInUse is the error of [Open] when another process owns the folder.
var ErrInUse = errors.New("is in use by another web-backend process")

// Open opens the store in folder dir, which it creates if it is missing, and
// brings the schema up to date. The folder belongs to the store until Close:
// a second Open, also by another process, is an error, as is a database of a
// newer version of this program. Provider keys are sealed with what keys gives.
func Open(dir string, keys KeySource) (*Store, error) {
	return OpenLogging(dir, keys, slog.New(slog.DiscardHandler))
}

// OpenLogging is [Open], and logs what of bringing the schema up to date takes
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

	// The file holds provider keys: nobody else may read it. The WAL gets the
	// same owner and mode; the -shm file holds no content.
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

// KeepRecent makes the store keep at most so many bytes of what was read lately
// in memory, [RecentBytes] unless told; 0 for nothing. Call it before the first
// read.
func (s *Store) KeepRecent(bytes int64) { s.recent = newRecent(bytes) }

// Path is the database file.
func (s *Store) Path() string { return s.path }

// databaseURI names a database file for SQLite; modeof makes the WAL take the
// mode of the database file. SQLite does not read "+" as a space.
func databaseURI(path string) string {
	path = strings.ReplaceAll(url.QueryEscape(filepath.ToSlash(path)), "+", "%20")
	uri := "file:" + path + "?modeof=" + path
	if vfsName != "" {
		uri += "&vfs=" + vfsName
	}
	return uri
}

// giveSharedMemory gives the -shm file, if there is one, the owner of the
// database, as SQLite does itself with the WAL. Where a command of root was
// killed it stays, and a server that cannot write it cannot start.
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
	// The writer goes last: the last connection to close empties the WAL.
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

// enter marks a call as running until leave; it fails after Close.
func (s *Store) enter() error {
	s.closing.RLock()
	if s.closed {
		s.closing.RUnlock()
		return unavailable(errors.New("the store is closed"))
	}
	return nil
}

func (s *Store) leave() { s.closing.RUnlock() }

// read runs fn on a reader connection. fn sees one snapshot per query, with
// every write that was answered before. It must copy what it keeps.
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

// readAtOnce runs fn like read, with one snapshot for all its queries.
func (s *Store) readAtOnce(ctx context.Context, fn func(*conn) error) error {
	return s.read(ctx, func(c *conn) error {
		if _, err := c.run(`BEGIN`); err != nil {
			return err
		}
		err := fn(c)
		c.SetInterrupt(context.Background()) // the snapshot must end, whatever ctx says
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

package logging

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/DeRuina/timberjack"
	"github.com/gofrs/flock"

	"web-backend/internal/fileowner"
)

// fileMode lets the group read the log, as log collectors expect.
const fileMode = 0o640

// logFile writes to what is at a path. A file is rotated by the one server that
// holds its lock, and is opened anew when the path leads to another one, as
// after rm or logrotate. What is no file, such as a pipe, is only written to. It
// is safe for concurrent use: a request that was broken off logs while the server
// ends.
type logFile struct {
	options Options

	mu     sync.Mutex
	closed bool         // nothing is made at the path then
	lock   *flock.Flock // beside the file; nil for what is no file

	to    io.WriteCloser
	seen  fs.FileInfo // of the file that is open; nil for what is no file
	owner bool        // whether the lock is held, so that the file is rotated
}

// openFile opens what is at the path of options.
func openFile(options Options) (*logFile, error) {
	f := &logFile{options: options}
	return f, f.open()
}

func (f *logFile) open() error {
	folder := filepath.Dir(f.options.Path)
	if err := fileowner.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("log folder %s cannot be made: %w", folder, err)
	}
	if err := f.openPath(f.options.Path); err != nil {
		return fmt.Errorf("log file %s cannot be written: %w", f.options.Path, err)
	}
	return nil
}

func (f *logFile) openPath(path string) error {
	if err := fileowner.Touch(path, fileMode); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch standard := standardStream(info, f.options.Streams); {
	case errors.Is(err, fs.ErrNotExist): // a link to a file that is yet to be made
	case err != nil:
		return err
	case standard != nil:
		f.to, f.seen = keptOpen{standard}, nil
		return nil
	case !info.Mode().IsRegular():
		f.to, err = openPipe(path)
		f.seen = nil
		return err
	}
	probe, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	if f.seen, err = probe.Stat(); err != nil {
		return errors.Join(err, probe.Close())
	}
	f.takeLock()
	if !f.owner {
		f.to = probe
		return nil
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link, and what it leads to is rotated
	}
	f.to = &timberjack.Logger{
		Filename: path, MaxSize: f.options.MaxSizeMB, MaxBackups: f.options.MaxFiles, LocalTime: true,
	}
	return probe.Close()
}

// takeLock tries to become the one that rotates the file. Where no lock can be
// made nobody else is known, and it is.
func (f *logFile) takeLock() {
	if f.lock == nil {
		f.lock = flock.New(f.options.Path+".lock", flock.SetFlag(os.O_RDONLY))
	}
	_ = fileowner.Touch(f.lock.Path(), fileMode) // else TryLock fails, as it makes no file
	locked, err := f.lock.TryLock()
	f.owner = locked || err != nil
}

// Write writes lines to the file that the path leads to now.
func (f *logFile) Write(lines []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, fs.ErrClosed
	}
	if f.to == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	if f.seen == nil {
		return f.to.Write(lines)
	}
	wasOwner := f.owner
	if !wasOwner {
		f.takeLock()
	}
	if info, err := os.Stat(f.options.Path); err != nil || f.owner != wasOwner || !os.SameFile(info, f.seen) {
		if err := f.reopen(); err != nil {
			return 0, err
		}
	}
	return f.to.Write(lines)
}

// reopen closes the file and opens what is at the path. After a rotation that is
// the same file; no more is known of it.
func (f *logFile) reopen() error {
	_ = f.to.Close() // its lines are written
	f.to = nil
	return f.open()
}

// Close closes the file and gives the lock back.
func (f *logFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	var errs []error
	if f.to != nil {
		errs = append(errs, f.to.Close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	return errors.Join(errs...)
}

// standardStream is that of streams that leads to what info is of, if one does.
// Such a one cannot always be opened by its path, and must not be rotated, as
// nobody opens it anew.
func standardStream(info fs.FileInfo, streams []io.Writer) *os.File {
	for _, stream := range streams {
		file, ok := stream.(*os.File)
		if !ok || info == nil {
			continue
		}
		if its, err := file.Stat(); err == nil && os.SameFile(info, its) {
			return file
		}
	}
	return nil
}

// keptOpen is a file that others use too.
type keptOpen struct{ io.Writer }

// Close implements [io.Closer].
func (keptOpen) Close() error { return nil }

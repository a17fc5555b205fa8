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

// logFile writes to the file at a path. Only the server that holds the lock
// rotates the file. If the path leads to a different file, for example after rm
// or logrotate, that file is opened. A pipe or another special file is only
// written to. A logFile is safe for concurrent use, because an interrupted
// request may log while the server shuts down.
type logFile struct {
	options Options

	mu     sync.Mutex
	closed bool         // if set, no new file is created at the path
	lock   *flock.Flock // beside the file; nil if the path is not a regular file

	to    io.WriteCloser
	seen  fs.FileInfo // state of the open file; nil if it is not a regular file
	owner bool        // whether this process holds the lock and rotates the file
}

// openFile opens the file at the path of options.
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
	case errors.Is(err, fs.ErrNotExist): // the target of the link does not exist yet
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
		path = target // a link stays a link; its target is rotated
	}
	f.to = &timberjack.Logger{
		Filename: path, MaxSize: f.options.MaxSizeMB, MaxBackups: f.options.MaxFiles, LocalTime: true,
	}
	return probe.Close()
}

// takeLock tries to take the lock for rotation. If a lock file cannot be
// created, it assumes that this is the only server and that it may rotate the
// file.
func (f *logFile) takeLock() {
	if f.lock == nil {
		f.lock = flock.New(f.options.Path+".lock", flock.SetFlag(os.O_RDONLY))
	}
	_ = fileowner.Touch(f.lock.Path(), fileMode) // otherwise TryLock fails, because it does not create the file
	locked, err := f.lock.TryLock()
	f.owner = locked || err != nil
}

// Write writes lines to the file to which the path leads now.
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

// reopen closes the file and opens the file at the path. After a rotation by
// this process, this is the same file, because Write cannot distinguish a
// rotation from a change by another program.
func (f *logFile) reopen() error {
	_ = f.to.Close() // its lines are written
	f.to = nil
	return f.open()
}

// Close closes the file and releases the lock.
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

// standardStream returns the stream in streams that is the same file as info,
// or nil if there is none. Such a file cannot always be opened by its path. It
// must not be rotated, because its other users would not open the new file.
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

// keptOpen is a file that others also use, so Close does not close it.
type keptOpen struct{ io.Writer }

// Close implements [io.Closer].
func (keptOpen) Close() error { return nil }

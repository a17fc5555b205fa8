// Package secretfile keeps secrets in files that only their owner may read.
package secretfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"web-backend/internal/backend"
	"web-backend/internal/fileowner"
)

// maxSize bounds what is read of a file, in bytes: some hundred secrets.
const maxSize = 1 << 16

// Read gives the text of a file, without the byte order mark that some editors
// put before it. An error shows nothing of it, and is
// fs.ErrNotExist only if nothing is at path, not even a link that leads
// nowhere: nobody must make a new secret in place of one that is only out of
// reach.
func Read(path string) (backend.Secret, error) {
	if _, err := os.Lstat(path); err != nil {
		return backend.Secret{}, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return backend.Secret{}, fmt.Errorf("%s cannot be read: %v", path, errors.Unwrap(err)) //nolint:errorlint // a dangling link must not look like no file
	case !info.Mode().IsRegular() || info.Size() > maxSize:
		return backend.Secret{}, fmt.Errorf("%s is no file of some lines", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return backend.Secret{}, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return backend.NewSecret(strings.TrimPrefix(string(data), "\ufeff")), nil
}

// Write puts text in a file that its owner alone may read, or whoever might
// read the one that it replaces, whose owner it keeps. After a crash the
// file holds what it held before or the text, never a part; what Write has
// written survives a power cut. One process at a time may write a file.
func Write(path string, text backend.Secret) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	temporary := path + ".tmp" // always the same: what a crash left is not kept
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := writeNew(temporary, path, text)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// writeNew makes a private file, for who has that at replaced, which is on disk
// when it returns.
func writeNew(path, replaced string, text backend.Secret) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = fileowner.Take(file, replaced); err == nil {
		_, err = file.WriteString(text.Reveal())
	}
	return errors.Join(err, file.Sync(), file.Close())
}

// syncFolder makes a rename in a folder survive a power cut.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // it keeps its folders itself, and syncs none on request
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// CheckFolder refuses a folder that everybody may write: anyone could put a
// secret, or whatever else is trusted there, of their own into it. The sticky
// bit does not help against that. A folder that is missing is no fault, and
// Windows has no modes to judge.
func CheckFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" {
		return nil //nolint:nilerr // whoever uses the folder says what is wrong with it
	}
	if mode := info.Mode().Perm(); mode&0o002 != 0 {
		return fmt.Errorf("%s may be written by everybody (mode %04o), who could replace what is in it; run: chmod o-w %s",
			path, mode, path)
	}
	return nil
}

// Exposed gives the mode of a file that others than its owner may use, and
// whether there is such a file. Windows has no modes to judge.
func Exposed(path string) (fs.FileMode, bool) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" {
		return 0, false
	}
	mode := info.Mode().Perm()
	return mode, mode&0o077 != 0
}

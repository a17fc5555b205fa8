// Package secretfile stores secrets in files that only their owner may read.
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

// maxSize is the maximum number of bytes read from a file. It is enough for
// about a hundred secrets.
const maxSize = 1 << 16

// Read returns the text of a file, without the byte order mark that some
// editors add. An error does not show any part of the text. It is
// fs.ErrNotExist only if nothing exists at path, not even a dangling link,
// because callers must not create a new secret if the existing one is only
// unreachable.
func Read(path string) (backend.Secret, error) {
	if _, err := os.Lstat(path); err != nil {
		return backend.Secret{}, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return backend.Secret{}, fmt.Errorf("%s cannot be read: %v", path, errors.Unwrap(err)) //nolint:errorlint // a dangling link must not look like no file
	case !info.Mode().IsRegular() || info.Size() > maxSize:
		return backend.Secret{}, fmt.Errorf("%s is not a file of a few lines", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return backend.Secret{}, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return backend.NewSecret(strings.TrimPrefix(string(data), "\ufeff")), nil
}

// Write writes text to a file that only its owner may read. If it replaces a
// file, it keeps the owner, and the users who could read the old file can read
// the new one. After a crash, the file holds either its old content or text,
// but never a part. When Write returns, text survives a power failure. Only one
// process at a time may write a file.
func Write(path string, text backend.Secret) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	temporary := path + ".tmp" // always the same name, so that a file left by a crash is overwritten
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

// writeNew creates a private file for the owner of the file at replaced. The
// file is on disk when writeNew returns.
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

// syncFolder makes sure that a rename in a folder survives a power failure.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // it saves its folders itself and cannot sync one on request
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// CheckFolder returns an error for a folder that all users may write to,
// because any user could put a secret or other trusted data there. The sticky
// bit does not prevent this. A missing folder is not an error. On Windows,
// there are no modes to check.
func CheckFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" {
		return nil //nolint:nilerr // the caller that uses the folder reports what is wrong with it
	}
	if mode := info.Mode().Perm(); mode&0o002 != 0 {
		return fmt.Errorf("%s may be written by everybody (mode %04o), who could replace what is in it; run: chmod o-w %s",
			path, mode, path)
	}
	return nil
}

// Exposed returns the mode of a file and whether it exists and users other than
// its owner may use it. On Windows, there are no modes to check.
func Exposed(path string) (fs.FileMode, bool) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" {
		return 0, false
	}
	mode := info.Mode().Perm()
	return mode, mode&0o077 != 0
}

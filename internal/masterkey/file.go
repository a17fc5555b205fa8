package masterkey

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"web-backend/internal/backend"
)

// FileName is the name of the key file in a data folder.
const FileName = "master.key"

// maxFile bounds what is read of a key file, in bytes: some hundred keys.
const maxFile = 1 << 16

// ReadFile reads the ring of a key file: a key per line, the sealing one
// first. An error shows nothing of the file; it is fs.ErrNotExist only if
// nothing is at path, not even a link that leads nowhere.
func ReadFile(path string) (Ring, error) {
	if _, err := os.Lstat(path); err != nil {
		return Ring{}, fmt.Errorf("key file: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Ring{}, fmt.Errorf("key file %s cannot be read: %v", path, errors.Unwrap(err)) //nolint:errorlint // a dangling link must not look like no file
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return Ring{}, fmt.Errorf("key file %s is no file of some lines", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Ring{}, fmt.Errorf("key file %s cannot be read: %w", path, err)
	}
	ring, err := Parse(backend.NewSecret(string(data)))
	if err != nil {
		return Ring{}, fmt.Errorf("key file %s: %w", path, err)
	}
	return ring, nil
}

// WriteFile puts a ring in a key file that its owner alone may read. After a
// crash the file holds what it held before or the ring, never a part; what
// WriteFile has written survives a power cut. One process at a time may write.
func WriteFile(path string, ring Ring) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	lines := make([]string, len(ring.keys))
	for i, key := range ring.keys {
		lines[i] = key.text.Reveal() + "\n"
	}
	temporary := path + ".tmp" // always the same: what a crash left is not kept
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("key file: %w", err)
	}
	err := writeNew(temporary, strings.Join(lines, ""))
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("key file %s cannot be written: %w", path, err)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("key file %s: %w", path, err)
	}
	return nil
}

// writeNew makes a private file that is on disk when it returns.
func writeNew(path, content string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
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

// Exposed gives the mode of a key file that others than its owner may use, and
// whether there is such a file. Windows has no modes to judge.
func Exposed(path string) (fs.FileMode, bool) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" {
		return 0, false
	}
	mode := info.Mode().Perm()
	return mode, mode&0o077 != 0
}

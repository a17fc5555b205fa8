// Package fileowner keeps the owners of files. A command that root runs on the
// files of a server must not leave files that the server cannot read: what it
// makes belongs to whom it is for.
package fileowner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Take gives file, which was just made, the owner and the mode of what is at
// path and is to be replaced; if nothing is there, the owner of its folder.
// Only root can give files away, so for others the owner stays, and where the
// system does not let root.
func Take(file *os.File, path string) error {
	replaced, err := os.Stat(path)
	if err == nil {
		return errors.Join(giveTo(file, replaced), file.Chmod(replaced.Mode().Perm()))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return TakeOwner(file, filepath.Dir(path))
}

// TakeOwner gives file the owner of what is at path, if this is root.
func TakeOwner(file *os.File, path string) error {
	like, err := os.Stat(path)
	if err != nil {
		return err
	}
	return giveTo(file, like)
}

// Touch makes an empty file with this mode, for the owner of its folder. What
// is there already stays as it is.
func Touch(path string, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(TakeOwner(file, filepath.Dir(path)), file.Close())
}

// MkdirAll is [os.MkdirAll], and each folder that it makes gets the owner of
// the one above.
func MkdirAll(path string, mode fs.FileMode) error {
	parent := filepath.Dir(path)
	if _, err := os.Stat(path); err == nil || parent == path {
		return os.MkdirAll(path, mode) // which makes nothing, or says what is wrong
	}
	if err := MkdirAll(parent, mode); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil {
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			return nil // another process was faster
		}
		return err
	}
	folder, err := openFolder(path)
	if err != nil {
		return err
	}
	return errors.Join(TakeOwner(folder, parent), folder.Close())
}

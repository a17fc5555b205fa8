// Package fileowner preserves the owners of files. If root runs a command on
// the files of a server, the server must still be able to read them. So the
// files that the command creates get the owner for whom they are intended.
package fileowner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Take gives the new file the owner and the mode of the file at path, which it
// will replace. If nothing exists at path, file gets the owner of the folder.
// Only root can change owners. For other users, and if the system does not
// allow it to root, the owner does not change.
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

// TakeOwner gives file the owner of the file at path, if the process runs as
// root.
func TakeOwner(file *os.File, path string) error {
	like, err := os.Stat(path)
	if err != nil {
		return err
	}
	return giveTo(file, like)
}

// Touch creates an empty file with this mode and the owner of its folder. It
// does not change an existing file.
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

// MkdirAll is like [os.MkdirAll], but each new folder gets the owner of its
// parent folder.
func MkdirAll(path string, mode fs.FileMode) error {
	parent := filepath.Dir(path)
	if _, err := os.Stat(path); err == nil || parent == path {
		return os.MkdirAll(path, mode) // creates nothing, or returns the error
	}
	if err := MkdirAll(parent, mode); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil {
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			return nil // another process has created it
		}
		return err
	}
	folder, err := openFolder(path)
	if err != nil {
		return err
	}
	return errors.Join(TakeOwner(folder, parent), folder.Close())
}

package move

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"web-backend/internal/fileowner"
)

// The reasons why a file is not created.
var (
	ErrExists     = errors.New("exists already and is left alone")
	ErrNotRegular = errors.New("is not a regular file")
)

// newFile is a file that gets its final name only when it is complete.
type newFile struct {
	*os.File
	path  string
	force bool
}

// createFile creates a private temporary file that commit moves to path. Unless
// force is set, path must not exist.
func createFile(path string, force bool) (*newFile, error) {
	if err := mayCreate(path, force); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", path, err)
	}
	made := &newFile{file, path, force}
	if err := fileowner.Take(file, path); err != nil {
		made.discard()
		return nil, fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return made, nil
}

func mayCreate(path string, force bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s cannot be written: %w", path, err)
	case info.IsDir():
		return fmt.Errorf("%s is a folder; name a file", path)
	case !info.Mode().IsRegular(): // for example a device, which a regular file would replace
		return fmt.Errorf("%s %w", path, ErrNotRegular)
	case !force:
		return fmt.Errorf("%s %w", path, ErrExists)
	}
	return nil
}

// commit moves the file to its final path. When it returns, the file is on
// disk.
func (f *newFile) commit() error {
	err := f.Sync()
	err = errors.Join(err, f.File.Close())
	if err == nil {
		err = f.place()
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("%s cannot be written: %w", f.path, err)
	}
	if runtime.GOOS == "windows" {
		return nil // Windows cannot sync a folder
	}
	folder, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// place gives the file its final name. Without force it must not replace a file
// that another process has created in the meantime. It therefore makes a hard
// link, which fails if the name exists; a rename would replace the file. If the
// file system does not support hard links, place checks the name and then
// renames.
func (f *newFile) place() error {
	if f.force {
		return os.Rename(f.Name(), f.path)
	}
	err := os.Link(f.Name(), f.path)
	switch {
	case err == nil:
		return os.Remove(f.Name())
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("it %w", ErrExists)
	}
	if err := mayCreate(f.path, false); err != nil {
		return err
	}
	return os.Rename(f.Name(), f.path)
}

// discard closes and removes the temporary file.
func (f *newFile) discard() {
	_ = f.File.Close()
	_ = os.Remove(f.Name())
}

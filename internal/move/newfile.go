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

// Why a file is not made.
var (
	ErrExists     = errors.New("exists already and is left alone")
	ErrNotRegular = errors.New("is no ordinary file")
)

// newFile is a file that appears under its name only when it is complete.
type newFile struct {
	*os.File
	path  string
	force bool
}

// createFile begins a private file that shall be at path. Without force
// nothing may be there.
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
	case !info.Mode().IsRegular(): // a device, which would become a file
		return fmt.Errorf("%s %w", path, ErrNotRegular)
	case !force:
		return fmt.Errorf("%s %w", path, ErrExists)
	}
	return nil
}

// commit puts the file in its place, on disk when it returns.
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
		return nil // it syncs no folders on request
	}
	folder, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// place gives the file its name. Without force it never takes one that another
// process has made meanwhile: a second name fails where a rename replaces. File
// systems without second names look first.
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

// discard gives the file up.
func (f *newFile) discard() {
	_ = f.File.Close()
	_ = os.Remove(f.Name())
}

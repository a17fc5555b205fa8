package app

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// StandardInput is the name that stands for it.
const StandardInput = "-"

// openTwice opens what has to be read more than once. What cannot be read again
// is kept in a private temporary file as it comes, so that what is encrypted
// stays so. closed gives the file back, and removes a temporary one.
func openTwice(path string, stdin io.Reader) (file *os.File, closed func() error, err error) {
	if path != StandardInput {
		if file, err = os.Open(path); err != nil {
			return nil, nil, err
		}
		info, err := file.Stat()
		switch {
		case err != nil:
			return nil, nil, errors.Join(err, file.Close())
		case info.IsDir():
			return nil, nil, errors.Join(fmt.Errorf("%s is a folder, not an export", path), file.Close())
		case info.Mode().IsRegular():
			return file, file.Close, nil
		}
		defer file.Close() //nolint:errcheck // a pipe that was only read
		stdin = file
	}
	return spool(stdin)
}

func spool(in io.Reader) (file *os.File, closed func() error, err error) {
	if file, err = os.CreateTemp("", "web-backend-import-"); err != nil { // mode 0600
		return nil, nil, err
	}
	name := file.Name()
	// Where the system can, the file has no name from now on, and is gone
	// however this process ends.
	gone := os.Remove(name) == nil
	closed = func() error {
		err := file.Close()
		if !gone {
			err = errors.Join(err, os.Remove(name))
		}
		return err
	}
	if _, err := io.Copy(file, in); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("keep the export in a temporary file: %w", err), closed())
	}
	return file, closed, nil
}

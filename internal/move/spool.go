package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// StandardInput is the name that stands for it.
const StandardInput = "-"

// openTwice opens what has to be read more than once. What cannot be read again
// is kept in a private temporary file as it comes, so that what is encrypted
// stays so. closed gives the file back, and removes a temporary one. The end of
// ctx ends the waiting for more of it.
func openTwice(ctx context.Context, path string, stdin io.Reader) (file *os.File, closed func() error, err error) {
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
	return spool(ctx, stdin)
}

func spool(ctx context.Context, in io.Reader) (*os.File, func() error, error) {
	file, err := os.CreateTemp("", "web-backend-import-") // mode 0600
	if err != nil {
		return nil, nil, err
	}
	name := file.Name()
	// Where the system can, the file has no name from now on, and is gone
	// however this process ends.
	gone := os.Remove(name) == nil
	closed := func() error {
		err := file.Close()
		if !gone {
			err = errors.Join(err, os.Remove(name))
		}
		return err
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(file, in)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done(): // the read waits on, until the input or the process ends
		err = ctx.Err()
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("keep the export in a temporary file: %w", err), closed())
	}
	return file, closed, nil
}

package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// StandardInput is the file name that stands for standard input.
const StandardInput = "-"

// openTwice opens an export that has to be read more than once. If the input
// cannot be read again, openTwice copies it to a private temporary file without
// decrypting it, so that encrypted data stays encrypted. The caller must call
// closed, which closes the file and removes a temporary file. The end of ctx
// ends the wait for more input.
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
	// If the system allows it, remove the name of the file now. Then the file
	// disappears when this process ends, however it ends.
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
	case <-ctx.Done(): // the read goes on until the input or the process ends
		err = ctx.Err()
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("keep the export in a temporary file: %w", err), closed())
	}
	return file, closed, nil
}

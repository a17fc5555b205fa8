//go:build unix

package app

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// isInUse reports whether an address cannot be listened on since another
// process does.
func isInUse(err error) bool { return errors.Is(err, unix.EADDRINUSE) }

// checkWritable asks the system whether this process may make files in folder.
func checkWritable(folder string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, folder, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("files cannot be made in %s: %w", folder, err)
	}
	return nil
}

//go:build unix

package app

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// isInUse reports whether err means that another process already listens on the
// address.
func isInUse(err error) bool { return errors.Is(err, unix.EADDRINUSE) }

// checkWritable asks the system whether this process may create files in
// folder.
func checkWritable(folder string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, folder, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("files cannot be made in %s: %w", folder, err)
	}
	return nil
}

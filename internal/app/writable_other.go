//go:build !unix

package app

import (
	"errors"
	"syscall"
)

// isInUse reports whether an address cannot be listened on since another
// process does; the number is WSAEADDRINUSE of Windows.
func isInUse(err error) bool { return errors.Is(err, syscall.Errno(10048)) }

// checkWritable knows no way to ask without making a file.
func checkWritable(string) error { return nil }

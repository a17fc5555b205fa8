//go:build !unix

package app

import (
	"errors"
	"syscall"
)

// isInUse reports whether err means that another process already listens on the
// address. The number is WSAEADDRINUSE of Windows.
func isInUse(err error) bool { return errors.Is(err, syscall.Errno(10048)) }

// checkWritable checks nothing: without creating a file there is no way to find
// out.
func checkWritable(string) error { return nil }

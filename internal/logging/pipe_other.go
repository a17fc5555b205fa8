//go:build !unix

package logging

import "os"

// openPipe opens a pipe or a device.
func openPipe(path string) (*os.File, error) { return os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0) }

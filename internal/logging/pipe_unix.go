//go:build unix

package logging

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// openPipe opens a pipe or a device. It returns an error for a pipe without a
// reader, because waiting for a reader would block the start of the server.
func openPipe(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) {
		return nil, fmt.Errorf("it is a pipe or a socket that no program reads; start the reader first: %w", err)
	}
	return file, err
}

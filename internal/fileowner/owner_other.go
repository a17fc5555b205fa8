//go:build !unix

package fileowner

import (
	"io/fs"
	"os"
)

// giveTo does nothing, because on this system, files are not accessible only to
// the user who created them.
func giveTo(*os.File, fs.FileInfo) error { return nil }

// Give does nothing, for the same reason.
func Give(string, string) error { return nil }

func openFolder(path string) (*os.File, error) { return os.Open(path) }

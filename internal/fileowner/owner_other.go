//go:build !unix

package fileowner

import (
	"io/fs"
	"os"
)

// giveTo has nothing to do: here files do not belong to who made them alone.
func giveTo(*os.File, fs.FileInfo) error { return nil }

func openFolder(path string) (*os.File, error) { return os.Open(path) }

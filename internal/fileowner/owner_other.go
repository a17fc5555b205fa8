//go:build !unix

package fileowner

import (
	"io/fs"
	"os"
)

// giveTo has nothing to do: here files do not belong to who made them alone.
func giveTo(*os.File, fs.FileInfo) error { return nil }

// Give has nothing to do either.
func Give(string, string) error { return nil }

func openFolder(path string) (*os.File, error) { return os.Open(path) }

// Package source reads motion files from their storage: records from SQLite or
// MySQL, and files from a folder or an S3 bucket.
package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"web-backend/internal/motion"
)

// Folder is a folder of files. It does not allow access to files outside of it,
// even through links.
type Folder struct{ path string }

// NewFolder returns the folder at path. It does not need to exist yet.
func NewFolder(path string) Folder { return Folder{path} }

// open opens the folder. If this fails, nothing is known about its files: they
// may be on a disk that is not mounted.
func (f Folder) open() (*os.Root, error) {
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, fmt.Errorf("the folder %s %w: %w", f.path, motion.ErrUnavailable, withoutPath(err))
	}
	return root, nil
}

// Open implements [motion.FileSource].
func (f Folder) Open(_ context.Context, path string) (motion.File, error) {
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	name := filepath.FromSlash(path)
	info, err := root.Stat(name) // stat first, because opening a pipe would wait for a writer
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a file")
	}
	file, err := root.Open(name)
	if err == nil {
		info, err = file.Stat()
	}
	if err != nil {
		return nil, withoutPath(err)
	}
	return folderFile{file, info.Size()}, nil
}

// Fingerprint implements [motion.FileSource].
func (f Folder) Fingerprint(_ context.Context, path string) (string, error) {
	root, err := f.open()
	if err != nil {
		return "", err
	}
	defer root.Close() //nolint:errcheck // it was only read
	info, err := root.Stat(filepath.FromSlash(path))
	if err != nil {
		return "", withoutPath(err)
	}
	return fingerprint(info), nil
}

// fingerprint returns the fingerprint of a file: its time and size. A change of
// the file changes at least one of them.
func fingerprint(info os.FileInfo) string {
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}

// withoutPath removes the path from an error, because the caller adds it.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

type folderFile struct {
	*os.File
	size int64
}

// Size implements [motion.File].
func (f folderFile) Size() int64 { return f.size }

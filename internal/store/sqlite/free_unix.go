//go:build linux || darwin || freebsd

package sqlite

import "golang.org/x/sys/unix"

// freeBytes returns the number of bytes that unprivileged users can still write
// to the file system of a folder.
func freeBytes(folder string) (free uint64, known bool) {
	var stat unix.Statfs_t
	if unix.Statfs(folder, &stat) != nil {
		return 0, false
	}
	return uint64(stat.Bavail) * uint64(stat.Bsize), true //nolint:gosec,unconvert // their types differ between systems
}

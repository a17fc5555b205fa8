//go:build linux || darwin || freebsd

package app

import (
	"golang.org/x/sys/unix"

	"web-backend/internal/console"
)

// diskOf returns the space of the file system that holds folder. It is zero if
// the system does not tell it.
func diskOf(folder string) console.Disk {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return console.Disk{}
	}
	// The types of the fields differ between systems.
	block := float64(stat.Bsize)
	return console.Disk{Free: int64(float64(stat.Bavail) * block), Total: int64(float64(stat.Blocks) * block)}
}

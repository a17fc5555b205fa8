package app

import (
	"golang.org/x/sys/windows"

	"web-backend/internal/console"
)

// diskOf returns the space of the file system that holds folder. It is zero if
// the system does not tell it.
func diskOf(folder string) console.Disk {
	path, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return console.Disk{}
	}
	var free, total uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, &total, nil); err != nil {
		return console.Disk{}
	}
	return console.Disk{Free: int64(free), Total: int64(total)} //nolint:gosec // no disk is that large
}

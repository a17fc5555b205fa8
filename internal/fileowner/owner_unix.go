//go:build unix

package fileowner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// giveTo gives file the owner and the group of like, if the process runs as
// root and is allowed to. The owner does not change in a container without
// CAP_CHOWN, for an owner that is unknown in a container, and on NFS with
// root_squash.
func giveTo(file *os.File, like fs.FileInfo) error {
	if os.Geteuid() != 0 {
		return nil
	}
	want, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	// If the owner is already right, do not call Chown, because some file
	// systems do not have owners.
	if has, ok := info.Sys().(*syscall.Stat_t); ok && has.Uid == want.Uid && has.Gid == want.Gid {
		return nil
	}
	err = file.Chown(int(want.Uid), int(want.Gid))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// Give gives the file at path, if it exists, the owner of the file at like, if
// the process runs as root. It rejects a link and a file with a second name.
// The owner of the folder may have put it there to become the owner of another
// file.
func Give(path, like string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); !info.Mode().IsRegular() || ok && stat.Nlink > 1 {
			err = fmt.Errorf("%s is not a regular file, or has a second name; look who put it there, and remove it", path)
		}
	}
	if err == nil {
		err = TakeOwner(file, like)
	}
	return errors.Join(err, file.Close())
}

// openFolder opens a folder. It returns an error if path is something else,
// which another user may have put there.
func openFolder(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
}

//go:build unix

package fileowner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// giveTo gives file the owner and the group of another one, if this is root and
// may: in a container without CAP_CHOWN, for an owner whom a container does not
// know and on NFS with root_squash the file stays whose it is.
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
	// A file that is right already is not asked of file systems without owners.
	if has, ok := info.Sys().(*syscall.Stat_t); ok && has.Uid == want.Uid && has.Gid == want.Gid {
		return nil
	}
	err = file.Chown(int(want.Uid), int(want.Gid))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// Give gives the file at path, if there is one, the owner of what is at like, if
// this is root. It refuses a link and a file with a second name: who owns the
// folder may have put it there, to be given what it leads to.
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
			err = fmt.Errorf("%s is no ordinary file, or has a second name; look who put it there, and remove it", path)
		}
	}
	if err == nil {
		err = TakeOwner(file, like)
	}
	return errors.Join(err, file.Close())
}

// openFolder opens a folder, and nothing that somebody put in its place.
func openFolder(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
}

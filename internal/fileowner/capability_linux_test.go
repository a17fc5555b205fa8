package fileowner_test

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"web-backend/internal/fileowner"
)

// Root is not always allowed to change owners, for example in a container
// without CAP_CHOWN or on NFS with root_squash. A file with another owner is
// better than no file.
func TestTouch_RootThatCannotGive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "file")
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread ends with this function
		failed <- errors.Join(dropChown(), fileowner.Touch(path, 0o600))
	}()
	if err := <-failed; err != nil {
		t.Error(err)
	}
	wantOwner(t, path, 0)
}

// dropChown removes CAP_CHOWN from this thread.
func dropChown() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	sets[0].Effective &^= 1 << unix.CAP_CHOWN
	return unix.Capset(&header, &sets[0])
}

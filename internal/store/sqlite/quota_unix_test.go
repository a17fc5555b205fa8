//go:build unix

package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// errQuota is the error of os.File for an exceeded quota.
var errQuota = &fs.PathError{Op: "write", Path: "a file", Err: syscall.EDQUOT}

// quotaVFS is the default VFS of SQLite, except that while exceeded is set,
// files cannot be written because the user's disk quota is exceeded.
type quotaVFS struct {
	vfs.VFSFilename

	exceeded *atomic.Bool
}

// OpenFilename implements [vfs.VFSFilename].
func (v quotaVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return quotaFile{file, v.exceeded}, flags, nil
}

type quotaFile struct {
	vfs.File

	exceeded *atomic.Bool
}

// WriteAt implements [vfs.File].
func (f quotaFile) WriteAt(p []byte, off int64) (int, error) {
	if f.exceeded.Load() {
		return 0, errQuota
	}
	return f.File.WriteAt(p, off)
}

// SharedMemory implements [vfs.FileSharedMemory].
func (f quotaFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}

// quotaRole writes to the store and to a backup while the disk quota is
// exceeded. It prints the faults it finds, then "end".
func quotaRole(dir string) error {
	var exceeded atomic.Bool
	vfs.Register("quota", quotaVFS{vfs.Find("os").(vfs.VFSFilename), &exceeded})
	sqlite.UseVFS("quota", func(string) error {
		if exceeded.Load() {
			return errQuota
		}
		return nil
	})
	store, err := sqlite.Open(dir, testKeys)
	if err != nil {
		return err
	}
	ctx := context.Background()
	create := func(id string) error {
		return store.CreateUser(ctx, storetest.UserConfig(id), storetest.Characters(id, 2))
	}
	if err := create("ada"); err != nil {
		return err
	}
	exceeded.Store(true)
	if err := create("bob"); !errors.Is(err, backend.Unavailable) || !strings.Contains(err.Error(), "disk of the store is full") {
		fmt.Println("a write:", err)
	}
	if _, err := sqlite.WriteBackup(ctx, dir, filepath.Join(dir, "copy.db")); err == nil || !strings.Contains(err.Error(), "full") {
		fmt.Println("a backup:", err)
	}
	exceeded.Store(false)
	if err := errors.Join(create("bob"), store.Close()); err != nil {
		return err
	}
	fmt.Println("end")
	return nil
}

// An exceeded disk quota is reported as a full disk. The store can write again
// when there is room.
func TestProcess_ExceedsItsDiskQuota(t *testing.T) {
	t.Parallel()
	other := startProcess(t, "quota", t.TempDir())
	for line := other.line(t); line != "end"; line = other.line(t) {
		t.Error(line)
	}
}

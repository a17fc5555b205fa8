//go:build failpoints

package sqlite

import (
	"github.com/ncruces/go-sqlite3/vfs"

	"web-backend/internal/failpoint"
)

// SetVFS sets the registered VFS that stores use if they are opened after this
// call.
func SetVFS(name string) { vfsName = name }

func init() {
	vfs.Register("failpoints", failpointVFS{})
	SetVFS("failpoints")
}

// failpointVFS is the default VFS of SQLite, with failpoints around its
// operations on the database and its write-ahead log.
type failpointVFS struct{}

func own() vfs.VFSFilename {
	return vfs.Find("os").(vfs.VFSFilename) //nolint:forcetypeassert // SQLite's own is one
}

// Open implements [vfs.VFS].
func (failpointVFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return own().Open(name, flags)
}

// OpenFilename implements [vfs.VFSFilename].
func (failpointVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := own().OpenFilename(name, flags)
	switch {
	case err != nil:
	case flags&vfs.OPEN_MAIN_DB != 0:
		file = &failpointFile{file, failpoint.DBWrite, failpoint.DBSync, failpoint.DBSynced}
	case flags&vfs.OPEN_WAL != 0:
		file = &failpointFile{file, failpoint.WALWrite, failpoint.WALSync, failpoint.WALSynced}
	}
	return file, flags, err
}

// Delete implements [vfs.VFS].
func (failpointVFS) Delete(name string, syncDir bool) error { return own().Delete(name, syncDir) }

// Access implements [vfs.VFS].
func (failpointVFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	return own().Access(name, flags)
}

// FullPathname implements [vfs.VFS].
func (failpointVFS) FullPathname(name string) (string, error) { return own().FullPathname(name) }

type failpointFile struct {
	vfs.File

	write, sync, synced failpoint.Point
}

// WriteAt implements [vfs.File].
func (f *failpointFile) WriteAt(p []byte, off int64) (int, error) {
	failpoint.Hit(f.write)
	return f.File.WriteAt(p, off)
}

// Sync implements [vfs.File].
func (f *failpointFile) Sync(flags vfs.SyncFlag) error {
	failpoint.Hit(f.sync)
	err := f.File.Sync(flags)
	failpoint.Hit(f.synced)
	return err
}

// SharedMemory implements [vfs.FileSharedMemory].
func (f *failpointFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory() //nolint:forcetypeassert // SQLite's own has it
}

// Unwrap implements [vfs.FileUnwrap].
func (f *failpointFile) Unwrap() vfs.File { return f.File }

//go:build failpoints

package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

// disk is the layer below the files of one folder. It records everything that
// SQLite does to the files, so that it can tell afterwards what a power cut at
// any moment may leave. It fails on request.
type disk struct {
	mu     sync.Mutex
	done   []deed
	faulty func(deed) error // nil if the disk does not fail
}

// deed is one operation on a file.
type deed struct {
	kind deedKind
	file string // base name of the file
	off  int64  // offset of a write; size of a truncation
	data []byte // data of a write
}

type deedKind int

const (
	written deedKind = iota
	truncated
	synced
	deleted
)

var disks sync.Map // folder → *disk

// newDisk installs a disk below folder until the test ends.
func newDisk(t testing.TB, folder string) *disk {
	t.Helper()
	path, err := filepath.EvalSymlinks(folder)
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{}
	disks.Store(path, d)
	t.Cleanup(func() { disks.Delete(path) })
	return d
}

// now returns the moment after all operations so far.
func (d *disk) now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.done)
}

// fail makes operations fail from now on if fault returns an error for them. If
// fault is nil, the disk works again.
func (d *disk) fail(fault func(deed) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faulty = fault
}

// act runs do and records it, unless the disk fails.
func (d *disk) act(what deed, do func() error) error {
	d.mu.Lock()
	faulty := d.faulty
	d.mu.Unlock()
	if faulty != nil {
		if err := faulty(what); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	what.data = append([]byte(nil), what.data...)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, what)
	return nil
}

// sector is the unit, in bytes, that a disk writes as a whole. SQLite relies on
// the neighbouring sectors not changing (PSOW, sqlite.org/psow.html).
const sector = 512

// after returns the contents that the files may have if the power is cut after
// this number of deeds. Synced writes are complete. Of the writes that were not
// synced, any part may be there.
func (d *disk) after(moment int, r *rand.Rand) map[string][]byte {
	d.mu.Lock()
	done := d.done[:moment:moment]
	d.mu.Unlock()
	lastSync := map[string]int{}
	for i, what := range done {
		if what.kind == synced {
			lastSync[what.file] = i
		}
	}
	files := map[string][]byte{}
	// How much of the data that was not synced reached the disk: nothing,
	// everything, some writes, or some sectors.
	const nothing, all, someWrites = 0, 1, 2
	fate := r.IntN(4)
	for i, what := range done {
		if sync, ok := lastSync[what.file]; ok && i <= sync {
			apply(files, what, nil)
			continue
		}
		switch {
		case fate == nothing:
		case fate == all, fate == someWrites && r.IntN(2) == 0:
			apply(files, what, nil)
		case fate == someWrites:
		default:
			apply(files, what, r)
		}
	}
	return files
}

// apply applies an operation to the files. If r is not nil, only some sectors
// are written.
func apply(files map[string][]byte, what deed, r *rand.Rand) {
	content := files[what.file]
	grow := func(size int64) {
		if missing := size - int64(len(content)); missing > 0 {
			content = append(content, make([]byte, missing)...)
		}
	}
	switch what.kind {
	case written:
		for from := 0; from < len(what.data); from += sector {
			if r != nil && r.IntN(2) == 0 {
				continue
			}
			part := what.data[from:min(from+sector, len(what.data))]
			grow(what.off + int64(from+len(part)))
			copy(content[what.off+int64(from):], part)
		}
	case truncated:
		if r == nil || r.IntN(2) == 0 {
			grow(what.off)
			content = content[:what.off]
		}
	case deleted:
		delete(files, what.file)
		return
	case synced:
	}
	files[what.file] = content
}

// restore writes files to a new folder.
func restore(t testing.TB, files map[string][]byte, folder string) {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// diskVFS is the file layer of SQLite on top of the disks, for the folders that
// have a disk.
type diskVFS struct{}

func own() vfs.VFSFilename { return vfs.Find("os").(vfs.VFSFilename) }

func diskOf(path string) *disk {
	if d, ok := disks.Load(filepath.Dir(path)); ok {
		return d.(*disk)
	}
	return nil
}

func (diskVFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return own().Open(name, flags)
}

func (diskVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := own().OpenFilename(name, flags)
	if err != nil || name == nil {
		return file, flags, err
	}
	if d := diskOf(name.String()); d != nil && flags&(vfs.OPEN_MAIN_DB|vfs.OPEN_WAL) != 0 {
		file = &diskFile{file, d, filepath.Base(name.String())}
	}
	return file, flags, nil
}

func (diskVFS) Delete(name string, syncDir bool) error {
	d := diskOf(name)
	if d == nil || strings.HasSuffix(name, "-shm") {
		return own().Delete(name, syncDir)
	}
	return d.act(deed{kind: deleted, file: filepath.Base(name)}, func() error { return own().Delete(name, syncDir) })
}

func (diskVFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	return own().Access(name, flags)
}

func (diskVFS) FullPathname(name string) (string, error) { return own().FullPathname(name) }

type diskFile struct {
	vfs.File

	disk *disk
	name string
}

func (f *diskFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.disk.act(deed{written, f.name, off, p}, func() error {
		n, err = f.File.WriteAt(p, off)
		return err
	})
	return n, err
}

func (f *diskFile) Truncate(size int64) error {
	return f.disk.act(deed{kind: truncated, file: f.name, off: size}, func() error { return f.File.Truncate(size) })
}

// Sync does not sync the real file. It only records the sync.
func (f *diskFile) Sync(vfs.SyncFlag) error {
	return f.disk.act(deed{kind: synced, file: f.name}, func() error { return nil })
}

func (f *diskFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}

func (f *diskFile) Unwrap() vfs.File { return f.File }

func (d deed) String() string { return fmt.Sprint(d.kind, " ", d.file, " ", d.off, " ", len(d.data)) }

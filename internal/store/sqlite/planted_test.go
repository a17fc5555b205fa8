//go:build unix

package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

// strangersFolder returns a data folder that belongs to another user, who may
// have put any files into it before root runs a command there.
func strangersFolder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can give files to another user")
	}
	const stranger = 12345
	dir := t.TempDir()
	if err := os.Chown(dir, stranger, stranger); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A command of root must not change the owner of a file that a link or a second
// name in the data folder leads to.
func TestWriteBackup_PlantedSharedMemory(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(target, path string) error{"link": os.Symlink, "second name": os.Link} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := strangersFolder(t)
			store := openStore(t, dir)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, sqlite.DatabaseFile)
			if err := sqlite.LeaveWAL(path); err != nil { // so that SQLite does not touch -shm
				t.Fatal(err)
			}
			const other = 23456
			if err := os.Chown(path, other, other); err != nil {
				t.Fatal(err)
			}
			victim := filepath.Join(t.TempDir(), "shadow")
			if err := os.WriteFile(victim, []byte("root's"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := plant(victim, path+"-shm"); err != nil {
				t.Fatal(err)
			}
			_, err := sqlite.WriteBackup(t.Context(), dir, filepath.Join(t.TempDir(), "backup.db"))
			t.Log("backup:", err)
			info, err := os.Stat(victim)
			if err != nil {
				t.Fatal(err)
			}
			if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != 0 {
				t.Errorf("a file outside of the folder belongs to %d now", stat.Uid)
			}
		})
	}
}

// A link in place of a file that does not exist yet must not make root create a
// file elsewhere.
func TestOpen_PlantedLinks(t *testing.T) {
	t.Parallel()
	for _, name := range []string{sqlite.DatabaseFile, sqlite.LockFile} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, elsewhere := strangersFolder(t), filepath.Join(t.TempDir(), "made")
			if err := os.Symlink(elsewhere, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			store, err := sqlite.Open(dir, testKeys)
			if err == nil {
				err = store.Close()
				t.Error("the store was opened")
			}
			t.Log("open:", err)
			if _, err := os.Lstat(elsewhere); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file was made elsewhere: %v", err)
			}
		})
	}
}

// If root reads a data folder, the folder's owner can still use it. That
// includes the case in which SQLite creates a file in order to read: a WAL
// exists, and -shm does not.
func TestReading_LeavesNoFileOfRoot(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(t *testing.T, dir string) error{
		"check": func(_ *testing.T, dir string) error { return sqlite.CheckFolder(dir) },
		"keys": func(_ *testing.T, dir string) error {
			_, err := sqlite.InspectKeys(dir, masterkey.Ring{})
			return err
		},
		"read only": func(t *testing.T, dir string) error {
			t.Helper()
			return openReadOnly(t, dir, masterkey.Ring{}).Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := strangersFolder(t)
			if err := openStore(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, sqlite.DatabaseFile)
			if err := os.WriteFile(path+"-wal", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := read(t, dir); err != nil {
				t.Error(err)
			}
			info, err := os.Stat(path + "-shm")
			if errors.Is(err, fs.ErrNotExist) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid == 0 || name == "check" {
				t.Errorf("-shm belongs to %d", stat.Uid)
			}
		})
	}
}

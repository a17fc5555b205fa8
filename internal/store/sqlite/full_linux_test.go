package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// The error for a full disk says that the disk is full, for a write and for a
// backup. The store stays readable, and can write again when there is space.
func TestStore_FullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=0700"); err != nil {
		t.Skipf("SKIPPED: a small file system cannot be made here (only root can): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	store := openStore(t, dir)
	mustCreateUser(t, store, "ada", 2)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	err := store.CreateUser(t.Context(), storetest.UserConfig("bob"), storetest.Characters("bob", 2))
	if !errors.Is(err, backend.Unavailable) || !strings.Contains(err.Error(), "disk of the store is full") {
		t.Errorf("a write: got %v", err)
	}
	if err := store.Ping(t.Context()); err != nil {
		t.Errorf("a read: got %v", err)
	}
	if _, err := sqlite.WriteBackup(t.Context(), dir, filepath.Join(dir, "copy.db")); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("a backup: got %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	mustCreateUser(t, store, "bob", 2)
}

// In an idle store the WAL holds nothing that the database file lacks, so a
// copy of that file alone is complete.
func TestStore_FoldsItsWALAtRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openStore(t, dir)
	mustCreateUser(t, store, "ada", 2)
	copied := filepath.Join(t.TempDir(), "copied.db")
	for end := time.Now().Add(30 * time.Second); ; {
		data, err := os.ReadFile(filepath.Join(dir, "web-backend.db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := sqlite.CheckBackup(t.Context(), copied)
		if err == nil && found.Counts.Configs == 1 && found.Counts.Characters == 2 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the file alone has %+v, %v", found.Counts, err)
		}
	}
}

//go:build unix

package fileowner_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"web-backend/internal/fileowner"
)

// stranger is the owner of the files in these tests.
const stranger = 12345

// folder returns a folder that belongs to stranger. Only root can create one.
func folder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can give files to another user")
	}
	path := t.TempDir()
	if err := os.Chown(path, stranger, stranger); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantOwner(t *testing.T, path string, uid uint32) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := info.Sys().(*syscall.Stat_t); !ok || got.Uid != uid || got.Gid != uid {
		t.Errorf("%s belongs to %d:%d, want %d", path, got.Uid, got.Gid, uid)
	}
}

// take creates a file, calls Take for path, and returns the file's name.
func take(t *testing.T, path string) string {
	t.Helper()
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := fileowner.Take(file, path); err != nil {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	return file.Name()
}

func TestTake_Owner(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "file")
	wantOwner(t, take(t, path), stranger) // owner of the folder
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".new"); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, take(t, path), 0) // owner of the replaced file
}

func TestTake_Mode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(take(t, path)); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("got %v, %v, want mode 0640", info.Mode(), err)
	}
}

func TestTouch(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "file")
	if err := fileowner.Touch(path, 0o600); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, path, stranger)
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := fileowner.Touch(path, 0o644); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, path, 0) // an existing file is not changed
}

func TestMkdirAll(t *testing.T) {
	t.Parallel()
	top := folder(t)
	path := filepath.Join(top, "a", "b")
	for range 2 {
		if err := fileowner.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	wantOwner(t, path, stranger)
	wantOwner(t, filepath.Dir(path), stranger)
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := fileowner.MkdirAll(path, 0o700); err == nil {
			t.Errorf("%s: got no error", path)
		}
	}
}

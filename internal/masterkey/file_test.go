package masterkey_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/masterkey"
	"web-backend/internal/secretfile"
)

func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestFile_HoldsARing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, masterkey.FileName)
	for _, ring := range []masterkey.Ring{
		masterkey.NewRing(masterkey.Generate()),
		masterkey.NewRing(masterkey.Generate(), masterkey.Generate(), masterkey.Generate()),
		masterkey.NewRing(masterkey.Generate()),
	} {
		if err := masterkey.WriteFile(path, ring); err != nil {
			t.Fatal(err)
		}
		got, err := masterkey.ReadFile(path)
		if err != nil || !slices.Equal(ids(got), ids(ring)) {
			t.Errorf("got %v, error %v, want %v", ids(got), err, ids(ring))
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("mode: got %v, %v, want 0600", info.Mode(), err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("files: got %v, %v, want the key file alone", entries, err)
		}
	}
}

// A temporary file that is left by a crash must not prevent a write or affect
// the mode of the new file.
func TestWriteFile_AfterACrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), masterkey.FileName)
	write(t, path+".tmp", "half a k", 0o644)
	ring := masterkey.NewRing(masterkey.Generate())
	if err := masterkey.WriteFile(path, ring); err != nil {
		t.Fatal(err)
	}
	if got, err := masterkey.ReadFile(path); err != nil || !slices.Equal(ids(got), ids(ring)) {
		t.Errorf("got %v, error %v", ids(got), err)
	}
	if mode, exposed := secretfile.Exposed(path); exposed {
		t.Errorf("mode %o", mode)
	}
}

// If a file cannot be written, it keeps its content.
func TestWriteFile_FailsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), masterkey.FileName)
	ring := masterkey.NewRing(masterkey.Generate())
	if err := masterkey.WriteFile(path, ring); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path+".tmp", "full"), 0o700); err != nil { // blocks the temporary file
		t.Fatal(err)
	}
	if err := masterkey.WriteFile(path, masterkey.NewRing(masterkey.Generate())); err == nil {
		t.Fatal("it was written")
	}
	if got, err := masterkey.ReadFile(path); err != nil || !slices.Equal(ids(got), ids(ring)) {
		t.Errorf("got %v, error %v, want %v", ids(got), err, ids(ring))
	}
}

func TestFile_ALinkStaysALink(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "key")
	path := filepath.Join(dir, masterkey.FileName)
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if _, err := masterkey.ReadFile(path); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link that leads nowhere: got error %v, want one that is not of a missing file", err)
	}
	write(t, elsewhere, strings.Repeat("5a", 32), 0o600)
	ring := masterkey.NewRing(masterkey.Generate())
	if err := masterkey.WriteFile(path, ring); err != nil {
		t.Fatal(err)
	}
	if got, err := masterkey.ReadFile(elsewhere); err != nil || !slices.Equal(ids(got), ids(ring)) {
		t.Errorf("behind the link: got %v, error %v", ids(got), err)
	}
	if target, err := os.Readlink(path); err != nil || target != elsewhere {
		t.Errorf("the link: got %q, %v", target, err)
	}
}

func TestReadFile_Faults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := masterkey.ReadFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	const garbage = "hunter2-is-no-key"
	write(t, filepath.Join(dir, "garbage"), garbage, 0o600)
	write(t, filepath.Join(dir, "empty"), "", 0o600)
	write(t, filepath.Join(dir, "huge"), strings.Repeat("5a", 1<<16), 0o600)
	for name, want := range map[string]string{
		"garbage": "key 1 of 1", "empty": "there is no key", "huge": "not a file of a few lines", ".": "not a file of a few lines",
	} {
		path := filepath.Join(dir, name)
		_, err := masterkey.ReadFile(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error with the path that says %q", name, err, want)
		}
		if err != nil && strings.Contains(err.Error(), garbage) {
			t.Errorf("%q shows the file", err)
		}
	}
}

func TestExposed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	path := filepath.Join(t.TempDir(), masterkey.FileName)
	if _, exposed := secretfile.Exposed(path); exposed {
		t.Error("a file that does not exist is exposed")
	}
	for mode, want := range map[fs.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o620: true, 0o644: true} {
		write(t, path, "x", mode)
		if got, exposed := secretfile.Exposed(path); exposed != want || exposed && got != mode {
			t.Errorf("%o: got %o, %v, want %v", mode, got, exposed, want)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

package secretfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/secretfile"
)

const secret = "hush, a secret"

func TestWrite(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "x.key")
	for _, text := range []string{secret, "another", secret} {
		if err := secretfile.Write(path, backend.NewSecret(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := secretfile.Read(path); err != nil || got.Reveal() != text {
			t.Errorf("got %q, %v, want %q", got.Reveal(), err, text)
		}
		if mode, exposed := secretfile.Exposed(path); exposed {
			t.Errorf("the file has mode %v", mode)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("got the files %v, %v, want one", entries, err)
	}
}

func TestRead_ByteOrderMark(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("\ufeff"+secret+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := secretfile.Read(path); err != nil || got.Reveal() != secret+"\r\n" {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
}

// A link must remain a link, because the secret may be on another disk.
func TestWrite_ThroughALink(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	target, link := filepath.Join(folder, "target"), filepath.Join(folder, "link")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if err := secretfile.Write(link, backend.NewSecret(secret)); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != secret {
		t.Errorf("the target holds %q, %v", data, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
}

// The error is fs.ErrNotExist only if nothing exists at the path. No error may
// show the text.
func TestRead_Faults(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	for name, make := range map[string]func(path string) error{
		"nothing":  func(string) error { return nil },
		"folder":   func(path string) error { return os.Mkdir(path, 0o700) },
		"too long": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat(secret, 10_000)), 0o600) },
		"dangling": func(path string) error { return os.Symlink(path+" gone", path) },
	} {
		if err := make(path(name)); err != nil {
			t.Skipf("%s cannot be made here: %v", name, err)
		}
		got, err := secretfile.Read(path(name))
		if err == nil || errors.Is(err, fs.ErrNotExist) != (name == "nothing") || got.IsSet() {
			t.Errorf("%s: got %q, %v", name, got.Reveal(), err)
		}
		if err != nil && (strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), name)) {
			t.Errorf("%s: got %q, want the path and nothing of the text", name, err)
		}
	}
}

func TestExposed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	path := filepath.Join(t.TempDir(), "x")
	if mode, exposed := secretfile.Exposed(path); exposed {
		t.Errorf("no file is exposed with %v", mode)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o644: true, 0o620: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if got, exposed := secretfile.Exposed(path); exposed != want {
			t.Errorf("mode %v: got %v, %v, want %v", mode, got, exposed, want)
		}
	}
}

func TestCheckFolder(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	path := filepath.Join(t.TempDir(), "x")
	if err := secretfile.CheckFolder(path); err != nil {
		t.Errorf("no folder: %v", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{
		0o700: true, 0o755: true, 0o770: true, 0o702: false, 0o777: false, 0o777 | os.ModeSticky: false,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		err := secretfile.CheckFolder(path)
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "chmod o-w "+path) {
			t.Errorf("mode %v: got %v, want none: %v", mode, err, want)
		}
	}
}

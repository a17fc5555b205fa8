package cli_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// No command uses a data folder in which every user of the system can create
// files.
func TestDataFolder_WritableByEverybody(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	const remedy = "run: chmod o-w "
	folder := t.TempDir()
	data, other := filepath.Join(folder, "data"), filepath.Join(folder, "other")
	withUsers(t, data)
	withUsers(t, other)
	file, export := filepath.Join(folder, "file"), filepath.Join(folder, "export")
	ok(t, folder, "backup", "--out", file)
	ok(t, folder, "export", "--out", export)
	for _, mode := range []os.FileMode{0o777, 0o702, 0o777 | os.ModeSticky} {
		if err := os.Chmod(data, mode); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"backup", "--out", filepath.Join(folder, "new")}, {"restore", file}, {"restore", "--check", file},
			{"export", "--out", filepath.Join(folder, "new")}, {"import", export}, {"import", "--dry-run", export},
			{"copy", "--from", other, "--to", data}, {"copy", "--from", data, "--to", other},
			{"keys", "doctor"}, {"keys", "rotate"},
			{"user", "list"}, {"user", "show", "ada"}, {"user", "delete", "--yes", "ada"},
			{"config", "check"},
		} {
			refused(t, folder, remedy, args...)
		}
		log := map[string]string{"WEB_BACKEND_LOG_PATH": filepath.Join(folder, "server.log")}
		if got := command(t, folder, "", log, "serve", "--port", "0"); got.status != 1 || !strings.Contains(got.err, remedy) {
			t.Errorf("serve: got %+v, want an error that says %q", got, remedy)
		}
	}
	if err := os.Chmod(data, 0o770); err != nil {
		t.Fatal(err)
	}
	ok(t, folder, "user", "list")
}

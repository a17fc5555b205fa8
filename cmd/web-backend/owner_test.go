//go:build linux

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// stranger is the id of the user that the servers of these tests run as.
const stranger = 12345

// strangersFolder creates a folder that belongs to stranger. Only root can
// create one.
func strangersFolder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can start a server as another user")
	}
	// t.TempDir is in a folder that only its owner can enter.
	folder, err := os.MkdirTemp("", "web-backend-owner-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chown(folder, stranger, stranger); err != nil {
		t.Fatal(err)
	}
	return folder
}

// serveAsStranger does the same as serve, as the user stranger.
func serveAsStranger(t *testing.T, folder string) *process {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(buildFolder, 0o711); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path)
	command.Dir, command.Env = folder, []string{"WEB_BACKEND_PORT=0"}
	attributes := *childAttributes
	attributes.Credential = &syscall.Credential{Uid: stranger, Gid: stranger}
	command.SysProcAttr = &attributes
	p := launch(t, folder, command)
	match := p.stdout.wait(t, announced, p.exited)
	p.url, p.address = match[1], match[2]
	return p
}

// wantAllOfStranger checks that everything in folder belongs to stranger.
func wantAllOfStranger(t *testing.T, folder, after string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != stranger || stat.Gid != stranger {
			t.Errorf("after %s: %s belongs to %d:%d", after, path, stat.Uid, stat.Gid)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// After root has run commands in the folders of a server, the server can still
// use every file and the provider keys.
func TestRoot_LeavesTheServerItsFiles(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]bool{"data folder": false, "link to the data folder": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := strangersFolder(t)
			if link {
				linkData(t, folder)
			}
			workAsRoot(t, folder)
		})
	}
}

// linkData creates the data folder as systemd does for a dynamic user: as a
// link to a folder of this user.
func linkData(t *testing.T, folder string) {
	t.Helper()
	private, link := filepath.Join(folder, "private"), filepath.Join(folder, "data")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("private", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{private, link} {
		if err := os.Lchown(path, stranger, stranger); err != nil {
			t.Fatal(err)
		}
	}
}

// workAsRoot runs the commands that create files in the folders of a server.
func workAsRoot(t *testing.T, folder string) {
	t.Helper()
	p := serveAsStranger(t, folder)
	p.must(t, "/api/v1/create_user", `{"user_id": "ada"}`)
	p.must(t, "/api/v1/update_user_config", `{"user_id": "ada", "openai_api_key": "sk-kept"}`)
	mustRun(t, folder, "backup", "--out", "logs/beside.db") // while the server runs
	wantAllOfStranger(t, folder, "backup beside the server")
	p.stop(t)
	if err := os.Chmod(filepath.Join(folder, "data", "web-backend.db"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"backup"},
		{"backup", "--out", "backups/by-name.db"},
		{"user", "create", "bob"},
		{"export", "--out", "backups/users.jsonl"},
		{"export", "--out", "backups/users.jsonl", "--force"},
		{"import", "backups/users.jsonl"},
		{"copy", "--to", "copied"},
		{"motion", "demo", "motion"},
		{"restore", "backups/by-name.db"},
		{"keys", "rotate"},
		{"keys", "doctor"},
	} {
		mustRun(t, folder, args...)
		wantAllOfStranger(t, folder, strings.Join(args, " "))
	}
	if info, err := os.Stat(filepath.Join(folder, "data", "web-backend.db")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the restored database has mode %v, %v, want that of the old one", info.Mode(), err)
	}
	again := serveAsStranger(t, folder)
	again.must(t, "/health/ready", "")
	if got := again.must(t, "/api/v1/get_available_llm/ada", ""); !strings.Contains(got, "openai") {
		t.Errorf("the provider key counts as unset: %s", got)
	}
	again.must(t, "/api/v1/create_user", `{"user_id": "eve"}`)
	again.stop(t)
}

// A server that root started once, and that was killed, also creates missing
// files with the owner of the folder.
func TestRoot_ServesInAStrangersFolder(t *testing.T) {
	t.Parallel()
	folder := strangersFolder(t)
	p := serve(t, folder)
	p.must(t, "/api/v1/create_user", `{"user_id": "ada"}`)
	wantAllOfStranger(t, folder, "serve")
	p.kill(t)
	again := serveAsStranger(t, folder)
	again.must(t, "/api/v1/create_user", `{"user_id": "bob"}`)
	again.stop(t)
}

// A server that cannot read its key file is not healthy.
func TestRoot_KeyFileOutOfReach(t *testing.T) {
	t.Parallel()
	folder := strangersFolder(t)
	serveAsStranger(t, folder).stop(t)
	if err := os.Chown(filepath.Join(folder, "data", "master.key"), 0, 0); err != nil {
		t.Fatal(err)
	}
	p := serveAsStranger(t, folder)
	got, err := p.send(t.Context(), "/health/ready", "")
	if err != nil || got.status != 503 || !strings.Contains(got.body, "the master key cannot be read") {
		t.Errorf("got %d %s, %v", got.status, got.body, err)
	}
	if !strings.Contains(p.stdout.String(), "NOT READY") {
		t.Errorf("the console says %s", p.stdout)
	}
}

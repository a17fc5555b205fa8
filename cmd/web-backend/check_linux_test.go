package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// tree returns the files below a folder, with mode, size, time of the last
// change and the targets of links.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			found[path] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// config check finds everything that prevents serve from starting, and changes
// nothing.
func TestConfigCheck_FindsWhatServeFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(t *testing.T, folder string) (environment []string)
		want    string // text in the output of both commands
		stopped bool   // the data folder has been used
	}{
		{"port in the host", func(*testing.T, string) []string { return []string{"WEB_BACKEND_HOST=127.0.0.1:80"} }, "WEB_BACKEND_HOST", false},
		{"port in the host of MongoDB", func(*testing.T, string) []string { return []string{"MONGODB_HOST=127.0.0.1:28017"} }, "MONGODB_HOST", false},
		{"address of another machine", func(*testing.T, string) []string { return []string{"WEB_BACKEND_HOST=203.0.113.1"} }, "cannot listen on 203.0.113.1:0", false},
		{"debug address of another machine", func(*testing.T, string) []string {
			return []string{"WEB_BACKEND_DEBUG_ADDRESS=203.0.113.1:0"}
		}, "debug_address: cannot listen on 203.0.113.1:0", false},
		{"empty secret file", func(t *testing.T, folder string) []string {
			write(t, filepath.Join(folder, "key"), "")
			return []string{"WEB_BACKEND_MASTER_KEY_FILE=key"}
		}, "WEB_BACKEND_MASTER_KEY_FILE: key is empty", false},
		{"folder in quotes", func(*testing.T, string) []string { return []string{`WEB_BACKEND_DATA_DIR="data"`} }, "stands in quotes", false},
		{"database of others", func(t *testing.T, folder string) []string { return disown(t, folder, "data/web-backend.db") }, "web-backend.db: permission denied", true},
		{"lock of others", func(t *testing.T, folder string) []string { return disown(t, folder, "data/web-backend.lock") }, "web-backend.lock: permission denied", true},
		{"token of others", func(t *testing.T, folder string) []string { return disown(t, folder, "data/operator.token") }, "operator.token: permission denied", true},
		{"log of others", func(t *testing.T, folder string) []string { return disown(t, folder, "logs/server.log") }, "server.log: permission denied", true},
		{"folder of others", func(t *testing.T, folder string) []string {
			if err := os.Mkdir(filepath.Join(folder, "locked"), 0o500); err != nil {
				t.Fatal(err)
			}
			return []string{"WEB_BACKEND_DATA_DIR=locked/data"}
		}, "locked", false},
		{"folder is a link to nowhere", func(t *testing.T, folder string) []string {
			if err := os.Symlink("nowhere", filepath.Join(folder, "link")); err != nil {
				t.Fatal(err)
			}
			return []string{"WEB_BACKEND_DATA_DIR=link"}
		}, "link", false},
		{"database of a newer version", func(t *testing.T, folder string) []string {
			patchDatabase(t, folder, userVersionOffset, 1000)
			return nil
		}, "run the newer web-backend", false},
		{"database of another program", func(t *testing.T, folder string) []string {
			patchDatabase(t, folder, applicationIDOffset, 1)
			return nil
		}, "move it away", false},
		{"no database", func(t *testing.T, folder string) []string {
			putDatabase(t, folder, strings.Repeat("This is a diary. ", 1000))
			return nil
		}, "not a database", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil { // another user needs access to its contents
				t.Fatal(err)
			}
			if tt.stopped {
				serve(t, folder).stop(t)
			}
			environment := tt.prepare(t, folder)
			give(t, folder)
			before := tree(t, folder)
			check := runAs(t, folder, environment, "config", "check")
			if after := tree(t, folder); !maps.Equal(before, after) {
				t.Errorf("config check changed\n%v\nto\n%v", before, after)
			}
			started := runAs(t, folder, environment, "serve")
			for name, p := range map[string]*process{"config check": check, "serve": started} {
				if state := p.wait(t); state.ExitCode() != 1 || !strings.Contains(p.stderr.String(), tt.want) {
					t.Errorf("%s: %v, %q, want %q", name, state, p.stderr, tt.want)
				}
			}
		})
	}
}

// A running server and its files are not faults.
func TestConfigCheck_BesideAServer(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p := serve(t, folder)
	_, port, err := net.SplitHostPort(p.address)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Sorted(maps.Keys(tree(t, folder)))
	check := startWith(t, folder, nil, "config", "check", "--port", port)
	if state := check.wait(t); state.ExitCode() != 0 || !strings.Contains(check.stdout.String(), "warning: host, port: something listens on 127.0.0.1:"+port) {
		t.Errorf("%v, %q, %q", state, check.stdout, check.stderr)
	}
	if after := slices.Sorted(maps.Keys(tree(t, folder))); !slices.Equal(before, after) {
		t.Errorf("config check changed %q to %q", before, after)
	}
	p.must(t, "/api/v1/create_user", `{"user_id":"ada"}`)
	p.stop(t)
	if check := startWith(t, folder, nil, "config", "check"); check.wait(t).ExitCode() != 0 {
		t.Errorf("%q", check.stderr)
	}
}

func TestServe_NamesUnknownVariables(t *testing.T) {
	t.Parallel()
	p := serveWith(t, t.TempDir(), []string{"WEB_BACKEND_PROT=81", "MONGODB_ADMIN_PASSWORD=" + "hunter2"})
	p.stop(t)
	log := p.stderr.String()
	if !strings.Contains(log, "did you mean WEB_BACKEND_PORT?") || !strings.Contains(log, "no MongoDB server is named") || strings.Contains(log, "hunter2") {
		t.Errorf("the log says %s", log)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// nobody is the id of a user that a test runs as instead of root, because
// permissions do not restrict root.
const nobody = 65534

// disown makes a file inaccessible to the user of runAs.
func disown(t *testing.T, folder, file string) []string {
	t.Helper()
	if err := os.Chmod(filepath.Join(folder, file), 0); err != nil {
		t.Fatal(err)
	}
	return nil
}

// give makes the user of runAs the owner of all files in folder.
func give(t *testing.T, folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	for path := range tree(t, folder) {
		if err := os.Lchown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
}

// runAs runs the program as a user other than root, and waits until it ends.
func runAs(t *testing.T, folder string, environment []string, args ...string) *process {
	t.Helper()
	attributes := *childAttributes
	if os.Geteuid() == 0 {
		attributes.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	p := startAs(t, folder, &attributes, environment, args...)
	p.wait(t)
	return p
}

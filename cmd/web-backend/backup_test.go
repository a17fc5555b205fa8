//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// runToEnd runs a command of the program and waits until it ends.
func runToEnd(t *testing.T, folder string, args ...string) *process {
	t.Helper()
	p := start(t, folder, args...)
	p.wait(t)
	return p
}

func mustRun(t *testing.T, folder string, args ...string) *process {
	t.Helper()
	p := runToEnd(t, folder, args...)
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("%q: status %d: %s", args, code, p.stderr)
	}
	return p
}

// fill creates users in the data folder of a program that is not running.
func fill(t *testing.T, folder, name string, users int) {
	t.Helper()
	data := filepath.Join(folder, "data")
	ring := masterkey.NewRing(masterkey.Generate())
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(data, masterkey.FileName)
	if old, err := masterkey.ReadFile(keyFile); err == nil {
		ring = old
	} else if err := masterkey.WriteFile(keyFile, ring); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(data, sqlite.Keys(ring))
	if err != nil {
		t.Fatal(err)
	}
	for n := range users {
		id := fmt.Sprintf("%s-%d", name, n)
		characters := storetest.Characters(id, 2)
		for i := range characters {
			characters[i].Prompt = strings.Repeat("You keep a lighthouse. ", 1000)
		}
		if err := store.CreateUser(t.Context(), storetest.UserConfig(id), characters); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// users returns the users of the data folder, and checks that each of them is
// complete.
func users(t *testing.T, folder string) (ids []string) {
	t.Helper()
	data := filepath.Join(folder, "data")
	ring, err := masterkey.ReadFile(filepath.Join(data, masterkey.FileName))
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(data, sqlite.Keys(ring))
	if err != nil {
		t.Fatal(err)
	}
	for user, err := range store.Users(t.Context(), backend.AllUsers) {
		if err != nil {
			t.Fatal(err)
		}
		config, err := store.UserConfig(t.Context(), user.UserID)
		if err != nil || len(config.Keys) != len(storetest.UserConfig("x").Keys) {
			t.Errorf("%s has %d provider keys, %v", user.UserID, len(config.Keys), err)
		}
		if names, err := store.CharacterNames(t.Context(), user.UserID); err != nil || len(names) != 2 {
			t.Errorf("%s has %d characters, %v", user.UserID, len(names), err)
		}
		ids = append(ids, user.UserID)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// A backup is made while a server runs, and restored to another folder.
func TestBackup_AndRestore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	fill(t, folder, "ada", 3)
	p := serve(t, folder)
	p.must(t, "/api/v1/create_user", `{"user_id": "later"}`)
	var made struct {
		Users, Characters, Bytes int64
		MasterKeys               []string `json:"master_keys"`
	}
	got := mustRun(t, folder, "backup", "--out", "b.db", "--json")
	if err := json.Unmarshal([]byte(got.stdout.String()), &made); err != nil || made.Users != 4 || made.Bytes == 0 || len(made.MasterKeys) != 1 {
		t.Errorf("backup --json: %+v, %v: %s", made, err, got.stdout)
	}
	if again := runToEnd(t, folder, "backup", "--out", "b.db"); again.command.ProcessState.ExitCode() != 1 || !strings.Contains(again.stderr.String(), "there already") {
		t.Errorf("onto a file that is there: %s", again.stderr)
	}
	if refused := runToEnd(t, folder, "restore", "b.db"); refused.command.ProcessState.ExitCode() != 1 || !strings.Contains(refused.stderr.String(), "in use") {
		t.Errorf("restore beside a server: %s", refused.stderr)
	}
	p.must(t, "/api/v1/create_user", `{"user_id": "lost"}`)
	p.stop(t)
	if got := mustRun(t, folder, "restore", "b.db"); !strings.Contains(got.stdout.String(), "opens every provider key") {
		t.Errorf("restore: %s", got.stdout)
	}
	elsewhere := t.TempDir()
	if got := mustRun(t, elsewhere, "restore", filepath.Join(folder, "b.db")); !strings.Contains(got.stdout.String(), "MISSING") ||
		!strings.Contains(got.stdout.String(), made.MasterKeys[0]) {
		t.Errorf("restore without the master key: %s", got.stdout)
	}
	p = serve(t, folder)
	if list := p.must(t, "/api/v1/list_users", ""); !strings.Contains(list, `"later"`) || strings.Contains(list, `"lost"`) {
		t.Errorf("users after the restore: %s", list)
	}
	p.stop(t)

	mongo := startWith(t, folder, []string{"MONGODB_HOST=127.0.0.1"}, "backup", "--out", "m.db")
	if mongo.wait(t).ExitCode() != 1 || !strings.Contains(mongo.stderr.String(), "mongodump") {
		t.Errorf("backup on MongoDB: %s", mongo.stderr)
	}
}

// If a backup is killed at any moment, its file is complete or does not exist.
// If a restore is killed, the old database or the new one is there.
func TestBackup_Killed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	fill(t, folder, "old", 300)
	old := users(t, folder)
	whole := 0
	for n := range 12 {
		name := fmt.Sprintf("%d.db", n)
		p := start(t, folder, "backup", "--out", name)
		p.killAfter(t, time.Duration(n)*40*time.Millisecond)
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			whole++
			mustRun(t, folder, "restore", "--check", name)
		}
	}
	mustRun(t, folder, "backup", "--out", "last.db")
	if got := users(t, folder); !slices.Equal(got, old) {
		t.Errorf("%d users after the backups were killed, want %d", len(got), len(old))
	}
	t.Logf("%d of 12 backups were done before they were killed", whole)

	fill(t, folder, "more", 20)
	more := users(t, folder)
	seen := map[int]int{}
	for n := range 16 {
		p := start(t, folder, "restore", "last.db")
		p.killAfter(t, time.Duration(n)*15*time.Millisecond)
		got := users(t, folder)
		seen[len(got)]++
		if !slices.Equal(got, old) && !slices.Equal(got, more) {
			t.Fatalf("after a restore was killed: %d users, want %d or %d", len(got), len(old), len(more))
		}
		kept, err := filepath.Glob(filepath.Join(folder, "data", "*.before-restore-*"))
		if err != nil || len(got) == len(old) && len(kept) == 0 {
			t.Fatalf("the old database is not kept: %q, %v", kept, err)
		}
		if len(got) == len(old) { // start again from the beginning
			if err := os.Rename(kept[0], filepath.Join(folder, "data", "web-backend.db")); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range kept {
			_ = os.Remove(path) // the first one has been removed
		}
	}
	t.Logf("users after a restore was killed: %v", seen)
	mustRun(t, folder, "restore", "last.db")
	if got := users(t, folder); !slices.Equal(got, old) {
		t.Errorf("%d users after the restore, want %d", len(got), len(old))
	}
	if left, err := filepath.Glob(filepath.Join(folder, "data", "*.restoring*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// killAfter kills the program after wait, unless it has already ended.
func (p *process) killAfter(t *testing.T, wait time.Duration) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(wait):
	}
	p.kill(t)
}

func backups(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "backups", "web-backend-2*.db"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestBackup_Schedule(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	dir := filepath.Join(folder, "backups")
	if err := os.WriteFile(dir, []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serveWith(t, folder, []string{"WEB_BACKEND_BACKUP_EVERY=200ms", "WEB_BACKEND_BACKUP_KEEP=2"})
	p.stderr.wait(t, regexp.MustCompile(`level=ERROR msg="backup failed".*remedy=`), p.exited)
	others := []string{"web-backend-20200101T000000Z.db", "web-backend-20200101T000000.000Z.db.txt", "notes.txt"}
	const oldest = "web-backend-20200101T000000.000Z.db"
	if err := errors.Join(os.Remove(dir), os.MkdirAll(dir, 0o700)); err != nil { // the server may create the folder first
		t.Fatal(err)
	}
	for _, name := range append(slices.Clone(others), oldest) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const made = `level=INFO msg="backup made"`
	more := strings.Count(p.stderr.String(), made) + 4 // the first new backup finds the files written above
	p.stderr.wait(t, regexp.MustCompile(fmt.Sprintf(`(?s)(%s.*){%d}`, made, more)), p.exited)
	p.stop(t)
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("a file that is no backup of the schedule: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, oldest)); err == nil {
		t.Error("the oldest backup is still there")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.partial*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	for _, name := range others {
		_ = os.Remove(filepath.Join(dir, name)) // otherwise they count as backups below
	}
	kept := backups(t, folder)
	if len(kept) != 2 {
		t.Fatalf("%d backups are kept, want 2", len(kept))
	}
	mustRun(t, folder, "restore", "--check", kept[1])

	// The last backup is recent, so the next start does not make one yet.
	p = serveWith(t, folder, []string{"WEB_BACKEND_BACKUP_EVERY=24h"})
	p.must(t, "/health", "")
	p.stop(t)
	if got := backups(t, folder); !slices.Equal(got, kept) {
		t.Errorf("after a start with a young backup: %q, want %q", got, kept)
	}
}

// Without --out the backup is a new file in the folder of backups. The schedule
// does not remove it.
func TestBackup_WithoutAName(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if p := runToEnd(t, folder, "backup"); p.command.ProcessState.ExitCode() != 1 || !strings.Contains(p.stderr.String(), "nothing to back up") {
		t.Errorf("without a database: %s", p.stderr)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("it made %v, %v", entries, err)
	}
	fill(t, folder, "ada", 1)
	name := regexp.MustCompile(`(?m)^file +(backups/web-backend-manual-\d{8}T\d{6}\.\d{3}Z\.db)$`)
	match := name.FindStringSubmatch(mustRun(t, folder, "backup").stdout.String())
	if match == nil {
		t.Fatal("it does not name the file")
	}
	p := serveWith(t, folder, []string{"WEB_BACKEND_BACKUP_EVERY=1h", "WEB_BACKEND_BACKUP_KEEP=1"})
	p.stderr.wait(t, regexp.MustCompile("backup made"), p.exited)
	p.stop(t)
	mustRun(t, folder, "restore", "--check", match[1])
}

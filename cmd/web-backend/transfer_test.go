//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// Secrets that must not appear in an export without --with-secrets, or in the
// output of a command.
const (
	movedPassword = "$argon2id$v=19$m=64,t=1,p=1$cGxhbnRlZHNhbHQ$cGxhbnRlZHBhc3N3b3JkaGFzaA"
	movedKey      = "sk-planted-provider-key"
)

// movedUser returns a user. n selects one of these kinds in turn: with
// everything, without login, never set up, without characters.
func movedUser(n, characters int) backend.UserData {
	id := fmt.Sprintf("user-%06d", n)
	user := backend.UserData{
		Credential: &backend.Credential{UserID: id, Username: "name " + id, Password: backend.NewSecret(fmt.Sprint(movedPassword, n))},
		Config: &backend.UserConfig{UserID: id, Timezone: "Europe/Rome", Keys: map[string]backend.Secret{
			"openai_api_key": backend.NewSecret(fmt.Sprint(movedKey, n))}},
	}
	switch n % 10 {
	case 7:
		user.Credential = nil
	case 8:
		user.Config = nil
		return user
	case 9:
		return user
	}
	user.Characters = storetest.Characters(id, characters)
	for i := range user.Characters {
		user.Characters[i].Prompt = strings.Repeat("You keep a lighthouse. ", 80)
	}
	return user
}

// fillFolder stores users in the data folder of a program that is not running.
func fillFolder(t testing.TB, data string, users, characters int) {
	t.Helper()
	fillFolderWith(t, data, users, func(n int) backend.UserData { return movedUser(n, characters) })
}

func fillFolderWith(t testing.TB, data string, users int, user func(n int) backend.UserData) {
	t.Helper()
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	ring := masterkey.NewRing(masterkey.Generate())
	if err := masterkey.WriteFile(filepath.Join(data, masterkey.FileName), ring); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(data, sqlite.Keys(ring))
	if err != nil {
		t.Fatal(err)
	}
	var page []backend.UserData
	for n := range users {
		if page = append(page, user(n)); len(page) < 500 && n < users-1 {
			continue
		}
		if err := store.PutUsers(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		page = page[:0]
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// wantCommand runs the program until it ends. It checks the exit status, and
// that the output contains no secret.
func wantCommand(t testing.TB, folder string, status int, args ...string) *process {
	t.Helper()
	p := start(t, folder, args...)
	select {
	case <-p.exited:
	case <-time.After(10 * deadline):
		t.Fatalf("%q does not end", args)
	}
	if got := p.command.ProcessState.ExitCode(); got != status {
		t.Fatalf("%q: status %d, want %d: %s", args, got, status, p.stderr.last(2000))
	}
	wantNoMovedSecret(t, strings.Join(args, " "), p.stdout.String()+p.stderr.String())
	return p
}

func wantNoMovedSecret(t testing.TB, what, text string) {
	t.Helper()
	for _, secret := range []string{movedPassword, movedKey, "AGE-SECRET-KEY"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows %q", what, secret)
		}
	}
}

func readText(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// contentOf returns the lines of an export except the first and the last,
// because these depend on the time of the export.
func contentOf(t testing.TB, export string) string {
	t.Helper()
	lines := strings.SplitAfter(export, "\n")
	if len(lines) < 3 || !strings.Contains(lines[0], `"header"`) || !strings.Contains(lines[len(lines)-2], `"footer"`) {
		t.Fatalf("this is no export: %.300q", export)
	}
	return strings.Join(lines[1:len(lines)-2], "")
}

// keyPair creates an age identity file in folder and returns the public key.
func keyPair(t testing.TB, folder string) (recipient, identityFile string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	identityFile = filepath.Join(folder, "identity")
	if err := os.WriteFile(identityFile, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return identity.Recipient().String(), identityFile
}

// moved is the part of the JSON output of import and copy that the tests need.
type moved struct {
	Users, Characters, Added, Replaced, Skipped, Unchanged, Locked int64
	DryRun                                                         bool `json:"dry_run"`
	Differences                                                    *struct{ Users, Characters, Different int64 }
	Keys                                                           int64 `json:"provider_keys_left"`
}

func resultOf(t testing.TB, p *process) moved {
	t.Helper()
	var result moved
	if err := json.Unmarshal([]byte(p.stdout.String()), &result); err != nil {
		t.Fatalf("%v: %s", err, p.stdout)
	}
	return result
}

// Data is exported from a store that a server uses, imported into an empty
// store, and exported again. Both exports are the same, with and without
// secrets.
func TestTransfer_ExportAndImport(t *testing.T) {
	t.Parallel()
	const users = 120
	folder := t.TempDir()
	fillFolder(t, filepath.Join(folder, "data"), users, 3)
	server := serve(t, folder)
	recipient, identity := keyPair(t, folder)

	wantCommand(t, folder, 0, "export", "--out", "plain.jsonl")
	plain := readText(t, filepath.Join(folder, "plain.jsonl"))
	wantNoMovedSecret(t, "the export without secrets", plain)
	if info, err := os.Stat(filepath.Join(folder, "plain.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	wantCommand(t, folder, 0, "export", "--with-secrets", "--recipient", recipient, "--out", "secret.age")
	wantNoMovedSecret(t, "the encrypted export", readText(t, filepath.Join(folder, "secret.age")))
	server.stop(t)
	if again := wantCommand(t, folder, 0, "export").stdout.String(); contentOf(t, again) != contentOf(t, plain) {
		t.Error("the export to standard output, without a server, is another one")
	}

	for _, tt := range []struct {
		data   string
		args   []string
		locked int64
	}{
		{"other", []string{"plain.jsonl"}, users * 9 / 10},
		{"secret", []string{"secret.age", "--identity", identity}, 0},
	} {
		args := append([]string{"import", "--json", "--data-dir", tt.data}, tt.args...)
		if dry := resultOf(t, wantCommand(t, folder, 0, append(args, "--dry-run")...)); dry.Added != users || !dry.DryRun {
			t.Errorf("dry run into %s: %+v", tt.data, dry)
		}
		if _, err := os.Stat(filepath.Join(folder, tt.data)); err == nil {
			t.Errorf("the dry run made %s", tt.data)
		}
		first := resultOf(t, wantCommand(t, folder, 0, args...))
		if first.Added != users || first.Users != users || first.Locked != tt.locked {
			t.Errorf("into %s: %+v", tt.data, first)
		}
		second := resultOf(t, wantCommand(t, folder, 0, args...))
		if second.Unchanged != users || second.Added+second.Replaced+second.Skipped != 0 {
			t.Errorf("into %s again: %+v", tt.data, second)
		}
		if got := wantCommand(t, folder, 0, "export", "--data-dir", tt.data).stdout.String(); contentOf(t, got) != contentOf(t, plain) {
			t.Errorf("what came out of %s is not what went in", tt.data)
		}
	}
	same := resultOf(t, wantCommand(t, folder, 0, "copy", "--to", "secret", "--with-secrets", "--verify", "--json"))
	if same.Unchanged != users || same.Differences == nil || same.Differences.Different != 0 || same.Differences.Users != users {
		t.Errorf("passwords and provider keys did not arrive: %+v", same)
	}
}

// A login works after a move with secrets, and does not work after a move
// without them.
func TestTransfer_Logins(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	recipient, identity := keyPair(t, folder)
	p := serveWith(t, folder, manyTries)
	p.must(t, "/api/v1/register_user", `{"username": "bea", "password": "a good password"}`)
	p.must(t, "/api/v1/authenticate_user", `{"username": "bea", "password": "a good password"}`)
	wantCommand(t, folder, 0, "export", "--out", "plain")
	wantCommand(t, folder, 0, "export", "--out", "secret", "--with-secrets", "--recipient", recipient)
	p.stop(t)
	for _, tt := range []struct {
		data, code string
		args       []string
	}{
		{"without", `"auth_code":500`, []string{"plain"}},
		{"with", `"auth_code":200`, []string{"secret", "--identity", identity}},
	} {
		wantCommand(t, folder, 0, append([]string{"import", "--data-dir", tt.data}, tt.args...)...)
		p := serveWith(t, folder, manyTries, "--data-dir", tt.data)
		if got := p.must(t, "/api/v1/authenticate_user", `{"username": "bea", "password": "a good password"}`); !strings.Contains(got, tt.code) {
			t.Errorf("%s secrets: %s", tt.data, got)
		}
		p.stop(t)
	}
}

// If an import is killed or stopped before its end, the same command completes
// it.
func TestTransfer_BrokenOff(t *testing.T) {
	t.Parallel()
	users := int64(1500) // takes one or two seconds
	if raceDetector {
		users /= 5
	}
	folder := t.TempDir()
	fillFolder(t, filepath.Join(folder, "data"), int(users), 3)
	wantCommand(t, folder, 0, "export", "--out", "export.jsonl")
	want := contentOf(t, readText(t, filepath.Join(folder, "export.jsonl")))
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		data := "broken-by-" + signal.String()
		args := []string{"import", "export.jsonl", "--json", "--quiet", "--data-dir", data}
		p := start(t, folder, args...)
		p.killed = true
		for stored(t, filepath.Join(folder, data)) == 0 {
			select {
			case <-p.exited:
				t.Fatalf("the import ended at once: %s", p.stderr)
			case <-time.After(5 * time.Millisecond): // each look costs the import time
			}
		}
		p.signal(t, signal)
		state := p.wait(t)
		done := stored(t, filepath.Join(folder, data))
		if done == 0 || done >= users || state.ExitCode() == 0 {
			t.Fatalf("%v came with %d of %d users stored; %v", signal, done, users, state)
		}
		if message := p.stderr.String(); signal == syscall.SIGINT && (state.ExitCode() != 1 ||
			message != "web-backend: stopped before the end; the same command again completes the work\n") {
			t.Errorf("%v: %v, %q", signal, state, message)
		}
		result := resultOf(t, wantCommand(t, folder, 0, args...))
		if result.Unchanged < done || result.Added == 0 || result.Unchanged+result.Added != users {
			t.Errorf("after %v with %d users stored: %+v", signal, done, result)
		}
		if got := wantCommand(t, folder, 0, "export", "--data-dir", data).stdout.String(); contentOf(t, got) != want {
			t.Errorf("after %v and a second run the store is not what was exported", signal)
		}
	}
}

// stored returns the number of users of a data folder. The folder may be in
// use, or may not exist.
func stored(t testing.TB, data string) int64 {
	t.Helper()
	store, err := sqlite.OpenReadOnly(data, sqlite.Keys(masterkey.Ring{}))
	if err != nil {
		return 0
	}
	defer store.Close()
	counts, err := store.Count(context.WithoutCancel(t.Context()))
	if err != nil {
		return 0
	}
	return counts.Users
}

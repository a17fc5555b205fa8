package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

func TestOpen_MakesAPrivateFolder(t *testing.T) {
	t.Parallel()
	parent := filepath.Join(t.TempDir(), "var")
	store := openStore(t, filepath.Join(parent, "data"))
	mustCreateUser(t, store, "ada", 1)
	for _, dir := range []string{parent, filepath.Join(parent, "data")} {
		if got := modeOf(t, dir); got != 0o700 {
			t.Errorf("mode of %s: got %o, want 700", dir, got)
		}
	}
	for _, file := range []string{store.Path(), store.Path() + "-wal"} {
		if got := modeOf(t, file); got != 0o600 {
			t.Errorf("mode of %s: got %o, want 600", file, got)
		}
	}
}

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestOpen_TakesAnyPath(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"a b", "100%", "50%25 %41", "what?mode=memory", "no#1", "a+b", "a&b=c;d", "it's", `quo"te`, `back\slash`,
		"数据 été 🫖", "file:data", ":memory:", "[x]{y}", " ", "line\nend",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir := filepath.Join(parent, name)
			store := openStore(t, dir)
			mustCreateUser(t, store, "ada", 1)
			mustClose(t, store)
			wantFolder(t, parent, name)
			wantFolder(t, dir, "web-backend.db", "web-backend.lock")
			wantUser(t, openStore(t, dir), "ada", 1)
		})
	}
}

// wantFolder checks the names in a folder.
func wantFolder(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("files in %q: got %q, want %q", dir, got, want)
	}
}

func TestOpen_TakesARelativePath(t *testing.T) { // not parallel: it changes the working directory
	t.Chdir(t.TempDir())
	store := openStore(t, "data")
	mustCreateUser(t, store, "ada", 1)
	wantFolder(t, ".", "data")
}

func TestOpen_RefusesASecondOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openStore(t, dir)
	second, err := sqlite.Open(dir, testKeys)
	if err == nil {
		_ = second.Close()
	}
	wantError(t, "second Open", err, dir, "in use")
	mustCreateUser(t, store, "ada", 1)
	mustClose(t, store)
	wantUser(t, openStore(t, dir), "ada", 1)
}

func TestOpen_RefusesAPathThatIsNoFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, []byte("mine"))
	for _, dir := range []string{file, filepath.Join(file, "data")} {
		_, err := sqlite.Open(dir, testKeys)
		wantError(t, "Open "+dir, err, dir)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, sqlite.DatabaseFile), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(folder, testKeys)
	wantError(t, "Open with a folder for a database", err, folder)
}

func TestOpen_RefusesOtherFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		write func(t *testing.T, path string)
		want  string // part of the error
	}{
		{"newer schema", newerSchema, fmt.Sprintf("version %d", sqlite.SchemaVersion+1)},
		{"foreign tables", sql("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')"), "another program"},
		{"foreign tables with a version", sql("CREATE TABLE notes (text); PRAGMA user_version = 1"), "another program"},
		{"foreign tables in WAL mode", sql("PRAGMA journal_mode = WAL; CREATE TABLE notes (text)"), "another program"},
		{"foreign application id", sql("PRAGMA application_id = 1"), "another program"},
		{"text", content("not a database, but somebody's only copy of a text"), "not a database; move it away"},
		{"long text", content(strings.Repeat("not a database", 10_000)), "not a database; move it away"},
		{"one byte", content("x"), "not a database; move it away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, sqlite.DatabaseFile)
			c.write(t, path)
			before := readFile(t, path)
			store, err := sqlite.Open(dir, testKeys)
			if err == nil {
				_ = store.Close()
			}
			wantError(t, "Open", err, path, c.want)
			if after := readFile(t, path); after != before {
				t.Errorf("the refused file: got it changed from %d to %d bytes, want it as it was", len(before), len(after))
			}
			if _, err := sqlite.Open(dir, testKeys); err == nil || strings.Contains(err.Error(), "in use") {
				t.Errorf("second Open: got error %v, want the first one again", err)
			}
		})
	}
}

// TestOpen_KeepsTheWALOfARefusedFile opens the files of a newer program that
// crashed: a database with changes that are only in its WAL.
func TestOpen_KeepsTheWALOfARefusedFile(t *testing.T) {
	t.Parallel()
	crashed, dir := t.TempDir(), t.TempDir()
	path, source := filepath.Join(dir, sqlite.DatabaseFile), filepath.Join(crashed, sqlite.DatabaseFile)
	store := openStore(t, crashed)
	mustCreateUser(t, store, "ada", 1)
	onWriter(t, store, fmt.Sprintf("PRAGMA user_version = %d", sqlite.SchemaVersion+1))
	for _, suffix := range []string{"", "-wal"} {
		writeFile(t, path+suffix, []byte(readFile(t, source+suffix)))
	}
	_, err := sqlite.Open(dir, testKeys)
	wantError(t, "Open", err, path, fmt.Sprintf("version %d", sqlite.SchemaVersion+1))
	for _, suffix := range []string{"", "-wal"} {
		if readFile(t, path+suffix) != readFile(t, source+suffix) {
			t.Errorf("%s%s: got it changed, want it as it was", sqlite.DatabaseFile, suffix)
		}
	}
}

func newerSchema(t *testing.T, path string) {
	t.Helper()
	store := openStore(t, filepath.Dir(path))
	mustCreateUser(t, store, "ada", 1)
	onWriter(t, store, fmt.Sprintf("PRAGMA user_version = %d", sqlite.SchemaVersion+1))
	mustClose(t, store)
}

// sql returns a function that creates a SQLite database.
func sql(statements string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		db, err := sqlite3.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Exec(statements); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// content returns a function that creates a file.
func content(text string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		writeFile(t, path, []byte(text))
	}
}

func TestOpen_TakesAnEmptyFile(t *testing.T) { // an interrupted first start leaves it
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, sqlite.DatabaseFile), nil)
	mustCreateUser(t, openStore(t, dir), "ada", 1)
}

// TestWrite_IsOnDiskWhenConfirmed copies the files of a running store in the
// state that a crash of the process would leave, and opens the copy.
func TestWrite_IsOnDiskWhenConfirmed(t *testing.T) {
	t.Parallel()
	dir, copied := t.TempDir(), t.TempDir()
	store := openStore(t, dir)
	for n := range 5 {
		mustCreateUser(t, store, fmt.Sprint(n), 2)
	}
	for _, suffix := range []string{"", "-wal"} {
		writeFile(t, filepath.Join(copied, sqlite.DatabaseFile)+suffix, []byte(readFile(t, store.Path()+suffix)))
	}
	recovered := openStore(t, copied)
	for n := range 5 {
		wantUser(t, recovered, fmt.Sprint(n), 2)
	}
}

// onWriter runs SQL on the writer's connection.
func onWriter(t *testing.T, store *sqlite.Store, statements string) {
	t.Helper()
	if err := store.OnWriter(t.Context(), func(c *sqlite3.Conn) error { return c.Exec(statements) }); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// mustCreateUser stores a user with count characters from storetest.
func mustCreateUser(t *testing.T, store *sqlite.Store, userID string, count int) {
	t.Helper()
	err := store.CreateUser(t.Context(), storetest.UserConfig(userID), storetest.Characters(userID, count))
	if err != nil {
		t.Fatalf("create user %q: %v", userID, err)
	}
}

// wantUser checks that a user is stored as mustCreateUser made it.
func wantUser(t *testing.T, store *sqlite.Store, userID string, count int) {
	t.Helper()
	if _, err := store.UserConfig(t.Context(), userID); err != nil {
		t.Errorf("config of user %q: got error %v, want none", userID, err)
	}
	for n := range count {
		want := storetest.Character(userID, n)
		if got, err := store.Character(t.Context(), want.Key()); err != nil || got != want {
			t.Errorf("character %d of user %q: got %v, error %v, want %v", n, userID, got, err, want)
		}
	}
}

func mustClose(t *testing.T, store backend.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// wantError checks that err contains each of the words.
func wantError(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s: got no error, want one that says %q", what, words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got error %q, want it to say %q", what, err, word)
		}
	}
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// No file contains a provider key that was cleared or whose user was deleted.
func TestFiles_HoldNoClearedKey(t *testing.T) {
	t.Parallel()
	const residue = "key-that-must-not-remain-"
	dir := t.TempDir()
	store := openStore(t, dir)
	for _, user := range []string{"cleared", "deleted"} {
		mustCreateUser(t, store, user, 1)
		for _, name := range backend.ProviderKeys {
			patch := backend.UserConfigPatch{Keys: map[string]backend.Secret{name: backend.NewSecret(residue + name)}}
			if err := store.UpdateUserConfig(t.Context(), user, patch); err != nil {
				t.Fatal(err)
			}
		}
	}
	empty := backend.UserConfigPatch{Keys: map[string]backend.Secret{}}
	for _, name := range backend.ProviderKeys {
		empty.Keys[name] = backend.Secret{}
	}
	if err := store.UpdateUserConfig(t.Context(), "cleared", empty); err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteUser(t.Context(), "deleted"); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	wantInNoFile(t, dir, residue)
}

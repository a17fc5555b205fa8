package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sync/errgroup"

	"web-backend/configs/characters"
	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// service returns a service that creates users on a store as the server does,
// with the default characters.
func service(t testing.TB, store *sqlite.Store) *backend.Service {
	t.Helper()
	return backend.New(store, backend.Options{Defaults: backend.Defaults{Characters: defaultCharacters(t)}})
}

func defaultCharacters(t testing.TB) []backend.Character {
	t.Helper()
	all, err := characters.All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// copied returns a user's read-only copies of the default characters, and one
// character of the user's own.
func copied(t testing.TB, userID string) backend.UserData {
	t.Helper()
	all := defaultCharacters(t)
	for n := range all {
		all[n].UserID, all[n].CharacterID, all[n].ReadOnly = userID, fmt.Sprint("copy ", n), true
		all[n].CreateDatatime = "2025-09-26 14:49:13,123"
	}
	return backend.UserData{
		Config:     &backend.UserConfig{UserID: userID, Timezone: "UTC", Keys: map[string]backend.Secret{}},
		Characters: append(all, storetest.Character(userID, 1)),
	}
}

// wantDocuments checks that every way of reading returns what was stored.
func wantDocuments(t *testing.T, store *sqlite.Store, users []backend.UserData) {
	t.Helper()
	n := 0
	for got, err := range store.ExportUsers(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n == len(users) || !slices.Equal(got.Characters, users[n].Characters) {
			t.Fatalf("export of user %d: got %d characters that are not those that were stored", n, len(got.Characters))
		}
		n++
	}
	if n != len(users) {
		t.Fatalf("export: got %d users, want %d", n, len(users))
	}
	for _, user := range users {
		names, err := store.CharacterNames(t.Context(), user.UserID())
		if err != nil || len(names) != len(user.Characters) {
			t.Fatalf("names: got %d, error %v, want %d", len(names), err, len(user.Characters))
		}
		for i, character := range user.Characters {
			want, err := backend.EncodeCharacter(character)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := store.CharacterDocument(t.Context(), character.Key()); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("character %v:\n got %s, error %v\nwant %s", character.Key(), got, err, want)
			}
			if names[i] != backend.NewCharacterName(character.CharacterID, character.CharacterName) {
				t.Fatalf("name %d of %s: got %v, want %q", i, user.UserID(), names[i], character.CharacterName)
			}
		}
	}
}

// number returns the result of a query that returns one number.
func number(t *testing.T, store *sqlite.Store, query string) (response int64) {
	t.Helper()
	err := store.OnWriter(t.Context(), func(c *sqlite3.Conn) error {
		statement, _, err := c.Prepare(query)
		if err != nil {
			return err
		}
		if statement.Step() {
			response = statement.ColumnInt64(0)
		}
		return statement.Close()
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return response
}

func bytesOf(t *testing.T, store *sqlite.Store) int64 {
	t.Helper()
	return number(t, store, "PRAGMA page_count") * pageSize
}

func TestSharing_ANewUserTakesFewBytes(t *testing.T) {
	t.Parallel()
	const count, most = 1000, 3 << 10
	store := openStore(t, t.TempDir())
	users, before := service(t, store), bytesOf(t, store)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(64) // so that they share commits
	for range count {
		group.Go(func() error {
			_, err := users.CreateUser(ctx, "")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	got := (bytesOf(t, store) - before) / count
	t.Logf("%d bytes a user", got)
	if got > most {
		t.Errorf("got %d bytes a user, want %d at most", got, most)
	}
	if rests := number(t, store, "SELECT count(*) FROM shared_documents"); rests != int64(len(defaultCharacters(t))) {
		t.Errorf("got %d shared documents, want one for each default character", rests)
	}
}

// Names with characters that JSON escapes, equal characters of one user, and
// speeds that are equal but encoded differently are read as they were stored.
func TestSharing_EveryReadGivesWhatWasStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var users []backend.UserData
	for n, id := range []string{"ada", `"b\ob",\"read_only\":`, "<c>&\u2028\x01", "é 🌙"} {
		user := copied(t, id)
		for i := range user.Characters {
			user.Characters[i].CharacterName += id
		}
		twin := user.Characters[0]
		twin.CharacterID = "twin"
		silent := user.Characters[1]
		silent.CharacterID, silent.VoiceSpeed = "speed", 0
		if n%2 == 0 {
			silent.VoiceSpeed *= -1
		}
		user.Characters = append(user.Characters, twin, silent)
		users = append(users, user)
	}
	store := openStore(t, dir)
	if err := store.PutUsers(t.Context(), users[:2]); err != nil {
		t.Fatal(err)
	}
	for _, user := range users[2:] {
		if err := store.CreateUser(t.Context(), *user.Config, user.Characters); err != nil {
			t.Fatal(err)
		}
	}
	wantDocuments(t, store, users)
	mustClose(t, store)
	file := filepath.Join(t.TempDir(), "backup")
	mustBackup(t, dir, file)
	wantDocuments(t, restored(t, file), users)
	wantDocuments(t, openReadOnly(t, dir, mustParse(strings.Repeat("5a", 32))), users)
}

// A rest that no character shares any more may be text that a person wrote. It
// is removed with its last character, and no file contains it.
func TestSharing_TheRestGoesWithTheLastCharacter(t *testing.T) {
	t.Parallel()
	const residue = "written-by-a-person"
	user := func(id string, shared bool) backend.UserData {
		data := copied(t, id)
		data.Characters = data.Characters[:1]
		data.Characters[0].Prompt = "nothing"
		if shared {
			data.Characters[0].Prompt = strings.Repeat(residue, 400)
		}
		return data
	}
	for name, remove := range map[string]func(*sqlite.Store, backend.UserData) error{
		"delete character": func(s *sqlite.Store, of backend.UserData) error {
			return s.DeleteCharacter(t.Context(), of.Characters[0].Key())
		},
		"delete user": func(s *sqlite.Store, of backend.UserData) error { return s.DeleteUser(t.Context(), of.UserID()) },
		"put user": func(s *sqlite.Store, of backend.UserData) error {
			return s.PutUsers(t.Context(), []backend.UserData{user(of.UserID(), false)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := openStore(t, dir)
			first, last := user("first", true), user("last", true)
			must(t, store.PutUsers(t.Context(), []backend.UserData{first, last}))
			const stored = "SELECT count(*) FROM shared_documents WHERE rest LIKE '%" + residue + "%'"
			for i, of := range []backend.UserData{first, last} {
				must(t, remove(store, of))
				if got, want := number(t, store, stored), int64(1-i); got != want {
					t.Errorf("after %d: got %d of what they shared, want %d", i+1, got, want)
				}
			}
			mustClose(t, store)
			wantInNoFile(t, dir, residue)
		})
	}
}

// A rejected write leaves no shared rest behind.
func TestSharing_ARefusedUserLeavesNothing(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	user := copied(t, "ada")
	user.Characters = append(user.Characters, user.Characters[0])
	if err := store.CreateUser(t.Context(), *user.Config, user.Characters); err == nil {
		t.Error("a character twice: got no error, want one")
	}
	if got := number(t, store, "SELECT count(*) FROM shared_documents"); got != 0 {
		t.Errorf("got %d shared documents, want none", got)
	}
	user.Characters = user.Characters[:len(user.Characters)-1]
	must(t, store.CreateUser(t.Context(), *user.Config, user.Characters))
	wantDocuments(t, store, []backend.UserData{user})
}

// Read-only characters that are all different need hardly more space than
// characters that do not share.
func TestSharing_DifferentCharactersTakeNoMore(t *testing.T) {
	t.Parallel()
	size := func(readOnly bool) int64 {
		store, users := openStore(t, t.TempDir()), make([]backend.UserData, 100)
		for n := range users {
			user := copied(t, fmt.Sprint("user ", n))
			for i := range user.Characters {
				user.Characters[i].Prompt += fmt.Sprint(n)
				user.Characters[i].ReadOnly = readOnly
			}
			users[n] = user
		}
		must(t, store.PutUsers(t.Context(), users))
		return bytesOf(t, store)
	}
	own, shared := size(false), size(true)
	t.Logf("%d bytes with documents of their own, %d that share", own, shared)
	if shared > own+own/20 {
		t.Errorf("got %d bytes, want hardly more than %d", shared, own)
	}
}

// SQLite does not detect that the document of a character is missing or is
// another one.
func TestSharing_CheckFindsMissingAndOtherDocuments(t *testing.T) {
	t.Parallel()
	dir, folder := t.TempDir(), t.TempDir()
	file, other := filepath.Join(folder, "backup"), filepath.Join(folder, "other")
	store := openStore(t, dir)
	user := copied(t, "ada")
	must(t, store.PutUsers(t.Context(), []backend.UserData{user}))
	mustBackup(t, dir, file)
	mustBackup(t, dir, other)
	sql("UPDATE shared_documents SET rest = replace(rest, 'You', 'I') WHERE id = 1")(t, other)
	_, err := sqlite.CheckBackup(t.Context(), other)
	wantError(t, "CheckBackup", err, "damaged", "hash")
	sql("DELETE FROM shared_documents WHERE id = 1")(t, file)
	_, err = sqlite.CheckBackup(t.Context(), file)
	wantError(t, "CheckBackup", err, "damaged", "documents of 1 characters are missing")
	onWriter(t, store, "DELETE FROM shared_documents WHERE id = 1")
	_, err = store.CharacterDocument(t.Context(), user.Characters[0].Key())
	wantError(t, "CharacterDocument", err, "copy 0", "missing")
}

// version5 creates a database of the version before sharing.
func version5(t *testing.T, dir string, users []backend.UserData) {
	t.Helper()
	path := filepath.Join(dir, sqlite.DatabaseFile)
	must(t, sqlite.WriteSchema(path, 5))
	db, err := sqlite3.Open(path)
	must(t, err)
	text := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	statements := []string{"PRAGMA journal_mode = WAL", "PRAGMA secure_delete = ON", "BEGIN"}
	for _, user := range users {
		statements = append(statements, fmt.Sprintf(`INSERT INTO users (user_id) VALUES (%s); INSERT INTO user_configs VALUES (%[1]s, 'UTC')`,
			text(user.UserID())))
		for _, c := range user.Characters {
			document, err := backend.EncodeCharacter(c)
			must(t, err)
			statements = append(statements, fmt.Sprintf(`INSERT INTO characters (user_id, character_id, character_name, read_only, document)
				VALUES (%s, %s, %s, %t, %s)`, text(c.UserID), text(c.CharacterID), text(c.CharacterName), c.ReadOnly, text(string(document))))
		}
	}
	for _, statement := range append(statements, "COMMIT") {
		must(t, db.Exec(statement))
	}
	must(t, db.Close())
}

func TestSharing_UpgradesAnOlderDatabase(t *testing.T) {
	t.Parallel()
	var users []backend.UserData
	count := sqlite.SliceSize/8 + 50
	if long {
		count = 10_000
	}
	for n := range count {
		users = append(users, copied(t, fmt.Sprint("user ", n)))
	}
	defaults := 8 * len(users)
	for name, killed := range map[string]bool{"at once": false, "killed after a slice": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			version5(t, dir, users)
			left := defaults
			if killed {
				shared, err := sqlite.ShareOneSlice(filepath.Join(dir, sqlite.DatabaseFile))
				if err != nil || shared != sqlite.SliceSize {
					t.Fatalf("one slice: got %d characters, error %v, want %d", shared, err, sqlite.SliceSize)
				}
				left -= shared
				_, err = sqlite.OpenReadOnly(dir, testKeys)
				wantError(t, "OpenReadOnly", err, "start the server once")
			}
			var lines bytes.Buffer
			for n := range 2 { // the second time there is nothing to do
				store, err := sqlite.OpenLogging(dir, testKeys, slog.New(slog.NewTextHandler(&lines, nil)))
				must(t, err)
				if n == 0 {
					wantDocuments(t, store, users)
				}
				if got := number(t, store, "SELECT count(*) FROM characters WHERE shared IS NOT NULL"); got != int64(defaults) {
					t.Errorf("got %d characters that share, want %d", got, defaults)
				}
				mustClose(t, store)
			}
			want := fmt.Sprintf("characters=%d ", left)
			if got := lines.String(); strings.Count(got, "are stored once") != 1 || !strings.Contains(got, want) {
				t.Errorf("log: got %s, want one line with %s", got, want)
			}
		})
	}
}

// Documents that are not exactly as this version writes them stay unchanged.
func TestSharing_AnUpgradeKeepsOtherDocuments(t *testing.T) {
	t.Parallel()
	documents := []string{
		`{"user_id":"ada","character_id":"0","character_name":"0","create_datatime":"","scene_name":"old"}`,
		`{"user_id":"ada","character_id":"1","character_name":"1", "create_datatime":"","read_only":true}`,
		`{"user_id":"ada","character_id":"2","character_name":"other","create_datatime":"","read_only":true}`,
		`{"user_id":"eve","character_id":"3","character_name":"3","create_datatime":"","read_only":true}`,
	}
	dir := t.TempDir()
	version5(t, dir, nil)
	for n, document := range documents {
		sql(fmt.Sprintf(`INSERT INTO characters (user_id, character_id, character_name, read_only, document)
			VALUES ('ada', '%d', '%[1]d', TRUE, '%s')`, n, document))(t, filepath.Join(dir, sqlite.DatabaseFile))
	}
	store := openStore(t, dir)
	for n, want := range documents {
		got, err := store.CharacterDocument(t.Context(), backend.CharacterKey{UserID: "ada", CharacterID: fmt.Sprint(n)})
		if err != nil || string(got) != want {
			t.Errorf("character %d: got %s, error %v, want %s", n, got, err, want)
		}
	}
}

func BenchmarkCreateDefaultUser(b *testing.B) {
	users := service(b, benchStore(b))
	create := func(int64) error {
		_, err := users.CreateUser(context.Background(), "")
		return err
	}
	b.Run("single", func(b *testing.B) { single(b, create) })
	b.Run("parallel64", func(b *testing.B) { parallel64(b, create) })
}

package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// contentsOfV1 fills the tables of version 1 in the upgrade test. Two of the
// names are the same name, which version 1 did not detect. Others are names
// that people would confuse with each other.
const contentsOfV1 = `
	INSERT INTO users (user_id, username, password) VALUES
		('config', NULL, NULL), ('plain', 'Ada L.', 'old 1'), ('combining', 'Rene' || char(0x301) || 'e', 'old 2'),
		('composed', char(0xc5) || 'sa', 'old 3'), ('same name', 'A' || char(0x30a) || 'sa', 'old 4'),
		('lower case', 'ada l.', 'old 5'), ('full-width', char(0xff22) || 'ob', 'old 6'), ('invisible', 'e' || char(0x200b) || 've', 'old 7');
	INSERT INTO user_configs (user_id, timezone) VALUES ('config', 'Asia/Tokyo'), ('combining', 'UTC');
	INSERT INTO provider_keys (user_id, name, value) VALUES ('config', 'openai_api_key', 'sk-old');`

func TestOpen_UpgradesASchemaOfVersion1(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sql(sqlite.SchemaV1+contentsOfV1)(t, filepath.Join(dir, sqlite.DatabaseFile))
	for range 2 { // the second time there is nothing to upgrade
		store := openStore(t, dir)
		wantV1Users(t, store)
		mustClose(t, store)
	}

	store := openStore(t, dir)
	c := credentialOf(t, store, "Ren\u00e9e")
	if err := store.ReplacePassword(t.Context(), c, backend.NewSecret("new"), backend.EndTokens); err != nil {
		t.Errorf("replace an old password: got error %v, want none", err)
	}
	if got := credentialOf(t, store, "Rene\u0301e"); got.Password.Reveal() != "new" || got.Username != "Rene\u0301e" {
		t.Errorf("credential with a new password: got name %q, password %q", got.Username, got.Password.Reveal())
	}
	for _, name := range []string{"Ren\u00e9e", "REN\u00c9E", "\u00e5sa", "ADA L.", "bob", "Eve"} {
		if err := store.CreateCredential(t.Context(), storetest.Credential(name, "x")); !errors.Is(err, backend.Exists) {
			t.Errorf("take an old name as %+q: got error %v, want %v", name, err, backend.Exists)
		}
	}
	if err := store.CreateCredential(t.Context(), storetest.Credential("Config", "config")); err != nil {
		t.Errorf("create the credential of an old user: got error %v, want none", err)
	}
	mustCreateUser(t, store, "new", 2)
	wantUser(t, store, "new", 2)
}

// wantV1Users checks that everything of contentsOfV1 is found.
func wantV1Users(t *testing.T, store *sqlite.Store) {
	t.Helper()
	var users []backend.User
	for user, err := range store.Users(t.Context(), backend.AllUsers) {
		if err != nil {
			t.Fatalf("list users: %v", err)
		}
		users = append(users, user)
	}
	want := []backend.User{
		{UserID: "config"}, {UserID: "plain", Username: "Ada L."}, {UserID: "combining", Username: "Rene\u0301e"},
		{UserID: "composed", Username: "\u00c5sa"}, {UserID: "same name", Username: "A\u030asa"},
		{UserID: "lower case", Username: "ada l."}, {UserID: "full-width", Username: "\uff22ob"}, {UserID: "invisible", Username: "e\u200bve"},
	}
	if !slices.Equal(users, want) {
		t.Errorf("users:\n got %+v\nwant %+v", users, want)
	}
	for name, userID := range map[string]string{
		"ada l.": "lower case", "\uff22ob": "full-width", "e\u200bve": "invisible",
		"Ada L.": "plain", "Rene\u0301e": "combining", "Ren\u00e9e": "combining", "\u00c5sa": "composed", "A\u030asa": "composed",
	} {
		if got := credentialOf(t, store, name); got.UserID != userID || !strings.HasPrefix(got.Password.Reveal(), "old ") {
			t.Errorf("credential of %q: got user %q, password %q, want user %q", name, got.UserID, got.Password.Reveal(), userID)
		}
	}
	config, err := store.UserConfig(t.Context(), "config")
	if err != nil || config.Timezone != "Asia/Tokyo" || config.Keys["openai_api_key"].Reveal() != "sk-old" {
		t.Errorf("config: got time zone %q, key %q, error %v, want those of the file",
			config.Timezone, config.Keys["openai_api_key"].Reveal(), err)
	}
}

func credentialOf(t *testing.T, store *sqlite.Store, username string) backend.Credential {
	t.Helper()
	credential, err := store.Credential(t.Context(), username)
	if err != nil {
		t.Errorf("credential of %q: got error %v, want none", username, err)
	}
	return credential
}

// TestCreateToken_RemovesExpiredTokens lets more tokens expire than one
// creation removes. The next creation removes the rest.
func TestCreateToken_RemovesExpiredTokens(t *testing.T) {
	t.Parallel()
	const rest = 3
	store := openStore(t, t.TempDir())
	ada, bob := storetest.Credential("Ada", "ada"), storetest.Credential("Bob", "bob")
	for _, credential := range []backend.Credential{ada, bob} {
		if err := store.CreateCredential(t.Context(), credential); err != nil {
			t.Fatal(err)
		}
	}
	create := func(text string, credential backend.Credential, created time.Time, life time.Duration) {
		t.Helper()
		token := storetest.Token(text, credential.UserID)
		token.CreatedAt, token.ExpiresAt = created, created.Add(life)
		if err := store.CreateToken(t.Context(), token, credential); err != nil {
			t.Fatalf("create token %s: %v", text, err)
		}
	}
	start := storetest.TokenTime()
	create("long", ada, start, 24*time.Hour)
	for n := range sqlite.MaxExpired + rest {
		create(fmt.Sprint("short ", n), ada, start, time.Hour+time.Duration(n)*time.Millisecond)
	}
	wantTokenRows(t, store, sqlite.MaxExpired+rest+1)
	for n, want := range []int64{rest + 2, 3, 4} { // the long token and the new ones stay
		create(fmt.Sprint("later ", n), bob, start.Add(2*time.Hour), time.Hour)
		wantTokenRows(t, store, want)
	}
	for n := range sqlite.MaxExpired + rest {
		hash := storetest.Token(fmt.Sprint("short ", n), "").Hash
		if _, err := store.Token(t.Context(), hash, start); !errors.Is(err, backend.NotFound) {
			t.Errorf("expired token %d: got error %v, want it removed", n, err)
		}
	}
}

// wantTokenRows checks the number of stored tokens, including expired ones.
func wantTokenRows(t *testing.T, store *sqlite.Store, want int64) {
	t.Helper()
	var got int64
	err := store.OnWriter(t.Context(), func(c *sqlite3.Conn) error {
		statement, _, err := c.Prepare(`SELECT count(*) FROM tokens`)
		if err != nil {
			return err
		}
		statement.Step()
		got = statement.ColumnInt64(0)
		return statement.Close()
	})
	if err != nil || got != want {
		t.Errorf("stored tokens: got %d, error %v, want %d", got, err, want)
	}
}

// No file contains a plain password that was replaced or whose user was
// deleted, or the text of a token, or the hash of a token that ended.
func TestFiles_HoldNoEndedCredential(t *testing.T) {
	t.Parallel()
	const residue = "text-that-must-not-remain-"
	dir := t.TempDir()
	store := openStore(t, dir)
	var secrets []string
	for n, end := range []func(backend.Credential, backend.Token) error{
		func(c backend.Credential, _ backend.Token) error {
			return store.ReplacePassword(t.Context(), c, backend.NewSecret("a password hash"), backend.EndTokens)
		},
		func(c backend.Credential, _ backend.Token) error { return store.DeleteUser(t.Context(), c.UserID) },
		func(c backend.Credential, token backend.Token) error {
			return errors.Join(store.DeleteToken(t.Context(), token.Hash),
				store.ReplacePassword(t.Context(), c, backend.NewSecret("a password hash"), backend.KeepTokens))
		},
	} {
		c := storetest.Credential(fmt.Sprint("name ", n), fmt.Sprint("id ", n))
		c.Password = backend.NewSecret(fmt.Sprint(residue, n))
		token := storetest.Token(fmt.Sprint(residue, "token ", n), c.UserID)
		secrets = append(secrets, string(token.Hash[:]))
		if err := errors.Join(store.CreateCredential(t.Context(), c), store.CreateToken(t.Context(), token, c)); err != nil {
			t.Fatal(err)
		}
		if err := end(c, token); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, store)
	wantInNoFile(t, dir, append(secrets, residue)...)
}

// wantInNoFile checks that no file in a folder contains one of the texts.
func wantInNoFile(t *testing.T, dir string, texts ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data := readFile(t, filepath.Join(dir, entry.Name()))
		for i, text := range texts {
			if count := strings.Count(data, text); count > 0 {
				t.Errorf("%s holds text %d, which was removed, %d times", entry.Name(), i, count)
			}
		}
	}
}

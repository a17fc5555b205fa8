package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// planted is the prefix of every provider key in these tests.
const planted = "sk-planted-"

// plantedKeys returns a value for every provider key. The values differ by
// user.
func plantedKeys(userID string) map[string]backend.Secret {
	keys := map[string]backend.Secret{}
	for _, name := range backend.ProviderKeys {
		keys[name] = backend.NewSecret(planted + userID + "-" + name)
	}
	return keys
}

func newRing(keys ...masterkey.Key) masterkey.Ring {
	if len(keys) == 0 {
		keys = []masterkey.Key{masterkey.Generate()}
	}
	return masterkey.NewRing(keys...)
}

// openWith opens a store with a ring. It is closed when the test ends.
func openWith(t *testing.T, dir string, ring masterkey.Ring) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(dir, sqlite.Keys(ring))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return store
}

// sealedStore creates a folder with users whose keys a ring has sealed.
func sealedStore(t *testing.T, ring masterkey.Ring, users ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	store := openWith(t, dir, ring)
	for _, user := range users {
		config := backend.UserConfig{UserID: user, Timezone: "UTC", Keys: plantedKeys(user)}
		if err := store.CreateUser(t.Context(), config, storetest.Characters(user, 1)); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, store)
	return dir
}

// wantKeys checks the provider keys of a user.
func wantKeys(t *testing.T, store *sqlite.Store, userID string, want map[string]backend.Secret) {
	t.Helper()
	config, err := store.UserConfig(t.Context(), userID)
	if err != nil {
		t.Errorf("config of %s: %v", userID, err)
		return
	}
	if !maps.Equal(config.Keys, want) {
		t.Errorf("keys of %s: got %d keys %v, want %d", userID, len(config.Keys), slices.Sorted(maps.Keys(config.Keys)), len(want))
	}
}

// wantNothingPlanted checks that no file in a folder contains a planted key.
func wantNothingPlanted(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if count := strings.Count(readFile(t, filepath.Join(dir, entry.Name())), planted); count > 0 {
			t.Errorf("%s holds %d provider keys in plain text", entry.Name(), count)
		}
	}
}

func setKey(value string) backend.UserConfigPatch {
	return backend.UserConfigPatch{Keys: map[string]backend.Secret{"openai_api_key": backend.NewSecret(value)}}
}

func TestSealing_NoFileHoldsAKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openWith(t, dir, newRing())
	config := backend.UserConfig{UserID: "ada", Timezone: "UTC", Keys: plantedKeys("ada")}
	if err := store.CreateUser(t.Context(), config, nil); err != nil {
		t.Fatal(err)
	}
	if err := store.UpdateUserConfig(t.Context(), "ada", setKey(planted+"again")); err != nil {
		t.Fatal(err)
	}
	wantNothingPlanted(t, dir) // while the WAL holds all changes
	config.Keys["openai_api_key"] = backend.NewSecret(planted + "again")
	wantKeys(t, store, "ada", config.Keys)
	mustClose(t, store)
	wantNothingPlanted(t, dir)
}

// firstVersion creates a database of the version before sealing, with count
// users whose keys are plain. If crashed is set, it looks as after a crash.
func firstVersion(t *testing.T, count int, crashed bool) (dir string) {
	t.Helper()
	source := t.TempDir()
	path := filepath.Join(source, sqlite.DatabaseFile)
	db, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	statements := []string{"PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 50", "PRAGMA secure_delete = ON", sqlite.SchemaV1}
	for i := range count {
		user := fmt.Sprint("user", i)
		statements = append(statements, fmt.Sprintf("INSERT INTO users (user_id) VALUES ('%s');"+
			"INSERT INTO user_configs VALUES ('%[1]s', 'UTC')", user))
		for name, key := range plantedKeys(user) {
			statements = append(statements, fmt.Sprintf("INSERT INTO provider_keys VALUES ('%s', '%s', '%s')", user, name, key.Reveal()))
		}
	}
	for _, statement := range statements {
		if err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	dir = source
	if crashed {
		dir = t.TempDir()
		for _, suffix := range []string{"", "-wal"} {
			writeFile(t, filepath.Join(dir, sqlite.DatabaseFile)+suffix, []byte(readFile(t, path+suffix)))
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSealing_SealsWhatIsPlain(t *testing.T) {
	t.Parallel()
	for _, crashed := range []bool{false, true} {
		t.Run(fmt.Sprintf("crashed %v", crashed), func(t *testing.T) {
			t.Parallel()
			const users = 120 // with more keys than a page of rows
			dir, ring := firstVersion(t, users, crashed), newRing()
			found := strings.Count(readFile(t, filepath.Join(dir, sqlite.DatabaseFile)), planted)
			if found == 0 {
				t.Fatal("the old database holds no plain key: the test proves nothing")
			}
			var use sqlite.KeyUse
			store, err := sqlite.Open(dir, func(u sqlite.KeyUse) (masterkey.Ring, error) { use = u; return ring, nil })
			if err != nil {
				t.Fatal(err)
			}
			wantNothingPlanted(t, dir) // at once, also in the WAL
			if use.Plain != users*len(backend.ProviderKeys) || len(use.Sealed) != 0 {
				t.Errorf("the source of keys was told %+v", use)
			}
			for i := range users {
				user := fmt.Sprint("user", i)
				wantKeys(t, store, user, plantedKeys(user))
			}
			mustClose(t, store)
			wantNothingPlanted(t, dir)
			wantKeys(t, openWith(t, dir, ring), "user0", plantedKeys("user0"))
		})
	}
}

// After a crash between sealing and emptying the WAL, the next start empties
// the WAL.
func TestSealing_EmptiesTheWALOfACrash(t *testing.T) {
	t.Parallel()
	dir, crashed := t.TempDir(), t.TempDir()
	ring := newRing()
	store := openWith(t, dir, ring)
	mustCreateUser(t, store, "ada", 1)
	onWriter(t, store, "INSERT INTO plain_provider_keys VALUES ('ada', 'x', '"+planted+"')")
	onWriter(t, store, "DELETE FROM plain_provider_keys")
	for _, suffix := range []string{"", "-wal"} {
		writeFile(t, filepath.Join(crashed, sqlite.DatabaseFile)+suffix, []byte(readFile(t, store.Path()+suffix)))
	}
	if !strings.Contains(readFile(t, filepath.Join(crashed, sqlite.DatabaseFile+"-wal")), planted) {
		t.Fatal("the WAL does not hold the plain key: the test proves nothing")
	}
	openWith(t, crashed, ring)
	wantNothingPlanted(t, crashed)
}

func TestSealing_APlainKeyWaitsForAMasterKey(t *testing.T) {
	t.Parallel()
	dir := firstVersion(t, 2, false)
	store := openWith(t, dir, masterkey.Ring{})
	wantKeys(t, store, "user0", plantedKeys("user0"))
	wantLocked(t, "set", store.UpdateUserConfig(t.Context(), "user0", setKey("sk-2")))
	wantLocked(t, "clear", store.UpdateUserConfig(t.Context(), "user0", setKey("")))
	if err := store.DeleteUser(t.Context(), "user1"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, store)
	store = openWith(t, dir, newRing())
	wantKeys(t, store, "user0", plantedKeys("user0"))
	wantNothingPlanted(t, dir)
}

// wantLocked checks that provider keys cannot be changed, and that the error
// says so.
func wantLocked(t *testing.T, what string, err error) {
	t.Helper()
	if e, ok := errors.AsType[*backend.Error](err); !ok || e.Kind != backend.Unavailable ||
		!strings.HasPrefix(e.Message, "provider keys cannot be changed: ") || strings.Contains(err.Error(), "sk-") {
		t.Errorf("%s: got error %v, want one that says provider keys cannot be changed", what, err)
	}
}

func TestSealing_LostKey(t *testing.T) {
	t.Parallel()
	right := newRing()
	for name, wrong := range map[string]masterkey.Ring{"no key": {}, "another key": newRing()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := sealedStore(t, right, "ada", "bob")
			store := openWith(t, dir, wrong)
			ctx := t.Context()
			wantKeys(t, store, "ada", map[string]backend.Secret{})

			wantLocked(t, "set a key", store.UpdateUserConfig(ctx, "ada", setKey("sk-new")))
			wantLocked(t, "clear a key", store.UpdateUserConfig(ctx, "ada", setKey("")))
			wantLocked(t, "create a user with keys", store.CreateUser(ctx, storetest.UserConfig("carol"), nil))
			zone := "Europe/Rome"
			both := setKey("sk-new")
			both.Timezone = &zone
			wantLocked(t, "set zone and key", store.UpdateUserConfig(ctx, "ada", both))
			if config, err := store.UserConfig(ctx, "ada"); err != nil || config.Timezone != "UTC" {
				t.Errorf("a refused update changed the time zone: %q, %v", config.Timezone, err)
			}

			prompt := "new"
			for what, err := range map[string]error{
				"time zone":              store.UpdateUserConfig(ctx, "ada", backend.UserConfigPatch{Timezone: &zone}),
				"user without keys":      store.CreateUser(ctx, backend.UserConfig{UserID: "dan", Timezone: "UTC"}, storetest.Characters("dan", 1)),
				"user with empty keys":   store.CreateUser(ctx, backend.UserConfig{UserID: "eve", Timezone: "UTC", Keys: setKey("").Keys}, nil),
				"clear what is not set":  store.UpdateUserConfig(ctx, "dan", setKey("")),
				"character":              store.UpdateCharacter(ctx, storetest.Character("ada", 0).Key(), backend.CharacterPatch{Prompt: &prompt}),
				"credential":             store.CreateCredential(ctx, storetest.Credential("Ada", "ada")),
				"deletion of a user":     store.DeleteUser(ctx, "bob"),
				"deletion of a new user": store.DeleteUser(ctx, "eve"),
			} {
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			if err := store.UpdateUserConfig(ctx, "nobody", setKey("sk")); !errors.Is(err, backend.NotFound) {
				t.Errorf("set a key of an unknown user: got %v, want not found", err)
			}
			mustClose(t, store)

			store = openWith(t, dir, right)
			wantKeys(t, store, "ada", plantedKeys("ada"))
			if config, err := store.UserConfig(ctx, "ada"); err != nil || config.Timezone != zone {
				t.Errorf("time zone: got %q, %v, want %q", config.Timezone, err, zone)
			}
			if err := store.UpdateUserConfig(ctx, "ada", setKey("sk-new")); err != nil {
				t.Errorf("set a key with the right master key: %v", err)
			}
		})
	}
}

// After all values that a lost key has sealed are removed, keys can be changed
// again.
func TestSealing_LostKeyOfDeletedUsers(t *testing.T) {
	t.Parallel()
	dir := sealedStore(t, newRing(), "ada")
	other := newRing()
	store := openWith(t, dir, other)
	mustCreate := backend.UserConfig{UserID: "dan", Timezone: "UTC"}
	if err := errors.Join(store.CreateUser(t.Context(), mustCreate, nil), store.DeleteUser(t.Context(), "ada"),
		store.UpdateUserConfig(t.Context(), "dan", setKey("sk-1"))); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, store, "dan", setKey("sk-1").Keys)
}

func TestSealing_AlteredAndMovedValuesAreNotSet(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"bytes altered": "UPDATE provider_keys SET value = CAST(substr(value, 1, 40) || x'00000000' || substr(value, 45) AS BLOB) " +
			"WHERE user_id = 'ada' AND name = 'openai_api_key'",
		"cut":   "UPDATE provider_keys SET value = substr(value, 1, 3) WHERE user_id = 'ada' AND name = 'openai_api_key'",
		"empty": "UPDATE provider_keys SET value = x'' WHERE user_id = 'ada' AND name = 'openai_api_key'",
		"of another user": "UPDATE provider_keys SET value = (SELECT value FROM provider_keys WHERE user_id = 'bob' AND name = 'openai_api_key') " +
			"WHERE user_id = 'ada' AND name = 'openai_api_key'",
		"of another name": "UPDATE provider_keys SET value = (SELECT value FROM provider_keys WHERE user_id = 'ada' AND name = 'xai_api_key') " +
			"WHERE user_id = 'ada' AND name = 'openai_api_key'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring := newRing()
			dir := sealedStore(t, ring, "ada", "bob")
			store := openWith(t, dir, ring)
			onWriter(t, store, statement)
			want := plantedKeys("ada")
			delete(want, "openai_api_key")
			wantKeys(t, store, "ada", want)
			wantKeys(t, store, "bob", plantedKeys("bob"))
			if check, err := sqlite.InspectKeys(dir, ring); err != nil || unopened(check) != 1 {
				t.Errorf("inspection: got %+v, %v, want one value that does not open", check, err)
			}
			if _, err := store.Reseal(t.Context(), false); err == nil || !strings.Contains(err.Error(), "1 of ") {
				t.Errorf("reseal: got error %v, want one that counts the value", err)
			}
			wantKeys(t, store, "ada", want)
			mustClose(t, store)
			wantKeys(t, openWith(t, dir, ring), "bob", plantedKeys("bob")) // and the store opens again
		})
	}
}

func unopened(check sqlite.KeyCheck) (values int) {
	for _, by := range check.Sealed {
		values += by.Values - by.Opened
	}
	return values
}

func TestReseal(t *testing.T) {
	t.Parallel()
	old, current := masterkey.Generate(), masterkey.Generate()
	dir := sealedStore(t, newRing(old), "ada", "bob")
	store := openWith(t, dir, newRing(current, old))
	if err := store.UpdateUserConfig(t.Context(), "ada", setKey("sk-1")); err != nil { // sealed with current
		t.Fatal(err)
	}
	all := 2 * len(backend.ProviderKeys)
	for _, want := range []sqlite.Resealed{{Values: all, Changed: all - 1}, {Values: all}} {
		if got, err := store.Reseal(t.Context(), false); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	mustClose(t, store)
	store = openWith(t, dir, newRing(current))
	wantKeys(t, store, "bob", plantedKeys("bob"))
	want := plantedKeys("ada")
	want["openai_api_key"] = backend.NewSecret("sk-1")
	wantKeys(t, store, "ada", want)
	wantNothingPlanted(t, dir)
}

func TestReseal_RefusesOrDiscardsWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	lost, ring := newRing(), newRing()
	dir := sealedStore(t, lost, "ada")
	store := openWith(t, dir, ring)
	if _, err := store.Reseal(t.Context(), false); err == nil {
		t.Error("it took values that it cannot open")
	}
	mustClose(t, store)
	mine := openWith(t, dir, lost)
	wantKeys(t, mine, "ada", plantedKeys("ada"))
	mustClose(t, mine)

	store = openWith(t, dir, ring)
	if got, err := store.Reseal(t.Context(), true); err != nil || got.Discarded != len(backend.ProviderKeys) || got.Values != 0 {
		t.Errorf("discard: got %+v, %v", got, err)
	}
	if err := store.UpdateUserConfig(t.Context(), "ada", setKey("sk-1")); err != nil {
		t.Errorf("set a key after all: %v", err)
	}
	mustClose(t, store)
	store = openWith(t, dir, masterkey.Ring{})
	if _, err := store.Reseal(t.Context(), true); err == nil {
		t.Error("without a key it discarded values")
	}
}

// If the source returns an error, the store does not open, and the folder stays
// free.
func TestOpen_WithoutResponseFromTheKeySource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := sqlite.Open(dir, func(sqlite.KeyUse) (masterkey.Ring, error) { return masterkey.Ring{}, fs.ErrPermission })
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want the source's error", err)
	}
	openStore(t, dir)
}

func TestInspectKeys(t *testing.T) {
	t.Parallel()
	a, b := masterkey.Generate(), masterkey.Generate()
	dir := sealedStore(t, newRing(a), "ada")
	each := len(backend.ProviderKeys)
	expect := func(when string, ring masterkey.Ring, want ...sqlite.SealedBy) {
		t.Helper()
		slices.SortFunc(want, func(x, y sqlite.SealedBy) int { return bytes.Compare(x.ID[:], y.ID[:]) })
		before := folder(t, dir)
		got, err := sqlite.InspectKeys(dir, ring)
		if err != nil || !slices.Equal(got.Sealed, want) || got.Plain != 0 {
			t.Errorf("%s: got %+v, %v, want %+v", when, got, err, want)
		}
		if after := folder(t, dir); after != before {
			t.Errorf("%s: the files changed\n from %s\n to %s", when, before, after)
		}
	}
	expect("stopped", newRing(a), sqlite.SealedBy{ID: a.ID(), Values: each, Opened: each})
	expect("without a key", masterkey.Ring{}, sqlite.SealedBy{ID: a.ID(), Values: each})

	store := openWith(t, dir, newRing(b, a))
	config := backend.UserConfig{UserID: "bob", Timezone: "UTC", Keys: plantedKeys("bob")}
	if err := store.CreateUser(t.Context(), config, nil); err != nil {
		t.Fatal(err)
	}
	expect("running", newRing(b), sqlite.SealedBy{ID: a.ID(), Values: each}, sqlite.SealedBy{ID: b.ID(), Values: each, Opened: each})
	mustCreateUser(t, store, "carol", 1)
	mustClose(t, store)
	expect("stopped again", newRing(a, b), sqlite.SealedBy{ID: a.ID(), Values: each, Opened: each},
		sqlite.SealedBy{ID: b.ID(), Values: each + 3, Opened: each + 3})
}

// folder describes the files in a folder and their content. It leaves out the
// content of the -shm file, in which SQLite only records which process reads
// where.
func folder(t *testing.T, dir string) (text string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		content := ""
		if !strings.HasSuffix(entry.Name(), "-shm") {
			content = fmt.Sprintf("%d bytes %d", info.Size(), checksum(readFile(t, filepath.Join(dir, entry.Name()))))
		}
		text += fmt.Sprintf("[%s %v %s]", entry.Name(), info.Mode(), content)
	}
	return text
}

func checksum(text string) (sum uint64) {
	for _, b := range []byte(text) {
		sum = sum*31 + uint64(b)
	}
	return sum
}

func TestInspectKeys_OtherDatabases(t *testing.T) {
	t.Parallel()
	dir := firstVersion(t, 3, false)
	before := folder(t, dir)
	if got, err := sqlite.InspectKeys(dir, newRing()); err != nil || got.Plain != 3*len(backend.ProviderKeys) || len(got.Sealed) != 0 {
		t.Errorf("the version before: got %+v, %v", got, err)
	}
	if after := folder(t, dir); after != before {
		t.Errorf("the version before was changed\n from %s\n to %s", before, after)
	}
	crashed := firstVersion(t, 3, true)
	if got, err := sqlite.InspectKeys(crashed, newRing()); err != nil || got.Plain != 3*len(backend.ProviderKeys) {
		t.Errorf("the version before, crashed: got %+v, %v", got, err)
	}

	none := t.TempDir()
	if _, err := sqlite.InspectKeys(none, newRing()); !errors.Is(err, fs.ErrNotExist) || sqlite.Exists(none) {
		t.Errorf("no database: got %v", err)
	}
	wantFolder(t, none)
	empty := t.TempDir()
	writeFile(t, filepath.Join(empty, sqlite.DatabaseFile), nil)
	if got, err := sqlite.InspectKeys(empty, newRing()); err != nil || got.Plain != 0 || len(got.Sealed) != 0 {
		t.Errorf("an empty file: got %+v, %v", got, err)
	}
	for name, write := range map[string]func(*testing.T, string){
		"newer version": newerSchema, "another program": sql("CREATE TABLE notes (text)"), "not a database": content(strings.Repeat("text ", 2000)),
	} {
		other := t.TempDir()
		write(t, filepath.Join(other, sqlite.DatabaseFile))
		if _, err := sqlite.InspectKeys(other, newRing()); err == nil || !strings.Contains(err.Error(), other) {
			t.Errorf("%s: got error %v, want one that names the file", name, err)
		}
	}
}

// Two master keys have sealed values, and one value is truncated. The key
// source learns about each key, and how many values each ring cannot open.
func TestSealing_KeySourceIsToldOfEveryKey(t *testing.T) {
	t.Parallel()
	first, second := newRing(), newRing()
	dir := sealedStore(t, first, "ada", "bob")
	both := masterkey.NewRing(second.Keys()[0], first.Keys()[0])
	store := openWith(t, dir, both)
	if err := store.UpdateUserConfig(t.Context(), "ada", setKey("sk-2")); err != nil {
		t.Fatal(err)
	}
	onWriter(t, store, "UPDATE provider_keys SET value = x'0102' WHERE user_id = 'bob' AND name = 'openai_api_key'")
	mustClose(t, store)

	want := []masterkey.ID{{1, 2}, first.Keys()[0].ID(), second.Keys()[0].ID()}
	all := 2 * len(backend.ProviderKeys)
	store, err := sqlite.Open(dir, func(use sqlite.KeyUse) (masterkey.Ring, error) {
		slices.SortFunc(want, func(a, b masterkey.ID) int { return bytes.Compare(a[:], b[:]) })
		if !slices.Equal(use.Sealed, want) {
			t.Errorf("master keys in use: got %v, want %v", use.Sealed, want)
		}
		for _, c := range []struct {
			name string
			ring masterkey.Ring
			lost int
		}{{"both", both, 1}, {"first", first, 2}, {"second", second, all - 1}, {"none", masterkey.Ring{}, all}} {
			if lost, err := use.Lost(c.ring); err != nil || lost != c.lost {
				t.Errorf("values lost with %s: got %d, error %v, want %d", c.name, lost, err, c.lost)
			}
		}
		return both, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, store)
	counts, err := store.Count(t.Context())
	if err != nil || counts.ProviderKeys != int64(all) || counts.UnreadableKeys != 1 {
		t.Errorf("got %+v, error %v, want %d provider keys, 1 of them unreadable", counts, err, all)
	}
}

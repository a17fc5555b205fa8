package sqlite_test

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

func openReadOnly(t *testing.T, dir string, ring masterkey.Ring) *sqlite.Store {
	t.Helper()
	store, err := sqlite.OpenReadOnly(dir, sqlite.Keys(ring))
	if err != nil {
		t.Fatalf("open for reading: %v", err)
	}
	t.Cleanup(func() { mustClose(t, store) })
	return store
}

// exported returns the ids of all users.
func exported(t *testing.T, store *sqlite.Store) (ids string) {
	t.Helper()
	for user, err := range store.ExportUsers(t.Context()) {
		if err != nil {
			t.Fatalf("export: %v", err)
		}
		ids += user.UserID() + " "
	}
	return ids
}

func TestOpenReadOnly_ReadsAndChangesNothing(t *testing.T) {
	t.Parallel()
	ring := newRing()
	dir := sealedStore(t, ring, "ada", "bob")
	before := folder(t, dir)
	store := openReadOnly(t, dir, ring)
	wantKeys(t, store, "ada", plantedKeys("ada"))
	if got := exported(t, store); got != "ada bob " {
		t.Errorf("export: got %q", got)
	}
	counts, err := store.Count(t.Context())
	each := int64(len(backend.ProviderKeys))
	if want := (backend.Counts{Users: 2, Configs: 2, Characters: 2, ProviderKeys: 2 * each}); err != nil || counts != want {
		t.Errorf("counts: got %+v, error %v, want %+v", counts, err, want)
	}
	ctx, key := t.Context(), storetest.Character("ada", 0).Key()
	_, resealErr := store.Reseal(ctx, false)
	for what, err := range map[string]error{
		"CreateUser":       store.CreateUser(ctx, storetest.UserConfig("new"), nil),
		"DeleteUser":       store.DeleteUser(ctx, "ada"),
		"CreateCredential": store.CreateCredential(ctx, storetest.Credential("Ada", "ada")),
		"UpdateUserConfig": store.UpdateUserConfig(ctx, "ada", setKey("x")),
		"DeleteCharacter":  store.DeleteCharacter(ctx, key),
		"PutUsers":         store.PutUsers(ctx, []backend.UserData{storetest.UserData("new", 1)}),
		"Reseal":           resealErr,
	} {
		if !errors.Is(err, backend.Unavailable) || !strings.Contains(err.Error(), "reading only") {
			t.Errorf("%s: got error %v, want one that says it was opened for reading", what, err)
		}
	}
	mustClose(t, store)
	if after := folder(t, dir); after != before {
		t.Errorf("the files changed\n from %s\n to %s", before, after)
	}
}

func TestOpenReadOnly_BesideAServer(t *testing.T) {
	t.Parallel()
	ring := newRing()
	dir := sealedStore(t, ring, "ada")
	server := openWith(t, dir, ring)
	store := openReadOnly(t, dir, ring) // while the WAL is empty
	mustCreateUser(t, server, "bob", 1)
	if got := exported(t, store); got != "ada bob " {
		t.Errorf("export beside a server: got %q", got)
	}
	mustCreateUser(t, server, "carol", 1)
	mustClose(t, server)
	if got := exported(t, store); got != "ada bob carol " {
		t.Errorf("export when the server has stopped: got %q", got)
	}
	mustClose(t, store)
	wantUser(t, openWith(t, dir, ring), "carol", 1)
}

func TestOpenReadOnly_NoticesAServerThatStarts(t *testing.T) {
	t.Parallel()
	ring := newRing()
	dir := sealedStore(t, ring, "ada")
	for _, stops := range []bool{false, true} {
		store := openReadOnly(t, dir, ring)
		server := openWith(t, dir, ring)
		mustCreateUser(t, server, map[bool]string{false: "bob", true: "carol"}[stops], 1)
		if stops {
			mustClose(t, server)
		}
		for _, err := range store.ExportUsers(t.Context()) {
			if err != nil && (!errors.Is(err, backend.Unavailable) || !strings.Contains(err.Error(), "server started")) ||
				err == nil {
				t.Errorf("a server started meanwhile: got error %v, want one that says so", err)
			}
		}
		mustClose(t, store)
		mustClose(t, server)
	}
}

func TestOpenReadOnly_Refuses(t *testing.T) {
	t.Parallel()
	none, missing := t.TempDir(), filepath.Join(t.TempDir(), "missing")
	for _, dir := range []string{none, missing} {
		_, err := sqlite.OpenReadOnly(dir, testKeys)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
			t.Errorf("open %s: got error %v, want one that says that it does not exist", dir, err)
		}
	}
	wantFolder(t, none)
	wantFolder(t, filepath.Dir(missing))

	older := firstVersion(t, 1, false)
	newer, other, text := t.TempDir(), t.TempDir(), t.TempDir()
	newerSchema(t, filepath.Join(newer, sqlite.DatabaseFile))
	sql("CREATE TABLE notes (text)")(t, filepath.Join(other, sqlite.DatabaseFile))
	content(strings.Repeat("text ", 2000))(t, filepath.Join(text, sqlite.DatabaseFile))
	for dir, words := range map[string]string{
		older: "start the server once", newer: "newer web-backend", other: "another program", text: "not a database",
	} {
		before := folder(t, dir)
		_, err := sqlite.OpenReadOnly(dir, testKeys)
		wantError(t, "open "+words, err, dir, words)
		if after := folder(t, dir); after != before {
			t.Errorf("%s: the files changed\n from %s\n to %s", words, before, after)
		}
	}
	_, err := sqlite.OpenReadOnly(sealedStore(t, newRing(), "ada"),
		func(sqlite.KeyUse) (masterkey.Ring, error) { return masterkey.Ring{}, fs.ErrPermission })
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("without an answer from the source of keys: got %v, want the source's error", err)
	}
}

// TestPutUsers_LostKey puts users over users whose keys no master key opens.
func TestPutUsers_LostKey(t *testing.T) {
	t.Parallel()
	right := newRing()
	for name, wrong := range map[string]masterkey.Ring{"no key": {}, "another key": newRing()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := sealedStore(t, right, "ada")
			store := openWith(t, dir, wrong)
			ctx, each := t.Context(), int64(len(backend.ProviderKeys))
			counts, err := store.Count(ctx)
			if err != nil || counts.ProviderKeys != each || counts.UnreadableKeys != each {
				t.Errorf("counts: got %+v, error %v, want %d keys, none readable", counts, err, each)
			}
			users, err := store.UserData(ctx, []string{"ada"})
			if err != nil || len(users) != 1 || len(users[0].Config.Keys) != 0 {
				t.Fatalf("user: got %d, error %v, want one without keys", len(users), err)
			}
			wantLocked(t, "put the user as it was given", store.PutUsers(ctx, users))
			credential := backend.UserData{Credential: new(storetest.Credential("Ada", "ada"))}
			wantLocked(t, "put a user without a config", store.PutUsers(ctx, []backend.UserData{credential}))
			wantLocked(t, "put a new user with keys", store.PutUsers(ctx, []backend.UserData{storetest.UserData("new", 1)}))
			bare := storetest.UserData("bare", 1)
			bare.Config.Keys = nil
			for range 2 {
				if err := store.PutUsers(ctx, []backend.UserData{bare}); err != nil {
					t.Errorf("put a user without keys: %v", err)
				}
			}
			mustClose(t, store)
			store = openWith(t, dir, right)
			wantKeys(t, store, "ada", plantedKeys("ada"))
			if got := exported(t, store); got != "ada bare " {
				t.Errorf("users: got %q, want none that was refused", got)
			}
		})
	}
}

// TestPutUsers_SealsAndRemovesKeys checks the content of the files.
func TestPutUsers_SealsAndRemovesKeys(t *testing.T) {
	t.Parallel()
	dir := firstVersion(t, 1, false)
	ring := newRing()
	store := openWith(t, dir, ring)
	user := storetest.UserData("ada", 1)
	user.Config.Keys = plantedKeys("ada")
	if err := store.PutUsers(t.Context(), []backend.UserData{user}); err != nil {
		t.Fatal(err)
	}
	wantNothingPlanted(t, dir)
	user.Config.Keys = maps.Clone(setKey("sk-1").Keys)
	if err := store.PutUsers(t.Context(), []backend.UserData{user}); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, store, "ada", setKey("sk-1").Keys)
}

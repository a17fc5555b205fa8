package sqlite_test

import (
	"fmt"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

func TestRecent_ServesTheSecondRead(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	must(t, store.CreateUser(t.Context(), storetest.UserConfig("ada"), storetest.Characters("ada", 3)))
	key := storetest.Character("ada", 1).Key()
	readAll := func() {
		t.Helper()
		_, err := store.CharacterNames(t.Context(), "ada")
		must(t, err)
		_, err = store.CharacterSummaries(t.Context(), "ada")
		must(t, err)
		_, err = store.UserConfig(t.Context(), "ada")
		must(t, err)
		_, err = store.CharacterDocument(t.Context(), key)
		must(t, err)
	}
	hits := func() int64 { return store.Stats().RecentHits }
	readAll()
	if got := hits(); got != 0 {
		t.Errorf("first reads: got %d of them from memory, want none", got)
	}
	readAll()
	if got := hits(); got != 4 {
		t.Errorf("second reads: got %d of them from memory, want 4", got)
	}
	name := "Mira II"
	must(t, store.UpdateCharacter(t.Context(), key, backend.CharacterPatch{CharacterName: &name}))
	readAll()
	if got := hits(); got != 4 {
		t.Errorf("reads after a write: got %d of them from memory, want none", got-4)
	}
}

func TestRecent_IsBounded(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	const most = 4 << 20
	store.KeepRecent(most)
	read := func(userID string, characters []backend.Character) {
		t.Helper()
		must(t, store.CreateUser(t.Context(), storetest.UserConfig(userID), characters))
		for _, character := range characters {
			_, err := store.CharacterDocument(t.Context(), character.Key())
			must(t, err)
		}
	}
	large := storetest.Characters("large", 1)
	large[0].Prompt = strings.Repeat("x", sqlite.RecentRead)
	read("large", large)
	if got := store.Stats().RecentBytes; got != 0 {
		t.Errorf("after a read of %d bytes: got %d bytes kept, want none", sqlite.RecentRead, got)
	}
	const size = 100 << 10
	for i := range 2 * most / size / 8 {
		userID := fmt.Sprint("user ", i)
		characters := storetest.Characters(userID, 8)
		for n := range characters {
			characters[n].Prompt = strings.Repeat("x", size)
		}
		read(userID, characters)
	}
	if got := store.Stats().RecentBytes; got > most || got < most/2 {
		t.Errorf("after reads of twice the bound: got %d bytes kept, want up to %d", got, most)
	}
}

func TestRecent_None(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	store.KeepRecent(0)
	characters := storetest.Characters("ada", 1)
	must(t, store.CreateUser(t.Context(), storetest.UserConfig("ada"), characters))
	for range 2 {
		_, err := store.CharacterDocument(t.Context(), characters[0].Key())
		must(t, err)
	}
	if stats := store.Stats(); stats.RecentHits != 0 || stats.RecentBytes != 0 {
		t.Errorf("got %d reads from memory and %d bytes kept, want none", stats.RecentHits, stats.RecentBytes)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

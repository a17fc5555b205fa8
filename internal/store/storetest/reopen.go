package storetest

import (
	"sync"
	"testing"
	"time"

	"web-backend/internal/backend"
)

// RunReopen checks that the data of a store outlives the store. Each call of
// place returns a function for a new, empty place for data, and registers its
// clean-up. That function opens a store at the place, and may be called several
// times. The suite closes each store before it opens the next.
func RunReopen(t *testing.T, place func(t *testing.T) (open func(t *testing.T) backend.Store)) {
	t.Helper()
	for name, check := range map[string]func(t *testing.T, open func(t *testing.T) backend.Store){
		"Reopen_KeepsEverything":     reopenKeepsAll,
		"Close_WaitsForRunningCalls": closeWaits,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, place(t))
		})
	}
}

// session opens a store, runs fn and closes the store.
func session(t *testing.T, open func(t *testing.T) backend.Store, fn func(t *trial)) {
	t.Helper()
	store := open(t)
	defer func() {
		if err := store.Close(); err != nil {
			t.Errorf("close: got error %v, want none", err)
		}
	}()
	fn(&trial{T: t, Store: store, open: open})
}

func reopenKeepsAll(t *testing.T, open func(t *testing.T) backend.Store) {
	t.Helper()
	var before []string
	var good, ended []backend.Token
	session(t, open, func(t *trial) {
		t.mustCreateUser("deleted", 2)
		_, characters := t.mustCreateUser("ada", 4)
		t.mustCreateUser("bob", 0)
		t.mustCreateCredential("Ada L.", "ada")
		t.mustCreateCredential("Carol", "carol")
		t.must("delete user", t.DeleteUser(t.Context(), "deleted"))
		t.must("delete", t.DeleteCharacter(t.Context(), characters[3].Key()))
		t.mustCopy(characters[0], "copy")
		prompt, yes := "updated", true
		t.must("update", t.UpdateCharacter(t.Context(), characters[1].Key(),
			backend.CharacterPatch{Prompt: &prompt, ReadOnly: &yes}))
		t.must("update config", t.UpdateUserConfig(t.Context(), "ada",
			backend.UserConfigPatch{Keys: secrets("openai_api_key", "", "xai_api_key", "xai-1")}))
		good, ended = t.mustLeaveTokens()
		before = t.contents("deleted")
	})
	for range 2 { // opening changes nothing, not even the second time
		session(t, open, func(t *trial) {
			t.wantContents("closing and opening", before, "deleted")
			t.wantTokens(good...)
			t.wantNoTokens(ended...)
		})
	}
	session(t, open, func(t *trial) { // the creation order continues
		t.mustCopy(Character("ada", 0), "second copy")
		names, err := t.CharacterNames(t.Context(), "ada")
		t.must("list characters", err)
		if last := names[len(names)-1].CharacterID; last != "second copy" {
			t.Errorf("last character after opening again: got %q, want the new copy", last)
		}
		t.mustCreateUser("deleted", 0)
		users := t.users(backend.AllUsers)
		if last := users[len(users)-1].UserID; last != "deleted" {
			t.Errorf("last user after opening again: got %q, want the new one", last)
		}
	})
}

// mustLeaveTokens stores users with valid tokens, and with tokens that ended in
// each of the possible ways.
func (t *trial) mustLeaveTokens() (good, ended []backend.Token) {
	t.Helper()
	given := NameForms()[0][1] // not the form that is used to compare names
	dora, eve := t.mustCreateCredential(given, "dora"), t.mustCreateCredential("Eve", "eve")
	good = append(good, t.mustCreateToken("1 of dora", dora))
	ended = append(ended, t.mustCreateToken("2 of dora", dora), t.mustCreateToken("1 of eve", eve))
	t.must("delete token", t.DeleteToken(t.Context(), ended[0].Hash))
	eve = t.mustReplacePassword(eve, "another", backend.EndTokens)
	good = append(good, t.mustCreateToken("2 of eve", eve))
	t.mustReplacePassword(eve, "the same in another form", backend.KeepTokens)

	gone := t.mustCreateCredential("Gone", "gone")
	ended = append(ended, t.mustCreateToken("1 of gone", gone))
	t.must("delete user", t.DeleteUser(t.Context(), "gone"))
	t.mustCreateCredential("Gone", "gone")
	return good, ended
}

// closeWaits closes a store while a copy runs its edit function. The copy still
// succeeds and is stored. Close returns only after that.
func closeWaits(t *testing.T, open func(t *testing.T) backend.Store) {
	t.Helper()
	store := &trial{T: t, Store: open(t), open: open}
	_, characters := store.mustCreateUser("ada", 1)

	var once sync.Once
	started, goOn := make(chan struct{}), make(chan struct{})
	copied, closed := make(chan error, 1), make(chan error, 1)
	go func() {
		copied <- store.CopyCharacter(t.Context(), characters[0].Key(), 0, func(c backend.Character) backend.Character {
			once.Do(func() { close(started) })
			<-goOn
			return withID("copy")(c)
		})
	}()
	<-started
	go func() { closed <- store.Close() }()
	select {
	case err := <-closed:
		t.Errorf("close while a call runs: it returned (error %v), want it to wait", err)
		closed <- err
	case <-time.After(20 * time.Millisecond): // long enough to notice a Close that does not wait
	}
	close(goOn)
	store.must("the running copy", <-copied)
	store.must("close", <-closed)

	session(t, open, func(t *trial) {
		copied := characters[0]
		copied.CharacterID = "copy"
		t.wantCharacters("ada", characters[0], copied)
	})
}

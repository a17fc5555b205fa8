package storetest

import (
	"errors"
	"fmt"
	"sync"

	"web-backend/internal/backend"
)

var copyPromises = []promise{
	{"CopyCharacter_StoresWhatEditMakes", copyStoresEdit},
	{"CopyCharacter_Exists", copyExists},
	{"CopyCharacter_NotFound", copyNotFound},
	{"CopyCharacter_Full", copyFull},
	{"CopyCharacter_FullAtOnce", copyFullAtOnce},
}

// mustCopy copies a character and changes only its id.
func (t *trial) mustCopy(source backend.Character, newID string) backend.Character {
	t.Helper()
	t.must("copy character", t.CopyCharacter(t.Context(), source.Key(), 0, withID(newID)))
	source.CharacterID = newID
	return source
}

// withID returns an edit function for CopyCharacter.
func withID(id string) func(backend.Character) backend.Character {
	return func(c backend.Character) backend.Character {
		c.CharacterID = id
		return c
	}
}

func copyStoresEdit(t *trial) {
	characters := Characters("ada", 3)
	characters[1].ReadOnly = true
	t.must("create user", t.CreateUser(t.Context(), UserConfig("ada"), characters))
	for n, source := range characters {
		made := Character("ada", 10+n) // differs from the source in every field
		made.ReadOnly = n == 0
		var given backend.Character
		t.must("copy", t.CopyCharacter(t.Context(), source.Key(), 0, func(c backend.Character) backend.Character {
			given = c
			return made
		}))
		if given != source {
			t.Errorf("what edit was given:\n got %s\nwant %s", brief(given), brief(source))
		}
		characters = append(characters, made)
		t.wantCharacters("ada", characters...)
	}
}

func copyExists(t *trial) {
	_, characters := t.mustCreateUser("ada", 2)
	_, others := t.mustCreateUser("bob", 3)
	before := t.contents()
	err := t.CopyCharacter(t.Context(), characters[0].Key(), 0, withID(characters[1].CharacterID))
	t.wantKind("copy onto another character", err, backend.Exists)
	t.wantContents("a refused copy", before)
	t.mustCopy(characters[0], others[2].CharacterID) // another user's id can be used
	t.wantCharacters("bob", others...)
}

func copyNotFound(t *trial) {
	_, characters := t.mustCreateUser("ada", 1)
	t.mustCreateUser("bob", 0)
	before := t.contents("unknown")
	for _, key := range []backend.CharacterKey{
		characterKey("ada", "unknown"), characterKey("bob", characters[0].CharacterID), characterKey("unknown", "unknown"),
	} {
		err := t.CopyCharacter(t.Context(), key, 0, func(backend.Character) backend.Character {
			t.Errorf("copy %v: got a call of edit, want none", key)
			return Character(key.UserID, 5)
		})
		t.wantKind("copy", err, backend.NotFound)
	}
	t.wantContents("a refused copy", before, "unknown")
}

func copyFull(t *trial) {
	_, characters := t.mustCreateUser("ada", 2)
	t.mustCreateUser("bob", 5)
	t.must("copy within the bound", t.CopyCharacter(t.Context(), characters[0].Key(), 3, withID("copy")))
	before := t.contents()
	err := t.CopyCharacter(t.Context(), characters[0].Key(), 3, withID("another"))
	t.wantKind("copy beyond the bound", err, backend.Full)
	t.wantContents("a refused copy", before)
	t.must("delete", t.DeleteCharacter(t.Context(), characters[1].Key()))
	t.must("copy when there is room again", t.CopyCharacter(t.Context(), characters[0].Key(), 3, withID("another")))
}

// copyFullAtOnce checks that concurrent copies never exceed the limit.
func copyFullAtOnce(t *trial) {
	_, characters := t.mustCreateUser("ada", 2)
	const most = 5
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			err := t.CopyCharacter(t.Context(), characters[0].Key(), most, withID(fmt.Sprint("copy ", n)))
			if err != nil && !errors.Is(err, backend.Full) {
				t.Errorf("copy: got %v, want no error, or full", err)
			}
		})
	}
	group.Wait()
	names, err := t.CharacterNames(t.Context(), "ada")
	t.must("list characters", err)
	if len(names) > most {
		t.Errorf("got %d characters, want %d at the most", len(names), most)
	}
}

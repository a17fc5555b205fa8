package storetest

import (
	"errors"
	"sync"

	"web-backend/internal/backend"
)

var additionPromises = []promise{
	{"AddCharacter_GoesLast", addGoesLast},
	{"AddCharacter_Exists", addExists},
	{"AddCharacter_NotFound", addNotFound},
	{"AddCharacter_Full", addFull},
	{"Race_AddCharacter_FullAtOnce", addFullAtOnce},
	{"Race_AddCharacterAgainstDeleteUser", addAgainstDeleteUser},
}

func addGoesLast(t *trial) {
	t.must("create user", t.CreateUser(t.Context(), UserConfig("ada"), nil))
	var characters []backend.Character
	for n := range 3 {
		character := Character("ada", n)
		character.ReadOnly = n == 1
		t.must("add", t.AddCharacter(t.Context(), character, 0))
		characters = append(characters, character)
		t.wantCharacters("ada", characters...)
	}
}

func addExists(t *trial) {
	_, characters := t.mustCreateUser("ada", 2)
	t.mustCreateUser("bob", 1)
	before := t.contents()
	again := Character("ada", 7)
	again.CharacterID = characters[1].CharacterID
	t.wantKind("add with the id of another character", t.AddCharacter(t.Context(), again, 0), backend.Exists)
	t.wantContents("a refused addition", before)
	again.UserID = "bob" // another user's id can be used
	t.must("add with the id of another user's character", t.AddCharacter(t.Context(), again, 0))
}

func addNotFound(t *trial) {
	t.must("create credential", t.CreateCredential(t.Context(), Credential("Bob", "bob"))) // has not been set up
	before := t.contents("unknown")
	for _, userID := range []string{"unknown", "bob"} {
		t.wantKind("add", t.AddCharacter(t.Context(), Character(userID, 0), 0), backend.NotFound)
	}
	t.wantContents("a refused addition", before, "unknown")
}

func addFull(t *trial) {
	t.mustCreateUser("ada", 2)
	t.mustCreateUser("bob", 5)
	t.must("add within the bound", t.AddCharacter(t.Context(), Character("ada", 2), 3))
	before := t.contents()
	t.wantKind("add beyond the bound", t.AddCharacter(t.Context(), Character("ada", 3), 3), backend.Full)
	t.wantContents("a refused addition", before)
	t.must("delete", t.DeleteCharacter(t.Context(), Character("ada", 0).Key()))
	t.must("add when there is room again", t.AddCharacter(t.Context(), Character("ada", 3), 3))
}

// addFullAtOnce checks that concurrent additions never exceed the limit.
func addFullAtOnce(t *trial) {
	t.mustCreateUser("ada", 2)
	const most = 5
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			err := t.AddCharacter(t.Context(), Character("ada", 2+n), most)
			if err != nil && !errors.Is(err, backend.Full) {
				t.Errorf("add: got %v, want no error, or full", err)
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

// addAgainstDeleteUser checks that no character of a deleted user stays.
func addAgainstDeleteUser(t *trial) {
	for n := range rounds {
		t.mustCreateUser("ada", 1)
		together(callers, func(i int) {
			if i == 0 {
				t.must("delete", t.DeleteUser(t.Context(), "ada"))
				return
			}
			err := t.AddCharacter(t.Context(), Character("ada", i), 0)
			if err != nil && !errors.Is(err, backend.NotFound) {
				t.Errorf("round %d, add: got %v, want no error, or not found", n, err)
			}
		})
		t.wantCharacters("ada")
	}
}

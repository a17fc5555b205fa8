package storetest

import "web-backend/internal/backend"

var createUserPromises = []promise{
	{"CreateUser_StoresConfigAndCharactersInOrder", createUserStoresAll},
	{"CreateUser_NeedsNoKeysAndNoCharacters", createUserBare},
	{"CreateUser_RefusesTakenID", createUserTwice},
	{"CreateUser_RefusesIDOfCredential", createUserOverCredential},
	{"CreateUser_StoresNothingWhenACharacterIsRefused", createUserAllOrNothing},
	{"CreateUser_KeepsUsersApart", createUserApart},
}

func createUserStoresAll(t *trial) {
	config, characters := UserConfig("ada"), Characters("ada", 12)
	for n := range characters {
		characters[n].ReadOnly = n%2 == 0
	}
	t.must("create user", t.CreateUser(t.Context(), config, characters))
	t.wantUserConfig(config)
	t.wantCharacters("ada", characters...)
	t.wantUsers(backend.AllUsers, backend.User{UserID: "ada"})
}

func createUserBare(t *trial) {
	config := backend.UserConfig{UserID: "ada", Timezone: "Asia/Shanghai"}
	t.must("create user", t.CreateUser(t.Context(), config, nil))
	t.wantUserConfig(config)
	t.wantNames("ada")
}

func createUserTwice(t *trial) {
	t.mustCreateUser("ada", 2)
	before := t.contents()
	second := backend.UserConfig{UserID: "ada", Timezone: "Asia/Tokyo",
		Keys: map[string]backend.Secret{"xai_api_key": backend.NewSecret("xai-2")}}
	others := []backend.Character{Character("ada", 7), Character("ada", 8)}
	t.wantKind("second creation", t.CreateUser(t.Context(), second, others), backend.Exists)
	t.wantKind("third creation", t.CreateUser(t.Context(), second, nil), backend.Exists)
	t.wantContents("a refused creation", before)
}

func createUserOverCredential(t *trial) {
	t.mustCreateCredential("Ada L.", "ada")
	before := t.contents("ada")
	err := t.CreateUser(t.Context(), UserConfig("ada"), Characters("ada", 2))
	t.wantKind("creation over a credential", err, backend.Exists)
	t.wantContents("a refused creation", before, "ada")
}

func createUserAllOrNothing(t *trial) {
	t.mustCreateUser("bob", 1)
	before := t.contents("ada")
	characters := append(Characters("ada", 3), Character("ada", 1))
	if err := t.CreateUser(t.Context(), UserConfig("ada"), characters); err == nil {
		t.Fatal("create user with one character id twice: got no error, want one")
	}
	t.wantContents("a failed creation", before, "ada")
	for _, c := range characters {
		t.wantNoCharacter(c.Key())
	}

	bare := backend.UserConfig{UserID: "ada", Timezone: "Asia/Tokyo"}
	t.must("create user after a failed creation", t.CreateUser(t.Context(), bare, characters[:1]))
	t.wantUserConfig(bare)
	t.wantCharacters("ada", characters[0])
}

// createUserApart creates two users whose characters have the same ids, and ids
// that become the same text when user id and character id are joined.
func createUserApart(t *trial) {
	mine := []backend.Character{Character("a", 1), Character("a", 2)}
	mine[1].CharacterID = "b/c"
	yours := []backend.Character{Character("a/b", 3), Character("a/b", 4)}
	yours[0].CharacterID = mine[0].CharacterID
	yours[1].CharacterID = "c"
	t.must("create the first user", t.CreateUser(t.Context(), UserConfig("a"), mine))
	t.must("create the second user", t.CreateUser(t.Context(), UserConfig("a/b"), yours))

	prompt := "changed for one user only"
	t.must("update", t.UpdateCharacter(t.Context(), mine[0].Key(), backend.CharacterPatch{Prompt: &prompt}))
	mine[0].Prompt = prompt
	t.must("delete", t.DeleteCharacter(t.Context(), mine[1].Key()))
	t.wantCharacters("a", mine[0])
	t.wantCharacters("a/b", yours...)
}

var deleteUserPromises = []promise{
	{"DeleteUser_RemovesEverything", deleteUserRemovesAll},
	{"DeleteUser_RemovesCredentialAlone", deleteUserCredentialOnly},
	{"DeleteUser_NotFound", deleteUserNotFound},
	{"DeleteUser_LeavesNothingForTheNextOwner", deleteUserStartsClean},
	{"DeleteUser_KeepsOthers", deleteUserKeepsOthers},
}

func deleteUserRemovesAll(t *trial) {
	before := t.contents("ada")
	_, characters := t.mustCreateUser("ada", 3)
	t.mustCreateCredential("Ada L.", "ada")
	readOnly := true
	t.must("make read-only", t.UpdateCharacter(t.Context(), characters[0].Key(), backend.CharacterPatch{ReadOnly: &readOnly}))

	t.must("delete user", t.DeleteUser(t.Context(), "ada"))
	t.wantNoUser("ada")
	t.wantContents("creating and deleting a user", before, "ada")
	for _, c := range characters {
		t.wantNoCharacter(c.Key())
	}
}

func deleteUserCredentialOnly(t *trial) {
	t.mustCreateCredential("Ada L.", "ada")
	t.must("delete user", t.DeleteUser(t.Context(), "ada"))
	t.wantNoUser("ada")
	t.mustCreateCredential("Ada L.", "another id, the same name")
	t.mustCreateCredential("another name, the same id", "ada")
}

func deleteUserNotFound(t *trial) {
	t.mustCreateUser("bob", 1)
	before := t.contents()
	t.wantKind("delete an unknown user", t.DeleteUser(t.Context(), "ada"), backend.NotFound)
	t.wantContents("a refused deletion", before)
	t.must("delete user", t.DeleteUser(t.Context(), "bob"))
	t.wantKind("delete a user again", t.DeleteUser(t.Context(), "bob"), backend.NotFound)
}

func deleteUserStartsClean(t *trial) {
	t.mustCreateUser("ada", 3)
	t.mustCreateCredential("Ada L.", "ada")
	t.mustCreateUser("bob", 0)
	t.must("delete user", t.DeleteUser(t.Context(), "ada"))

	config := backend.UserConfig{UserID: "ada", Timezone: "Asia/Shanghai"}
	t.must("create user again", t.CreateUser(t.Context(), config, []backend.Character{Character("ada", 2)}))
	t.wantUserConfig(config)
	t.wantCharacters("ada", Character("ada", 2))
	t.wantUsers(backend.AllUsers, backend.User{UserID: "bob"}, backend.User{UserID: "ada"})
}

func deleteUserKeepsOthers(t *trial) {
	t.mustCreateUser("bob", 2)
	t.mustCreateCredential("Bob", "bob")
	t.mustCreateCredential("Ada", "ada/2")
	before := t.contents("ada/2", "ada")
	t.mustCreateUser("ada", 2)
	t.mustCreateCredential("ada l.", "ada")
	t.must("delete user", t.DeleteUser(t.Context(), "ada"))
	t.wantContents("another user's life", before, "ada/2", "ada")
}

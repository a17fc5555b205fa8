package storetest

import "web-backend/internal/backend"

var setUpUserPromises = []promise{
	{"SetUpUser_StoresConfigAndCharactersInOrder", setUpUserStoresAll},
	{"SetUpUser_NeedsNoKeysAndNoCharacters", setUpUserBare},
	{"SetUpUser_NotFoundWithoutCredential", setUpUserNotFound},
	{"SetUpUser_RefusesAUserWithConfig", setUpUserTwice},
	{"SetUpUser_NeverBringsBackADeletedUser", setUpUserDeleted},
	{"SetUpUser_StoresNothingWhenACharacterIsRefused", setUpUserAllOrNothing},
}

func setUpUserStoresAll(t *trial) {
	ada := t.mustCreateCredential("Ada L.", "ada")
	t.mustCreateCredential("Carol", "carol")
	token := t.mustCreateToken("of ada", ada)
	config, characters := UserConfig("ada"), Characters("ada", 12)
	for n := range characters {
		characters[n].ReadOnly = n%2 == 0
	}
	t.must("set up user", t.SetUpUser(t.Context(), config, characters))
	t.wantArguments(config, nil)
	t.wantUserConfig(config)
	t.wantCharacters("ada", characters...)
	t.wantCredential("Ada L.", ada)
	t.wantTokens(token)
	user := backend.User{UserID: "ada", Username: "Ada L."} // the user is as old as its credential
	t.wantUsers(backend.AllUsers, user, backend.User{UserID: "carol", Username: "Carol"})
	t.wantUsers(backend.UsersWithConfig, user)

	before := t.contents()
	config.Keys["openai_api_key"] = backend.NewSecret("changed later")
	characters[0].Prompt = "changed later"
	t.wantContents("changing the arguments of SetUpUser", before)
}

func setUpUserBare(t *trial) {
	for _, id := range Usernames() {
		t.mustCreateCredential(id.Value, id.Value)
		config := backend.UserConfig{UserID: id.Value, Timezone: "Asia/Shanghai"}
		t.must("set up user "+id.Name, t.SetUpUser(t.Context(), config, nil))
		t.wantUserConfig(config)
		t.wantNames(id.Value)
	}
}

func setUpUserNotFound(t *trial) {
	t.mustCreateUser("bob", 1)
	t.mustCreateCredential("ada", "id of ada")
	before := t.contents("ada", "unknown")
	for _, userID := range []string{"bob", "ada", "unknown", ""} { // bob has a config; that is checked second
		err := t.SetUpUser(t.Context(), UserConfig(userID), Characters(userID, 2))
		t.wantKind("set up user "+userID, err, backend.NotFound)
	}
	t.wantContents("a refused set-up", before, "ada", "unknown")
	t.must("create user after a refused set-up", t.CreateUser(t.Context(), UserConfig("unknown"), nil))
	t.wantNames("unknown")
}

func setUpUserTwice(t *trial) {
	t.mustCreateUser("bob", 1)
	t.mustCreateCredential("Bob", "bob")
	t.mustCreateCredential("Ada L.", "ada")
	t.must("set up user", t.SetUpUser(t.Context(), UserConfig("ada"), Characters("ada", 2)))
	before := t.contents()
	for _, userID := range []string{"ada", "bob"} {
		second := backend.UserConfig{UserID: userID, Timezone: "Asia/Tokyo", Keys: secrets("xai_api_key", "xai-2")}
		for _, characters := range [][]backend.Character{nil, {Character(userID, 7), Character(userID, 8)}} {
			t.wantKind("set up "+userID+" again", t.SetUpUser(t.Context(), second, characters), backend.Exists)
			t.wantKind("create "+userID, t.CreateUser(t.Context(), second, characters), backend.Exists)
		}
	}
	t.wantContents("a refused set-up", before)
}

func setUpUserDeleted(t *trial) {
	for n := range 4 {
		t.mustCreateCredential("Ada L.", "ada")
		if n%2 == 1 {
			t.must("set up user", t.SetUpUser(t.Context(), UserConfig("ada"), Characters("ada", 2)))
		}
		t.must("delete user", t.DeleteUser(t.Context(), "ada"))
		err := t.SetUpUser(t.Context(), UserConfig("ada"), Characters("ada", 2))
		t.wantKind("set up a deleted user", err, backend.NotFound)
		t.wantNoUser("ada")
	}
	t.mustCreateCredential("Ada L.", "ada")
	bare := backend.UserConfig{UserID: "ada", Timezone: "UTC"}
	t.must("set up the next user of the id", t.SetUpUser(t.Context(), bare, []backend.Character{Character("ada", 2)}))
	t.wantUserConfig(bare)
	t.wantCharacters("ada", Character("ada", 2))
}

func setUpUserAllOrNothing(t *trial) {
	t.mustCreateCredential("Ada L.", "ada")
	before := t.contents("ada")
	characters := append(Characters("ada", 3), Character("ada", 1))
	if err := t.SetUpUser(t.Context(), UserConfig("ada"), characters); err == nil {
		t.Fatal("set up a user with one character id twice: got no error, want one")
	}
	t.wantContents("a failed set-up", before, "ada")
	bare := backend.UserConfig{UserID: "ada", Timezone: "Asia/Tokyo"}
	t.must("set up after a failed set-up", t.SetUpUser(t.Context(), bare, characters[:1]))
	t.wantUserConfig(bare)
	t.wantCharacters("ada", characters[0])
}

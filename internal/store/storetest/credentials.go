package storetest

import "web-backend/internal/backend"

var createCredentialPromises = []promise{
	{"CreateCredential_MakesAUser", createCredentialAlone},
	{"CreateCredential_RefusesTakenName", createCredentialNameTaken},
	{"CreateCredential_RefusesIDWithCredential", createCredentialIDTaken},
	{"CreateCredential_AttachesToAUser", createCredentialAttaches},
	{"CreateCredential_KeepsNamesByteForByte", createCredentialNames},
}

func createCredentialAlone(t *trial) {
	t.mustCreateCredential("Ada L.", "ada")
	user := backend.User{UserID: "ada", Username: "Ada L."}
	t.wantUsers(backend.AllUsers, user)
	t.wantUsers(backend.UsersWithCredential, user)
	t.wantUsers(backend.UsersWithConfig)
	_, err := t.UserConfig(t.Context(), "ada")
	t.wantKind("config of a user with a credential only", err, backend.NotFound)
}

func createCredentialNameTaken(t *trial) {
	t.mustCreateCredential("Ada L.", "ada")
	t.mustCreateUser("bob", 1)
	before := t.contents("carol")
	for _, userID := range []string{"bob", "carol"} { // a user there is, and one there is not
		err := t.CreateCredential(t.Context(), Credential("Ada L.", userID))
		t.wantKind("a taken name for "+userID, err, backend.Exists)
	}
	t.wantContents("a refused credential", before, "carol")
	t.mustCreateCredential("Carol", "carol")
}

func createCredentialIDTaken(t *trial) {
	t.mustCreateCredential("Ada L.", "ada")
	t.mustCreateUser("bob", 1)
	t.mustCreateCredential("Bob", "bob")
	before := t.contents()
	for _, userID := range []string{"ada", "bob"} {
		err := t.CreateCredential(t.Context(), Credential("Another", userID))
		t.wantKind("a second name for "+userID, err, backend.Exists)
		err = t.CreateCredential(t.Context(), Credential("Ada L.", userID))
		t.wantKind("a taken name for "+userID, err, backend.Exists)
	}
	t.wantContents("a refused credential", before)
	t.mustCreateCredential("Another", "carol")
}

func createCredentialAttaches(t *trial) {
	config, characters := t.mustCreateUser("ada", 3)
	t.mustCreateUser("bob", 0)
	t.mustCreateCredential("Ada L.", "ada")
	t.wantUserConfig(config)
	t.wantCharacters("ada", characters...)
	t.wantUsers(backend.AllUsers, backend.User{UserID: "ada", Username: "Ada L."}, backend.User{UserID: "bob"})
}

func createCredentialNames(t *trial) {
	var want []backend.User
	for _, name := range IDs() {
		t.mustCreateCredential(name.Value, "id of "+name.Name)
		want = append(want, backend.User{UserID: "id of " + name.Name, Username: name.Value})
	}
	t.wantUsers(backend.UsersWithCredential, want...)
	for _, name := range IDs() {
		err := t.CreateCredential(t.Context(), Credential(name.Value, "another id"))
		t.wantKind("name taken: "+name.Name, err, backend.Exists)
	}
}

package storetest

import (
	"fmt"

	"web-backend/internal/backend"
)

var createCredentialPromises = []promise{
	{"CreateCredential_MakesAUser", createCredentialAlone},
	{"CreateCredential_RefusesTakenName", createCredentialNameTaken},
	{"CreateCredential_RefusesIDWithCredential", createCredentialIDTaken},
	{"CreateCredential_AttachesToAUser", createCredentialAttaches},
	{"CreateCredential_KeepsNamesByteForByte", createCredentialNames},
	{"CreateCredential_RefusesOtherFormsOfAName", createCredentialForms},
	{"CreateCredential_TellsSimilarNamesApart", createCredentialSimilar},
	{"CreateCredential_RefusesNamesTakenForOne", createCredentialAlike},
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
	for _, userID := range []string{"bob", "carol"} { // an existing and a missing user
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

// createCredentialNames registers each name while all the others exist.
func createCredentialNames(t *trial) {
	var want []backend.User
	for _, name := range Usernames() {
		t.mustCreateCredential(name.Value, "id of "+name.Name)
		want = append(want, backend.User{UserID: "id of " + name.Name, Username: name.Value})
	}
	t.wantUsers(backend.UsersWithCredential, want...)
	for _, name := range Usernames() {
		t.wantCredential(name.Value, Credential(name.Value, "id of "+name.Name))
		err := t.CreateCredential(t.Context(), Credential(name.Value, "another id"))
		t.wantKind("name taken: "+name.Name, err, backend.Exists)
	}
}

// createCredentialForms registers each name in each of its forms. Then no form
// of the name is free, and lists show the form that was given.
func createCredentialForms(t *trial) {
	for _, forms := range NameForms() {
		for _, given := range forms {
			t.mustCreateUser("bob", 0)
			t.mustCreateCredential(given, "ada")
			for _, form := range forms {
				err := t.CreateCredential(t.Context(), Credential(form, "bob"))
				t.wantKind("another form of a taken name", err, backend.Exists)
				err = t.CreateCredential(t.Context(), Credential(form, "carol"))
				t.wantKind("another form of a taken name for a new user", err, backend.Exists)
				t.wantCredential(form, Credential(given, "ada"))
			}
			ada := backend.User{UserID: "ada", Username: given}
			t.wantUsers(backend.UsersWithCredential, ada)
			t.wantUsers(backend.AllUsers, backend.User{UserID: "bob"}, ada)
			t.must("delete user", t.DeleteUser(t.Context(), "ada"))
			for _, form := range forms {
				t.wantNoCredential(form)
			}
			t.mustCreateCredential(given, "bob") // an existing user
			t.wantUsers(backend.AllUsers, backend.User{UserID: "bob", Username: given})
			t.must("delete user", t.DeleteUser(t.Context(), "bob"))
		}
	}
}

func createCredentialSimilar(t *trial) {
	names := []string{"ada", "\u0430da", "ad a", "ad-a", "fin", "e", "\u00e9", "\u0435", "i", "\u0131", "x", "x2"}
	for _, name := range names {
		t.wantNoCredential(name)
		t.mustCreateCredential(name, "id of "+name)
	}
	for _, name := range names {
		t.wantCredential(name, Credential(name, "id of "+name))
	}
}

// createCredentialAlike registers each name of some similar names. Then none of
// the other names is free, and a login finds only the name that was given.
func createCredentialAlike(t *trial) {
	for _, given := range AlikeNames() {
		t.mustCreateUser("bob", 0)
		t.mustCreateCredential(given, "ada")
		before := t.contents("bob", "carol")
		for _, name := range AlikeNames() {
			for _, userID := range []string{"bob", "carol"} { // an existing and a missing user
				err := t.CreateCredential(t.Context(), Credential(name, userID))
				t.wantKind(fmt.Sprintf("%+q for %s, beside %+q", name, userID, given), err, backend.Exists)
			}
			if backend.UsernameKey(name) != backend.UsernameKey(given) {
				t.wantNoCredential(name)
			}
		}
		t.wantContents("a refused name", before, "bob", "carol")
		t.must("delete user", t.DeleteUser(t.Context(), "ada"))
		t.mustCreateCredential(given, "bob") // an existing user
		t.must("delete user", t.DeleteUser(t.Context(), "bob"))
	}
}

var credentialPromises = []promise{
	{"Credential_IsAsItWasStored", credentialStored},
	{"Credential_NotFound", credentialNotFound},
}

func credentialStored(t *trial) {
	t.mustCreateUser("bob", 1)
	for _, text := range append(Texts(), Text{"no password", ""}) {
		want := backend.Credential{
			Username: "name with " + text.Name, Password: backend.NewSecret(text.Value), UserID: "id of " + text.Name}
		t.must("create credential with "+text.Name, t.CreateCredential(t.Context(), want))
		t.wantCredential(want.Username, want)
	}
	t.wantCredential("Bob", t.mustCreateCredential("Bob", "bob"))
}

func credentialNotFound(t *trial) {
	t.mustCreateUser("bob", 1)
	t.mustCreateCredential("Ada L.", "ada")
	t.mustCreateCredential("Carol", "carol")
	t.must("delete user", t.DeleteUser(t.Context(), "carol"))
	for _, name := range []string{
		"bob", "ada", "ada l.", "Ada", "Ada L", "Ada L. ", "Carol", "correct horse", "$ne", "%", "*", "",
	} {
		t.wantNoCredential(name)
	}
}

// wantCredential checks the credential of a user name.
func (t *trial) wantCredential(username string, want backend.Credential) {
	t.Helper()
	got, err := t.Credential(t.Context(), username)
	if err != nil || got != want {
		t.Errorf("credential of %s:\n got %s, error %v\nwant %s",
			brief(username), brief(describeCredential(got)), err, brief(describeCredential(want)))
	}
}

// wantNoCredential checks that a user name has no credential.
func (t *trial) wantNoCredential(username string) {
	t.Helper()
	_, err := t.Credential(t.Context(), username)
	t.wantKind(fmt.Sprintf("credential of %q", username), err, backend.NotFound)
}

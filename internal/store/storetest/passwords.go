package storetest

import (
	"fmt"

	"web-backend/internal/backend"
)

var replacePasswordPromises = []promise{
	{"ReplacePassword_ChangesThePasswordAlone", replacePasswordAlone},
	{"ReplacePassword_KeepsPasswordsByteForByte", replacePasswordTexts},
	{"ReplacePassword_RefusesACredentialThatIsNotStored", replacePasswordStale},
	{"ReplacePassword_EndTokensEndsThoseOfTheUser", replacePasswordEnds},
	{"ReplacePassword_KeepTokensKeepsThem", replacePasswordKeeps},
	{"ReplacePassword_TakesTheSamePasswordAgain", replacePasswordSame},
}

var bothFates = []backend.TokenFate{backend.EndTokens, backend.KeepTokens}

// mustReplacePassword stores another password and returns the new credential.
func (t *trial) mustReplacePassword(old backend.Credential, password string, fate backend.TokenFate) backend.Credential {
	t.Helper()
	replaced := old
	replaced.Password = backend.NewSecret(password)
	t.must("replace password", t.ReplacePassword(t.Context(), old, replaced.Password, fate))
	return replaced
}

// staleCredentials returns variants of stored in which one part is wrong. The
// keys of the map say which part. The variants are also wrong in a store that
// holds user "bob" with only a config and no user called "Nobody".
func staleCredentials(stored backend.Credential) map[string]backend.Credential {
	stale := make(map[string]backend.Credential)
	for _, password := range []string{"", "Correct horse", "correct horse ", "correct hors", "$ne", "%", "null"} {
		c := stored
		c.Password = backend.NewSecret(password)
		stale[fmt.Sprintf("password %q", password)] = c
	}
	for _, userID := range []string{"", "bob", "carol", "nobody", "ADA"} {
		c := stored
		c.UserID = userID
		stale[fmt.Sprintf("user id %q", userID)] = c
	}
	for _, name := range []string{"", "Nobody", "Carol", "ada l."} {
		c := stored
		c.Username = name
		stale[fmt.Sprintf("name %q", name)] = c
	}
	stale["name and user id"] = Credential("Nobody", "nobody")
	stale["user without a credential"] = Credential("Bob", "bob")
	return stale
}

func replacePasswordAlone(t *trial) {
	config, characters := t.mustCreateUser("ada", 2)
	t.mustCreateUser("bob", 1)
	ada, carol := t.mustCreateCredential("Ada L.", "ada"), t.mustCreateCredential("Carol", "carol")
	for i, fate := range bothFates {
		ada = t.mustReplacePassword(ada, fmt.Sprintf("another %d", i), fate)
		t.wantCredential("Ada L.", ada)
		t.wantCredential("Carol", carol)
		t.wantUserConfig(config)
		t.wantCharacters("ada", characters...)
		t.wantUsers(backend.AllUsers, backend.User{UserID: "ada", Username: "Ada L."}, backend.User{UserID: "bob"},
			backend.User{UserID: "carol", Username: "Carol"})
	}
	for _, forms := range NameForms() {
		for _, given := range forms {
			c := t.mustReplacePassword(t.mustCreateCredential(given, "eve"), "another", backend.EndTokens)
			t.wantCredential(given, c) // the name as it was given works, too
			t.must("delete user", t.DeleteUser(t.Context(), "eve"))
		}
	}
}

// replacePasswordTexts replaces each text with the next one. A text that was
// stored byte for byte must be found byte for byte.
func replacePasswordTexts(t *trial) {
	c := t.mustCreateCredential("Ada L.", "ada")
	for _, text := range append(Texts(), Text{"no password", ""}, Text{"a password again", "again"}) {
		c = t.mustReplacePassword(c, text.Value, backend.EndTokens)
		t.wantCredential("Ada L.", c)
	}
}

func replacePasswordStale(t *trial) {
	t.mustCreateUser("bob", 0)
	ada, carol := t.mustCreateCredential("Ada L.", "ada"), t.mustCreateCredential("Carol", "carol")
	tokens := []backend.Token{t.mustCreateToken("of ada", ada), t.mustCreateToken("of carol", carol)}
	before := t.contents("nobody", "ADA")
	for what, stale := range staleCredentials(ada) {
		for _, fate := range bothFates {
			err := t.ReplacePassword(t.Context(), stale, backend.NewSecret("another"), fate)
			t.wantKind("replace password, wrong "+what, err, backend.NotFound)
		}
	}
	t.wantContents("a refused password", before, "nobody", "ADA")
	t.wantTokens(tokens...)

	t.mustReplacePassword(ada, "another", backend.KeepTokens)
	for _, fate := range bothFates {
		err := t.ReplacePassword(t.Context(), ada, backend.NewSecret("a third"), fate)
		t.wantKind("replace a password that was replaced", err, backend.NotFound)
	}
	t.wantTokens(tokens...)
	t.must("delete user", t.DeleteUser(t.Context(), "carol"))
	err := t.ReplacePassword(t.Context(), carol, backend.NewSecret("another"), backend.EndTokens)
	t.wantKind("replace the password of a deleted user", err, backend.NotFound)
	t.wantNoUser("carol")
}

func replacePasswordEnds(t *trial) {
	ada, bob := t.mustCreateCredential("Ada L.", "ada"), t.mustCreateCredential("Bob", "ada/2")
	var mine []backend.Token
	for n := range 5 {
		mine = append(mine, t.mustCreateToken(fmt.Sprintf("%d of ada", n), ada))
	}
	other := t.mustCreateToken("of bob", bob)
	changed := t.mustReplacePassword(ada, "another", backend.EndTokens)
	t.wantNoTokens(mine...)
	t.wantTokens(other)

	next := t.mustCreateToken("of ada with the new password", changed)
	t.wantTokens(next)
	t.mustReplacePassword(changed, ada.Password.Reveal(), backend.EndTokens) // back to the first password
	t.wantNoTokens(append(mine, next)...)
	t.wantTokens(other, t.mustCreateToken("of ada with the first password", ada))
	t.wantNoTokens(append(mine, next)...)
}

func replacePasswordKeeps(t *trial) {
	ada := t.mustCreateCredential("Ada L.", "ada")
	tokens := []backend.Token{t.mustCreateToken("1", ada), t.mustCreateToken("2", ada)}
	changed := t.mustReplacePassword(ada, "in another form", backend.KeepTokens)
	t.wantTokens(tokens...)
	tokens = append(tokens, t.mustCreateToken("3", changed))
	t.wantTokens(tokens...)
	refused := Token("4", "ada")
	t.wantKind("token for the form before", t.CreateToken(t.Context(), refused, ada), backend.NotFound)
	t.wantNoTokens(refused)
	t.mustReplacePassword(changed, "another", backend.EndTokens) // includes tokens from before the first change
	t.wantNoTokens(tokens...)
}

func replacePasswordSame(t *trial) {
	ada := t.mustCreateCredential("Ada L.", "ada")
	first := t.mustCreateToken("1", ada)
	t.mustReplacePassword(ada, ada.Password.Reveal(), backend.KeepTokens)
	t.wantTokens(first)
	t.mustReplacePassword(ada, ada.Password.Reveal(), backend.EndTokens)
	t.wantNoTokens(first)
	t.wantCredential("Ada L.", ada)
	t.wantTokens(t.mustCreateToken("2", ada))
}

package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"

	"web-backend/internal/backend"
)

var disablePromises = []promise{
	{"SetDisabled_ChangesTheFlagAlone", disableAlone},
	{"SetDisabled_NotFound", disableNotFound},
	{"SetDisabled_EndsTokensForGood", disableEndsTokens},
	{"SetDisabled_EnablingAgainKeepsTokens", enableKeepsTokens},
	{"SetDisabled_AllowsANewPassword", disableNewPassword},
	{"PutUsers_DisabledAccounts", putDisabled},
	{"Race_SetDisabledAgainstCreateToken", raceDisableCreateToken},
	{"Race_SetDisabled_EndsAllTokensInOneMoment", raceDisableEndTokens},
}

// mustSetDisabled disables or enables an account and returns its credential.
func (t *trial) mustSetDisabled(credential backend.Credential, disabled bool) backend.Credential {
	t.Helper()
	t.must("set disabled", t.SetDisabled(t.Context(), credential.UserID, disabled))
	credential.Disabled = disabled
	return credential
}

func disableAlone(t *trial) {
	config, characters := t.mustCreateUser("ada", 2)
	ada, carol := t.mustCreateCredential("Ada L.", "ada"), t.mustCreateCredential("Carol", "carol")
	given := t.mustCreateCredential(NameForms()[0][1], "eve") // not the form that is used to compare names
	for _, disabled := range []bool{true, true, false, false, true} {
		ada, given = t.mustSetDisabled(ada, disabled), t.mustSetDisabled(given, disabled)
		t.wantCredential("Ada L.", ada)
		t.wantCredential(given.Username, given)
		t.wantCredential("Carol", carol)
		t.wantUserConfig(config)
		t.wantCharacters("ada", characters...)
		users := []backend.User{
			{UserID: "ada", Username: "Ada L.", Disabled: disabled}, {UserID: "carol", Username: "Carol"},
			{UserID: "eve", Username: given.Username, Disabled: disabled},
		}
		for _, filter := range []backend.UserFilter{backend.AllUsers, backend.UsersWithCredential} {
			t.wantUsers(filter, users...)
		}
		for _, order := range []backend.UserOrder{backend.ByCreation, backend.ByID} {
			page, err := t.UserPage(t.Context(), order, "", len(users))
			t.must("page of users", err)
			var got []backend.User
			for _, user := range page {
				got = append(got, user.User)
			}
			if !slices.Equal(got, users) {
				t.Errorf("order %d: got %+v, want %+v", order, got, users)
			}
		}
		byName, err := t.UserPage(t.Context(), backend.ByName, backend.NameKey("ada"), 1)
		if err != nil || len(byName) != 1 || byName[0].User != users[0] {
			t.Errorf("by name: got %+v, %v, want %+v", byName, err, users[0])
		}
		t.wantExport(backend.UserData{Credential: &ada, Config: &config, Characters: characters},
			backend.UserData{Credential: &carol}, backend.UserData{Credential: &given})
	}
	t.must("delete user", t.DeleteUser(t.Context(), "ada"))
	t.wantCredential("Ada L.", t.mustCreateCredential("Ada L.", "ada")) // a new account is enabled
}

func disableNotFound(t *trial) {
	t.mustCreateUser("bob", 1)
	t.mustCreateCredential("Ada L.", "ada")
	before := t.contents("nobody")
	for _, userID := range []string{"bob", "nobody", "Ada L.", "ADA", ""} {
		for _, disabled := range []bool{true, false} {
			t.wantKind(fmt.Sprintf("set disabled %t of %q", disabled, userID), t.SetDisabled(t.Context(), userID, disabled), backend.NotFound)
		}
	}
	t.wantContents("a refused call", before, "nobody")
	t.wantCredential("Bob", t.mustCreateCredential("Bob", "bob"))
}

func disableEndsTokens(t *trial) {
	ada, bob := t.mustCreateCredential("Ada L.", "ada"), t.mustCreateCredential("Bob", "bob")
	ended := []backend.Token{t.mustCreateToken("1 of ada", ada), t.mustCreateToken("2 of ada", ada)}
	other := t.mustCreateToken("of bob", bob)
	disabled := t.mustSetDisabled(ada, true)
	t.wantNoTokens(ended...)
	for _, credential := range []backend.Credential{ada, disabled} {
		token := Token("late", "ada")
		t.wantKind("create a token of a disabled account", t.CreateToken(t.Context(), token, credential), backend.NotFound)
		ended = append(ended, token)
	}
	t.wantNoTokens(ended...)
	t.mustSetDisabled(ada, false)
	t.wantNoTokens(ended...)
	t.wantTokens(other, t.mustCreateToken("after", ada))
}

func enableKeepsTokens(t *trial) {
	ada := t.mustCreateCredential("Ada L.", "ada")
	token := t.mustCreateToken("of ada", ada)
	t.mustSetDisabled(ada, false)
	t.wantTokens(token)
}

// disableNewPassword replaces the password of a disabled account, which stays
// disabled.
func disableNewPassword(t *trial) {
	ada := t.mustSetDisabled(t.mustCreateCredential("Ada L.", "ada"), true)
	for i, fate := range bothFates {
		ada = t.mustReplacePassword(ada, fmt.Sprintf("another %d", i), fate)
		t.wantCredential("Ada L.", ada)
	}
}

// putDisabled disables and enables accounts by a put.
func putDisabled(t *trial) {
	users := []backend.UserData{UserData("ada", 1), UserData("bob", 0), UserData("carol", 2)}
	users[2].Config, users[2].Characters = nil, nil
	var ended []backend.Token
	for round, disabled := range []bool{true, false, true, false} {
		for i := range users {
			users[i].Credential.Disabled = disabled
		}
		t.must("put", t.PutUsers(t.Context(), users))
		t.wantExport(users...)
		t.wantNoTokens(ended...)
		for _, user := range users {
			if disabled {
				err := t.CreateToken(t.Context(), Token("refused", user.UserID()), *user.Credential)
				t.wantKind("create a token of a disabled account", err, backend.NotFound)
				continue
			}
			ended = append(ended, t.mustCreateToken(fmt.Sprintf("%d of %s", round, user.UserID()), *user.Credential))
		}
	}
	t.wantTokens(ended[len(users):]...)
	users[0].Credential = nil // then it can get another one
	t.must("put without a credential", t.PutUsers(t.Context(), users[:1]))
	t.wantCredential("Ada", t.mustCreateCredential("Ada", "ada"))
}

// raceDisableCreateToken checks that no token is left, whether it was created
// before or during the call, and that none comes back when the account is
// enabled again.
func raceDisableCreateToken(t *trial) {
	credential := t.mustCreateCredential("Ada L.", "ada")
	other := t.mustCreateToken("of bob", t.mustCreateCredential("Bob", "bob"))
	var ended []backend.Token
	for round := range 2 * rounds {
		made, refused := t.tokensUntil(round, credential, func() error { return t.SetDisabled(t.Context(), "ada", true) })
		ended = slices.Concat(made, refused)
		t.wantNoTokens(ended...)
		t.mustSetDisabled(credential, false)
		t.wantNoTokens(ended...)
		t.wantTokens(other, t.mustCreateToken(fmt.Sprintf("after round %d", round), credential))
	}
}

// raceDisableEndTokens reads a user's tokens while the account is disabled.
func raceDisableEndTokens(t *trial) {
	credential := t.mustCreateCredential("Ada L.", "ada")
	for round := range rounds {
		tokens := make([]backend.Token, 4)
		for n := range tokens {
			tokens[n] = t.mustCreateToken(fmt.Sprintf("round %d, token %d", round, n), credential)
		}
		var over atomic.Bool
		begun := make(chan struct{}, callers)
		together(callers+1, func(i int) {
			if i == callers {
				<-begun
				if err := t.SetDisabled(t.Context(), "ada", true); err != nil {
					t.Errorf("set disabled: got error %v, want none", err)
				}
				over.Store(true)
				return
			}
			t.readUntilEnded(tokens, i, &over, begun)
		})
		t.mustSetDisabled(credential, false)
	}
}

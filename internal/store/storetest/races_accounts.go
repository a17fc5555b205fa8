package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"web-backend/internal/backend"
)

var accountRacePromises = []promise{
	{"Race_SetUpUser_OneWinsWhole", raceSetUpUser},
	{"Race_SetUpUserAgainstDeleteUser", raceSetUpDelete},
	{"Race_CreateCredential_OneFormOfANameWins", raceCredentialForms},
	{"Race_CreateCredential_OneOfNamesTakenForOneWins", raceCredentialAlike},
	{"Race_ReplacePassword_OneWins", raceReplacePassword},
	{"Race_DeleteToken_OneWins", raceDeleteToken},
	{"Race_ReplacePasswordAgainstCreateToken", raceReplaceCreateToken},
	{"Race_ReplacePasswordThatKeepsTokensAgainstCreateToken", raceKeepCreateToken},
	{"Race_DeleteUserAgainstCreateToken", raceDeleteCreateToken},
	{"Race_ReplacePassword_EndsAllTokensInOneMoment", raceEndTokens},
	{"Race_DeleteUserAgainstReplacePassword", raceDeleteReplace},
}

// logins is how many first logins, or other calls for one account, run at the
// same time.
const logins = 10

func raceSetUpUser(t *trial) {
	for round := range rounds {
		userID, results := fmt.Sprintf("user %d", round), make([]error, logins)
		credential := t.mustCreateCredential("name of "+userID, userID)
		together(logins, func(i int) {
			config, characters := raceUser(userID, i)
			results[i] = t.SetUpUser(t.Context(), config, characters)
		})
		config, characters := raceUser(userID, t.wantOneWinner("set up user", results, backend.Exists))
		t.wantUserConfig(config)
		t.wantCharacters(userID, characters...)
		t.wantCredential(credential.Username, credential)
	}
	if got := len(t.users(backend.AllUsers)); got != rounds {
		t.Errorf("users: got %d, want %d", got, rounds)
	}
}

// raceSetUpDelete checks that nothing of the user is left, in whatever order
// the calls run.
func raceSetUpDelete(t *trial) {
	for range rounds {
		t.mustCreateCredential("Ada L.", "ada")
		results, deletion := make([]error, logins), error(nil)
		together(logins+1, func(i int) {
			if i == logins {
				deletion = t.DeleteUser(t.Context(), "ada")
				return
			}
			config, characters := raceUser("ada", i)
			results[i] = t.SetUpUser(t.Context(), config, characters)
		})
		t.must("delete user", deletion)
		for i, err := range results {
			if err != nil && !errors.Is(err, backend.Exists) {
				t.wantKind(fmt.Sprintf("set-up %d", i), err, backend.NotFound)
			}
		}
		t.wantNoUser("ada")
		t.wantNoCredential("Ada L.")
	}
}

func raceCredentialForms(t *trial) {
	for round := range rounds {
		forms, results := NameForms()[round%len(NameForms())], make([]error, logins)
		claim := func(i int) backend.Credential {
			return Credential(fmt.Sprintf("%s, round %d", forms[i%len(forms)], round), fmt.Sprintf("id %d in round %d", i, round))
		}
		together(logins, func(i int) { results[i] = t.CreateCredential(t.Context(), claim(i)) })
		winner := claim(t.wantOneWinner("create credential for forms of one name", results, backend.Exists))
		for i := range logins {
			t.wantCredential(claim(i).Username, winner)
		}
		users := t.users(backend.AllUsers)
		want := backend.User{UserID: winner.UserID, Username: winner.Username}
		if got := users[len(users)-1]; len(users) != round+1 || got != want {
			t.Errorf("users: got %d, the last %+v, want %d, the last %+v", len(users), got, round+1, want)
		}
	}
}

func raceCredentialAlike(t *trial) {
	for round := range rounds {
		names, results := AlikeNames(), make([]error, logins)
		claim := func(i int) backend.Credential {
			return Credential(fmt.Sprintf("%s, round %d", names[i%len(names)], round), fmt.Sprintf("id %d in round %d", i, round))
		}
		together(logins, func(i int) { results[i] = t.CreateCredential(t.Context(), claim(i)) })
		winner := claim(t.wantOneWinner("create credential for names taken for one", results, backend.Exists))
		t.wantCredential(winner.Username, winner)
		if got := len(t.users(backend.AllUsers)); got != round+1 {
			t.Errorf("users: got %d, want %d", got, round+1)
		}
	}
}

func raceReplacePassword(t *trial) {
	credential := t.mustCreateCredential("Ada L.", "ada")
	for round := range rounds {
		results := make([]error, logins)
		password := func(i int) backend.Secret { return backend.NewSecret(fmt.Sprintf("round %d, caller %d", round, i)) }
		together(logins, func(i int) {
			results[i] = t.ReplacePassword(t.Context(), credential, password(i), bothFates[i%2])
		})
		credential.Password = password(t.wantOneWinner("replace one password", results, backend.NotFound))
		t.wantCredential("Ada L.", credential)
	}
}

func raceDeleteToken(t *trial) {
	credential := t.mustCreateCredential("Ada L.", "ada")
	kept := t.mustCreateToken("kept", credential)
	for round := range rounds {
		token, results := t.mustCreateToken(fmt.Sprint(round), credential), make([]error, callers)
		together(callers, func(i int) { results[i] = t.DeleteToken(t.Context(), token.Hash) })
		t.wantOneWinner("delete token", results, backend.NotFound)
		t.wantNoTokens(token)
	}
	t.wantTokens(kept)
}

// tokensUntil runs change while callers create tokens for credential until a
// call is rejected. It returns the tokens that were created and those that were
// rejected. Tokens are created before, during and after the change. No call
// that starts after the change has returned may create one.
func (t *trial) tokensUntil(round int, credential backend.Credential, change func() error) (made, refused []backend.Token) {
	t.Helper()
	var over atomic.Bool
	created, begun := make([][]backend.Token, callers), make(chan struct{}, callers)
	together(callers+1, func(i int) {
		if i == callers {
			<-begun
			if err := change(); err != nil {
				t.Errorf("change: got error %v, want none", err)
			}
			over.Store(true)
			return
		}
		for n := 0; ; n++ {
			token, late := Token(fmt.Sprintf("round %d, caller %d, token %d", round, i, n), credential.UserID), over.Load()
			created[i] = append(created[i], token)
			err := t.CreateToken(t.Context(), token, credential)
			announceTo(begun)
			if err != nil {
				t.wantKind("create token", err, backend.NotFound)
				return
			}
			if late {
				t.Errorf("create token, started after the change was confirmed: got success, want an error")
				return
			}
		}
	})
	for _, tokens := range created { // the last one of each caller was rejected
		made, refused = append(made, tokens[:len(tokens)-1]...), append(refused, tokens[len(tokens)-1])
	}
	return made, refused
}

// raceReplaceCreateToken checks that no token of the old password is left,
// whether it was created before or during the change.
func raceReplaceCreateToken(t *trial) {
	credential := t.mustCreateCredential("Ada L.", "ada")
	other := t.mustCreateToken("of bob", t.mustCreateCredential("Bob", "bob"))
	for round := range 2 * rounds {
		changed := credential
		changed.Password = backend.NewSecret(fmt.Sprintf("password %d", round))
		made, refused := t.tokensUntil(round, credential, func() error {
			return t.ReplacePassword(t.Context(), credential, changed.Password, backend.EndTokens)
		})
		t.wantNoTokens(made...)
		t.wantNoTokens(refused...)
		credential = changed
		t.wantTokens(other, t.mustCreateToken(fmt.Sprintf("after round %d", round), credential))
		t.wantNoTokens(made...)
	}
}

// raceKeepCreateToken checks that every token is left whose creation succeeded,
// and none whose creation was rejected.
func raceKeepCreateToken(t *trial) {
	credential := t.mustCreateCredential("Ada L.", "ada")
	for round := range rounds {
		changed := credential
		changed.Password = backend.NewSecret(fmt.Sprintf("form %d", round))
		made, refused := t.tokensUntil(round, credential, func() error {
			return t.ReplacePassword(t.Context(), credential, changed.Password, backend.KeepTokens)
		})
		t.wantTokens(made...)
		t.wantNoTokens(refused...)
		credential = changed
	}
}

// raceDeleteCreateToken creates the same user again after each deletion. No
// token of the earlier user may become valid again.
func raceDeleteCreateToken(t *trial) {
	var ended []backend.Token
	for round := range rounds {
		credential := t.mustCreateCredential("Ada L.", "ada")
		t.wantNoTokens(ended...)
		made, refused := t.tokensUntil(round, credential, func() error { return t.DeleteUser(t.Context(), "ada") })
		ended = slices.Concat(made, refused)
		t.wantNoTokens(ended...)
		t.wantNoUser("ada")
	}
}

// raceEndTokens reads a user's tokens while the password is replaced. A reader
// that has seen one of them ended must find all of them ended.
func raceEndTokens(t *trial) {
	credential := t.mustCreateCredential("Ada L.", "ada")
	for round := range rounds {
		tokens := make([]backend.Token, 4)
		for n := range tokens {
			tokens[n] = t.mustCreateToken(fmt.Sprintf("round %d, token %d", round, n), credential)
		}
		changed := credential
		changed.Password = backend.NewSecret(fmt.Sprintf("password %d", round))
		var over atomic.Bool
		begun := make(chan struct{}, callers)
		together(callers+1, func(i int) {
			if i == callers {
				<-begun
				if err := t.ReplacePassword(t.Context(), credential, changed.Password, backend.EndTokens); err != nil {
					t.Errorf("replace password: got error %v, want none", err)
				}
				over.Store(true)
				return
			}
			t.readUntilEnded(tokens, i, &over, begun)
		})
		credential = changed
	}
}

// readUntilEnded reads tokens in turn, beginning with index first, until one
// has ended. Then it checks that all have ended.
func (t *trial) readUntilEnded(tokens []backend.Token, first int, over *atomic.Bool, announce chan<- struct{}) {
	for n := first; ; n++ {
		late, token := over.Load(), tokens[n%len(tokens)]
		got, err := t.Token(t.Context(), token.Hash, TokenTime())
		announceTo(announce)
		switch {
		case err != nil:
			t.wantKind("read token", err, backend.NotFound)
			t.wantNoTokens(tokens...)
			return
		case got != token:
			t.Errorf("read token: got %+v, want %+v", got, token)
			return
		case late:
			t.Errorf("read token after the new password was confirmed: got it, want none")
			return
		}
	}
}

// raceDeleteReplace checks that no deleted credential comes back.
func raceDeleteReplace(t *trial) {
	for range rounds {
		credential := t.mustCreateCredential("Ada L.", "ada")
		results, deletion := make([]error, callers), error(nil)
		together(callers+1, func(i int) {
			if i == callers {
				deletion = t.DeleteUser(t.Context(), "ada")
				return
			}
			results[i] = t.ReplacePassword(t.Context(), credential, backend.NewSecret(fmt.Sprint(i)), bothFates[i%2])
		})
		t.must("delete user", deletion)
		if n := t.tally("replace password", results, backend.NotFound); n > 1 {
			t.Errorf("replace one password, at the same time: got %d successes, want at most 1", n)
		}
		t.wantNoUser("ada")
		t.wantNoCredential("Ada L.")
	}
}

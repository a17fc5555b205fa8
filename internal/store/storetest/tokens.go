package storetest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"web-backend/internal/backend"
)

// mustCreateToken stores the token with this text for a credential.
func (t *trial) mustCreateToken(text string, credential backend.Credential) backend.Token {
	t.Helper()
	token := Token(text, credential.UserID)
	t.must("create token "+text, t.CreateToken(t.Context(), token, credential))
	return token
}

// wantTokens checks that tokens are valid and unchanged since their creation.
func (t *trial) wantTokens(want ...backend.Token) {
	t.Helper()
	for i, token := range want {
		got, err := t.Token(t.Context(), token.Hash, TokenTime())
		if err != nil || got != token {
			t.Errorf("token %d:\n got %+v, error %v\nwant %+v", i, got, err, token)
		}
	}
}

// wantNoTokens checks that tokens are not valid.
func (t *trial) wantNoTokens(tokens ...backend.Token) {
	t.Helper()
	for i, token := range tokens {
		_, err := t.Token(t.Context(), token.Hash, TokenTime())
		t.wantKind(fmt.Sprintf("token %d, which has ended or was never made", i), err, backend.NotFound)
	}
}

var tokenPromises = []promise{
	{"Token_IsAsItWasCreated", tokenStored},
	{"Token_NotFound", tokenNotFound},
	{"Token_IsGoodUntilItExpires", tokenExpires},
	{"UserTokens_AreThoseThatAreGood", userTokensGood},
	{"DeleteToken_EndsOne", deleteTokenOne},
	{"DeleteToken_NotFound", deleteTokenNotFound},
}

func tokenStored(t *trial) {
	t.mustCreateUser("bob", 1)
	bob := t.mustCreateCredential("Bob", "bob")
	var tokens []backend.Token
	for n := range 20 {
		token := Token(fmt.Sprintf("token %d", n), "bob")
		token.CreatedAt = token.CreatedAt.Add(time.Duration(n) * time.Millisecond)
		token.ExpiresAt = token.ExpiresAt.Add(time.Duration(n*n) * time.Millisecond)
		t.must("create token", t.CreateToken(t.Context(), token, bob))
		tokens = append(tokens, token)
	}
	t.wantTokens(tokens...)
	for _, id := range Usernames() {
		c := t.mustCreateCredential(id.Value, id.Value)
		t.wantTokens(t.mustCreateToken("token of "+id.Name, c))
	}
	t.wantTokens(tokens...)
}

func tokenNotFound(t *trial) {
	ada := t.mustCreateCredential("Ada L.", "ada")
	token := t.mustCreateToken("token", ada)
	near := token
	near.Hash[len(near.Hash)-1] ^= 1
	t.wantNoTokens(near, backend.Token{}, Token("", "ada"), Token("token ", "ada"), Token("ada", "ada"))
	t.wantTokens(token)
}

func tokenExpires(t *trial) {
	ada := t.mustCreateCredential("Ada L.", "ada")
	short, long := Token("short", "ada"), t.mustCreateToken("long", ada)
	short.ExpiresAt = short.CreatedAt.Add(1500 * time.Millisecond)
	t.must("create token", t.CreateToken(t.Context(), short, ada))
	east := time.FixedZone("+14", 14*60*60)
	for _, c := range []struct {
		after time.Duration // relative to the expiry
		good  bool
	}{
		{-1500 * time.Millisecond, true}, {-time.Millisecond, true}, {0, false}, {time.Millisecond, false},
		{time.Second, false}, {20 * time.Hour, false}, {-time.Millisecond, true}, // reading did not end the token
	} {
		for _, now := range []time.Time{short.ExpiresAt.Add(c.after), short.ExpiresAt.Add(c.after).In(east)} {
			got, err := t.Token(t.Context(), short.Hash, now)
			switch {
			case !c.good:
				t.wantKind(fmt.Sprintf("token %v after its expiry", c.after), err, backend.NotFound)
			case err != nil || got != short:
				t.Errorf("token %v after its expiry: got %+v, error %v, want %+v", c.after, got, err, short)
			}
		}
	}
	t.wantTokens(long)
}

// wantUserTokens checks which tokens of a user are valid at a time.
func (t *trial) wantUserTokens(userID string, now time.Time, want ...backend.Token) {
	t.Helper()
	got, err := t.UserTokens(t.Context(), userID, now)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("tokens of user %s:\n got %+v, error %v\nwant %+v", userID, got, err, want)
	}
}

func userTokensGood(t *trial) {
	ada, bob := t.mustCreateCredential("Ada L.", "ada"), t.mustCreateCredential("Bob", "bob")
	t.wantUserTokens("ada", TokenTime())
	var tokens []backend.Token
	for n := range 6 { // not in the order of their creation times, which two tokens share
		token := Token(fmt.Sprintf("%d of ada", n), "ada")
		token.CreatedAt = token.CreatedAt.Add(-time.Duration(n/2) * time.Millisecond)
		t.must("create token", t.CreateToken(t.Context(), token, ada))
		tokens = append(tokens, token)
	}
	other := t.mustCreateToken("of bob", bob)
	slices.SortFunc(tokens, func(a, b backend.Token) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), bytes.Compare(a.Hash[:], b.Hash[:]))
	})
	t.wantUserTokens("ada", TokenTime(), tokens...)
	t.wantUserTokens("bob", TokenTime(), other)
	t.wantUserTokens("nobody", TokenTime())

	short := Token("short", "ada")
	short.CreatedAt, short.ExpiresAt = short.CreatedAt.Add(time.Second), TokenTime().Add(time.Minute)
	t.must("create token", t.CreateToken(t.Context(), short, ada))
	t.wantUserTokens("ada", short.ExpiresAt.Add(-time.Millisecond), append(slices.Clone(tokens), short)...)
	t.wantUserTokens("ada", short.ExpiresAt, tokens...)

	t.must("delete token", t.DeleteToken(t.Context(), tokens[2].Hash))
	t.must("delete token", t.DeleteToken(t.Context(), short.Hash))
	tokens = slices.Delete(tokens, 2, 3)
	t.wantUserTokens("ada", TokenTime(), tokens...)
	ada = t.mustReplacePassword(ada, "in another form", backend.KeepTokens)
	t.wantUserTokens("ada", TokenTime(), tokens...)
	t.mustReplacePassword(ada, "another", backend.EndTokens)
	t.wantUserTokens("ada", TokenTime())
	t.wantUserTokens("bob", TokenTime(), other)
	t.must("delete user", t.DeleteUser(t.Context(), "bob"))
	t.wantUserTokens("bob", TokenTime())
}

func deleteTokenOne(t *trial) {
	ada, bob := t.mustCreateCredential("Ada L.", "ada"), t.mustCreateCredential("Bob", "bob")
	first, second := t.mustCreateToken("1 of ada", ada), t.mustCreateToken("2 of ada", ada)
	other := t.mustCreateToken("of bob", bob)
	before := t.contents()
	t.must("delete token", t.DeleteToken(t.Context(), first.Hash))
	t.wantNoTokens(first)
	t.wantTokens(second, other)
	t.must("delete the user's other token", t.DeleteToken(t.Context(), second.Hash))
	t.wantNoTokens(first, second)
	t.wantTokens(other)
	t.wantContents("the end of a token", before)
	t.wantTokens(t.mustCreateToken("3 of ada", ada))
}

func deleteTokenNotFound(t *trial) {
	ada := t.mustCreateCredential("Ada L.", "ada")
	token, kept := t.mustCreateToken("deleted", ada), t.mustCreateToken("kept", ada)
	t.must("delete token", t.DeleteToken(t.Context(), token.Hash))
	near := kept
	near.Hash[0] ^= 0x80
	for _, hash := range []backend.TokenHash{token.Hash, near.Hash, Token("unknown", "ada").Hash, {}} {
		t.wantKind("delete a token that there is not", t.DeleteToken(t.Context(), hash), backend.NotFound)
	}
	t.wantTokens(kept)
}

var createTokenPromises = []promise{
	{"CreateToken_RefusesACredentialThatIsNotStored", createTokenStale},
	{"CreateToken_RemovesNoneThatIsGood", createTokenKeepsGood},
	{"DeleteUser_EndsTokens", deleteUserTokens},
}

func createTokenStale(t *trial) {
	t.mustCreateUser("bob", 0)
	ada, carol := t.mustCreateCredential("Ada L.", "ada"), t.mustCreateCredential("Carol", "carol")
	before := t.contents("nobody", "ADA")
	refuse := func(what string, stale backend.Credential) {
		t.Helper()
		token := Token("token, wrong "+what, stale.UserID)
		t.wantKind("create token, wrong "+what, t.CreateToken(t.Context(), token, stale), backend.NotFound)
		t.wantNoTokens(token)
	}
	for what, stale := range staleCredentials(ada) {
		refuse(what, stale)
	}
	t.wantContents("a refused token", before, "nobody", "ADA")
	for i, fate := range bothFates {
		changed := t.mustReplacePassword(ada, fmt.Sprintf("another %d", i), fate)
		refuse("password that was replaced", ada)
		ada = changed
	}
	t.must("delete user", t.DeleteUser(t.Context(), "carol"))
	refuse("user that was deleted", carol)
	t.wantTokens(t.mustCreateToken("good", ada))
}

// createTokenKeepsGood creates tokens while some tokens of each user are about
// to expire. A store that removes expired tokens must not remove others.
func createTokenKeepsGood(t *trial) {
	ada, bob := t.mustCreateCredential("Ada L.", "ada"), t.mustCreateCredential("Bob", "bob")
	var good []backend.Token
	later := tokenBirth.Add(10 * time.Minute)
	for n := range 30 {
		for _, c := range []backend.Credential{ada, bob} {
			token := Token(fmt.Sprintf("%d of %s", n, c.UserID), c.UserID)
			token.ExpiresAt = later.Add(time.Duration(n-15) * time.Millisecond)
			t.must("create token", t.CreateToken(t.Context(), token, c))
			if token.ExpiresAt.After(later) {
				good = append(good, token)
			}
		}
	}
	for n := range 5 {
		token := Token(fmt.Sprintf("later, %d", n), "ada")
		token.CreatedAt = later
		t.must("create token", t.CreateToken(t.Context(), token, ada))
		good = append(good, token)
	}
	for _, want := range good {
		if got, err := t.Token(t.Context(), want.Hash, later); err != nil || got != want {
			t.Errorf("token that expires in %v: got %+v, error %v, want %+v", want.ExpiresAt.Sub(later), got, err, want)
		}
	}
}

// deleteUserTokens creates the same user again after each deletion. The user's
// tokens from before must not become valid again.
func deleteUserTokens(t *trial) {
	bob := t.mustCreateCredential("Bob", "bob")
	other := t.mustCreateToken("of bob", bob)
	var ended []backend.Token
	for n := range 3 {
		if n == 1 {
			t.mustCreateUser("ada", 1)
		}
		ada := t.mustCreateCredential("Ada L.", "ada")
		t.wantNoTokens(ended...)
		ended = append(ended, t.mustCreateToken(fmt.Sprintf("%d of ada", 2*n), ada),
			t.mustCreateToken(fmt.Sprintf("%d of ada", 2*n+1), ada))
		t.wantNoTokens(ended[:2*n]...)
		t.wantTokens(ended[2*n:]...)
		t.must("delete user", t.DeleteUser(t.Context(), "ada"))
		t.wantNoTokens(ended...)
		t.wantTokens(other)
	}
}

package auth_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

func TestNewToken(t *testing.T) {
	t.Parallel()
	for form, makeToken := range map[string]func() backend.Secret{
		`^wbt_[A-Za-z0-9_-]{43}$`: auth.NewToken,
		`^wbo_[A-Za-z0-9_-]{43}$`: auth.NewOperatorToken,
	} {
		seen := make(map[backend.Secret]bool)
		for range 1000 {
			token := makeToken()
			if !regexp.MustCompile(form).MatchString(token.Reveal()) {
				t.Fatalf("got %q, want %s", token.Reveal(), form)
			}
			if seen[token] {
				t.Fatal("got a token twice")
			}
			seen[token] = true
		}
	}
}

func TestLooksLikeToken(t *testing.T) {
	t.Parallel()
	good := auth.NewToken().Reveal()
	for text, want := range map[string]bool{
		good: true, "wbt_" + strings.Repeat("-", 43): true,
		"": false, "wbt_": false, good[4:]: false, good[:46]: false, good + "A": false, " " + good: false,
		"WBT_" + good[4:]: false, auth.NewOperatorToken().Reveal(): false,
		"wbt_" + strings.Repeat("=", 43): false, "wbt_" + strings.Repeat("A", 42) + "\n": false,
		"wbt_" + strings.Repeat("é", 21) + "A": false,
	} {
		if got := auth.LooksLikeToken(secret(text)); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}

func TestCheckOperatorToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ token, fault, advice string }{
		{strings.Repeat("a", 15), "15 bytes, want 16", ""},
		{strings.Repeat("a", 16), "", "16 bytes"},
		{strings.Repeat("a", 31), "", "31 bytes"},
		{strings.Repeat("a", 32), "", ""},
		{strings.Repeat("a", 1025), "1025 bytes", ""},
		{auth.NewOperatorToken().Reveal(), "", ""},
		{auth.NewToken().Reveal(), "looks like a user's", ""},
	} {
		err := auth.CheckOperatorToken(secret(c.token))
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%d bytes: got %v, want %q", len(c.token), err, c.fault)
		}
		if err != nil {
			continue
		}
		if advice := auth.OperatorTokenAdvice(secret(c.token)); (advice != "") != (c.advice != "") || !strings.Contains(advice, c.advice) {
			t.Errorf("%d bytes: got the advice %q, want %q", len(c.token), advice, c.advice)
		}
	}
}

func TestOperatorTokens(t *testing.T) {
	t.Parallel()
	tokens := auth.NewOperatorTokens([]backend.Secret{{}, secret("first"), secret("second"), secret("second")})
	if tokens.Len() != 3 {
		t.Errorf("got %d tokens, want 3: those that are set", tokens.Len())
	}
	for text, want := range map[string]int{
		"first": 1, "second": 3, "": 0, "First": 0, "firs": 0, "first\n": 0, "firstsecond": 0,
	} {
		if got := tokens.Match(secret(text)); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
	for _, none := range []auth.OperatorTokens{{}, auth.NewOperatorTokens([]backend.Secret{{}})} {
		if none.Match(backend.Secret{}) != 0 || none.Match(secret("first")) != 0 {
			t.Error("no tokens match something, want them to match nothing")
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, tokens); strings.Contains(got, "first") || strings.Contains(got, "6669727374") {
			t.Errorf("%s prints %s, want no token", verb, got)
		}
	}
}

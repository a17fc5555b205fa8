package backend_test

import (
	"errors"
	"sync"
	"testing"

	"web-backend/internal/backend"
)

// A disabled account cannot be used in any way, and comes back as it was. Only
// somebody who knows the password learns that it is disabled.
func TestDisableUser(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	id := r.register("ada", "pass")
	token := r.login("ada", "pass").Token
	before := r.characters(id)
	uses := map[string]func(password backend.Secret) error{
		"log in": func(password backend.Secret) error {
			_, err := r.Authenticate(t.Context(), "ada", password)
			return err
		},
		"change the password": func(password backend.Secret) error {
			return r.UpdatePassword(t.Context(), "ada", password, backend.NewSecret("another"))
		},
		"delete the account": func(password backend.Secret) error {
			return r.DeleteAccount(t.Context(), "ada", password, id)
		},
	}
	for range 2 { // disabling again changes nothing
		if err := r.DisableUser(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		_, err := r.TokenUser(t.Context(), token)
		wantKind(t, "token of a disabled account", err, backend.NotFound, "")
		for what, use := range uses {
			wantRefusal(t, what, use(backend.NewSecret("pass")), backend.AccountDisabled)
			wantRefusal(t, what+" with a wrong password", use(backend.NewSecret("guess")), backend.WrongCredentials)
		}
	}
	if err := r.EnableUser(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err := r.TokenUser(t.Context(), token)
	wantKind(t, "token from before", err, backend.NotFound, "")
	if after := r.characters(id); r.login("ada", "pass").UserID != id || len(after) != len(before) {
		t.Errorf("after enabling: got %d characters, want %d", len(after), len(before))
	}
}

// An operator can set the password of a disabled account, which stays disabled.
func TestDisableUser_SetPassword(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	id := r.register("ada", "pass")
	_, err := r.SetPassword(t.Context(), id, "", backend.NewSecret("another"))
	if err := errors.Join(err, r.DisableUser(t.Context(), id)); err != nil {
		t.Fatal(err)
	}
	_, err = r.Authenticate(t.Context(), "ada", backend.NewSecret("another"))
	wantRefusal(t, "log in with the new password", err, backend.AccountDisabled)
}

// Logins run while the account is being disabled. None of their tokens is valid
// afterwards.
func TestDisableUser_RacesWithAuthenticate(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	id := r.register("ada", "pass")
	for range 10 {
		const logins = 4
		tokens := make([]backend.Secret, logins)
		var done sync.WaitGroup
		for i := range logins {
			done.Go(func() {
				login, err := r.Authenticate(t.Context(), "ada", backend.NewSecret("pass"))
				if err != nil {
					wantRefusal(t, "log in", err, backend.AccountDisabled)
				}
				tokens[i] = login.Token
			})
		}
		if err := r.DisableUser(t.Context(), id); err != nil {
			t.Error(err)
		}
		done.Wait()
		if err := r.EnableUser(t.Context(), id); err != nil {
			t.Error(err)
		}
		for _, token := range tokens {
			if _, err := r.TokenUser(t.Context(), token); token.IsSet() && err == nil {
				t.Error("a token from before the account was disabled is valid")
			}
		}
	}
}

func TestEndUserSessions(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	id := r.register("ada", "pass")
	r.register("bob", "pass")
	ended, other := []backend.Secret{r.login("ada", "pass").Token, r.login("ada", "pass").Token}, r.login("bob", "pass").Token
	for range 2 {
		if err := r.EndUserSessions(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for _, token := range ended {
		_, err := r.TokenUser(t.Context(), token)
		wantKind(t, "ended session", err, backend.NotFound, "")
	}
	for _, token := range []backend.Secret{other, r.login("ada", "pass").Token} {
		if _, err := r.TokenUser(t.Context(), token); err != nil {
			t.Errorf("another session: %v", err)
		}
	}
}

func TestDisableUser_NotFound(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	for _, id := range []string{r.createUser("without an account"), "gone", ""} {
		for what, err := range map[string]error{
			"disable": r.DisableUser(t.Context(), id), "enable": r.EnableUser(t.Context(), id),
			"end sessions": r.EndUserSessions(t.Context(), id),
		} {
			wantKind(t, what+" "+id, err, backend.NotFound, "")
		}
	}
}

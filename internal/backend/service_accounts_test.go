package backend_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// newAccounts returns a rig with a cheap password hasher.
func newAccounts(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, defaults())
	r.Service = backend.New(r.store, backend.Options{
		Defaults: defaults(), Now: func() time.Time { return noon },
		Passwords: auth.NewPasswords(auth.PasswordParams{MemoryKiB: 8, Iterations: 1, Parallelism: 1}),
		Accounts:  backend.AccountRules{PasswordMinLength: 4, TokenLifetime: time.Hour, NewToken: auth.NewToken},
	})
	return r
}

// wantRefusal checks that err is a refusal with the given reason.
func wantRefusal(t *testing.T, what string, err error, reason backend.RefusalReason) {
	t.Helper()
	if refusal, ok := errors.AsType[*backend.Refusal](err); !ok || refusal.Reason != reason {
		t.Errorf("%s: got error %v, want the refusal %q", what, err, reason)
	}
}

// If registration is closed, it is refused before any lookup or hash. The
// service of this test does not have a hasher.
func TestRegister_ClosedCostsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.Service = backend.New(r.store, backend.Options{Accounts: backend.AccountRules{RegistrationClosed: true}})
	for _, name := range []string{"ada", ""} {
		_, err := r.Register(t.Context(), name, backend.NewSecret("password"))
		wantRefusal(t, "register "+name, err, backend.NotOpen)
	}
}

func (r *rig) register(username, password string) string {
	r.t.Helper()
	id, err := r.Register(r.t.Context(), username, backend.NewSecret(password))
	if err != nil || id == "" {
		r.t.Fatalf("register %q: got id %q, error %v", username, id, err)
	}
	return id
}

func (r *rig) login(username, password string) backend.Login {
	r.t.Helper()
	login, err := r.Authenticate(r.t.Context(), username, backend.NewSecret(password))
	if err != nil || !login.Token.IsSet() {
		r.t.Fatalf("log in as %q: got %+v, error %v", username, login, err)
	}
	return login
}

// No data is created for a user before the first login. The first login creates
// the same data as CreateUser.
func TestAuthenticate_SetsUpAtTheFirstLogin(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	id := r.register("ada", "pass")
	if _, err := r.store.UserConfig(t.Context(), id); !errors.Is(err, backend.NotFound) {
		t.Errorf("before the first login: got error %v, want no config", err)
	}
	r.login("ada", "pass")
	if config := r.config(id); config.Timezone != "Asia/Tokyo" || config.Keys["xai_api_key"].Reveal() != "shared" {
		t.Errorf("after it: got zone %q, keys %q, want the defaults", config.Timezone, reveal(config.Keys))
	}
	names := r.characters(id)
	if len(names) != 2 {
		t.Fatalf("after it: got %d characters, want 2", len(names))
	}
	// The next login must not restore data that the user removed.
	if err := r.DeleteCharacter(t.Context(), names[0].Key()); err != nil {
		t.Fatal(err)
	}
	r.login("ada", "pass")
	if left := r.characters(id); len(left) != 1 || left[0] != names[1] {
		t.Errorf("after the second login: got %d characters, want the one that was left", len(left))
	}
}

// A token is valid for its lifetime, and its times come from the clock.
func TestAuthenticate_TokenLifetime(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	id := r.register("ada", "pass")
	login := r.login("ada", "pass")
	if login.UserID != id || login.ExpiresIn != time.Hour {
		t.Errorf("got user %q for %v, want %q for an hour", login.UserID, login.ExpiresIn, id)
	}
	token, err := r.store.Token(t.Context(), backend.HashToken(login.Token), noon)
	want := backend.Token{Hash: backend.HashToken(login.Token), UserID: id, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	if err != nil || token != want {
		t.Errorf("stored token: got %+v, %v, want %+v", token, err, want)
	}
	for name, unknown := range map[string]backend.Secret{
		"another": auth.NewToken(), "none": {}, "its hash": backend.NewSecret(string(token.Hash[:])),
	} {
		if _, err := r.TokenUser(t.Context(), unknown); !errors.Is(err, backend.NotFound) {
			t.Errorf("user of the token %q: got error %v, want not found", name, err)
		}
		wantKind(t, "log out with the token "+name, r.Logout(t.Context(), unknown), backend.Unauthorized, "")
	}
}

// If many callers change one password at the same time, only one succeeds. The
// others get the refusal for a wrong password.
func TestUpdatePassword_Race(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	r.register("ada", "pass 0")
	passwords := []string{"pass 1", "pass 2", "pass 3", "pass 4", "pass 5", "pass 6"}
	errs := make([]error, len(passwords))
	var all sync.WaitGroup
	for i, password := range passwords {
		all.Go(func() {
			errs[i] = r.UpdatePassword(t.Context(), "ada", backend.NewSecret("pass 0"), backend.NewSecret(password))
		})
	}
	all.Wait()
	var won []string
	for i, err := range errs {
		if err == nil {
			won = append(won, passwords[i])
		} else {
			wantRefusal(t, passwords[i], err, backend.WrongCredentials)
		}
	}
	if len(won) != 1 {
		t.Fatalf("got the new passwords %q, want one", won)
	}
	r.login("ada", won[0])
}

// Logins run while the password is changed. A token that a login with the old
// password received must be invalid after the change.
func TestAuthenticate_RacesWithUpdatePassword(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	r.register("ada", "pass 0")
	for range 10 {
		var all sync.WaitGroup
		tokens := make([]backend.Secret, 4)
		for i := range tokens {
			all.Go(func() {
				login, err := r.Authenticate(t.Context(), "ada", backend.NewSecret("pass 0"))
				if err != nil {
					wantRefusal(t, "log in", err, backend.WrongCredentials)
				}
				tokens[i] = login.Token
			})
		}
		all.Go(func() {
			if err := r.UpdatePassword(t.Context(), "ada", backend.NewSecret("pass 0"), backend.NewSecret("pass 1")); err != nil {
				t.Errorf("update password: %v", err)
			}
		})
		all.Wait()
		for _, token := range tokens {
			if user, err := r.TokenUser(t.Context(), token); !errors.Is(err, backend.NotFound) {
				t.Fatalf("a token of the old password is still good for %q, error %v", user, err)
			}
		}
		if err := r.UpdatePassword(t.Context(), "ada", backend.NewSecret("pass 1"), backend.NewSecret("pass 0")); err != nil {
			t.Fatal(err)
		}
	}
}

// A login during the deletion of the account must not restore any data of it.
func TestAuthenticate_RacesWithDeleteAccount(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	for range 20 {
		id := r.register("ada", "pass")
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := r.Authenticate(t.Context(), "ada", backend.NewSecret("pass")); err != nil {
				wantRefusal(t, "log in", err, backend.WrongCredentials)
			}
		})
		all.Go(func() {
			if err := r.DeleteAccount(t.Context(), "ada", backend.NewSecret("pass"), id); err != nil {
				t.Errorf("delete account: %v", err)
			}
		})
		all.Wait()
		if err := r.DeleteUser(t.Context(), id); !errors.Is(err, backend.NotFound) {
			t.Fatalf("something of the user was left or came back: deleting it again gives %v", err)
		}
	}
}

// A password that no account can have is refused without computing a hash. The
// new password is checked only if the old one is right.
func TestAccounts_Order(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	id := r.register("ada", "pass")
	long := backend.NewSecret(strings.Repeat("x", 1025))
	for name, password := range map[string]backend.Secret{"empty": {}, "too long": long, "wrong": backend.NewSecret("Pass")} {
		_, err := r.Authenticate(t.Context(), "ada", password)
		wantRefusal(t, "log in, "+name, err, backend.WrongCredentials)
		wantRefusal(t, "change, "+name, r.UpdatePassword(t.Context(), "ada", password, backend.Secret{}), backend.WrongCredentials)
		wantRefusal(t, "delete, "+name, r.DeleteAccount(t.Context(), "ada", password, id), backend.WrongCredentials)
	}
	wantRefusal(t, "change to none", r.UpdatePassword(t.Context(), "ada", backend.NewSecret("pass"), backend.Secret{}), backend.PasswordTooShort)
	wantRefusal(t, "change to a long one", r.UpdatePassword(t.Context(), "ada", backend.NewSecret("pass"), long), backend.PasswordTooLong)
	wantRefusal(t, "delete another", r.DeleteAccount(t.Context(), "ada", backend.NewSecret("pass"), "bob"), backend.WrongCredentials)
	r.login("ada", "pass")
}

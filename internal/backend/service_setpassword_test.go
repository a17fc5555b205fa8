package backend_test

import (
	"errors"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// However the user is named, the new password is valid afterwards, the old one
// is not, and all sessions have ended.
func TestSetPassword(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	id := r.register("Zo\u00e9", "pass 0")
	password := "pass 0"
	for _, by := range []struct{ userID, username string }{{id, ""}, {"", "Zo\u00e9"}, {id, "Zo\u00e9"}, {"", "Zoe\u0301"}, {id, "Zoe\u0301"}} {
		login := r.login("Zo\u00e9", password)
		newPassword := password + "."
		got, err := r.SetPassword(t.Context(), by.userID, by.username, backend.NewSecret(newPassword))
		if err != nil || got != id {
			t.Fatalf("set the password of %q: got user id %q, error %v, want %q", by, got, err, id)
		}
		_, err = r.Authenticate(t.Context(), "Zo\u00e9", backend.NewSecret(password))
		wantRefusal(t, "log in with the old password", err, backend.WrongCredentials)
		if _, err := r.TokenUser(t.Context(), login.Token); !errors.Is(err, backend.NotFound) {
			t.Errorf("the token from before: got error %v, want not found", err)
		}
		password = newPassword
	}
	r.login("Zo\u00e9", password)
}

// A user that was created with the API gets a user name and a password, and
// keeps its data.
func TestSetPassword_OfAUserWithoutCredential(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	r.register("taken", "pass")
	id := r.createUser("ada")
	for what, c := range map[string]struct {
		username, password string
		want               backend.RefusalReason
	}{
		"taken name":     {"taken", "pass", backend.NameTaken},
		"taken in case":  {"Taken", "pass", backend.NameTaken},
		"name with line": {"a\nb", "pass", backend.NameInvalid},
		"name too long":  {strings.Repeat("x", 255), "pass", backend.NameInvalid},
		"short password": {"free", "pas", backend.PasswordTooShort},
		"long password":  {"free", strings.Repeat("x", 1025), backend.PasswordTooLong},
	} {
		_, err := r.SetPassword(t.Context(), id, c.username, backend.NewSecret(c.password))
		wantRefusal(t, what, err, c.want)
	}
	_, err := r.SetPassword(t.Context(), id, "", backend.NewSecret("pass"))
	wantKind(t, "without a name", err, backend.Invalid, "username")

	before := r.characters(id)
	if got, err := r.SetPassword(t.Context(), id, "Ada", backend.NewSecret("pass")); err != nil || got != id {
		t.Fatalf("got user id %q, error %v", got, err)
	}
	if login := r.login("Ada", "pass"); login.UserID != id {
		t.Errorf("logged in as %q, want %q", login.UserID, id)
	}
	if after := r.characters(id); len(after) != len(before) || after[0] != before[0] {
		t.Errorf("got %d characters, want the %d from before", len(after), len(before))
	}
}

func TestSetPassword_Refused(t *testing.T) {
	t.Parallel()
	r := newAccounts(t)
	id := r.register("ada", "pass")
	set := func(userID, username, password string) error {
		_, err := r.SetPassword(t.Context(), userID, username, backend.NewSecret(password))
		return err
	}
	wantKind(t, "nobody", set("", "", "pass"), backend.Invalid, "user_id")
	wantKind(t, "unknown id", set("gone", "", "pass"), backend.NotFound, "")
	wantKind(t, "unknown id with a name", set("gone", "new", "pass"), backend.NotFound, "")
	wantKind(t, "unknown name", set("", "bob", "pass"), backend.NotFound, "")
	wantKind(t, "another name", set(id, "bob", "pass"), backend.Invalid, "username")
	wantRefusal(t, "short", set(id, "", "pas"), backend.PasswordTooShort)
	wantRefusal(t, "empty", set("", "ada", ""), backend.PasswordTooShort)
	r.login("ada", "pass")
}

package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// An operator sets passwords and deletes users, with the name or the id typed.
func TestUserAdmin(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	const hostile = `a/b?"><img src=x>`
	if _, err := site.service.CreateUser(t.Context(), hostile); err != nil {
		t.Fatal(err)
	}
	b := site.browser(t)
	b.signInOperator(t)
	for _, user := range []struct{ id, confirm, name string }{{site.userID, username, ""}, {hostile, hostile, ""}, {hostile, "carl", "carl"}} {
		page := "/console/users/" + url.PathEscape(user.id)
		if got := b.get(t, page+"/admin"); got.status != http.StatusOK || strings.Contains(got.body, "<img") ||
			!strings.Contains(got.body, `action="../../users/`+url.PathEscape(user.id)+`/delete"`) {
			t.Errorf("%s: %d: %s", page, got.status, got.body)
		}
		if got := b.post(t, page+"/password", "username", user.name, "password", "secret!"); got.status != http.StatusUnprocessableEntity ||
			!strings.Contains(got.body, `aria-invalid="true"`) || strings.Contains(got.body, "secret!") {
			t.Errorf("%s, a short password: %d: %s", page, got.status, got.body)
		}
		if got := b.post(t, page+"/delete", "confirm", "x"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "confirm-problem") {
			t.Errorf("%s, delete without the name: %d: %s", page, got.status, got.body)
		}
		if user.id == hostile && user.name == "" {
			continue // a user without a name needs one
		}
		if got := b.post(t, page+"/password", "username", user.name, "password", "a new password"); got.to != page+"/admin?done=password_set" {
			t.Errorf("%s, a new password: %d, to %q: %s", page, got.status, got.to, got.body)
		}
		if _, err := site.service.Authenticate(t.Context(), user.confirm, backend.NewSecret("a new password")); err != nil {
			t.Errorf("%s: log in: %v", page, err)
		}
		if got := b.post(t, page+"/delete", "confirm", user.confirm); got.to != "/console/users?done=user_deleted" {
			t.Errorf("%s, delete: %d, to %q: %s", page, got.status, got.to, got.body)
		}
		if got := b.get(t, page+"/admin"); got.status != http.StatusNotFound || !strings.Contains(got.body, "There is no such user") {
			t.Errorf("%s, after the deletion: %d: %s", page, got.status, got.body)
		}
	}
}

// An operator disables an account, which ends its sessions, enables it again,
// and ends sessions alone.
func TestUserAdmin_Disable(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	user, operator := site.browser(t), site.browser(t)
	operator.signInOperator(t)
	act := func(action, done, then string) {
		t.Helper()
		if got := operator.post(t, site.userPath()+"/"+action); got.to != site.userPath()+"/admin?done="+done {
			t.Fatalf("%s: %d, to %q: %s", action, got.status, got.to, got.body)
		}
		if got := operator.get(t, site.userPath()+"/admin?done="+done); !strings.Contains(got.body, then) || !strings.Contains(got.body, `role="status"`) {
			t.Errorf("after %s: %s", action, got.body)
		}
	}
	user.signInUser(t)
	act("end-sessions", "sessions_ended", "Disable the account")
	user.isSignedOut(t)
	user.signInUser(t)
	act("disable", "user_disabled", "Enable the account")
	user.isSignedOut(t)
	if got := user.post(t, "/console/sign-in", "username", username, "password", password); got.status != http.StatusForbidden || !strings.Contains(got.body, "disabled") {
		t.Errorf("signing in to a disabled account: %d: %s", got.status, got.body)
	}
	act("enable", "user_enabled", "Disable the account")
	user.signInUser(t)
	if got := operator.post(t, "/console/users/nobody/disable"); got.status != http.StatusNotFound {
		t.Errorf("an unknown user: %d", got.status)
	}
}

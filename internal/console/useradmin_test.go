package console_test

import (
	"net/http"
	"net/url"
	"regexp"
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
	const mark = "<mark>disabled</mark>"
	if got := operator.get(t, "/console/users"); strings.Contains(got.body, mark) {
		t.Errorf("the list marks an enabled account: %s", got.body)
	}
	act("disable", "user_disabled", "Enable the account")
	if got := operator.get(t, "/console/users"); strings.Count(got.body, mark) != 1 || !strings.Contains(got.body, username+"</a> <small>"+mark) {
		t.Errorf("the list does not mark the disabled account: %s", got.body)
	}
	user.isSignedOut(t)
	if got := user.post(t, "/console/sign-in", "username", username, "password", password); got.status != http.StatusForbidden || !strings.Contains(got.body, "disabled") {
		t.Errorf("signing in to a disabled account: %d: %s", got.status, got.body)
	}
	act("enable", "user_enabled", "Disable the account")
	user.signInUser(t)
	if got := operator.get(t, "/console/users"); strings.Contains(got.body, mark) {
		t.Errorf("the list marks an account that is enabled again: %s", got.body)
	}
	if got := operator.post(t, "/console/users/nobody/disable"); got.status != http.StatusNotFound {
		t.Errorf("an unknown user: %d", got.status)
	}
}

// The log says which user an operator has changed, unless the operator changed
// nothing.
func TestUserAdmin_Audit(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	user, operator := site.browser(t), site.browser(t)
	user.signInUser(t)
	operator.signInOperator(t)
	for _, x := range []struct {
		b      *browser
		path   string
		fields []string
		status int
		want   string
	}{
		{operator, site.userPath() + "/disable", nil, 303, "caller=operator#1 user_id=" + site.userID},
		{operator, site.userPath() + "/enable", nil, 303, "caller=operator#1 user_id=" + site.userID},
		{operator, site.userPath() + "/password", []string{"password", "short"}, 422, "caller=operator#1"},
		{operator, site.userPath() + "/time-zone", []string{"timezone", "UTC"}, 303, "caller=operator#1 user_id=" + site.userID},
		{operator, "/console/users/a-secret-in-the-wrong-place/disable", nil, 404, "caller=operator#1"},
		{operator, "/console/backup", nil, 404, "caller=operator#1"},
		{user, site.userPath() + "/time-zone", []string{"timezone", "UTC"}, 303, ""},
	} {
		if x.b == user {
			user.signInUser(t) // disabling the account has ended the session
		}
		before := len(site.log.String())
		if got := x.b.post(t, x.path, x.fields...); got.status != x.status {
			t.Errorf("%s: got %d, want %d: %s", x.path, got.status, x.status, got.body)
		}
		line := site.log.String()[before:]
		if got := caller.FindString(line); strings.Count(line, "\n") != 1 || got != x.want {
			t.Errorf("%s: the log says %q, want %q, in %s", x.path, got, x.want, line)
		}
	}

	if got := operator.post(t, "/console/new-user", "username", "carl", "password", "correct horse"); got.status != http.StatusSeeOther {
		t.Fatalf("create a user: %d: %s", got.status, got.body)
	}
	found, err := site.service.FindUsers(t.Context(), backend.UserSearch{Text: "carl", Limit: 1})
	if err != nil || len(found.Users) != 1 || !strings.Contains(site.log.String(), "caller=operator#1 user_id="+found.Users[0].UserID) {
		t.Errorf("create a user: got %+v, %v, and the log %s", found, err, site.log.String())
	}
}

var caller = regexp.MustCompile(`caller=\S+( user_id=\S+)?`)

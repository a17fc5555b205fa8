package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

const newPassword = "another battery staple"

// A new password ends every session of the user. After that, only the new
// password signs in.
func TestAccount_ChangePassword(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]settings{"embedded": {}, "below a path": {basePath: "/stack"}, "mongodb": {mongoDB: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, s)
			b, elsewhere := site.browser(t), site.browser(t)
			b.signInUser(t)
			elsewhere.signInUser(t)
			got := b.post(t, "/console/change-password", "password", password, "new_password", newPassword, "new_password_again", newPassword)
			if got.to != "/console/sign-in?done=password" || b.session(t) != "" {
				t.Errorf("%d, to %q: %s", got.status, got.to, got.body)
			}
			if page := b.get(t, got.to); page.status != http.StatusOK || !strings.Contains(page.body, "The password is changed.") {
				t.Errorf("the next page: %d: %s", page.status, page.body)
			}
			b.isSignedOut(t)
			elsewhere.isSignedOut(t)
			if old := b.post(t, "/console/sign-in", "username", username, "password", password); old.status != http.StatusForbidden {
				t.Errorf("the old password: %d", old.status)
			}
			b.signedIn(t, b.post(t, "/console/sign-in", "username", username, "password", newPassword))
		})
	}
}

func TestAccount_IsRefused(t *testing.T) {
	t.Parallel()
	b := newSite(t, settings{}).browser(t)
	b.signInUser(t)
	for name, x := range map[string]struct {
		path   string
		fields []string
		status int
		field  string
		want   string
	}{
		"wrong password": {
			"change-password", []string{"password", "wrong one", "new_password", newPassword, "new_password_again", newPassword},
			http.StatusUnprocessableEntity, "password", "The current password is not correct.",
		},
		"too short": {
			"change-password", []string{"password", password, "new_password", "wrong", "new_password_again", "wrong"},
			http.StatusUnprocessableEntity, "new_password", "The password is too short.",
		},
		"not the same": {
			"change-password", []string{"password", password, "new_password", newPassword, "new_password_again", "wrong one"},
			http.StatusUnprocessableEntity, "new_password_again", "The two passwords differ.",
		},
		"deleting with a wrong password": {
			"delete-account", []string{"username", username, "delete_password", "wrong one"},
			http.StatusUnprocessableEntity, "delete_password", "The user name or the password is not correct.",
		},
		"deleting another account": {
			"delete-account", []string{"username", otherUsername, "delete_password", password},
			http.StatusUnprocessableEntity, "delete_password", "The user name or the password is not correct.",
		},
		"no text": {
			"change-password", []string{"password", "\xff"}, http.StatusBadRequest, "", "The form could not be read.",
		},
	} {
		got := b.post(t, "/console/"+x.path, x.fields...)
		if got.status != x.status || !strings.Contains(got.body, x.want) {
			t.Errorf("%s: %d: %s", name, got.status, got.body)
		}
		if x.field != "" && (!strings.Contains(got.body, `aria-describedby="`+x.field+`-problem"`) || !strings.Contains(got.body, `<small id="`+x.field+`-problem">`+x.want)) {
			t.Errorf("%s: the reason is not at the field %s: %s", name, x.field, got.body)
		}
		if strings.Contains(got.body, "wrong") || strings.Contains(got.body, newPassword) || strings.Contains(got.body, password) {
			t.Errorf("%s: the page repeats a password: %s", name, got.body)
		}
		if name == "deleting another account" && !strings.Contains(got.body, `value="`+otherUsername+`"`) {
			t.Errorf("%s: the page does not keep the user name: %s", name, got.body)
		}
	}
	b.signInUser(t) // nothing has changed
}

// Passwords cannot be tried here more often than by signing in.
func TestAccount_IsLimited(t *testing.T) {
	t.Parallel()
	for path, fields := range map[string][]string{
		"change-password": {"password", "wrong", "new_password", newPassword, "new_password_again", newPassword},
		"delete-account":  {"username", username, "delete_password", "wrong"},
	} {
		site := newSite(t, settings{pairs: auth.NewRateLimit(1, 3, 100, time.Now)})
		b := site.browser(t)
		b.signInUser(t) // the first try
		for range 2 {
			b.post(t, "/console/"+path, fields...)
		}
		got := b.post(t, "/console/"+path, fields...)
		if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "Too many tries") {
			t.Errorf("%s, the fourth try: %d %v: %s", path, got.status, got.header, got.body)
		}
	}
}

func TestAccount_EndSessions(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	b, elsewhere, other := site.browser(t), site.browser(t), site.browser(t)
	b.signInUser(t)
	elsewhere.signInUser(t)
	other.signInOther(t)
	if page := b.get(t, "/console/account").body; strings.Count(page, "<li>") != 2 || strings.Count(page, "<mark>this one</mark>") != 1 {
		t.Errorf("the sessions: %s", page)
	}
	got := b.post(t, "/console/end-sessions")
	if page := b.get(t, got.to).body; got.to != "/console/account?done=sessions" || !strings.Contains(page, "The other sessions have ended.") || strings.Count(page, "<li>") != 1 {
		t.Errorf("%d, to %q: %s", got.status, got.to, page)
	}
	elsewhere.isSignedOut(t)
	if got := other.get(t, "/console/account"); got.status != http.StatusOK {
		t.Errorf("another user: %d", got.status)
	}
}

func TestAccount_Delete(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	b := site.browser(t)
	b.signInUser(t)
	got := b.post(t, "/console/delete-account", "username", username, "delete_password", password)
	if got.to != "/console/sign-in?done=account_deleted" || b.session(t) != "" {
		t.Errorf("%d, to %q: %s", got.status, got.to, got.body)
	}
	if page := b.get(t, got.to); !strings.Contains(page.body, "The account is deleted.") {
		t.Errorf("the next page: %s", page.body)
	}
	if _, err := site.service.UserConfig(t.Context(), site.userID); backend.KindOf(err) != backend.NotFound {
		t.Errorf("the user is still there: %v", err)
	}
}

// Operators have no account, and do not see a link to one.
func TestAccount_IsForUsers(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	user, operator := site.browser(t), site.browser(t)
	user.signInUser(t)
	operator.signInOperator(t)
	const link = `href="account"`
	if !strings.Contains(user.get(t, "/console/account").body, link) || strings.Contains(operator.get(t, "/console/overview").body, link) {
		t.Error("the menu: only users have the link to the account")
	}
}

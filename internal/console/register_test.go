package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"web-backend/internal/auth"
)

func TestRegister_SignsIn(t *testing.T) {
	t.Parallel()
	b := newSite(t, settings{basePath: "/stack", names: []string{"Mira"}}).browser(t)
	if page := b.get(t, "/console/sign-in").body; !strings.Contains(page, `href="register"`) {
		t.Errorf("no link to register: %s", page)
	}
	b.signedIn(t, b.post(t, "/console/register", "username", "carla", "new_password", password, "new_password_again", password))
	if got := b.get(t, "/console/account"); got.status != http.StatusOK || !strings.Contains(got.body, `value="carla"`) {
		t.Errorf("the account: %d: %s", got.status, got.body)
	}
}

func TestRegister_IsRefused(t *testing.T) {
	t.Parallel()
	b := newSite(t, settings{}).browser(t)
	for name, x := range map[string]struct{ username, password, again, field, want string }{
		"taken":     {username, password, password, "username", "This user name is already in use."},
		"no name":   {"", password, password, "username", "A user name has 1 to"},
		"too short": {"<carla>", "wrong", "wrong", "new_password", "The password is too short."},
		"differs":   {"<carla>", password, "wrong", "new_password_again", "The two passwords differ."},
	} {
		got := b.post(t, "/console/register", "username", x.username, "new_password", x.password, "new_password_again", x.again)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `<small id="`+x.field+`-problem">`+x.want) ||
			strings.Contains(got.body, "wrong") || strings.Contains(got.body, password) || strings.Contains(got.body, "<carla>") {
			t.Errorf("%s: %d: %s", name, got.status, got.body)
		}
	}
	b.isSignedOut(t)
}

func TestRegister_Closed(t *testing.T) {
	t.Parallel()
	b := newSite(t, settings{closed: true}).browser(t)
	for name, got := range map[string]received{
		"page": b.get(t, "/console/register"),
		"form": b.post(t, "/console/register", "username", "carla", "new_password", password, "new_password_again", password),
	} {
		if got.status != http.StatusForbidden || !strings.Contains(got.body, "Registration is closed here.") || strings.Contains(got.body, `name="username"`) {
			t.Errorf("%s: %d: %s", name, got.status, got.body)
		}
	}
	if page := b.get(t, "/console/sign-in").body; strings.Contains(page, `href="register"`) {
		t.Errorf("a link to register: %s", page)
	}
}

func TestRegister_IsLimited(t *testing.T) {
	t.Parallel()
	b := newSite(t, settings{pairs: auth.NewRateLimit(1, 2, 100, time.Now)}).browser(t)
	var got received
	for range 3 {
		got = b.post(t, "/console/register", "username", username, "new_password", password, "new_password_again", password)
	}
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "Too many tries") {
		t.Errorf("the third try: %d %v: %s", got.status, got.header, got.body)
	}
}

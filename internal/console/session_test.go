package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/console"
)

func TestUser_SignsInAndOut(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]settings{
		"embedded": {names: []string{"Mira"}}, "below a path": {basePath: "/stack/characters", names: []string{"Mira"}},
		"mongodb": {mongoDB: true, names: []string{"Mira"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, s)
			b := site.browser(t)
			if got := b.get(t, "/console"); got.status != http.StatusSeeOther || got.to != "/console/overview" {
				t.Errorf("/console: %d, to %q", got.status, got.to)
			}
			b.isSignedOut(t)
			b.signInUser(t)
			if got := b.get(t, "/console/overview"); got.to != site.userPath() {
				t.Errorf("the overview: %d, to %q", got.status, got.to)
			}
			if got := b.get(t, site.userPath()); got.status != http.StatusOK || !strings.Contains(got.body, ">Mira</a></h3>") {
				t.Errorf("the page of the user: %d: %s", got.status, got.body)
			}
			if got := b.get(t, "/console/sign-in"); got.to != "/console/overview" {
				t.Errorf("the page for signing in, for who is signed in: %d, to %q", got.status, got.to)
			}
			token := backend.NewSecret(b.session(t))
			if id, err := site.service.TokenUser(t.Context(), token); err != nil || id != site.userID {
				t.Errorf("the cookie is not the token of the user: %q, %v", id, err)
			}
			if got := b.post(t, "/console/sign-out"); got.to != "/console/sign-in" {
				t.Errorf("signing out: %d, to %q", got.status, got.to)
			}
			if b.session(t) != "" {
				t.Error("the cookie is still there")
			}
			b.isSignedOut(t)
			if _, err := site.service.TokenUser(t.Context(), token); backend.KindOf(err) != backend.NotFound {
				t.Errorf("the token has not ended: %v", err)
			}
		})
	}
}

// A session that ends while a page further down is shown does not keep the
// browser from using the next one there.
func TestSession_EndsOnAnyPage(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}, basePath: "/stack"})
	character := site.characterPath(site.newCharacter(t, "Mira"))
	b := site.browser(t)
	for _, path := range []string{"/console/account", site.userPath(), character} {
		b.signInUser(t)
		if err := site.service.EndUserSessions(t.Context(), site.userID); err != nil {
			t.Fatal(err)
		}
		got := b.get(t, path)
		next := strings.TrimPrefix(path, "/console/")
		if got.to != "/console/sign-in?next="+url.QueryEscape(next)+"&done=session_ended" {
			t.Errorf("%s after the end of the session: %d, to %q", path, got.status, got.to)
		}
		if got := b.get(t, got.to); !strings.Contains(got.body, "Your session has ended.") {
			t.Errorf("the page for signing in: %s", got.body)
		}
		b.signInUser(t)
		for _, path := range []string{"/console/account", site.userPath(), character} {
			if got := b.get(t, path); got.status != http.StatusOK {
				t.Errorf("%s in the next session: %d, to %q", path, got.status, got.to)
			}
		}
	}
	b.header.Set("Cookie", "web_backend_session=") // what an older version left there
	if got := b.get(t, site.userPath()); got.status != http.StatusOK {
		t.Errorf("with an empty cookie besides: %d, to %q", got.status, got.to)
	}
}

func TestSignIn_IsRefused(t *testing.T) {
	t.Parallel()
	b := newSite(t, settings{}).browser(t)
	for name, x := range map[string]struct {
		fields []string
		status int
		want   string
	}{
		"wrong password":       {[]string{"username", username, "password", "wrong <b>"}, http.StatusForbidden, "The user name or the password is not correct."},
		"unknown user":         {[]string{"username", "nobody", "password", password}, http.StatusForbidden, "The user name or the password is not correct."},
		"nothing":              {nil, http.StatusForbidden, "The user name or the password is not correct."},
		"wrong operator token": {[]string{"token", "wbo_wrong"}, http.StatusForbidden, "This is not the operator token."},
		"wrong code":           {[]string{"code", "wbc_wrong"}, http.StatusForbidden, "This link has expired or was used already."},
		"no text":              {[]string{"username", "\xff", "password", password}, http.StatusBadRequest, "The form could not be read."},
		"too large":            {[]string{"username", strings.Repeat("a", 20_000)}, http.StatusRequestEntityTooLarge, "The form is too large."},
	} {
		got := b.post(t, "/console/sign-in", x.fields...)
		if got.status != x.status || !strings.Contains(got.body, x.want) || len(got.header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %d %v: %s", name, got.status, got.header, got.body)
		}
		if strings.Contains(got.body, "wrong") {
			t.Errorf("%s: the page repeats a secret: %s", name, got.body)
		}
		if name == "wrong password" && !strings.Contains(got.body, `name="username" value="`+username+`"`) {
			t.Errorf("%s: the page does not keep the user name: %s", name, got.body)
		}
	}
	b.isSignedOut(t)
}

// If the store does not respond, no session ends, and the page says so.
func TestStoreIsAway(t *testing.T) {
	t.Parallel()
	away := &awayStore{}
	site := newSite(t, settings{away: away, status: console.Status{Users: -1}})
	user, operator := site.browser(t), site.browser(t)
	user.signInUser(t)
	operator.signInOperator(t)
	away.away.Store(true)
	if got := user.get(t, "/console/overview"); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "The store does not respond.") || len(got.header["Set-Cookie"]) > 0 {
		t.Errorf("a user: %d %v: %s", got.status, got.header, got.body)
	}
	if got := operator.get(t, "/console/overview"); got.status != http.StatusOK || !strings.Contains(got.body, "The store does not respond.") {
		t.Errorf("an operator: %d: %s", got.status, got.body)
	}
	away.away.Store(false)
	if got := user.get(t, site.userPath()); got.status != http.StatusOK {
		t.Errorf("a user afterwards: %d", got.status)
	}
	if log := site.stop(); !strings.Contains(log, `status=503`) || !strings.Contains(log, "the store is away") {
		t.Errorf("the log: %s", log)
	}
}

func TestSignIn_IsLimited(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{pairs: auth.NewRateLimit(1, 2, 100, time.Now)})
	b := site.browser(t)
	for range 2 {
		b.post(t, "/console/sign-in", "username", username, "password", "wrong")
	}
	got := b.post(t, "/console/sign-in", "username", username, "password", password)
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "Too many tries") {
		t.Errorf("the third try: %d %v: %s", got.status, got.header, got.body)
	}
	if log := site.stop(); !strings.Contains(log, "status=429") || !strings.Contains(log, "retry_after=") || !strings.Contains(log, "client=127.0.0.1") {
		t.Errorf("the log: %s", log)
	}
}

func TestSessionCookie_Flags(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		site := newSite(t, settings{tls: secure})
		user, operator := site.browser(t), site.browser(t)
		for name, got := range map[string]received{"user": user.signInUser(t), "operator": operator.signInOperator(t)} {
			cookies := got.header["Set-Cookie"]
			if len(cookies) != 1 {
				t.Fatalf("%s: cookies %q", name, cookies)
			}
			want := map[string]string{"user": "; Max-Age=3600", "operator": "; Max-Age=43200"}[name] + "; HttpOnly"
			if secure {
				want += "; Secure"
			}
			if want += "; SameSite=Strict"; !strings.HasSuffix(cookies[0], want) {
				t.Errorf("%s: the cookie %q, want it to end with %q", name, cookies[0], want)
			}
		}
		if user.session(t) == "" || operator.session(t) == "" {
			t.Error("the browser sends no cookie to the console")
		}
		address := user.site.url + "/api/v1/list_users"
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if sent := user.client.Jar.Cookies(request.URL); len(sent) > 0 {
			t.Errorf("the browser sends a cookie to the API: %v", sent)
		}
	}
}

func TestSessionCookie_IsSecureBehindAProxyWithHTTPS(t *testing.T) {
	t.Parallel()
	b := newSite(t, settings{}).browser(t)
	b.header.Set("X-Forwarded-Proto", "https")
	if got := b.signInUser(t); !strings.Contains(got.header.Get("Set-Cookie"), "; Secure") {
		t.Errorf("the cookie: %v", got.header["Set-Cookie"])
	}
}

func TestOperator_SessionEnds(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{status: console.Status{Version: "1.2.3", Users: 7}})
	b, thief := site.browser(t), site.browser(t)
	b.signInOperator(t)
	if got := b.get(t, "/console/overview"); !strings.Contains(got.body, "1.2.3") {
		t.Errorf("the overview: %d: %s", got.status, got.body)
	}
	thief.header.Set("Cookie", "web_backend_session="+b.session(t))
	if got := thief.get(t, "/console/overview"); got.status != http.StatusOK {
		t.Errorf("with the cookie: %d", got.status)
	}
	b.post(t, "/console/sign-out")
	b.isSignedOut(t)
	thief.isSignedOut(t)

	// A session of another operator token is not one of this server.
	other := auth.NewTickets(auth.NewOperatorTokens([]backend.Secret{backend.NewSecret("the operator token before")}), time.Now)
	thief.header.Set("Cookie", "web_backend_session="+other.Make(auth.SessionTicket, 1).Reveal())
	thief.isSignedOut(t)
	// Neither is the operator token itself, nor a code.
	for _, value := range []string{operatorToken, site.tickets.Make(auth.SignInTicket, 1).Reveal()} {
		thief.header.Set("Cookie", "web_backend_session="+value)
		thief.isSignedOut(t)
	}
}

func TestLink_SignsInOnce(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	code := site.tickets.Make(auth.SignInTicket, 1).Reveal()
	b := site.browser(t)
	for range 2 { // opening the page does not use the code up
		if got := b.get(t, "/console/sign-in?code="+code); got.status != http.StatusOK || !strings.Contains(got.body, `name="code" value="`+code) {
			t.Fatalf("the page of the link: %d: %s", got.status, got.body)
		}
	}
	b.isSignedOut(t)
	b.signedIn(t, b.post(t, "/console/sign-in", "code", code))
	if got := b.get(t, "/console/overview"); got.status != http.StatusOK {
		t.Errorf("the overview: %d", got.status)
	}
	other := site.browser(t)
	if got := other.post(t, "/console/sign-in", "code", code); got.status != http.StatusForbidden || !strings.Contains(got.body, "used already") {
		t.Errorf("the code again: %d: %s", got.status, got.body)
	}
	if got := other.get(t, "/console/sign-in?code="+code); got.status != http.StatusForbidden {
		t.Errorf("the link again: %d", got.status)
	}
	other.isSignedOut(t)
	if log := site.stop(); strings.Contains(log, code) || strings.Contains(log, code[:12]) || !strings.Contains(log, "caller=operator#1") {
		t.Errorf("the log: %s", log)
	}
}

func TestCrossSite_IsRefused(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{cors: true})
	b := site.browser(t)
	b.signInUser(t)
	for name, header := range map[string]http.Header{
		"by the site":   {"Sec-Fetch-Site": {"cross-site"}},
		"another port":  {"Sec-Fetch-Site": {"same-site"}},
		"by the origin": {"Origin": {"http://other.example"}},
	} {
		b.header = header
		for _, path := range []string{"sign-in", "sign-out", "preferences"} {
			if got := b.post(t, "/console/"+path, "language", "zh"); got.status != http.StatusForbidden || len(got.header["Set-Cookie"]) > 0 {
				t.Errorf("%s, %s: %d %v", name, path, got.status, got.header)
			}
		}
		if got := b.get(t, "/console/overview"); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: pages of other origins may read the overview", name)
		}
	}
	b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	if got := b.get(t, site.userPath()); got.status != http.StatusOK {
		t.Errorf("the session has ended: %d", got.status)
	}
	if got := b.post(t, "/console/sign-out"); got.to != "/console/sign-in" {
		t.Errorf("signing out from the page: %d", got.status)
	}
}

// A person who is not signed in gets to the requested page after signing in, but
// never to another site.
func TestSignIn_LeadsToTheRequestedPage(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	character := strings.TrimPrefix(site.characterPath(site.newCharacter(t, "Mira")), "/console/")
	for _, page := range []string{"account", character} {
		b := site.browser(t)
		got := b.get(t, "/console/"+page)
		if got.to != "/console/sign-in?next="+url.QueryEscape(page) {
			t.Fatalf("%s: %d, to %q", page, got.status, got.to)
		}
		field := `<input type="hidden" name="next" value="` + page + `">`
		if got = b.get(t, got.to); strings.Count(got.body, field) != 2 {
			t.Errorf("%s: the page for signing in lacks %s: %s", page, field, got.body)
		}
		if got = b.post(t, "/console/sign-in", "next", page, "username", username, "password", "wrong"); !strings.Contains(got.body, field) {
			t.Errorf("%s: after a wrong password the page lacks %s: %s", page, field, got.body)
		}
		if got = b.post(t, "/console/sign-in", "next", page, "username", username, "password", password); got.to != "/console/"+page {
			t.Errorf("%s: %d, to %q", page, got.status, got.to)
		}
	}
	for _, page := range []string{
		"", "//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "../docs", "log/../../docs", "no/such/page", "sign-out", "\xff",
	} {
		got := site.browser(t).post(t, "/console/sign-in", "next", page, "token", operatorToken)
		if got.status != http.StatusSeeOther || got.to != "/console/overview" {
			t.Errorf("%q: %d, to %q", page, got.status, got.to)
		}
		if got := site.browser(t).get(t, "/console/sign-in?next="+url.QueryEscape(page)); got.status != http.StatusOK || strings.Contains(got.body, `name="next"`) {
			t.Errorf("%q: the page for signing in: %d: %s", page, got.status, got.body)
		}
	}
	if got := site.browser(t).get(t, "/console/overview"); got.to != "/console/sign-in" {
		t.Errorf("overview: to %q", got.to)
	}
}

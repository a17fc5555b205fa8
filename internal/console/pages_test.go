package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/console"
)

// Every page needs somebody who is signed in, in every mode. Nobody sees a page
// that they may not see.
func TestAccess_EveryPageCallerAndMode(t *testing.T) {
	t.Parallel()
	// What each page responds to GET or POST without a form. {user} is the id of
	// the user; other is another user.
	type access struct{ nobody, user, other, operator int }
	want := map[string]access{
		"GET /console/sign-in":                                        {200, 303, 303, 303},
		"POST /console/sign-in":                                       {403, 403, 403, 403},
		"POST /console/sign-out":                                      {303, 303, 303, 303},
		"POST /console/preferences":                                   {303, 303, 303, 303},
		"GET /console/overview":                                       {303, 303, 303, 200},
		"POST /console/backup":                                        {303, 403, 403, 404}, // this site makes none
		"GET /console/users/{user}":                                   {303, 200, 403, 200},
		"POST /console/users/{user}/keys":                             {303, 303, 403, 303},
		"POST /console/users/{user}/time-zone":                        {303, 422, 403, 422},
		"POST /console/users/{user}/characters":                       {303, 422, 403, 422},
		"GET /console/users/{user}/characters/{character}":            {303, 200, 403, 200},
		"POST /console/users/{user}/characters/{character}":           {303, 409, 403, 409}, // without the hash of what is stored
		"POST /console/users/{user}/characters/{character}/changes":   {303, 200, 403, 200},
		"GET /console/users/{user}/characters/{character}/download":   {303, 200, 403, 200},
		"POST /console/users/{user}/characters/{character}/duplicate": {303, 303, 403, 303},
		"POST /console/users/{user}/characters/{character}/delete":    {303, 303, 403, 303},
		"GET /console/users":                                          {303, 403, 403, 200},
		"GET /console/new-user":                                       {303, 403, 403, 200},
		"POST /console/new-user":                                      {303, 403, 403, 422},

		"GET /console/users/{user}/admin":     {303, 403, 403, 200},
		"GET /console/users/{user}/export":    {303, 403, 403, 200},
		"POST /console/users/{user}/password": {303, 403, 403, 422},
		"POST /console/users/{user}/delete":   {303, 403, 403, 422},

		"POST /console/users/{user}/disable":      {303, 403, 403, 303},
		"POST /console/users/{user}/enable":       {303, 403, 403, 303},
		"POST /console/users/{user}/end-sessions": {303, 403, 403, 303},

		"GET /console/log":           {303, 403, 403, 200},
		"GET /console/log/download":  {303, 403, 403, 200},
		"GET /console/log/stream":    {303, 403, 403, 200},
		"GET /console/motion":        {303, 403, 403, 404}, // without motion files
		"GET /console/configuration": {303, 403, 403, 200},

		"GET /console/register":         {200, 303, 303, 303},
		"POST /console/register":        {422, 422, 422, 422},
		"GET /console/account":          {303, 200, 200, 403},
		"POST /console/change-password": {303, 422, 422, 403},
		"POST /console/end-sessions":    {303, 303, 303, 403},
		"POST /console/delete-account":  {303, 422, 422, 403},
	}
	for _, mode := range []auth.Mode{auth.Open, auth.Guarded, auth.Strict} {
		site := newSite(t, settings{mode: mode, names: []string{"Mira"}})
		site.console.EndStreams() // a stream ends after its first event
		for _, page := range console.Pages() {
			name := page.Method + " " + page.Path
			row, known := want[name]
			if !known {
				t.Errorf("%s is not in the table", name)
			}
			nobody, user, other, operator, ended := site.browser(t), site.browser(t), site.browser(t), site.browser(t), site.browser(t)
			if err := site.service.EnableUser(t.Context(), site.userID); err != nil { // the operator of the row before may have disabled it
				t.Fatal(err)
			}
			user.signInUser(t)
			other.signInOther(t)
			operator.signInOperator(t)
			ended.header.Set("Cookie", "web_backend_session="+auth.NewToken().Reveal())
			for _, x := range []struct { // the operator is last, as it may end the sessions
				caller  string
				browser *browser
				want    int
			}{
				{"nobody", nobody, row.nobody}, {"a token that has ended", ended, row.nobody}, {"user", user, row.user},
				{"another user", other, row.other}, {"operator", operator, row.operator},
			} {
				path := strings.NewReplacer("{user}", site.userID, "{character}", site.newCharacter(t, "Mira").CharacterID).Replace(page.Path) // a new one, as a caller may delete it
				var got received
				if page.Method == http.MethodGet {
					got = x.browser.get(t, path)
				} else {
					got = x.browser.post(t, path)
				}
				if got.status != x.want {
					t.Errorf("%v, %s, %s: %d, want %d", mode, name, x.caller, got.status, x.want)
				}
			}
		}
		if log := site.stop(); strings.Contains(log, "level=ERROR") {
			t.Errorf("%v: the log: %s", mode, log)
		}
	}
}

// Names that are markup or scripts are shown as they are.
func TestHostileNames_RunNothing(t *testing.T) {
	t.Parallel()
	hostile := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `{{.}}`, `</h3><form action=//evil.example>`}
	site := newSite(t, settings{names: hostile, logLines: hostileLog(hostile), configuration: hostileConfiguration(hostile), motion: hostileMotion(hostile), status: console.Status{Store: hostile[0], Unready: hostile[1]},
		backups: backupsOf(nil, console.BackupStatus{Name: hostile[0], Failure: console.BackupFailure{Reason: hostile[1]}})})
	user, operator := site.browser(t), site.browser(t)
	user.signInUser(t)
	operator.signInOperator(t)
	for _, page := range []received{
		user.get(t, site.userPath()), operator.get(t, "/console/overview"), operator.get(t, "/console/log"), operator.get(t, "/console/configuration"),
		operator.get(t, "/console/motion"), operator.get(t, "/console/motion?"+url.Values{"avatar": {hostile[1]}, "from": {hostile[1]}}.Encode()),
		operator.get(t, "/console/log?"+url.Values{"text": {hostile[1]}, "level": {hostile[0]}, "lines": {hostile[1]}}.Encode()),
		user.post(t, site.userPath()+"/time-zone", "timezone", hostile[1]), user.upload(t, site.userPath(), `{"`+hostile[0]+`": 1}`),
		user.post(t, "/console/sign-in", "username", hostile[1], "password", "x"),
		user.postLong(t, site.characterPath(site.newCharacter(t, hostile[0]))+"/changes", "prompt", hostile[1], "hash", hostile[1]),
		site.browser(t).postLong(t, site.userPath()+"/characters/"+url.PathEscape(hostile[1]), "prompt", hostile[1], hostile[1], hostile[0], "hash", hostile[3]),
		user.get(t, site.characterPath(site.newCharacter(t, hostile[0]))), user.get(t, site.characterPath(site.newCharacter(t, hostile[1]))),
	} {
		for _, bad := range []string{"<script>alert", "<img", "<form action=//", " onerror=alert(1)>\n<"} {
			if strings.Contains(page.body, bad) {
				t.Errorf("the page has %s: %s", bad, page.body)
			}
		}
	}
	if page := user.get(t, site.userPath()); !strings.Contains(page.body, "{{.}}") || !strings.Contains(page.body, "&lt;script&gt;") {
		t.Errorf("the names are not shown: %s", page.body)
	}
}

var (
	inline    = regexp.MustCompile(`(?i)<style|<script[^>]*>[^<]|\sstyle=|\son[a-z]+=|javascript:`)
	reference = regexp.MustCompile(`(?:src|href|action|hx-get)="([^"]*)"`)
)

// Every page has only what it needs, and nothing inline. With everything that
// it loads, it has at most 150 KB. Its addresses are relative and exist.
func TestPages_AreStrictAndSmall(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/stack"} {
		site := newSite(t, settings{basePath: base, names: []string{"Mira"}, motion: func() console.Motion { return manyMotions(30, 200, 300) }, status: console.Status{
			Version: "1", Store: "embedded", Users: 3, DatabaseBytes: 5e6, Unready: "no key", OpenToNetwork: true,
			PlainToNetwork: true, Disk: console.Disk{Free: 1e6, Total: 1e12},
		}, backups: backupsOf(nil, console.BackupStatus{Name: "a.db", At: time.Unix(1_800_000_000, 0), Failure: console.BackupFailure{Reason: "full"}}),
			lastHour: func() []console.Minute { return make([]console.Minute, 60) }})
		nobody, user, operator := site.browser(t), site.browser(t), site.browser(t)
		user.signInUser(t)
		operator.signInOperator(t)
		for name, x := range map[string]struct {
			browser *browser
			path    string
		}{
			"sign in": {nobody, "/console/sign-in"}, "link": {nobody, "/console/sign-in?code=" + site.tickets.Make(auth.SignInTicket, 1).Reveal()},
			"user": {user, site.userPath()}, "operator": {operator, "/console/overview"}, "character": {user, site.characterPath(site.newCharacter(t, "Mira"))},
			"account": {user, "/console/account"}, "register": {nobody, "/console/register"}, "users": {operator, "/console/users"}, "new user": {operator, "/console/new-user"}, "admin": {operator, site.userPath() + "/admin"},
			"log": {operator, "/console/log"}, "configuration": {operator, "/console/configuration"}, "motion": {operator, "/console/motion"}, "clips": {operator, "/console/motion?avatar=avatar-07"},
			"unknown": {nobody, "/console/no/such/page"},
		} {
			for _, language := range []string{"en", "zh"} {
				x.browser.header.Set("Accept-Language", language)
				page := x.browser.get(t, x.path)
				policy := page.header.Get("Content-Security-Policy")
				for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"} {
					if !strings.Contains(policy, directive) {
						t.Errorf("%s: the policy %q lacks %s", name, policy, directive)
					}
				}
				if strings.Contains(policy, "unsafe") || page.header.Get("Cache-Control") != "no-store" || page.header.Get("X-Request-Id") == "" {
					t.Errorf("%s: headers %v", name, page.header)
				}
				if found := inline.FindString(page.body); found != "" {
					t.Errorf("%s: inline %q", name, found)
				}
				if !strings.Contains(page.body, `<html lang="`+language+`"`) {
					t.Errorf("%s: not in %s: %s", name, language, page.body)
				}
				size := len(page.body)
				for _, match := range reference.FindAllStringSubmatch(page.body, -1) {
					if strings.HasPrefix(match[1], "#") || match[1] == "data:," {
						continue
					}
					size += sizeOf(t, site, x.path, match[1])
				}
				if size > 150_000 {
					t.Errorf("%s: %d bytes with everything it loads", name, size)
				}
				t.Logf("%s %s: %d bytes", name, language, size)
			}
		}
	}
}

// sizeOf returns the size of a file as it is sent to a browser, and checks that
// the browser keeps it. For another page it returns 0.
func sizeOf(t *testing.T, site *site, from, to string) int {
	t.Helper()
	at := site.http.URL
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.url+from, nil)
	if err != nil {
		t.Fatal(err)
	}
	target, err := request.URL.Parse(to)
	if err != nil || target.Host != request.URL.Host || !strings.HasPrefix(target.String(), at) || strings.HasPrefix(to, "/") {
		t.Fatalf("%s refers to %s: %v", from, to, err)
	}
	b := site.browser(t)
	b.header.Set("Accept-Encoding", "gzip")
	path := strings.TrimPrefix(target.String(), site.url)
	got := b.get(t, path)
	if got.status == http.StatusNotFound && b.post(t, path).status == http.StatusNotFound { // a form may only be sent
		t.Errorf("%s refers to %s: %d", from, path, got.status)
	}
	if !strings.Contains(path, "/assets/") {
		return 0
	}
	if got.status != http.StatusOK || got.header.Get("Content-Encoding") != "gzip" || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %d %v", path, got.status, got.header)
	}
	return len(got.body)
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	b := newSite(t, settings{}).browser(t)
	if got := b.get(t, "/console/sign-in"); !strings.Contains(got.body, "Sign in") || strings.Contains(got.body, "data-theme") {
		t.Errorf("at first: %s", got.body)
	}
	for _, x := range []struct{ name, value, want string }{
		{"language", "zh", `<html lang="zh">`}, {"theme", "dark", `<html lang="zh" data-theme="dark">`},
		{"language", "en", `<html lang="en" data-theme="dark">`}, {"theme", "system", `<html lang="en">`},
		{"language", "xx", `<html lang="en">`}, {"theme", "xx", `<html lang="en">`},
	} {
		if got := b.post(t, "/console/preferences", x.name, x.value, "back", "sign-in"); got.to != "/console/sign-in" {
			t.Errorf("%s %s: %d, to %q", x.name, x.value, got.status, got.to)
		}
		if got := b.get(t, "/console/sign-in"); !strings.Contains(got.body, x.want) {
			t.Errorf("after %s %s: want %s in %s", x.name, x.value, x.want, got.body)
		}
	}
	for _, back := range []string{"", "error", "//evil.example", "../docs", "%2e%2e/docs", "overview/..", "https://evil.example", "overview?x", "sign-out"} {
		if got := b.post(t, "/console/preferences", "theme", "dark", "back", back); got.to != "/console/overview" {
			t.Errorf("back to %q leads to %q", back, got.to)
		}
	}
}

// A page that refreshes itself is told to leave when the session has ended. Its
// requests do not fill the log.
func TestOverview_IsRefreshed(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	b := site.browser(t)
	b.header.Set("Hx-Request", "true")
	if got := b.get(t, "/console/overview"); got.status != http.StatusNoContent || got.header.Get("Hx-Redirect") != "sign-in" {
		t.Errorf("signed out: %d %v", got.status, got.header)
	}
	b.header.Del("Hx-Request")
	b.signInOperator(t)
	b.header.Set("Hx-Request", "true")
	if got := b.get(t, "/console/overview"); got.status != http.StatusOK || !strings.Contains(got.body, `id="overview"`) {
		t.Errorf("signed in: %d %s", got.status, got.body)
	}
	if log := site.stop(); strings.Contains(log, "route=/console/overview status=200") {
		t.Errorf("the log: %s", log)
	}
}

// Nothing that a page or the log shows is secret.
func TestSecrets_AreNowhere(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	user, operator := site.browser(t), site.browser(t)
	user.signInUser(t)
	operator.signInOperator(t)
	sessions := []string{user.session(t), operator.session(t), password, operatorToken}
	const key = "sk-a-provider-key"
	sessions = append(sessions, key)
	user.post(t, site.userPath()+"/keys", "openai_api_key", key)
	user.post(t, site.userPath()+"/keys", "openai_api_key", key, "xai_api_key", "\xff")
	shown := user.get(t, site.userPath()).body + operator.get(t, "/console/overview").body + operator.get(t, "/console/log").body +
		operator.get(t, site.userPath()+"/export").body + user.get(t, "/console/"+user.session(t)).body + user.get(t, "/console/overview?token="+operatorToken).body
	user.post(t, "/console/sign-in", "username", username, "password", password+"x")
	shown += user.post(t, "/console/change-password", "password", password+"x", "new_password", password).body +
		user.post(t, "/console/delete-account", "username", username, "delete_password", password+"x").body
	user.post(t, "/console/sign-out")
	operator.post(t, "/console/sign-out")
	log := site.stop()
	for _, secret := range sessions {
		if secret == "" || strings.Contains(shown, secret) || strings.Contains(log, secret) {
			t.Errorf("%q is in a page or in the log", secret)
		}
	}
}

var (
	usedInTemplate = regexp.MustCompile(`\{\{[^}]*\b(?:t|code) "([a-z_]+)"`)
	quoted         = regexp.MustCompile(`"([a-z_]+)"`)
)

// Both languages have the same texts, each of which is used, and no text is
// missing.
func TestMessages_AreCompleteAndUsed(t *testing.T) {
	t.Parallel()
	catalogues := console.Catalogues()
	used := map[string]bool{}
	read := func(pattern string, expression *regexp.Regexp) {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range expression.FindAllStringSubmatch(string(source), -1) {
				used[match[1]] = true
				if expression == usedInTemplate && catalogues["en"][match[1]] == "" {
					t.Errorf("%s: there is no message %q", file, match[1])
				}
			}
		}
	}
	read("templates/*.html", usedInTemplate)
	read("*.go", quoted)
	for language, texts := range catalogues {
		for key, text := range texts {
			if text == "" || !used[key] {
				t.Errorf("%s: %s is %q, used: %v", language, key, text, used[key])
			}
			for other := range catalogues {
				if catalogues[other][key] == "" {
					t.Errorf("%s lacks %s", other, key)
				}
			}
		}
		var plain map[string]string
		if source, err := os.ReadFile("messages/" + language + ".json"); err != nil || json.Unmarshal(source, &plain) != nil || len(plain) != len(texts) {
			t.Errorf("messages/%s.json: %v", language, err)
		}
	}
}

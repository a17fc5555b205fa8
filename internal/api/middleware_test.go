package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	made := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	s := newServer(t)
	seen := map[string]bool{}
	var ids []string
	for _, test := range []struct {
		name  string
		given []string
		taken bool
	}{
		{"none", nil, false},
		{"none again", nil, false},
		{"empty", []string{""}, false},
		{"a word", []string{"abc"}, true},
		{"all characters", []string{"Az09._-"}, true},
		{"a UUID", []string{"7d2cb0f4-0c5b-4a8f-9f3c-1f1a6f0f8a11"}, true},
		{"64 characters", []string{strings.Repeat("a", 64)}, true},
		{"65 characters", []string{strings.Repeat("a", 65)}, false},
		{"10,000 characters", []string{strings.Repeat("a", 10_000)}, false},
		{"space", []string{"a b"}, false},
		{"other letters", []string{"é"}, false},
		{"quotes", []string{`a"b`}, false},
		{"log injection", []string{"a level=ERROR"}, false},
		{"tab", []string{"a\tb"}, false},
		{"markup", []string{"<script>"}, false},
		{"slash", []string{"a/b"}, false},
		{"two, the first counts", []string{"first", "second"}, true},
		{"two, the first is bad", []string{"fir st", "second"}, false},
		{"access token", []string{auth.NewToken().Reveal()}, false},
		{"made operator token", []string{auth.NewOperatorToken().Reveal()}, false},
		{"operator token", []string{operatorToken.Reveal()}, false},
		{"a part of a token", []string{auth.NewToken().Reveal()[:20]}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{"X-Request-Id": test.given}
			id := s.exchange(t, exchange{request: "GET list_users", header: header, status: 200}).header.Get("X-Request-ID")
			switch {
			case test.taken && id != test.given[0]:
				t.Errorf("X-Request-ID %q: got %q, want it back", test.given, id)
			case !test.taken && (!made.MatchString(id) || seen[id]):
				t.Errorf("X-Request-ID %q: got %q, want a new UUID", test.given, id)
			}
			seen[id] = true
			ids = append(ids, id)
		})
	}
	// A line break cannot be in a header value, but a client can send one on
	// the wire.
	injected := s.raw(t, "GET /health HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\r\n Injected: yes\r\nConnection: close\r\n\r\n")
	if injected.header.Get("Injected") != "" || !made.MatchString(injected.header.Get("X-Request-ID")) {
		t.Errorf("a folded header line: got %v", injected.header)
	}
	log := s.stop(t)
	for _, id := range ids {
		if lines := linesWith(log, "request_id="+id+" "); len(lines) != 1 {
			t.Errorf("request %s has the log lines %q, want one", id, lines)
		}
	}
}

// No response reveals whether an id is an operator token, and no log line shows
// such a token. A token that an operator chose may look like an id.
func TestRequestID_IsNoOracle(t *testing.T) {
	t.Parallel()
	const token, guess = "an-operators.own_token-of-2026", "an-operators.own_token-of-2025"
	s := newServer(t, withOptions(func(o *api.Options) {
		o.Access.OperatorTokens = auth.NewOperatorTokens([]backend.Secret{backend.NewSecret(token)})
	}))
	for _, request := range []string{"GET /health", "GET list_users", "GET /nothing", "POST create_user"} {
		var responses []string
		for _, id := range []string{token, guess} {
			got := s.send(t, request, "", http.Header{"X-Request-Id": {id}})
			got.header.Del("Date")
			responses = append(responses, strings.ReplaceAll(fmt.Sprint(got), id, "ID"))
		}
		if responses[0] != responses[1] {
			t.Errorf("%s\nwith the token %s\nwith a guess   %s", request, responses[0], responses[1])
		}
	}
	log := s.stop(t)
	if guesses, hidden := linesWith(log, "request_id="+guess), linesWith(log, "request_id=*** "); len(guesses) != 4 || len(hidden) != 4 || strings.Contains(log, token) {
		t.Errorf("got the log\n%swant each guess and no token", log)
	}
}

// Error responses of every kind have the id that is in their log line.
func TestRequestID_OfErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var ids []string
	for request, status := range map[string]int{
		"GET /nothing": 404, "GET //": 404, "PUT /health": 405, "POST create_user": 422, "GET list_characters/%00": 422,
		"POST delete_user": 422,
	} {
		got := s.exchange(t, exchange{request: request, status: status})
		ids = append(ids, got.header.Get("X-Request-ID")+" "+strconv.Itoa(status))
	}
	log := s.stop(t)
	for _, id := range ids {
		id, status, _ := strings.Cut(id, " ")
		if lines := linesWith(log, "request_id="+id); len(lines) != 1 || !strings.Contains(lines[0], " status="+status+" ") {
			t.Errorf("request %s has the log lines %q, want one with status %s", id, lines, status)
		}
	}
}

var logLine = regexp.MustCompile(`^time=\S+ level=(\w+) msg=request request_id=\S+ method=(\w+) route=(\S+) ` +
	`status=(\d+) duration=\d+\.\d{3}ms bytes=(\d+)( path=\S+)?( caller=\S+( user_id=\S+)?)?( refused=true)?( retry_after=\d+)?( client=\S+)?( error=.*)?\n$`)

// The log line of a failure contains the reason, but nothing that the client
// sent. Files that a page loads have no log line.
func TestLogLine_SaysWhy(t *testing.T) {
	t.Parallel()
	s := newServer(t).withUser(t)
	for _, page := range []string{"GET /docs", "GET /docs/docs.js", "GET /redoc/redoc.js", "GET /docs/none.js"} {
		s.send(t, page, "", nil)
	}
	for request, want := range map[string]string{
		"GET get_character_config/ada/s3cret":                "character … of user … does not exist",
		"GET get_available_llm/s3cret":                       "user … does not exist",
		"GET /s3cret":                                        "there is nothing at this path; see /docs for what there is",
		"PUT /health":                                        "this path does not take PUT",
		`POST create_user {"user_id":"ada"}`:                 "user … exists already",
		`POST create_user {"user_id":".."}`:                  "body.user_id: … cannot be an id",
		`POST create_user {"user_id":5}`:                     "body.user_id: Input should be a valid string",
		`POST create_user {s3cret}`:                          "body.1: JSON decode error",
		`POST update_character_tts {"tts_adapter":"s3cret"}`: "body.user_id: Field required; body.character_id: Field required; body.voice: Field required",
		`POST update_character_name {"user_id":"ada","character_id":"$readonly","character_name":"s3cret"}`: "read-only",
	} {
		request, body, _ := strings.Cut(request, " {")
		if body != "" {
			body = "{" + body
		}
		got := s.send(t, request, s.expander()(body), nil)
		lines := linesWith(s.logLines(), "request_id="+got.header.Get("X-Request-Id"))
		if len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], " error=") || !strings.Contains(lines[0], want) {
			t.Errorf("%s %s: got the lines %q, want WARN and %q", request, body, lines, want)
		}
	}
	log := s.stop(t)
	if strings.Contains(strings.ReplaceAll(log, "path=/s3cret", ""), "s3cret") {
		t.Errorf("the log shows what was sent:\n%s", log)
	}
	if pages := linesWith(log, "route=/docs"); len(pages) != 1 || len(linesWith(log, "route=/redoc")) != 0 || len(linesWith(log, "path=/docs/none.js")) != 1 {
		t.Errorf("got the lines %q, want that of the page alone, and of what there is not", pages)
	}
}

// A body with only unknown fields gets the usual response, with a warning.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	s := newServer(t).withUser(t)
	for body, warned := range map[string]bool{
		`POST update_user_config {"user_id":"ada","openai_key":"sk-s3cret"}`:                     true,
		`POST update_user_config {"user_id":"ada","OPENAI_API_KEY":"sk-s3cret","time_zone":"x"}`: true,
		`POST update_user_config {"user_id":"ada"}`:                                              false,
		`POST update_user_config {"user_id":"ada","openai_key":"x","xai_api_key":"y"}`:           false,
		`POST update_user_config {"user_id":"ada","x":1,"timezone":null}`:                        false,
		`POST create_user {"userid":"bob"}`:                                                      true,
		`POST create_user {"user_id":"bob","character_name":5}`:                                  false,
		`POST create_user {}`: false,
		`POST update_character_name {"user_id":"ada","character_id":"$own","character_name":"n","new_name":"n"}`: false,
		`POST authenticate_user {"username":"nobody","password":"password","remember":true}`:                     false,
	} {
		request, body, _ := strings.Cut(body, " {")
		got := s.send(t, request, s.expander()("{"+body), nil)
		lines := linesWith(s.logLines(), "request_id="+got.header.Get("X-Request-Id"))
		inLog := len(lines) == 1 && strings.Contains(lines[0], "level=WARN") && strings.Contains(lines[0], "warning=")
		if got.status != 200 || (got.header.Get("X-Warning") != "") != warned || inLog != warned {
			t.Errorf("%s {%s: got %d, X-Warning %q, log %q", request, body, got.status, got.header.Get("X-Warning"), lines)
		}
	}
	if strings.Contains(s.stop(t), "s3cret") {
		t.Error("the log shows the key")
	}
}

// The log line of a request shows its route, but nothing of its path, query and
// body.
func TestLogLine(t *testing.T) {
	t.Parallel()
	s := newServer(t).withUser(t)
	const hidden = "Confidential"
	var wanted []string
	for _, test := range []struct {
		request, body string
		status        int
		level, route  string
	}{
		{"GET list_users", "", 200, "INFO", "/api/v1/list_users"},
		{"GET list_users?q=" + hidden, "", 200, "INFO", "/api/v1/list_users"},
		{"GET list_characters/" + hidden, "", 200, "INFO", "/api/v1/list_characters/{user_id}"},
		{"GET get_character_config/ada/$own", "", 200, "INFO", "/api/v1/get_character_config/{user_id}/{character_id}"},
		{"GET get_character_config/ada/" + hidden, "", 404, "WARN", "/api/v1/get_character_config/{user_id}/{character_id}"},
		{"HEAD get_character_config/ada/$own", "", 200, "INFO", "/api/v1/get_character_config/{user_id}/{character_id}"},
		{"POST create_user", `{"user_id":"new","password":"` + hidden + `"}`, 200, "INFO", "/api/v1/create_user"},
		{"POST create_user", `{"user_id":"new","password":"` + hidden + `"}`, 400, "WARN", "/api/v1/create_user"},
		{"POST update_character_prompt", `{"user_id":"ada","character_id":"$own","prompt":"` + hidden + `"}`, 200, "INFO", "/api/v1/update_character_prompt"},
		{"POST update_character_prompt", `{"user_id":"ada","character_id":"$readonly","prompt":"` + hidden + `"}`, 403, "WARN", "/api/v1/update_character_prompt"},
		{"POST update_character_prompt", `{"prompt":"` + hidden + `"}`, 422, "WARN", "/api/v1/update_character_prompt"},
		{"POST update_character_name", `{"user_id":"ada","character_id":"$own","character_name":"` + hidden + `"}`, 200, "INFO", "/api/v1/update_character_name"},
		{"PUT list_characters/" + hidden, "", 405, "WARN", "/api/v1/list_characters/{user_id}"},
		{"GET /nothing?q=" + hidden, "", 404, "WARN", "unknown"},
		{"GET /nothing/../x?q=" + hidden, "", 404, "WARN", "unknown"},
		{"GET /", "", 307, "INFO", "/"},
		{"GET /health", "", 200, "INFO", "/health"},
	} {
		got := s.exchange(t, exchange{request: test.request, body: test.body, status: test.status})
		method, _, _ := strings.Cut(test.request, " ")
		wanted = append(wanted, fmt.Sprintf("%s %s %s %d %d", test.level, method, test.route, test.status, len(got.body)))
	}
	log := s.stop(t)
	if strings.Contains(log, hidden) {
		t.Errorf("got the log\n%s\nwant %s nowhere in it", log, hidden)
	}
	var lines []string
	for line := range strings.Lines(log) {
		parts := logLine.FindStringSubmatch(line)
		if parts == nil {
			t.Errorf("got the log line %s\nwant one like %s", line, logLine)
			continue
		}
		lines = append(lines, strings.Join(parts[1:6], " "))
	}
	lines = lines[len(lines)-len(wanted):] // without the lines of the setup
	for i, want := range wanted {
		if lines[i] != want {
			t.Errorf("log line %d\ngot  %s\nwant %s", i, lines[i], want)
		}
	}
}

// The log shows a path that does not exist in a form that cannot look like
// another part of the line, and without secrets.
func TestLogLine_UnknownPath(t *testing.T) {
	t.Parallel()
	const token = "operator/token+with=a slash" // base64 contains such characters
	s := newServer(t, withOptions(func(o *api.Options) {
		o.BasePath = "/base"
		o.Access.OperatorTokens = auth.NewOperatorTokens([]backend.Secret{backend.NewSecret(token)})
	}))
	const userID = "8f2c1c9e-52d5-4c1e-9b7c-0c1c39f3b6aa"
	for path, want := range map[string]string{
		"/base/api/v1/motion_file_uploads":             "/base/api/v1/motion_file_uploads",
		"/api/v1/health":                               "/api/v1/health",
		"/base/healthy/":                               "/base/healthy/",
		"/base//x/../y":                                "/base//x/../y",
		"/x?access_token=1":                            "/x",
		"/x%20client=192.0.2.1%0Alevel=ERROR%22":       "/x%20client%3D192.0.2.1%0Alevel%3DERROR%22",
		"/%C3%A9%00":                                   "/%C3%A9%00",
		"/a%2Fb/%2F":                                   "/a/b//",
		"/" + strings.Repeat("x", 500):                 "/" + strings.Repeat("x", 127) + "…",
		"/x/" + auth.NewToken().Reveal() + "/y":        "/x/***/y",
		"/x/token:" + auth.NewOperatorToken().Reveal(): "/x/***",
		"/wb%74_abc":                                   "/***",
		"/x/" + url.PathEscape(token) + "/y":           "/x/***/y",
		"/x/" + strings.ReplaceAll(token, " ", "%20"):  "/x/***",
		"/" + strings.Repeat("x", 120) + "/" + url.PathEscape(token): "/" + strings.Repeat("x", 120) + "/***",
		"/base/api/v2/list_characters/" + userID:                     "/base/api/v2/list_characters/***",
		"/base/list_characters/" + userID + "%2F1/x":                 "/base/list_characters/***/1/x",
		"/login;password=hunter2":                                    "/***",
	} {
		got := s.raw(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").with(t, 404)
		id := got.header.Get("X-Request-Id")
		if lines := linesWith(s.logLines(), "request_id="+id); len(lines) != 1 || !strings.Contains(strings.TrimSuffix(lines[0], "\n")+" ", " path="+want+" ") {
			t.Errorf("%s: got the lines %q, want one with path=%s", path, lines, want)
		}
	}
	if log := s.stop(t); strings.Contains(log, token) || strings.Contains(log, userID) {
		t.Errorf("the log shows a token or the id of a user:\n%s", log)
	}
}

// Reading the log does not add lines to it, unless the request fails.
func TestLogLine_LogEndpoints(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.exchange(t, exchange{request: "GET /health", status: 200}) // creates the log
	s.exchange(t, exchange{request: "GET /tail_log/5", status: 200})
	s.exchange(t, exchange{request: "GET /dowload_log_file", status: 200})
	s.exchange(t, exchange{request: "HEAD /dowload_log_file", status: 200})
	s.exchange(t, exchange{request: "GET /tail_log/x", status: 422})
	log := s.stop(t)
	if got := strings.Count(log, "\n"); got != 2 || len(linesWith(log, "status=422")) != 1 {
		t.Errorf("got the log\n%swant a line for /health and one for the 422", log)
	}
}

// corsServer returns a server that allows pages of any origin, or only of the
// given origins.
func corsServer(t *testing.T, origins ...string) *server {
	t.Helper()
	return newServer(t, withOptions(func(o *api.Options) { o.EnableCORS, o.CORSOrigins = true, origins }))
}

func TestCORS(t *testing.T) {
	t.Parallel()
	const origin = "https://app.example"
	off, anyOrigin, narrow := newServer(t), corsServer(t), corsServer(t, origin, "http://localhost:3000")
	for _, test := range []struct {
		name, request string
		server        *server
		origin        string
		preflight     string // the method that the page requests
		status        int
		allowed       bool
	}{
		{"off", "GET /health", off, origin, "", 200, false},
		{"off, error", "GET /nothing", off, origin, "", 404, false},
		{"off, preflight", "OPTIONS create_user", off, origin, "POST", 405, false},
		{"any", "GET /health", anyOrigin, origin, "", 200, true},
		{"any, null", "GET /health", anyOrigin, "null", "", 200, true},
		{"any, no origin", "GET /health", anyOrigin, "", "", 200, false},
		{"any, preflight", "OPTIONS create_user", anyOrigin, origin, "POST", 204, true},
		{"any, preflight of a read", "OPTIONS list_users", anyOrigin, origin, "GET", 204, true},
		{"any, preflight of nothing", "OPTIONS /nothing", anyOrigin, origin, "DELETE", 204, true},
		{"any, OPTIONS that is no preflight", "OPTIONS list_users", anyOrigin, origin, "", 405, true},
		{"any, 404", "GET /nothing", anyOrigin, origin, "", 404, true},
		{"any, 404 of a bad path", "GET //", anyOrigin, origin, "", 404, true},
		{"any, 404 of a user", "GET get_available_llm/nobody", anyOrigin, origin, "", 404, true},
		{"any, 405", "PUT list_users", anyOrigin, origin, "", 405, true},
		{"any, 422", "POST delete_character", anyOrigin, origin, "", 422, true},
		{"any, 307", "GET /", anyOrigin, origin, "", 307, true},
		{"narrow, one", "GET /health", narrow, origin, "", 200, true},
		{"narrow, other", "GET /health", narrow, "http://localhost:3000", "", 200, true},
		{"narrow, other case", "GET /health", narrow, "https://APP.example", "", 200, true},
		{"narrow, stranger", "GET /health", narrow, "https://evil.example", "", 200, false},
		{"narrow, longer", "GET /health", narrow, origin + ".evil.example", "", 200, false},
		{"narrow, other port", "GET /health", narrow, "http://localhost:3001", "", 200, false},
		{"narrow, other scheme", "GET /health", narrow, "http://app.example", "", 200, false},
		{"narrow, preflight", "OPTIONS create_user", narrow, origin, "POST", 204, true},
		{"narrow, preflight of a stranger", "OPTIONS create_user", narrow, "https://evil.example", "POST", 204, false},
		{"narrow, 404", "GET /nothing", narrow, origin, "", 404, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			if test.origin != "" {
				header.Set("Origin", test.origin)
			}
			if test.preflight != "" {
				header.Set("Access-Control-Request-Method", test.preflight)
				header.Set("Access-Control-Request-Headers", "authorization,content-type,x-anything")
			}
			got := test.server.send(t, test.request, "", header).with(t, test.status)
			want := map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": ""}
			if test.allowed {
				want = map[string]string{"Access-Control-Allow-Origin": test.origin, "Access-Control-Allow-Credentials": "true"}
			}
			if test.allowed && test.status == 204 {
				want["Access-Control-Allow-Methods"] = test.preflight
				want["Access-Control-Allow-Headers"] = "authorization,content-type,x-anything"
				want["Access-Control-Max-Age"] = "7200"
			} else if test.allowed {
				want["Access-Control-Expose-Headers"] = "X-Request-Id, Content-Disposition, Retry-After, Www-Authenticate, X-Warning"
			}
			for name, value := range want {
				if got.header.Get(name) != value {
					t.Errorf("%s from %q\ngot  %s %q\nwant %q", test.request, test.origin, name, got.header.Get(name), value)
				}
			}
			if test.server != off && !strings.Contains(strings.Join(got.header["Vary"], ","), "Origin") {
				t.Errorf("%s: got Vary %q, want Origin in it: a cache must not mix origins", test.request, got.header["Vary"])
			}
		})
	}
}

// An allowed preflight has no log line at INFO. A preflight that is not allowed
// has one, and so has a request that is not a preflight.
func TestCORS_PreflightsAreLoggedAtDebug(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server        *server
		preflight     bool
		status, lines int
	}{
		"allowed":      {corsServer(t), true, 204, 0},
		"not allowed":  {corsServer(t, "https://other.example"), true, 204, 1},
		"no preflight": {corsServer(t), false, 405, 1},
		"CORS is off":  {newServer(t), true, 405, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Origin": {"https://app.example"}}
			if test.preflight {
				header.Set("Access-Control-Request-Method", "POST")
			}
			test.server.send(t, "OPTIONS create_user", "", header).with(t, test.status)
			if lines := linesWith(test.server.stop(t), "method=OPTIONS"); len(lines) != test.lines {
				t.Errorf("got the lines %q, want %d", lines, test.lines)
			}
		})
	}
}

// with checks the status.
func (a response) with(t *testing.T, status int) response {
	t.Helper()
	if a.status != status {
		t.Errorf("got %d %s, want %d", a.status, brief(a.body), status)
	}
	return a
}

// If the browser does not give a response to a page, the log shows the reason.
func TestCORS_BarredIsLogged(t *testing.T) {
	t.Parallel()
	const origin = "https://app.example"
	tests := []struct {
		name   string
		server *server
		header http.Header
		want   string // "" for no attribute
	}{
		{"off", newServer(t), http.Header{"Origin": {origin}}, "cors=disabled"},
		{"not in the list", corsServer(t, "https://other.example"), http.Header{"Origin": {origin}}, "cors=refused"},
		{"a file", newServer(t), http.Header{"Origin": {"null"}}, "cors=disabled"},
		{"garbage", newServer(t), http.Header{"Origin": {"a b="}}, "cors=disabled"},
		{"in the list", corsServer(t, origin), http.Header{"Origin": {origin}}, ""},
		{"any", corsServer(t), http.Header{"Origin": {origin}}, ""},
		{"own page behind a proxy", newServer(t), http.Header{"Origin": {origin}, "Sec-Fetch-Site": {"same-origin"}}, ""},
		{"no page", newServer(t), nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			request := httptest.NewRequest(http.MethodGet, "/api/v1/none", nil)
			maps.Copy(request.Header, tt.header)
			request.Header.Set("X-Request-ID", "barred")
			tt.server.handler.ServeHTTP(httptest.NewRecorder(), request)
			lines := strings.Join(linesWith(tt.server.logLines(), "request_id=barred"), "\n")
			if got := strings.Contains(lines, "cors="); got != (tt.want != "") || !strings.Contains(lines, tt.want) || lines == "" {
				t.Errorf("the log says %q, want %q", lines, tt.want)
			}
		})
	}
}

// A page can also read the error response to a panic.
func TestCORS_OfPanics(t *testing.T) {
	t.Parallel()
	s := newServer(t, panicking("x"), withOptions(func(o *api.Options) { o.EnableCORS = true }))
	got := s.exchange(t, exchange{
		request: "GET list_characters/ada", header: http.Header{"Origin": {"https://app.example"}}, status: 500,
	})
	if origin := got.header.Get("Access-Control-Allow-Origin"); origin != "https://app.example" {
		t.Errorf("got Access-Control-Allow-Origin %q in %v, want the origin", origin, got.header)
	}
}

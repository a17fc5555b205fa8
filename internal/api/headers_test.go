package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/api"
	"web-backend/internal/apidocs"
)

// secured lists the headers of every response except pages and documentation
// files.
var secured = map[string]string{
	"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cache-Control":                "no-store",
}

// checkSecured checks the security headers of a response. other lists the
// headers that differ, as pairs of name and value.
func checkSecured(t *testing.T, got response, other ...string) {
	t.Helper()
	want := maps.Clone(secured)
	for pair := range slices.Chunk(other, 2) {
		want[pair[0]] = pair[1]
	}
	for name, value := range want {
		if values := got.header.Values(name); len(values) != 1 || values[0] != value {
			t.Errorf("%d: got %s %q, want %q", got.status, name, values, value)
		}
	}
}

// Every operation sets them for every method, for valid and for invalid
// requests.
func TestSecurityHeaders_Operations(t *testing.T) {
	t.Parallel()
	s := newServer(t).withUser(t)
	s.exchange(t, exchange{request: "GET /health", status: 200}) // to have a log
	for _, o := range apiDocument().operations() {
		t.Run(o.OperationID, func(t *testing.T) {
			t.Parallel()
			example := o.exampleExchange(t)
			var other []string
			if o.OperationID == "tail_log" {
				other = []string{"Content-Security-Policy", logPolicy(t, s)}
			}
			checkSecured(t, s.send(t, example.request, example.body, nil), other...)
			if o.method == http.MethodGet {
				checkSecured(t, s.send(t, "HEAD "+o.examplePath(), "", nil), other...)
			}
			checkSecured(t, s.exchange(t, exchange{request: "PUT " + o.examplePath(), status: 405}))
			if o.RequestBody != nil {
				checkSecured(t, s.exchange(t, exchange{request: o.name(), body: "[]", status: 422}))
				checkSecured(t, s.exchange(t, exchange{request: o.name(), body: strings.Repeat(" ", testBodyLimit+1), status: 413}))
			}
		})
	}
}

// Responses that do not come from an operation also have the headers.
func TestSecurityHeaders_Errors(t *testing.T) {
	t.Parallel()
	s, noLog := newServer(t), newServer(t, withOptions(func(o *api.Options) { o.LogFile = "" }))
	crossing := http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}}
	s.exchange(t, exchange{request: "GET /health", status: 200}) // to have a log
	for _, test := range []struct {
		name    string
		server  *server
		request string
		header  http.Header
		status  int
	}{
		{"unknown path", s, "GET /nothing", nil, 404},
		{"path that is not canonical", s, "GET //", nil, 404},
		{"unknown character", s, "GET get_character_config/ada/x", nil, 404},
		{"bad number of lines", s, "GET /tail_log/x", nil, 422},
		{"bad range of the log", s, "GET /dowload_log_file", http.Header{"Range": {"bytes=99999999-"}}, 416},
		{"part of the log", s, "GET /dowload_log_file", http.Header{"Range": {"bytes=0-3"}}, 206},
		{"no log", noLog, "GET /tail_log/5", nil, 503},
		{"preflight", corsServer(t), "OPTIONS create_user", crossing, 204},
		{"store that fails", newServer(t, failing(http.ErrServerClosed)), "GET list_users", nil, 500},
		{"panic", newServer(t, panicking("x")), "GET list_users", nil, 500},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkSecured(t, test.server.send(t, test.request, "", test.header).with(t, test.status))
		})
	}
}

// The documentation has its own policies and its own caching.
func TestSecurityHeaders_Documentation(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, file := range apidocs.Files() {
		policy := file.ContentSecurityPolicy
		if policy == "" {
			policy = secured["Content-Security-Policy"]
		}
		got := s.send(t, "GET "+file.Path, "", nil).with(t, 200)
		checkSecured(t, got, "Content-Security-Policy", policy, "Cache-Control", "no-cache")
		known := http.Header{"If-None-Match": {got.header.Get("ETag")}}
		checkSecured(t, s.send(t, "GET "+file.Path, "", known).with(t, 304),
			"Content-Security-Policy", policy, "Cache-Control", "no-cache")
	}
}

// Changing the headers of one response does not change those of the next.
func TestSecurityHeaders_AreSharedUnchanged(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 2 {
		checkSecured(t, s.exchange(t, exchange{request: "GET list_users", status: 200}))
		s.exchange(t, exchange{request: "GET /docs", status: 200})
	}
}

var styleElement = regexp.MustCompile(`(?s)<style>(.*?)</style>`)

// logPolicy returns the policy that allows the style of the served log page.
func logPolicy(t *testing.T, s *server) string {
	t.Helper()
	styles := styleElement.FindAllStringSubmatch(s.exchange(t, exchange{request: "GET /tail_log/5", status: 200}).body, -1)
	if len(styles) != 1 || len(styles[0][1]) < 100 {
		t.Fatalf("the log page has the styles %q, want one", styles)
	}
	sum := sha256.Sum256([]byte(styles[0][1]))
	return "default-src 'none'; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

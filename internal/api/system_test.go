package api_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

func TestSystem(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.run(
		t,
		exchange{name: "health", request: "GET /health", status: 200, want: `"OK"`},
		exchange{name: "ready", request: "GET /health/ready", status: 200, want: `"OK"`},
		exchange{name: "query is ignored", request: "GET /health?x=1", status: 200, want: `"OK"`},
		exchange{name: "root", request: "GET /", status: 307, want: noBody},
	)
	if location := s.exchange(t, exchange{request: "GET /", status: 307}).header.Get("Location"); location != "docs" {
		t.Errorf("GET / leads to %q, want /docs", location)
	}
}

func TestReady_StoreIsAway(t *testing.T) {
	t.Parallel()
	away := &backend.Error{Kind: backend.Unavailable, Message: "the store is away"}
	s := newServer(t, failing(away))
	s.run(
		t,
		exchange{name: "ready", request: "GET /health/ready", status: 503, want: failure(503, "the store is away")},
		exchange{name: "alive", request: "GET /health", status: 200, want: `"OK"`},
	)
}

func TestUnknownPath(t *testing.T) {
	t.Parallel()
	s := newServer(t).withUser(t)
	want := failure(404, "there is nothing at this path; see /docs for what there is")
	for _, request := range []string{
		"GET /nothing", "POST /nothing", "GET /api", "GET /api/v1", "GET /api/v1/", "GET /api/v1/nothing", "GET /api/v2/list_users",
		"GET /list_users", "GET /api/v1/LIST_USERS", "GET /nothing/", "GET /api/",
		"GET //", "GET //health", "GET /api//v1/list_users", "GET /./health", "GET /health/.", "GET /api/../health",
		"GET /api/v1/../../health", "GET /..", "GET /api/v1/list_characters", "GET /api/v1/list_characters/",
		"GET /api/v1/list_characters//", "GET /api/v1/list_characters/ada/x", "GET /health//", "GET /health/./",
		"GET /api/v1/list_characters/../list_users", "GET /api/v1/get_character_config/ada", "GET /api/v1/get_character_config/ada/",
		"GET /api/v1/get_character_config//x", "GET /api/v1/get_character_config/ada/$own/x", "GET /tail_log", "GET /tail_log/",
		"GET /download_log_file", "GET /%2e%2e/health", "GET /health%2fready", "GET /health%00", "GET /%2f", "GET /%2F", "GET /health/%2F", "GET /api/v1/%2f/x", "GET /%ff", "DELETE /nothing",
		"FOO /nothing", "GET /api/v1/get_character_config/ada/..%2f..%2f$own", "POST /api/v1/list_users/..",
	} {
		x := exchange{name: request, request: request, status: 404, want: want}
		if strings.Contains(request, "..%2f") {
			x.want = noSuchCharacter("ada", "../../"+s.names["own"])
		}
		s.run(t, x)
	}
}

// An extra slash at the end is removed by a relative redirect, as in FastAPI.
// The redirect keeps path prefixes that proxies add.
func TestTrailingSlash(t *testing.T) {
	t.Parallel()
	for base, s := range map[string]*server{
		"": newServer(t), "/base": newServer(t, withOptions(func(o *api.Options) { o.BasePath = "/base" })),
	} {
		for request, want := range map[string]string{
			"GET /health/":                       "/health",
			"HEAD /docs/":                        "/docs",
			"GET /health/ready/?a=%20b&c":        "/health/ready?a=%20b&c",
			"GET /api/v1/list_characters/a%2Fb/": "/api/v1/list_characters/a%2Fb",
			"GET /api/v1/list_characters/%2F/":   "/api/v1/list_characters/%2F",
			"GET /tail_log/5/":                   "/tail_log/5",
			"POST /api/v1/create_user/":          "/api/v1/create_user",
			"PUT /health/":                       "/health", // GET only, but still redirected
		} {
			method, path, _ := strings.Cut(request, " ")
			got := s.raw(t, method+" "+base+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").with(t, 307)
			location := got.header.Get("Location")
			for _, proxy := range []string{"", "/sub/path"} {
				from, err := url.Parse("http://localhost" + proxy + base + path)
				if err != nil {
					t.Fatal(err)
				}
				to, err := from.Parse(location)
				if err != nil || to.String() != "http://localhost"+proxy+base+want {
					t.Errorf("%s: Location %q leads from %s to %s, error %v, want %s", request, location, from, to, err, want)
				}
			}
		}
	}
}

// The response for a known path lists the allowed methods. A method that is not
// a standard HTTP method is neither shown nor logged.
func TestWrongMethod(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, o := range apiDocument().operations() {
		allowed := map[string]string{http.MethodGet: "GET, HEAD", http.MethodPost: "POST"}[o.method]
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"} {
			if strings.Contains(allowed, method) {
				continue
			}
			t.Run(method+" "+o.path, func(t *testing.T) {
				x := exchange{
					request: method + " " + o.examplePath(), body: `{}`, status: 405,
					want: failure(405, "this path does not take "+method),
				}
				switch method {
				case http.MethodHead:
					x.want = ""
				case "FOO": // may be anything, even a secret
					x.want = failure(405, "this path does not take this method")
				}
				got := s.exchange(t, x)
				if allow := got.header["Allow"]; len(allow) != 1 || allow[0] != allowed {
					t.Errorf("%s: got Allow %q, want %q", x.request, allow, allowed)
				}
				if got.header.Get("Access-Control-Allow-Methods") != "" {
					t.Errorf("%s: got CORS headers, though CORS is off: %v", x.request, got.header)
				}
			})
		}
	}
}

// The response to HEAD is the response to GET without the body.
func TestHead(t *testing.T) {
	t.Parallel()
	s := newServer(t).withUser(t)
	for _, path := range []string{
		"/health", "list_users", "list_characters/ada", "get_character_config/ada/$own",
		"get_character_config/ada/nothing", "get_available_llm/nobody", "/dowload_log_file", "/nothing", "/",
	} {
		path = s.expander()(path)
		get := s.send(t, "GET "+path, "", nil)
		head := s.send(t, "HEAD "+path, "", nil)
		if head.body != "" || head.status != get.status ||
			path != "/dowload_log_file" && head.header.Get("Content-Length") != get.header.Get("Content-Length") ||
			head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("HEAD %s\ngot  %d %v %q\nwant %d %v", path, head.status, head.header, head.body, get.status, get.header)
		}
	}
}

// A request without a path also gets an error in the common form.
func TestAsteriskPath(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.raw(t, "GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if got.status != 404 || got.errorFault() != "" {
		t.Errorf("GET *\ngot  %d %q\nwant 404 in the shape of errors", got.status, got.body)
	}
}

// The documentation pages and their files are served through the same
// middleware as everything else.
func TestDocumentationPages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a := api.New(backend.New(nil, backend.Options{}), slog.New(slog.DiscardHandler), api.Options{Access: api.AccessOptions{Mode: auth.Open}})
	_, pages := a.Routes()
	for _, page := range append(pages, "GET /docs", "GET /redoc") {
		_, path, _ := strings.Cut(page, " ")
		s.run(
			t,
			exchange{name: page, request: page, status: 200},
			exchange{name: "HEAD " + path, request: "HEAD " + path, status: 200},
			exchange{name: "POST " + path, request: "POST " + path, status: 405, want: failure(405, "this path does not take POST")},
			exchange{name: page + "/", request: page + "/", status: 307},
		)
	}
}

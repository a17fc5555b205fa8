package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"web-backend/internal/apidocs"
)

func below(base string) option { return func(c *config) { c.BasePath = base } }

func TestBasePath(t *testing.T) {
	t.Parallel()
	s := newServer(t, below("/stack/characters"))
	const base = "/stack/characters"
	s.run(t,
		exchange{name: "operation", request: "POST " + base + "/api/v1/create_user", body: `{"user_id": "a/b"}`, status: 200, want: `{"user_id":"a/b"}`},
		exchange{name: "escaped id", request: "GET " + base + "/api/v1/list_characters/a%2Fb", status: 200, contains: []string{"Thea Brannock"}},
		exchange{name: "lone slash", request: "GET " + base + "/api/v1/get_available_llm/%2F", status: 404, contains: []string{`user \"/\"`}},
		exchange{name: "other method", request: "DELETE " + base + "/health", status: 405},
		exchange{name: "unknown path below", request: "GET " + base + "/nothing", status: 404},

		exchange{name: "half of it", request: "GET /stack/health", status: 404},
		exchange{name: "longer name", request: "GET " + base + "2/health", status: 404},
		exchange{name: "twice", request: "GET " + base + base + "/health", status: 404},
		exchange{name: "other case", request: "GET /Stack/characters/health", status: 404},
		exchange{name: "escaped", request: "GET /%73tack/characters/health", status: 404},
		exchange{name: "escaped slash after it", request: "GET " + base + "%2Fhealth", status: 404},
		exchange{name: "dots", request: "GET " + base + "/api/../health", status: 404},
		exchange{name: "dots out of it", request: "GET " + base + "/../characters/health", status: 404},
		exchange{name: "double slash", request: "GET " + base + "//health", status: 404},
	)
	for _, path := range []string{"/", "/health"} { // the document describes their responses differently
		if got := s.raw(t, "GET "+path+" HTTP/1.0\r\n\r\n"); got.status != http.StatusNotFound || !strings.Contains(got.body, "see "+base+"/docs") {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
	// The location is relative, for a proxy that removes a path.
	for path, location := range map[string]string{base: "characters/docs", base + "/": "docs"} {
		got := s.send(t, "GET "+path, "", nil)
		if got.status != http.StatusTemporaryRedirect || got.header.Get("Location") != location {
			t.Errorf("%s: got %d, Location %q", path, got.status, got.header.Get("Location"))
		}
	}
	for _, file := range apidocs.Files() {
		if got := s.send(t, "GET "+base+file.Path, "", nil); got.status != http.StatusOK {
			t.Errorf("%s: got %d", file.Path, got.status)
		}
		if got := s.send(t, "GET "+file.Path, "", nil); got.status != http.StatusNotFound {
			t.Errorf("%s without the base path: got %d", file.Path, got.status)
		}
	}
	var document struct {
		Servers []struct{ URL string }
		Paths   map[string]any
	}
	if err := json.Unmarshal([]byte(s.send(t, "GET "+base+"/openapi.json", "", nil).body), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Servers) != 1 || document.Servers[0].URL != base || document.Paths["/health"] == nil {
		t.Errorf("the document has servers %v and %d paths", document.Servers, len(document.Paths))
	}
	if log := s.stop(t); !strings.Contains(log, "route=/api/v1/list_characters/{user_id} status=200") || strings.Contains(log, "route="+base) {
		t.Errorf("the log is %s", log)
	}
}

package apidocs_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/apidocs"
)

// serve starts a server with the files below base, as if behind a proxy, and
// with the document that both pages read.
func serve(t *testing.T, base string) string {
	t.Helper()
	mux := http.NewServeMux()
	for _, file := range apidocs.Files() {
		mux.Handle("GET "+base+file.Path, file)
	}
	mux.HandleFunc("GET "+base+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + base
}

type received struct {
	status int
	header http.Header
	body   string
}

// send sends a request. fields are alternating names and values of header
// fields. The response is not decompressed.
func send(t *testing.T, method, address string, fields ...string) received {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(fields, 2) {
		request.Header.Add(pair[0], pair[1])
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return received{response.StatusCode, response.Header, string(body)}
}

// elements returns the start tags of a page.
func elements(t *testing.T, page string) []xml.StartElement {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose = false, xml.HTMLAutoClose
	var found []xml.StartElement
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			found = append(found, start.Copy())
		}
	}
}

// references returns the addresses in the attributes of an element.
func references(element xml.StartElement) []string {
	var found []string
	for _, attribute := range element.Attr {
		switch attribute.Name.Local {
		case "src", "href", "srcset", "action", "poster", "data":
			found = append(found, attribute.Value)
		}
	}
	return found
}

var moduleImport = regexp.MustCompile(`\b(?:from|import)\s*\(?["']([^"']+)["']`)

func TestEveryReferenceOfAPageIsServed(t *testing.T) {
	t.Parallel()
	types := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".json": "application/json", "": "text/html; charset=utf-8",
	}
	for _, base := range []string{"", "/api-host", "/a/b"} {
		for _, page := range []string{"/docs", "/redoc"} {
			t.Run(base+page, func(t *testing.T) {
				t.Parallel()
				root := serve(t, base)
				start, err := url.Parse(root + page)
				if err != nil {
					t.Fatal(err)
				}
				loaded := 0
				var follow func(from *url.URL, reference string)
				follow = func(from *url.URL, reference string) {
					if strings.HasPrefix(reference, "data:") {
						return
					}
					target, err := from.Parse(reference)
					if err != nil {
						t.Fatal(err)
					}
					if target.Host != from.Host {
						t.Fatalf("loads %s", target)
					}
					loaded++
					got := send(t, http.MethodGet, target.String())
					if want := types[path.Ext(target.Path)]; got.status != http.StatusOK || got.header.Get("Content-Type") != want {
						t.Errorf("%s: %d, %q; want 200, %q", target, got.status, got.header.Get("Content-Type"), want)
					}
					// Only our own files: in a bundle, the pattern also matches
					// strings and comments.
					if name := path.Base(target.Path); name == "docs.js" || name == "redoc.js" {
						for _, match := range moduleImport.FindAllStringSubmatch(got.body, -1) {
							follow(target, match[1])
						}
					}
				}
				for _, element := range elements(t, send(t, http.MethodGet, start.String()).body) {
					for _, reference := range references(element) {
						follow(start, reference)
					}
				}
				if loaded < 5 {
					t.Errorf("found only %d references", loaded)
				}
			})
		}
	}
}

func TestPagesHaveNothingInline(t *testing.T) {
	t.Parallel()
	root := serve(t, "")
	for _, page := range []string{"/docs", "/redoc"} {
		for _, element := range elements(t, send(t, http.MethodGet, root+page).body) {
			if name := element.Name.Local; name == "style" || name == "script" && len(references(element)) == 0 {
				t.Errorf("%s has an inline %s", page, name)
			}
			for _, attribute := range element.Attr {
				if name := attribute.Name.Local; name == "style" || strings.HasPrefix(name, "on") {
					t.Errorf("%s: <%s %s> is inline", page, element.Name.Local, name)
				}
			}
		}
	}
}

func TestPoliciesAreStrict(t *testing.T) {
	t.Parallel()
	pages := 0
	for _, file := range apidocs.Files() {
		isPage := strings.HasPrefix(file.ContentType, "text/html")
		if isPage != (file.ContentSecurityPolicy != "") {
			t.Errorf("%s: policy %q", file.Path, file.ContentSecurityPolicy)
		}
		if !isPage {
			continue
		}
		pages++
		directives := strings.Split(file.ContentSecurityPolicy, "; ")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self'", "connect-src 'self'",
			"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		} {
			if !slices.Contains(directives, want) {
				t.Errorf("%s: the policy lacks %q", file.Path, want)
			}
		}
		for _, refused := range []string{"unsafe", "*", "http", "blob:"} {
			if strings.Contains(file.ContentSecurityPolicy, refused) {
				t.Errorf("%s: the policy has %q", file.Path, refused)
			}
		}
	}
	if pages != 2 {
		t.Errorf("%d pages, want 2", pages)
	}
}

func TestFilesAreDistinctAndInOrder(t *testing.T) {
	t.Parallel()
	var paths []string
	for _, file := range apidocs.Files() {
		paths = append(paths, file.Path)
	}
	for i, file := range apidocs.Files() {
		if file.Path != paths[i] || slices.Index(paths, file.Path) != i {
			t.Errorf("file %d is %s in one list and %s in the next", i, paths[i], file.Path)
		}
	}
}

package apidocs_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"web-backend/internal/apidocs"
)

// knownHosts are the hosts whose addresses occur in the bundles. Each was
// checked: nothing is loaded from them. "http://" and an escaped "http:\/\/"
// without a host are parts of patterns.
var knownHosts = map[string]string{
	"":          "prefix that is compared or completed",
	"base":      "placeholder for resolving relative addresses",
	"fb.me":     "text of an error message",
	"react.dev": "text of an error message", "reactjs.org": "text of an error message",
	"reactrouter.com": "text of an error message", "redux.js.org": "text of an error message",
	"yarnpkg.com": "comment", "github.com": "comments and messages",
	"commonmark.org": "description in a schema", "en.wikipedia.org": "comment",
	"redocly.com":          "descriptions in schemas, and a link to click",
	"claude.ai":            "link to click, for MCP servers in the document only",
	"swagger.io":           "base that relative addresses are compared with",
	"vladimirgorej.com":    "placeholder for resolving relative addresses",
	"example.com":          "sample value",
	"localhost":            "placeholder for resolving relative addresses; default of the telemetry that is off",
	"www.w3.org":           "XML namespace",
	"datatracker.ietf.org": "comment in a grammar", "www.rfc-editor.org": "comment in a grammar",
	"json-schema.org": "name of a dialect", "spec.openapis.org": "name of a dialect",
	"spdx.org":       "link to click",
	"www.tiktok.com": "link to click", "twitter.com": "link to click", "instagram.com": "link to click",
	"www.facebook.com": "link to click", "soundcloud.com": "link to click",
}

var (
	absolute = regexp.MustCompile(`(?i)\b(?:https?|wss?):(?:\\?/){2}([a-z0-9._-]*)`)
	// A host without a scheme, at the start of a string.
	schemeless = regexp.MustCompile("[\"'`(]//[a-z0-9-]+\\.[a-z]")
	cssURL     = regexp.MustCompile(`url\(\s*["']?([^"')\s]*)`)
)

// TestNothingIsLoadedFromAnotherHost checks that the served files contain only
// addresses of known hosts. It cannot check whether minified code builds other
// addresses. The Content-Security-Policy of the pages protects against that: it
// allows a browser to connect only to the host of the page, and
// TestPoliciesAreStrict checks it.
func TestNothingIsLoadedFromAnotherHost(t *testing.T) {
	t.Parallel()
	root := serve(t, "")
	for _, file := range apidocs.Files() {
		if strings.HasPrefix(file.ContentType, "text/plain") {
			continue
		}
		t.Run(file.Path, func(t *testing.T) {
			t.Parallel()
			body := send(t, http.MethodGet, root+file.Path).body
			for _, match := range absolute.FindAllStringSubmatch(body, -1) {
				if _, known := knownHosts[strings.ToLower(match[1])]; !known {
					t.Errorf("names a new host, %q: see what for", match[0])
				}
			}
			if found := schemeless.FindString(body); found != "" {
				t.Errorf("names a host without a scheme: %s", found)
			}
			if strings.Contains(body, "sourceMappingURL") {
				t.Error("names a source map")
			}
			switch {
			case strings.HasPrefix(file.ContentType, "text/css"):
				if strings.Contains(body, "@import") {
					t.Error("imports another style sheet")
				}
				for _, match := range cssURL.FindAllStringSubmatch(body, -1) {
					if !strings.HasPrefix(match[1], "data:") {
						t.Errorf("loads %s", match[1])
					}
				}
			case strings.HasPrefix(file.ContentType, "text/html"):
				for _, element := range elements(t, body) {
					for _, reference := range references(element) {
						if target, err := url.Parse(reference); err != nil || target.Host != "" {
							t.Errorf("<%s> names another host: %s", element.Name.Local, reference)
						}
					}
				}
			}
		})
	}
}

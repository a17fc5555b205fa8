package api

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"web-backend/internal/auth"
)

// maxLoggedPath bounds a path in the log, in bytes.
const maxLoggedPath = 128

// loggedPath gives the path of a request for which there is no route, as the
// log may show it; "" for any other request. Whoever set up a client or a proxy
// wrongly needs it. Known paths are not logged: they hold ids of users.
//
// It is shortened. Bytes that could look like another part of the line, such as
// a space or "=", are percent-encoded, and what looks like a secret is "***".
// The query is never shown.
func (a *API) loggedPath(route string, status int, sent *url.URL) string {
	if route != unknownRoute || status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
		return ""
	}
	path := sent.Path // a token may be encoded in the escaped one, or hold a slash
	var shown strings.Builder
	for rest := path; rest != ""; {
		if shown.Len() >= maxLoggedPath {
			return shown.String() + "…"
		}
		secret := a.options.Access.OperatorTokens.LengthIn(rest)
		if secret == 0 && (len(rest) == len(path) || path[len(path)-len(rest)-1] == '/') {
			secret = secretSegment(rest)
		}
		switch c := rest[0]; {
		case secret > 0:
			shown.WriteString("***")
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("/-._~@:+*", c) >= 0:
			shown.WriteByte(c)
		default:
			fmt.Fprintf(&shown, "%%%02X", c)
		}
		rest = rest[max(secret, 1):]
	}
	return shown.String()
}

// userIDInPath matches the ids that are made here: where access is guarded, one
// opens all that is its user's.
var userIDInPath = regexp.MustCompile(`(?i)[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}`)

// secretSegment gives the length of the first segment of rest if it looks like
// a secret, else 0.
func secretSegment(rest string) int {
	segment, _, _ := strings.Cut(rest, "/")
	if auth.HoldsTokenPrefix(segment) || userIDInPath.MatchString(segment) || assignsSecret.MatchString(segment) {
		return len(segment)
	}
	return 0
}

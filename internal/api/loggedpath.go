package api

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"web-backend/internal/auth"
)

// maxLoggedPath is the maximum length of a path in the log, in bytes.
const maxLoggedPath = 128

// loggedPath returns the path of a request that matched no route, in the form
// that the log may show. For any other request it returns "". The path helps to
// find mistakes in the setup of a client or a proxy. Known paths are not logged
// because they contain user ids.
//
// The path is shortened. Bytes that could look like another part of the line,
// such as a space or "=", are percent-encoded. Text that looks like a secret is
// replaced by "***". The query is never shown.
func (a *API) loggedPath(route string, status int, sent *url.URL) string {
	if route != unknownRoute || status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
		return ""
	}
	path := sent.Path // unescaped: in the escaped path a token may be encoded, or may contain a slash
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

// userIDInPath matches the ids that this server makes. If access is guarded,
// such an id gives access to the data of its user.
var userIDInPath = regexp.MustCompile(`(?i)[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}`)

// secretSegment returns the length of the first segment of rest if it looks
// like a secret, and 0 otherwise.
func secretSegment(rest string) int {
	segment, _, _ := strings.Cut(rest, "/")
	if auth.HoldsTokenPrefix(segment) || userIDInPath.MatchString(segment) || assignsSecret.MatchString(segment) {
		return len(segment)
	}
	return 0
}

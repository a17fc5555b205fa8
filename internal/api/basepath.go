package api

import (
	"net/http"
	"net/url"
	"strings"
)

// belowBasePath serves next below the base path. Every other path gets a 404
// response. The base path itself is handled like the base path with a slash.
// The function replaces the URL in r, not in a copy of r, because the log line
// reads the route from r.
func (a *API) belowBasePath(next http.Handler) http.Handler {
	base := a.options.BasePath
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner, ok := stripBasePath(r.URL, base)
		if !ok {
			a.notFound(w, r)
			return
		}
		r.URL = inner
		next.ServeHTTP(w, r)
	})
}

// stripBasePath returns u relative to base, and false if u is not below base. A
// base path contains nothing that needs escaping, so an escaped spelling of it
// does not match.
func stripBasePath(u *url.URL, base string) (*url.URL, bool) {
	escaped, ok := strings.CutPrefix(u.EscapedPath(), base)
	if !ok || escaped != "" && escaped[0] != '/' {
		return nil, false
	}
	if escaped == "" {
		escaped = "/"
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, false
	}
	inner := *u
	inner.Path, inner.RawPath = path, escaped
	return &inner, true
}

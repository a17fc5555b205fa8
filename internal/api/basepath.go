package api

import (
	"net/http"
	"net/url"
	"strings"
)

// belowBasePath serves next below the base path and answers 404 to every other
// path. The base path itself leads where its "/" does. It replaces the URL in
// place, not in a copy of the request, as the log line reads the route from it.
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

// stripBasePath gives u as seen from base, if it is below it. A base path holds
// nothing that needs escaping, so a path that escapes it is another one.
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

package api

import "net/http"

// securityHeaders stand on every answer that a handler gives, errors and
// panics included. A page replaces the policy by its own, and a file that a
// browser may keep replaces Cache-Control.
//
// Strict-Transport-Security is left to the proxy that speaks TLS, also where
// this server speaks it itself: it binds every service of the host's name. Permissions-Policy is left out: the
// pages run no script but their own, and are framed by nobody.
//
// The names are in canonical form and the values are shared by all answers, so
// that a request allocates nothing for them: replace a value, never write into
// it.
var securityHeaders = []struct {
	name  string
	value []string
}{
	// What is no page loads nothing and runs nothing, even if a browser is
	// brought to show it as one.
	{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}}, // frame-ancestors, for older browsers
	// Paths hold the ids of users and characters.
	{"Referrer-Policy", []string{"no-referrer"}},
	// No page of another origin gets an answer into its process as an image or a
	// script, nor a handle on a window of ours. Requests in CORS mode are not
	// held to this (Fetch Standard, "cross-origin resource policy check"), so
	// enable_cors alone decides about them.
	{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
	{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
	// Nearly every answer tells something of a user.
	{"Cache-Control", []string{"no-store"}},
}

func setSecurityHeaders(header http.Header) {
	for _, h := range securityHeaders {
		header[h.name] = h.value
	}
}

// secure puts the security headers on every answer.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setSecurityHeaders(w.Header())
		next.ServeHTTP(w, r)
	})
}

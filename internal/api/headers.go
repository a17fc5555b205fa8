package api

import "net/http"

// securityHeaders are set on every response from a handler, including errors
// and panics. A page replaces the Content-Security-Policy with its own, and a
// file that a browser may cache replaces Cache-Control.
//
// Strict-Transport-Security is left to the TLS proxy because it applies to
// every service on the host name. It is not set even if this server uses TLS
// itself. Permissions-Policy is not needed: pages run only their own scripts
// and cannot be shown in frames.
//
// The names are in canonical form and all responses share the values, so that
// setting them does not allocate. Replace a value; never modify it.
var securityHeaders = []struct {
	name  string
	value []string
}{
	// A response that is not a page cannot load or run anything, even if a
	// browser is made to show it as a page.
	{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}}, // like frame-ancestors, for older browsers
	// Paths contain the ids of users and characters.
	{"Referrer-Policy", []string{"no-referrer"}},
	// Pages of other origins cannot load a response as an image or a script,
	// and cannot get a reference to one of our windows. The resource policy
	// does not apply to requests in CORS mode (Fetch Standard, "cross-origin
	// resource policy check"), so only enable_cors decides about those.
	{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
	{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
	// Nearly every response contains data of a user.
	{"Cache-Control", []string{"no-store"}},
}

func setSecurityHeaders(header http.Header) {
	for _, h := range securityHeaders {
		header[h.name] = h.value
	}
}

// secure sets the security headers on every response.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setSecurityHeaders(w.Header())
		next.ServeHTTP(w, r)
	})
}

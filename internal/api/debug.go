package api

import (
	"context"
	"net/http"
	"net/http/pprof"
)

// debugPath is the path at which Go tools look for profiles.
const debugPath = "/debug/pprof/"

// DebugHandler returns the handler for the operators' listener, which serves
// profiles and metrics of this process. Callers need an operator token. The
// Observer is not notified, because a profile that takes half a minute is not a
// slow request.
func (a *API) DebugHandler() http.Handler {
	options := a.options
	options.Observer = unobserved{}
	d := &API{service: a.service, log: a.log, options: options}

	mux := http.NewServeMux()
	handle := func(pattern string, endpoint endpoint) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := endpoint.handle(w, r); err != nil {
				d.writeError(w, r, err)
			}
		})
	}
	handle("GET /metrics", operator(d, d.metrics))
	for name, handler := range map[string]http.HandlerFunc{
		"{$}":     pprof.Index, // lists the profiles of runtime/pprof
		"{name}":  pprof.Index,
		"cmdline": hideCommandLine,
		"profile": pprof.Profile,
		"symbol":  pprof.Symbol,
		"trace":   pprof.Trace,
	} {
		handle("GET "+debugPath+name, operator(d, func(context.Context, *none) (page, error) { return page(handler), nil }))
	}
	mux.HandleFunc("/", d.notFound)
	return secure(d.logRequests(d.recoverPanics(d.canonicalPathsOnly(mux))))
}

// page is a response that an HTTP handler writes.
type page http.HandlerFunc

func (p page) write(_ *API, w http.ResponseWriter, r *http.Request) error {
	p(w, r)
	return nil
}

// hideCommandLine replaces pprof.Cmdline, because a flag may contain a password
// and no tool needs the command line.
func hideCommandLine(w http.ResponseWriter, _ *http.Request) {
	writeBytes(w, http.StatusOK, "text/plain; charset=utf-8", []byte("web-backend"))
}

package api

import (
	"context"
	"net/http"
	"net/http/pprof"
)

// debugPath is where Go's own tools look for profiles.
const debugPath = "/debug/pprof/"

// DebugHandler returns the handler of a listener for operators: profiles of
// this process and its metrics. Its callers need an operator token. It is not
// observed: a profile of half a minute is no slow request.
func (a *API) DebugHandler() http.Handler {
	options := a.options
	options.Observer = unobserved{}
	d := &API{service: a.service, log: a.log, options: options}

	mux := http.NewServeMux()
	handle := func(pattern string, endpoint endpoint) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := endpoint.handle(w, r); err != nil {
				d.answerError(w, r, err)
			}
		})
	}
	handle("GET /metrics", operator(d, d.metrics))
	for name, handler := range map[string]http.HandlerFunc{
		"{$}":     pprof.Index, // of the profiles that runtime/pprof knows
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

// page is an answer that an HTTP handler writes.
type page http.HandlerFunc

func (p page) write(_ *API, w http.ResponseWriter, r *http.Request) error {
	p(w, r)
	return nil
}

// hideCommandLine answers in place of pprof.Cmdline: a flag may hold a
// password, and no tool needs it.
func hideCommandLine(w http.ResponseWriter, _ *http.Request) {
	writeBytes(w, http.StatusOK, "text/plain; charset=utf-8", []byte("web-backend"))
}

// Package api is the HTTP face of web-backend: it decodes requests, checks
// their shape, calls the domain and encodes the result, as docs/contract.md
// defines it. routes.go is the table of everything that it serves.
package api

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/cors"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// Options are the choices of an operator that the API needs.
type Options struct {
	// LogFile is the file that /tail_log and /dowload_log_file show; "" if
	// there is none.
	LogFile string
	// FlushLog returns when the file has every line that was logged before; nil
	// if lines do not wait.
	FlushLog func()
	// MaxBodyBytes bounds a request body; a larger one is answered with 413.
	MaxBodyBytes int64
	// WriteTimeout bounds each write of a long answer, as the server's own
	// write timeout bounds a short one; 0 for no bound.
	WriteTimeout time.Duration
	// EnableCORS lets pages of other origins call the API; CORSOrigins, if not
	// empty, narrows it to these.
	EnableCORS  bool
	CORSOrigins []string
	// BasePath is where all routes lie below, such as /characters; "" for the
	// root. It begins with a slash, ends with none, and needs no escaping.
	BasePath string
	// Access says who may call what. Its zero value lets nobody in but where
	// everyone may.
	Access AccessOptions
	// Motion is what is served of motion files.
	Motion MotionOptions
	// Unready is why the server is not ready although its store answers; "" if it
	// is. Everyone may read it.
	Unready string
	// Observer is told of every request; nil for none.
	Observer Observer
	// Metrics writes what GET /metrics answers, in Prometheus' text format; nil
	// for none.
	Metrics func(w io.Writer) error
}

// API answers HTTP requests with what a [backend.Service] says.
type API struct {
	service *backend.Service
	log     *slog.Logger
	options Options

	motion       *motionFiles
	bodies       *bodyRoom
	known        *auth.KnownAddresses
	proxyWarning sync.Once // see warnOfUntrustedProxy
}

// knownAddresses is how many pairs of a user name and an address are remembered.
const knownAddresses = 20_000

// New returns an API on service that logs one line per request to log.
func New(service *backend.Service, log *slog.Logger, options Options) *API {
	if options.Observer == nil {
		options.Observer = unobserved{}
	}
	return &API{
		service: service, log: log, options: options, motion: newMotionFiles(options.Motion),
		bodies: newBodyRoom(options.MaxBodyBytes), known: auth.NewKnownAddresses(knownAddresses),
	}
}

// Handler returns the handler of every route.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	allowed := map[string][]string{} // path → methods
	for _, route := range a.routes() {
		mux.Handle(route.method+" "+pattern(route.path), route.handler)
		allowed[route.path] = append(allowed[route.path], route.method)
	}
	for path, methods := range allowed {
		mux.Handle(pattern(path), a.methodNotAllowed(methods))
	}
	mux.HandleFunc("/", a.unknownPath(mux))

	// From the inside out. Every answer has the security headers, an id and a log
	// line, so these are outermost; a panic becomes an answer inside them; an
	// error answer needs the CORS headers as well, or a page could not read it.
	handler := a.canonicalPathsOnly(mux)
	if a.options.BasePath != "" {
		handler = a.belowBasePath(handler)
	}
	if a.options.EnableCORS {
		handler = a.cors().Handler(handler)
	}
	handler = a.recoverPanics(handler)
	return secure(a.logRequests(handler))
}

// pattern gives the ServeMux pattern of a route's path: "/" alone would match
// everything.
func pattern(path string) string {
	if path == "/" {
		return "/{$}"
	}
	return path
}

// cors allows any origin, or those configured, with credentials: the origin is
// echoed (contract §1).
func (a *API) cors() *cors.Cors {
	return cors.New(cors.Options{
		AllowOriginFunc: a.allowsCORS,
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		AllowedHeaders:   []string{"*"},
		ExposedHeaders:   []string{requestIDHeader, "Content-Disposition", "Retry-After", "Www-Authenticate", warningHeader},
		AllowCredentials: true,
		MaxAge:           7200, // seconds; Chromium keeps an answer no longer, Firefox for a day
	})
}

// allowsCORS reports whether pages of an origin may call the API, where
// EnableCORS lets any.
func (a *API) allowsCORS(origin string) bool {
	for _, allowed := range a.options.CORSOrigins {
		if strings.EqualFold(origin, allowed) {
			return true
		}
	}
	return len(a.options.CORSOrigins) == 0
}

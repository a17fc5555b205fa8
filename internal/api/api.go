// Package api is the HTTP interface of web-backend. It decodes requests, checks
// their structure, calls the domain and encodes its results, as specified in
// docs/contract.md. All routes are listed in routes.go.
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

// Options are the settings that the API needs.
type Options struct {
	// LogFile is the file that /tail_log and /dowload_log_file show, or "" if
	// there is none.
	LogFile string
	// FlushLog returns when all lines logged before the call are in the file.
	// It is nil if lines are written at once.
	FlushLog func()
	// MaxBodyBytes is the maximum size of a request body. A larger body gets a
	// 413 response.
	MaxBodyBytes int64
	// WriteTimeout limits each write of a long response, as the write timeout
	// of the server limits a short one; 0 means no limit.
	WriteTimeout time.Duration
	// EnableCORS allows pages of other origins to call the API. If CORSOrigins
	// is not empty, only these origins are allowed.
	EnableCORS  bool
	CORSOrigins []string
	// BasePath is the prefix of all routes, such as /characters, or "" for the
	// root. It must begin with a slash, must not end with one, and must not
	// need escaping.
	BasePath string
	// Access configures which callers may use which routes. Its zero value
	// allows only the public routes.
	Access AccessOptions
	// Motion configures the motion file routes.
	Motion MotionOptions
	// Unready is the reason why the server is not ready although its store
	// responds, or "" if it is ready. The text is public.
	Unready string
	// Observer is notified of every request; it may be nil.
	Observer Observer
	// Metrics writes the response to GET /metrics, in the text format of
	// Prometheus. If it is nil, there are no metrics.
	Metrics func(w io.Writer) error
}

// API serves a [backend.Service] over HTTP.
type API struct {
	service *backend.Service
	log     *slog.Logger
	options Options

	motion       *motionFiles
	bodies       *bodyRoom
	known        *auth.KnownAddresses
	proxyWarning sync.Once // see warnOfUntrustedProxy
	mounts       []mount
}

// knownAddresses is the maximum number of pairs of user name and address that
// are remembered.
const knownAddresses = 20_000

// New returns an API for service. It logs one line per request to log.
func New(service *backend.Service, log *slog.Logger, options Options) *API {
	if options.Observer == nil {
		options.Observer = unobserved{}
	}
	return &API{
		service: service, log: log, options: options, motion: newMotionFiles(options.Motion),
		bodies: newBodyRoom(options.MaxBodyBytes), known: auth.NewKnownAddresses(knownAddresses),
	}
}

// Handler returns the handler for all routes.
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
	for _, m := range a.mounts {
		mux.Handle(m.path, m.handler)
		mux.Handle(m.path+"/", m.handler)
	}
	mux.HandleFunc("/", a.unknownPath(mux))

	// From the inside out. Every response has the security headers, a request
	// id and a log line, so these are outermost. Panics are turned into
	// responses inside them. Error responses also need the CORS headers;
	// otherwise a page could not read them.
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

// pattern returns the ServeMux pattern for the path of a route. The pattern "/"
// alone would match every path.
func pattern(path string) string {
	if path == "/" {
		return "/{$}"
	}
	return path
}

// cors allows any origin, or the configured ones, with credentials. The
// response repeats the origin of the request (contract §1).
func (a *API) cors() *cors.Cors {
	return cors.New(cors.Options{
		AllowOriginVaryRequestFunc: func(r *http.Request, origin string) (bool, []string) {
			// Pages of other origins must not read the mounted pages, which the
			// browser requests with a cookie.
			return a.allowsCORS(origin) && !a.isMounted(requestFrom(r.Context()).url), nil
		},
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		AllowedHeaders:   []string{"*"},
		ExposedHeaders:   []string{requestIDHeader, "Content-Disposition", "Retry-After", "Www-Authenticate", warningHeader},
		AllowCredentials: true,
		MaxAge:           7200, // seconds; Chromium keeps the result no longer, Firefox for a day
	})
}

// allowsCORS reports whether pages of an origin may call the API if EnableCORS
// is set.
func (a *API) allowsCORS(origin string) bool {
	for _, allowed := range a.options.CORSOrigins {
		if strings.EqualFold(origin, allowed) {
			return true
		}
	}
	return len(a.options.CORSOrigins) == 0
}

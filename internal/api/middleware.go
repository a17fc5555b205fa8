package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// requestIDHeader carries the id of a request. The server uses the id from the
// client if it has the right form, and makes one otherwise. The id is sent in
// the response and logged. The header name is in canonical form, as in header
// maps.
const requestIDHeader = "X-Request-Id"

var requestIDFormat = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// request is what the middleware knows about one request in addition to the
// HTTP request.
type request struct {
	url *url.URL  // as it was sent; belowBasePath and hideLoneSlashes replace the URL of the HTTP request
	id  [1]string // an array, so that id[:] can be the value of a header
	// loggedID is the id for the log and for traces. It is "***" if the client
	// sent an operator token as the id.
	loggedID string
	trace    string // id of the trace of the request; "" for none
	err      error  // cause of a response with status 500 or above, or of one that was cut off
	stack    []byte // of the panic that caused err
	// fault is the reason for a response with status 400 to 499, without
	// anything that the client sent.
	fault string
	// unknownFields reports that the body contained only fields that were
	// ignored; see plan.missed.
	unknownFields bool
	quiet         bool // do not log the request if it succeeds
	lasting       bool // see ObservedRequest
	// reason is only for the log: why there is no resource, or how a WebSocket
	// ended.
	reason string
	sent   int64  // bytes sent in WebSocket messages
	logged func() // called after the log line is written; may be nil
	// client is the address of the client, for limits and for the log line of a
	// refusal.
	client netip.Addr
	// untrustedProxy reports that the peer claims to forward requests but is
	// not a trusted proxy.
	untrustedProxy bool
	tried          bool // the request has counted as an attempt on an account
	// overLimit is how long the address must wait before its next attempt on an
	// account; 0 if an attempt was left.
	overLimit time.Duration
	refused   bool // a request to an account endpoint was refused in a 200 response
	// retryAfter is the number of seconds after which a refused request to an
	// account endpoint may be tried again; 0 if the reason for the refusal was
	// not a limit.
	retryAfter int
	// caller and userID are for the log of operator actions. caller describes
	// the caller; it is "" if neither the route nor the caller is an
	// operator's. userID is the user that the request changed.
	caller, userID string
	// token is the bearer token. It is empty if there is none, or if it is not
	// usable, for example because there are two. tokenSent distinguishes these
	// cases.
	token     backend.Secret
	tokenSent bool
}

type requestKey struct{}

// requestFrom returns the request that logRequests stored in ctx.
func requestFrom(ctx context.Context) *request {
	if info, ok := ctx.Value(requestKey{}).(*request); ok {
		return info
	}
	return &request{} // a handler in a test, without the middleware
}

// logRequests gives each request an id and logs one line after the response. A
// response with status 500 or above, or one that was cut off, is logged as an
// error. A mistake of the client is logged as a warning.
func (a *API) logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		info := &request{url: r.URL, client: a.clientOf(r)}
		info.untrustedProxy = r.Header["X-Forwarded-For"] != nil && !a.options.Access.Proxies.Trusts(peerOf(r))
		info.token, info.tokenSent = bearerToken(r.Header)
		chosen := r.Header.Get(requestIDHeader)
		info.id[0] = requestID(chosen)
		if info.loggedID = info.id[0]; chosen != "" {
			info.loggedID = a.hideToken(info.loggedID)
		}
		w.Header()[requestIDHeader] = info.id[:]
		recorder := &recorder{ResponseWriter: w}
		ctx, trace := a.options.Observer.Begin(r.Context(), r.Header)
		info.trace = trace
		r = r.WithContext(context.WithValue(ctx, requestKey{}, info))
		defer func() {
			duration := time.Since(start)
			a.options.Observer.End(ctx, observed(r, info, recorder, duration))
			a.logRequest(r, info, recorder, duration)
			if info.logged != nil {
				info.logged()
			}
		}()
		next.ServeHTTP(recorder, r)
	})
}

// requestID returns the id that the client chose. It makes a new id if that one
// does not have the right form or looks like a token of this server. It must
// not depend on the operator tokens: otherwise the response would reveal
// whether a guess is right.
func requestID(chosen string) string {
	if !requestIDFormat.MatchString(chosen) || auth.HasTokenPrefix(chosen) {
		return uuid.NewString()
	}
	return chosen
}

// hideToken returns a text from a client, or "***" if the text is a token. The
// result is only for the log: a response must not contain it, because it
// reveals whether the text is an operator token.
func (a *API) hideToken(text string) string {
	if auth.HasTokenPrefix(text) || a.options.Access.OperatorTokens.Match(backend.NewSecret(text)) > 0 {
		return "***"
	}
	return text
}

func (a *API) logRequest(r *http.Request, info *request, w *recorder, duration time.Duration) {
	if info.quiet && info.err == nil && w.status < http.StatusBadRequest {
		return
	}
	sent := w.bytes + info.sent
	if r.Method == http.MethodHead {
		sent = 0 // the server discards the body
	}
	route := routeOf(r)
	attrs := []slog.Attr{
		slog.String("request_id", info.loggedID),
		slog.String("method", methodOf(r, "other")),
		slog.String("route", route),
		slog.Int("status", w.status),
		slog.Duration("duration", duration),
		slog.Int64("bytes", sent),
	}
	if path := a.loggedPath(route, w.status, info.url); path != "" {
		attrs = append(attrs, slog.String("path", path))
	}
	if info.trace != "" {
		attrs = append(attrs, slog.String("trace_id", info.trace))
	}
	attrs = append(attrs, a.audit(r, info, w)...)
	if info.refused {
		attrs = append(attrs, slog.Bool("refused", true))
	}
	if info.retryAfter > 0 {
		attrs = append(attrs, slog.Int("retry_after", info.retryAfter)) // distinguishes a limit from a wrong password
	}
	if info.refused || clientErrors[w.status] || info.tried && w.status >= http.StatusBadRequest {
		attrs = append(attrs, slog.String("client", info.client.String())) // for tools that ban addresses
	}
	level := logLevel(r, info, w)
	if barred := a.barredByCORS(r); barred != "" {
		level = max(level, slog.LevelInfo)                 // even for a preflight: the page sends no request after it
		attrs = append(attrs, slog.String("cors", barred)) // not the origin, which can contain anything, even a token
	}
	a.log.LogAttrs(r.Context(), level, "request", append(attrs, info.causes()...)...)
}

// barredByCORS returns why the browser does not give the response to the page
// that sent the request: "disabled" if enable_cors is off, "refused" if the
// origin of the page is not in cors_origins, and "" if the browser gives it the
// response. Pages of this server do not need permission.
func (a *API) barredByCORS(r *http.Request) string {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return ""
	}
	site := r.Header.Get("Sec-Fetch-Site") // needed because behind a proxy, Host may differ from the host of the page
	page, err := url.Parse(origin)
	switch {
	case site == "same-origin" || site == "none" || err == nil && strings.EqualFold(page.Host, r.Host):
		return ""
	case !a.options.EnableCORS:
		return "disabled"
	case !a.allowsCORS(origin) || a.isMounted(requestFrom(r.Context()).url):
		return "refused"
	}
	return ""
}

// causes returns the log attributes that explain the response.
func (info *request) causes() (attrs []slog.Attr) {
	if info.reason != "" {
		attrs = append(attrs, slog.String("reason", info.reason))
	}
	if info.err != nil {
		attrs = append(attrs, slog.String("error", info.err.Error()))
	}
	if info.fault != "" {
		attrs = append(attrs, slog.String("error", info.fault))
	}
	if info.unknownFields {
		attrs = append(attrs, slog.String("warning", unknownFieldsText))
	}
	if info.stack != nil {
		attrs = append(attrs, slog.String("stack", string(info.stack)))
	}
	return attrs
}

// logLevel returns the level of the log line, according to the result of the
// request.
func logLevel(r *http.Request, info *request, w *recorder) slog.Level {
	switch {
	case errors.Is(info.err, context.Canceled):
		return slog.LevelWarn // the client has disconnected, which is not an error of the server
	case w.status >= http.StatusInternalServerError || info.err != nil:
		return slog.LevelError
	case w.status >= http.StatusBadRequest || info.unknownFields:
		return slog.LevelWarn
	case w.status == http.StatusNoContent && r.Method == http.MethodOptions:
		return slog.LevelDebug // a preflight (see cors): the request after it has its own log line
	}
	return slog.LevelInfo
}

// audit returns the log attributes for an operator action: who did it, and to
// which user.
func (a *API) audit(r *http.Request, info *request, w *recorder) []slog.Attr {
	if info.caller == "" {
		return nil
	}
	attrs := []slog.Attr{slog.String("caller", info.caller)}
	// Log the id only of a successful request: an unknown id may be anything,
	// even a misplaced secret.
	if info.userID != "" && r.Method == http.MethodPost && w.status < http.StatusBadRequest {
		const most = 128 // bytes; ids that this server makes have 36
		attrs = append(attrs, slog.String("user_id", loggedText(a.hideToken(info.userID), most)))
	}
	return attrs
}

// loggedText returns a text from a client, such as a user id, in the form that
// the log shows. It shortens the text to most bytes and replaces characters
// that could look like another part of the line, such as a space or "=", by
// "_".
func loggedText(text string, most int) string {
	shown := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-._@+:/", r) || r == '*' {
			return r
		}
		return '_'
	}, text[:min(len(text), most)])
	if len(text) > most {
		shown += "…"
	}
	return shown
}

// clientErrors are the status codes of requests that were not allowed.
var clientErrors = map[int]bool{
	http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusTooManyRequests: true,
}

// methodOf returns the method if it is a standard HTTP method, and other if it
// is not, because a client can send anything.
func methodOf(r *http.Request, other string) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return other
}

// unknownRoute is the route of a path that does not exist.
const unknownRoute = "unknown"

// routeOf returns the route that matched. It never returns the path, because a
// path can contain anything. The log shows the path only if no route matched;
// see loggedPath.
func routeOf(r *http.Request) string {
	start := strings.IndexByte(r.Pattern, '/')
	if start < 0 {
		return unknownRoute
	}
	switch route := r.Pattern[start:]; route {
	case "/":
		return unknownRoute
	case "/{$}":
		return "/"
	default:
		return route
	}
}

// recorder records the status and the size of a response.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap gives http.ResponseController access to the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// recoverPanics responds to a panic with status 500 and adds the stack to the
// log line. It passes on http.ErrAbortHandler, with which a handler aborts a
// response that it has begun.
func (a *API) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			info := requestFrom(r.Context())
			info.stack = debug.Stack()
			err := fmt.Errorf("panic: %v", v)
			if started, ok := w.(*recorder); ok && started.status != 0 {
				info.err = err
				panic(http.ErrAbortHandler) // the client must not take an incomplete response for a complete one
			}
			a.writeError(w, r, err)
		}()
		next.ServeHTTP(w, r)
	})
}

// canonicalPathsOnly responds with 404 to "*" and to a path with "//", "." or
// "..", for which ServeMux would redirect. The contract has no such paths. Ids
// may contain anything in their escaped form.
func (a *API) canonicalPathsOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := r.URL.EscapedPath()
		clean := path.Clean(escaped)
		if strings.HasSuffix(escaped, "/") && clean != "/" {
			clean += "/"
		}
		if clean != escaped || !strings.HasPrefix(escaped, "/") {
			a.notFound(w, r)
			return
		}
		hideLoneSlashes(r, escaped)
		next.ServeHTTP(w, r)
	})
}

// loneSlash replaces an id that is only "/" in a path, because ServeMux takes
// the segment "%2F" for a trailing slash. Clients cannot guess it.
var loneSlash = uuid.NewString()

func hideLoneSlashes(r *http.Request, escaped string) {
	if !strings.Contains(escaped, "%2") {
		return
	}
	segments := strings.Split(escaped, "/")
	found := false
	for i, segment := range segments {
		if strings.EqualFold(segment, "%2F") {
			segments[i], found = loneSlash, true
		}
	}
	if !found {
		return
	}
	hidden := *r.URL
	hidden.RawPath = strings.Join(segments, "/")
	hidden.Path, _ = url.PathUnescape(hidden.RawPath) // no error: the path was escaped correctly
	r.URL = &hidden
}

// pathValue returns the value of a path parameter.
func pathValue(r *http.Request, name string) string {
	if value := r.PathValue(name); value != loneSlash {
		return value
	}
	return "/"
}

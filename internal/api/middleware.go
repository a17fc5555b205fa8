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

// requestIDHeader carries the id of a request: taken from the client if it
// looks like one, made otherwise, answered, and logged. The name is in
// canonical form, as header maps have it.
const requestIDHeader = "X-Request-Id"

var requestIDFormat = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// request is what the middleware knows of one request beside HTTP's own.
type request struct {
	url *url.URL  // as it was sent: belowBasePath and hideLoneSlashes replace that of the request
	id  [1]string // one element, to be the value of a header as it is
	// loggedID is the id for log and traces: "***" if it is an operator token
	// in the wrong header.
	loggedID string
	trace    string // id of the trace that it belongs to; "" for none
	err      error  // the cause of an answer of 500 and above, or of one that broke off
	stack    []byte // of the panic that caused it
	// fault is why an answer of 400 to 499 is as it is, without what the client sent.
	fault string
	// unknownFields: of the body, all that was asked for was ignored.
	unknownFields bool
	quiet         bool // no log line if it succeeds
	// reason is for the log alone: why there is nothing, or how a WebSocket ended.
	reason string
	sent   int64  // bytes of a WebSocket's messages
	logged func() // called after the log line; nil for nothing
	// client is who asks, for limits and for the log line of a refusal.
	client netip.Addr
	// untrustedProxy: the peer says that it forwards for another, and nobody
	// said that it may.
	untrustedProxy bool
	tried          bool // it counted as a try at an account
	// overLimit is how long the address has to wait for its next try at an
	// account; 0 if it had one left.
	overLimit time.Duration
	refused   bool // an account operation was refused, in a 200
	// retryAfter is in how many seconds a refused account operation may be tried
	// again; 0 if it was refused for another reason than a limit.
	retryAfter int
	// caller and userID are for the log of what operators do: who called, "" if
	// neither the route nor the caller is an operator's, and the user whom it
	// changed.
	caller, userID string
	// token is the bearer token; empty for none, and for one that cannot count,
	// such as two of them. tokenSent tells these apart.
	token     backend.Secret
	tokenSent bool
}

type requestKey struct{}

// requestFrom gives the request of ctx, which logRequests put there.
func requestFrom(ctx context.Context) *request {
	if info, ok := ctx.Value(requestKey{}).(*request); ok {
		return info
	}
	return &request{} // a handler under test, without the middleware
}

// logRequests gives each request an id and logs one line when it has been
// answered. An answer of 500 and above is an error, and so is one that broke
// off; a client's mistake is a warning.
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

// requestID gives the id that a client chose, unless it does not look like one,
// or looks like a token that was made here. It must not depend on what the
// operator's tokens are: the answer would tell whether a guess is right.
func requestID(chosen string) string {
	if !requestIDFormat.MatchString(chosen) || auth.HasTokenPrefix(chosen) {
		return uuid.NewString()
	}
	return chosen
}

// hideToken gives text, a client's own, as the log may show it: not if it is a
// token. No answer may show what it gives.
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
		sent = 0 // the server throws the body away
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
		attrs = append(attrs, slog.Int("retry_after", info.retryAfter)) // tells a limit from a wrong password
	}
	if info.refused || refusals[w.status] || info.tried && w.status >= http.StatusBadRequest {
		attrs = append(attrs, slog.String("client", info.client.String())) // for whoever bans addresses
	}
	level := logLevel(r, info, w)
	if barred := a.barredByCORS(r); barred != "" {
		level = max(level, slog.LevelInfo)                 // also of a preflight: the page sends nothing after it
		attrs = append(attrs, slog.String("cors", barred)) // the origin can hold anything, a token too
	}
	a.log.LogAttrs(r.Context(), level, "request", append(attrs, info.causes()...)...)
}

// barredByCORS says why the browser keeps the answer from the page that asked:
// "disabled" without enable_cors, "refused" if its origin is not in
// cors_origins; "" if it does not. A page of the server itself needs no leave.
func (a *API) barredByCORS(r *http.Request) string {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return ""
	}
	site := r.Header.Get("Sec-Fetch-Site") // behind a proxy, Host need not be that of the page
	page, err := url.Parse(origin)
	switch {
	case site == "same-origin" || site == "none" || err == nil && strings.EqualFold(page.Host, r.Host):
		return ""
	case !a.options.EnableCORS:
		return "disabled"
	case !a.allowsCORS(origin):
		return "refused"
	}
	return ""
}

// causes are what the log says of why an answer is as it is.
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

// logLevel is how serious what became of a request is.
func logLevel(r *http.Request, info *request, w *recorder) slog.Level {
	switch {
	case errors.Is(info.err, context.Canceled):
		return slog.LevelWarn // the client went away, which is no fault of ours
	case w.status >= http.StatusInternalServerError || info.err != nil:
		return slog.LevelError
	case w.status >= http.StatusBadRequest || info.unknownFields:
		return slog.LevelWarn
	case w.status == http.StatusNoContent && r.Method == http.MethodOptions:
		return slog.LevelDebug // a preflight (see cors): the request that it asks for has a line of its own
	}
	return slog.LevelInfo
}

// audit is what the log says of who did what as an operator, and on whom.
func (a *API) audit(r *http.Request, info *request, w *recorder) []slog.Attr {
	if info.caller == "" {
		return nil
	}
	attrs := []slog.Attr{slog.String("caller", info.caller)}
	// What is no user's id may be anything, a secret in the wrong place too.
	if info.userID != "" && r.Method == http.MethodPost && w.status == http.StatusOK {
		const most = 128 // bytes; those that are made here have 36
		attrs = append(attrs, slog.String("user_id", loggedText(a.hideToken(info.userID), most)))
	}
	return attrs
}

// loggedText returns a text of a client, such as a user id, as the log shows it:
// it is shortened to most bytes, and what could look like another part of the
// line, such as a space or "=", is shown as "_".
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

// refusals are the statuses of a request that was not let in.
var refusals = map[int]bool{
	http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusTooManyRequests: true,
}

// methodOf names the method if it is one of HTTP, else gives other: a client
// can send anything.
func methodOf(r *http.Request, other string) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return other
}

// unknownRoute is the route of a path that there is not.
const unknownRoute = "unknown"

// routeOf names the route that matched, never the path: a path can hold
// anything. The log has the path only where no route matched, see loggedPath.
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

// recorder notes status and size of an answer.
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

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// recoverPanics answers a panic with a 500 and leaves its stack to the log
// line. http.ErrAbortHandler passes: it is how a handler breaks off an answer
// that it has begun.
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
				panic(http.ErrAbortHandler) // the client must not take the rest for whole
			}
			a.answerError(w, r, err)
		}()
		next.ServeHTTP(w, r)
	})
}

// canonicalPathsOnly answers 404 to a path that holds "//", "." or "..", for
// which ServeMux would redirect, and to "*": docs/contract.md has no such
// path. Ids may hold anything in their escaped form.
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

// loneSlash stands in a path for an id that is "/" and nothing else: ServeMux
// takes the segment "%2F" for a trailing slash. Nobody can guess it.
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
	hidden.Path, _ = url.PathUnescape(hidden.RawPath) // it came from an escaped path
	r.URL = &hidden
}

// pathValue is the value of a path parameter.
func pathValue(r *http.Request, name string) string {
	if value := r.PathValue(name); value != loneSlash {
		return value
	}
	return "/"
}

package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"web-backend/internal/backend"
)

// Observer is notified of every request, for metrics and traces. Its methods
// delay the request, so they must not block or panic. They are called
// concurrently.
type Observer interface {
	// Begin is called before a request is handled. It returns the context for
	// handling the request, which is ctx or derived from it, and the id of the
	// trace of the request, for the log line. The id is "" if there is no
	// trace.
	Begin(ctx context.Context, header http.Header) (_ context.Context, traceID string)

	// End is called after the response, with the context that Begin returned.
	End(ctx context.Context, request ObservedRequest)

	// Login is called at the end of each login.
	Login(outcome LoginOutcome)

	// RateLimited is called when a limit has refused an attempt.
	RateLimited(limit RateLimitName)
}

// ObservedRequest describes a request to an [Observer]. Only ID may contain
// text of the client: at most 64 harmless characters.
type ObservedRequest struct {
	ID       string
	Method   string // a standard HTTP method, otherwise "other"
	Route    string // the pattern that matched, otherwise "unknown"; never the path
	Scheme   string // http or https
	Status   int
	Bytes    int64 // of the response body
	Duration time.Duration
	// Lasting reports that the response goes on for as long as the client wants,
	// such as a WebSocket. So Duration says nothing about the server.
	Lasting bool
	// Broken reports that the response failed because of the server, or was cut
	// off.
	Broken bool
}

// LoginOutcome is how a login ended.
type LoginOutcome string

// The outcomes of a login.
const (
	LoginSuccess LoginOutcome = "success"
	LoginRefused LoginOutcome = "refused"  // unknown name or wrong password
	LoginTooMany LoginOutcome = "too_many" // refused by a rate limit or by the queue of password hashes
	LoginFailed  LoginOutcome = "failed"   // the request was malformed, or the store did not respond
)

// LoginOutcomes lists all login outcomes.
var LoginOutcomes = []LoginOutcome{LoginSuccess, LoginRefused, LoginTooMany, LoginFailed}

// RateLimitName is the name of a limit in [AccessOptions].
type RateLimitName string

// Names of the limits.
const (
	AddressLimit  RateLimitName = "address"
	UsernameLimit RateLimitName = "username"
	WriteLimit    RateLimitName = "writes"
)

// RateLimitNames lists all names of limits.
var RateLimitNames = []RateLimitName{AddressLimit, UsernameLimit, WriteLimit}

// unobserved is an observer that does nothing.
type unobserved struct{}

func (unobserved) Begin(ctx context.Context, _ http.Header) (context.Context, string) { return ctx, "" }
func (unobserved) End(context.Context, ObservedRequest)                               {}
func (unobserved) Login(LoginOutcome)                                                 {}
func (unobserved) RateLimited(RateLimitName)                                          {}

// loginOutcomeOf returns the outcome of a login that returned err.
func loginOutcomeOf(info *request, err error) LoginOutcome {
	_, refused := errors.AsType[*backend.Refusal](err)
	switch {
	case info.retryAfter > 0:
		return LoginTooMany
	case refused:
		return LoginRefused
	case err != nil:
		return LoginFailed
	}
	return LoginSuccess
}

// observed returns the description of a finished request.
func observed(r *http.Request, info *request, w *recorder, duration time.Duration) ObservedRequest {
	status := w.status
	if status == 0 {
		status = http.StatusOK // what the server sends if the handler sends nothing
	}
	return ObservedRequest{
		ID: info.loggedID, Method: methodOf(r, "other"), Route: routeOf(r), Scheme: schemeOf(r),
		Status: status, Bytes: w.bytes + info.sent, Duration: duration,
		Lasting: info.lasting || status == http.StatusSwitchingProtocols,
		Broken:  status >= http.StatusInternalServerError || (info.err != nil && !errors.Is(info.err, context.Canceled)),
	}
}

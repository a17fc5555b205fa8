package api

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Observer is told of every request, for metrics and traces. Its methods run
// in the way of the request: they must neither wait nor panic. They are called
// concurrently.
type Observer interface {
	// Begin is called before a request is handled. It gives ctx, or one made of
	// it that the handling is to have, and the id of the trace that the request
	// belongs to, for its log line; "" for none.
	Begin(ctx context.Context, header http.Header) (_ context.Context, traceID string)

	// End is called when the request has been answered, with what Begin gave.
	End(ctx context.Context, request ObservedRequest)

	// Login is called when a login has ended.
	Login(outcome LoginOutcome)

	// RateLimited is called when a limit has refused a try.
	RateLimited(limit RateLimitName)
}

// ObservedRequest is what an [Observer] learns of a request. Nothing in it but
// ID is a client's own words, and an ID is 64 harmless characters at the most.
type ObservedRequest struct {
	ID       string
	Method   string // of HTTP's methods, else "other"
	Route    string // the pattern that matched, else "unknown"; never the path
	Scheme   string // http or https
	Status   int
	Bytes    int64 // of the body that was sent
	Duration time.Duration
	// Broken tells that the answer is the server's fault, or broke off.
	Broken bool
}

// LoginOutcome is how a login ended.
type LoginOutcome string

// The outcomes of a login.
const (
	LoginSuccess LoginOutcome = "success"
	LoginRefused LoginOutcome = "refused"  // unknown name or wrong password
	LoginTooMany LoginOutcome = "too_many" // a rate limit, or the queue of password hashes
	LoginFailed  LoginOutcome = "failed"   // the request was malformed, or the store did not answer
)

// LoginOutcomes are all of them.
var LoginOutcomes = []LoginOutcome{LoginSuccess, LoginRefused, LoginTooMany, LoginFailed}

// RateLimitName names a limit of [AccessOptions].
type RateLimitName string

// The limits.
const (
	AddressLimit  RateLimitName = "address"
	UsernameLimit RateLimitName = "username"
	WriteLimit    RateLimitName = "writes"
)

// RateLimitNames are all of them.
var RateLimitNames = []RateLimitName{AddressLimit, UsernameLimit, WriteLimit}

// unobserved is the observer of who wants none.
type unobserved struct{}

func (unobserved) Begin(ctx context.Context, _ http.Header) (context.Context, string) { return ctx, "" }
func (unobserved) End(context.Context, ObservedRequest)                               {}
func (unobserved) Login(LoginOutcome)                                                 {}
func (unobserved) RateLimited(RateLimitName)                                          {}

// loginOutcomeOf tells how a login ended that was answered with result or err.
func loginOutcomeOf(info *request, result outcome, err error) LoginOutcome {
	switch {
	case info.retryAfter > 0:
		return LoginTooMany
	case err != nil:
		return LoginFailed
	case result.AuthCode == authDone:
		return LoginSuccess
	}
	return LoginRefused
}

// observed describes a request that was answered.
func observed(r *http.Request, info *request, w *recorder, duration time.Duration) ObservedRequest {
	status := w.status
	if status == 0 {
		status = http.StatusOK // what the server makes of no answer at all
	}
	return ObservedRequest{
		ID: info.loggedID, Method: methodOf(r, "other"), Route: routeOf(r), Scheme: schemeOf(r),
		Status: status, Bytes: w.bytes + info.sent, Duration: duration,
		Broken: status >= http.StatusInternalServerError || (info.err != nil && !errors.Is(info.err, context.Canceled)),
	}
}

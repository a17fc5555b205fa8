package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// AccessOptions say who may call what; see docs/security.md.
type AccessOptions struct {
	Mode auth.Mode
	// LocalOperator lets a program on this machine call what is at
	// [auth.LocalOperator] without a token, where access is guarded.
	LocalOperator bool
	// OperatorTokens open every route.
	OperatorTokens auth.OperatorTokens
	// Proxies are believed when they say whom they speak for.
	Proxies auth.Proxies
	// AddressTries, PairTries and UsernameTries bound how often an account may
	// be tried: from a client address, at a user name from an address, and at a
	// user name from all addresses but those that have logged the user in; nil
	// for no bound. AddressTries counts wrong operator tokens, too.
	AddressTries, PairTries, UsernameTries *auth.RateLimit
	// UserWrites bounds how often the data of one user may be changed, by user
	// id; nil for no bound.
	UserWrites *auth.RateLimit
}

// selfProving is a request that may carry a password, which then proves the
// caller better than a token: such a request is public.
type selfProving interface{ provesItself() bool }

// ownedRequest is a request for what one user owns.
type ownedRequest interface{ ownerID() string }

// public, owner, localOperator and operator say who may call fn, and adapt it to HTTP. There
// is no other way to make an endpoint, so every route has its level.

func public[In, Out any](a *API, fn func(ctx context.Context, in *In) (Out, error)) endpoint {
	return serve(a, auth.Public, fn)
}

// owner is for routes that name a user, in the path or the body.
func owner[In any, P interface {
	*In
	ownedRequest
}, Out any](a *API, fn func(ctx context.Context, in P) (Out, error)) endpoint {
	return serve(a, auth.Owner, func(ctx context.Context, in *In) (Out, error) { return fn(ctx, in) })
}

// localOperator is for the operator's routes of docs/contract.md, which old
// clients on this machine call without a token. No other route may have this
// level.
func localOperator[In, Out any](a *API, fn func(ctx context.Context, in *In) (Out, error)) endpoint {
	return serve(a, auth.LocalOperator, fn)
}

// operator is for the operator's routes of our own.
func operator[In, Out any](a *API, fn func(ctx context.Context, in *In) (Out, error)) endpoint {
	return serve(a, auth.Operator, fn)
}

// guard holds one request against the access table.
type guard struct {
	mode   auth.Mode
	level  auth.Level
	caller auth.Caller
	info   *request
}

// guardOf finds out who calls. It asks the store only for a token that must be
// looked at.
func (a *API) guardOf(r *http.Request, level auth.Level) (guard, error) {
	g := guard{mode: a.options.Access.Mode, level: level, info: requestFrom(r.Context())}
	var err error
	if auth.LooksAtCaller(g.mode, level) {
		g.caller, err = a.callerOf(r)
	} else if number := a.operatorOf(g.info); number > 0 && level != auth.Public {
		g.caller = auth.Caller{Kind: auth.CallerOperator, Token: number} // for the log: everyone may
	}
	if level == auth.LocalOperator || level == auth.Operator || g.caller.Kind == auth.CallerOperator {
		g.info.caller = g.caller.String()
	}
	return g, err
}

// operatorOf gives which operator token a request carries, 0 for none.
func (a *API) operatorOf(info *request) int {
	if !info.token.IsSet() || auth.LooksLikeToken(info.token) {
		return 0
	}
	return a.options.Access.OperatorTokens.Match(info.token)
}

// beforeDecoding refuses what no user id in the request could mend, so that a
// stranger's body is not even read. A request that may prove itself is let
// through to be read.
func (g guard) beforeDecoding(in any) error {
	if _, ok := in.(selfProving); ok {
		return nil
	}
	return refusalOf(auth.Decide(g.mode, g.level, g.caller, g.caller.UserID))
}

// isTry reports whether a request counts as a try at an account before its body
// is read: nothing has proved the caller yet, and the body may.
func (g guard) isTry(in any) bool {
	if _, ok := in.(accountOperation); !ok {
		return false
	}
	return g.level == auth.Public || auth.Decide(g.mode, g.level, g.caller, g.caller.UserID) != auth.Allow
}

// afterLimit decides about the request of an address that has no try left. Its
// endpoint refuses it in its own form, whatever its body was like; a deletion
// without a password has no such form.
func (g guard) afterLimit(in any) error {
	if operation, ok := in.(accountOperation); ok && operation.tellsRefusals() {
		return nil
	}
	return tooMany("from this address", g.info.overLimit)
}

// afterDecoding decides about the request as it is.
func (g guard) afterDecoding(in any) error {
	if self, ok := in.(selfProving); ok && self.provesItself() {
		g.info.caller = "password"
		return nil
	}
	userID := ""
	if owned, ok := in.(ownedRequest); ok {
		userID = owned.ownerID()
		g.info.userID = userID
	}
	return refusalOf(auth.Decide(g.mode, g.level, g.caller, userID))
}

// limitWrites counts a change of what one user owns.
func (a *API) limitWrites(in any) error {
	owned, ok := in.(ownedRequest)
	if !ok {
		return nil
	}
	if ok, wait := a.options.Access.UserWrites.Allow(owned.ownerID()); !ok {
		a.options.Observer.RateLimited(WriteLimit)
		return tooMany("to change the data of this user", wait)
	}
	return nil
}

// Texts of refusals. None tells whether the user exists.
const (
	needsTokenText = "this needs an access token: send the header Authorization: Bearer TOKEN"
	badTokenText   = "the access token is unknown or has expired; log in again"
	forbiddenText  = "this access token does not allow it"
)

// invalidToken is the error code of a token that is worth nothing (RFC 6750
// §3.1).
const invalidToken = "invalid_token"

func refusalOf(verdict auth.Verdict) error {
	switch verdict {
	case auth.Allow:
		return nil
	case auth.NeedsToken:
		return unauthorized("", needsTokenText)
	case auth.BadToken:
		return unauthorized(invalidToken, badTokenText)
	case auth.Forbidden:
		return &httpError{status: http.StatusForbidden, text: forbiddenText}
	}
	return fmt.Errorf("verdict %d is unknown", verdict)
}

// unauthorized is a 401 with its challenge (RFC 6750 §3).
func unauthorized(code, text string) error {
	challenge := `Bearer realm="web-backend"`
	if code != "" {
		challenge += `, error="` + code + `"`
	}
	return &httpError{status: http.StatusUnauthorized, text: text, header: [2]string{"Www-Authenticate", challenge}}
}

// tooMany is a 429 that says when to come back, in whole seconds.
func tooMany(whose string, wait time.Duration) error {
	seconds := wholeSeconds(wait)
	return &httpError{
		status: http.StatusTooManyRequests, header: [2]string{"Retry-After", strconv.Itoa(seconds)},
		text: fmt.Sprintf("too many tries %s; try again in %d s", whose, seconds),
	}
}

// wholeSeconds gives a wait in seconds, at least one.
func wholeSeconds(wait time.Duration) int { return max(1, int(math.Ceil(wait.Seconds()))) }

// callerOf finds out who calls: by the bearer token, else by where the request
// comes from. Other schemes of Authorization are a proxy's affair. The error
// is one of the store, or of too many tries.
func (a *API) callerOf(r *http.Request) (auth.Caller, error) {
	info := requestFrom(r.Context())
	token := info.token
	switch {
	case !info.tokenSent && a.options.Access.LocalOperator && a.isDirectLoopback(r):
		return auth.Caller{Kind: auth.CallerLoopback}, nil
	case !info.tokenSent:
		return auth.Caller{Kind: auth.CallerNobody}, nil
	case !token.IsSet():
		return auth.Caller{Kind: auth.CallerBadToken}, nil
	case !auth.LooksLikeToken(token): // the store need not be asked
		return a.tryOperatorToken(info)
	}
	userID, err := a.service.TokenUser(r.Context(), token)
	if errors.Is(err, backend.NotFound) {
		return auth.Caller{Kind: auth.CallerBadToken}, nil
	}
	return auth.Caller{Kind: auth.CallerUser, UserID: userID}, err
}

// tryOperatorToken finds out whether the token of a request is an operator's.
// Each that is none counts as a try of the client's address. Without a try left
// a token is not looked at, be it right or wrong: else guessing would go on. A
// user's tokens do not come here: they are too long to be guessed, and those of
// clients that go on with one that has expired must not use up the tries of
// their household.
func (a *API) tryOperatorToken(info *request) (auth.Caller, error) {
	access := a.options.Access
	number := 0
	right, tried, wait := access.AddressTries.Try(auth.RateKey(info.client), func() bool {
		number = access.OperatorTokens.Match(info.token)
		return number > 0
	})
	switch {
	case !tried:
		a.options.Observer.RateLimited(AddressLimit)
		a.warnOfUntrustedProxy(info)
		return auth.Caller{Kind: auth.CallerBadToken}, tooMany("from this address", wait)
	case right:
		return auth.Caller{Kind: auth.CallerOperator, Token: number}, nil
	}
	return auth.Caller{Kind: auth.CallerBadToken}, nil
}

// bearerToken gives the token of the header Authorization (RFC 6750 §2.1), the
// only place where one is looked for. sent tells whether there is one at all;
// of two headers none is believed, and the token is empty.
func bearerToken(header http.Header) (token backend.Secret, sent bool) {
	values := header["Authorization"]
	for _, value := range values {
		scheme, text, _ := strings.Cut(strings.TrimSpace(value), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		sent = true
		if text = strings.TrimSpace(text); len(values) == 1 && len(text) <= auth.MaxTokenLength {
			token = backend.NewSecret(text)
		}
	}
	return token, sent
}

// forwardingHeaders tell that a request came through a proxy, so that its peer
// is not who calls; so does each that begins with forwardedPrefix.
var forwardingHeaders = []string{
	"Forwarded", "X-Real-Ip", "Via", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Forwarded-For",
	"Cf-Connecting-Ip", "True-Client-Ip",
}

const forwardedPrefix = "X-Forwarded"

func isForwarded(header http.Header) bool {
	for name := range header {
		if strings.HasPrefix(name, forwardedPrefix) || slices.Contains(forwardingHeaders, name) {
			return true
		}
	}
	return false
}

// isDirectLoopback reports whether a request comes from a program on this
// machine: from a loopback address that is no proxy's, to a loopback name (a
// page of another site may have bound its own name to 127.0.0.1), and from no
// page but the server's own: what serves pages at another port of this machine
// is another program, and no operator.
func (a *API) isDirectLoopback(r *http.Request) bool {
	peer := peerOf(r)
	if !peer.IsLoopback() || a.options.Access.Proxies.Trusts(peer) || !auth.IsLoopbackHost(r.Host) || isForwarded(r.Header) {
		return false
	}
	// Browsers call other ports of the same name the same site.
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == schemeOf(r)+"://"+r.Host
}

// schemeOf is how a request came to this process.
func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// peerOf gives the address at the other end of the connection; the zero
// address if it has none.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// clientOf gives the address of who calls, behind the proxies that are
// trusted.
func (a *API) clientOf(r *http.Request) netip.Addr {
	return a.options.Access.Proxies.ClientAddress(peerOf(r), r.Header["X-Forwarded-For"])
}

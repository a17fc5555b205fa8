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

// AccessOptions configure which callers may use which routes; see
// docs/security.md.
type AccessOptions struct {
	Mode auth.Mode
	// LocalOperator allows programs on this machine to call routes of level
	// [auth.LocalOperator] without a token when access is guarded.
	LocalOperator bool
	// OperatorTokens give access to every route.
	OperatorTokens auth.OperatorTokens
	// Proxies are trusted to report the address of the client.
	Proxies auth.Proxies
	// AddressTries, PairTries and UsernameTries limit attempts on accounts.
	// AddressTries counts per client address, and PairTries per pair of user
	// name and address. UsernameTries counts per user name over all addresses
	// except those from which the user has logged in before. AddressTries also
	// counts wrong operator tokens. A nil limit allows everything.
	AddressTries, PairTries, UsernameTries *auth.RateLimit
	// UserWrites limits changes to the data of one user, by user id. If it is
	// nil, there is no limit.
	UserWrites *auth.RateLimit
}

// selfProving is a request that may carry a password. A password proves the
// identity of the caller better than a token, so a request with a password
// needs no token.
type selfProving interface{ provesItself() bool }

// ownedRequest is a request for data that belongs to one user.
type ownedRequest interface{ ownerID() string }

// The functions public, owner, localOperator and operator set the access level
// of fn and adapt it to HTTP. They are the only way to make an endpoint, so
// every route has an access level.

func public[In, Out any](a *API, fn func(ctx context.Context, in *In) (Out, error)) endpoint {
	return serve(a, auth.Public, fn)
}

// owner is for routes that name a user in the path or in the body.
func owner[In any, P interface {
	*In
	ownedRequest
}, Out any](a *API, fn func(ctx context.Context, in P) (Out, error)) endpoint {
	return serve(a, auth.Owner, func(ctx context.Context, in *In) (Out, error) { return fn(ctx, in) })
}

// localOperator is for the operator routes of the contract. Old clients on this
// machine call them without a token. Other routes must not use this level.
func localOperator[In, Out any](a *API, fn func(ctx context.Context, in *In) (Out, error)) endpoint {
	return serve(a, auth.LocalOperator, fn)
}

// operator is for operator routes that are not part of the contract.
func operator[In, Out any](a *API, fn func(ctx context.Context, in *In) (Out, error)) endpoint {
	return serve(a, auth.Operator, fn)
}

// guard checks one request against the access rules.
type guard struct {
	mode   auth.Mode
	level  auth.Level
	caller auth.Caller
	info   *request
}

// guardOf identifies the caller. It queries the store only if the token must be
// checked.
func (a *API) guardOf(r *http.Request, level auth.Level) (guard, error) {
	g := guard{mode: a.options.Access.Mode, level: level, info: requestFrom(r.Context())}
	var err error
	if auth.LooksAtCaller(g.mode, level) {
		g.caller, err = a.callerOf(r)
	} else if number := a.operatorOf(g.info); number > 0 && level != auth.Public {
		g.caller = auth.Caller{Kind: auth.CallerOperator, Token: number} // only for the log: access is open
	}
	if level == auth.LocalOperator || level == auth.Operator || g.caller.Kind == auth.CallerOperator {
		g.info.caller = g.caller.String()
	}
	return g, err
}

// operatorOf returns the number of the operator token in the request, or 0 if
// it has none.
func (a *API) operatorOf(info *request) int {
	if !info.token.IsSet() || auth.LooksLikeToken(info.token) {
		return 0
	}
	return a.options.Access.OperatorTokens.Match(info.token)
}

// beforeDecoding refuses a request that is not allowed for any user id, so that
// the server does not read the body. It accepts a request that may carry a
// password, because the password is in the body.
func (g guard) beforeDecoding(in any) error {
	if _, ok := in.(selfProving); ok {
		return nil
	}
	return refusalOf(auth.Decide(g.mode, g.level, g.caller, g.caller.UserID))
}

// isTry reports whether a request counts as an attempt on an account before its
// body is read: nothing has proved the identity of the caller yet, but the body
// may.
func (g guard) isTry(in any) bool {
	if _, ok := in.(passwordRequest); !ok {
		return false
	}
	return g.level == auth.Public || auth.Decide(g.mode, g.level, g.caller, g.caller.UserID) != auth.Allow
}

// afterLimit decides about a request from an address that has no attempts left.
// If the endpoint reports refusals in a response of its own, afterLimit returns
// nil and the endpoint refuses the request, even if the body could not be
// decoded. A deletion without a password has no such response, so afterLimit
// returns the error.
func (g guard) afterLimit(in any) error {
	if request, ok := in.(passwordRequest); ok && request.tellsRefusals() {
		return nil
	}
	return tooMany("from this address", g.info.overLimit)
}

// afterDecoding checks the decoded request.
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

// limitWrites counts a change to data that belongs to one user. It returns an
// error if the user has reached the limit.
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

// Texts of refusals. None of them reveals whether the user exists.
const (
	needsTokenText = "this needs an access token: send the header Authorization: Bearer TOKEN"
	badTokenText   = "the access token is unknown or has expired; log in again"
	forbiddenText  = "this access token does not allow it"
)

// invalidToken is the error code for a token that is unknown or has expired
// (RFC 6750 §3.1).
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

// unauthorized returns a 401 error with its challenge (RFC 6750 §3).
func unauthorized(code, text string) error {
	challenge := `Bearer realm="web-backend"`
	if code != "" {
		challenge += `, error="` + code + `"`
	}
	return &httpError{status: http.StatusUnauthorized, text: text, header: [2]string{"Www-Authenticate", challenge}}
}

// tooMany returns a 429 error with a Retry-After header, in whole seconds.
func tooMany(whose string, wait time.Duration) error {
	seconds := wholeSeconds(wait)
	return &httpError{
		status: http.StatusTooManyRequests, header: [2]string{"Retry-After", strconv.Itoa(seconds)},
		text: fmt.Sprintf("too many tries %s; try again in %d s", whose, seconds),
	}
}

// wholeSeconds returns wait in seconds, rounded up and at least 1.
func wholeSeconds(wait time.Duration) int { return max(1, int(math.Ceil(wait.Seconds()))) }

// callerOf identifies the caller by the bearer token or, without a token, by
// the source of the request. It ignores other schemes of Authorization,
// because a proxy may use them. The error comes from the store, or reports too
// many attempts.
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
	case !auth.LooksLikeToken(token): // no need to query the store
		return a.tryOperatorToken(info)
	}
	userID, err := a.service.TokenUser(r.Context(), token)
	if errors.Is(err, backend.NotFound) {
		return auth.Caller{Kind: auth.CallerBadToken}, nil
	}
	return auth.Caller{Kind: auth.CallerUser, UserID: userID}, err
}

// tryOperatorToken checks whether the token of a request is an operator token.
// Each wrong token counts as an attempt from the address of the client. If no
// attempt is left, the token is not checked, even if it is right; otherwise
// guessing could continue. User tokens are not checked here: they are too long
// to guess, and a client that keeps sending an expired one must not use up the
// attempts of other clients with the same address.
func (a *API) tryOperatorToken(info *request) (auth.Caller, error) {
	switch number, wait := a.matchOperator(info, info.token); {
	case wait > 0:
		return auth.Caller{Kind: auth.CallerBadToken}, tooMany("from this address", wait)
	case number > 0:
		return auth.Caller{Kind: auth.CallerOperator, Token: number}, nil
	}
	return auth.Caller{Kind: auth.CallerBadToken}, nil
}

// matchOperator returns the number of the operator token that equals token, or
// 0 if there is none. If the address of the client has no attempt left, wait is
// the time until it has one.
func (a *API) matchOperator(info *request, token backend.Secret) (number int, wait time.Duration) {
	access := a.options.Access
	_, tried, wait := access.AddressTries.Try(auth.RateKey(info.client), func() bool {
		number = access.OperatorTokens.Match(token)
		return number > 0
	})
	if !tried {
		a.options.Observer.RateLimited(AddressLimit)
		a.warnOfUntrustedProxy(info)
	}
	return number, wait
}

// bearerToken returns the token in the Authorization header (RFC 6750 §2.1).
// The server accepts a token in no other place. sent reports whether the
// request has a bearer token at all. If there are several Authorization
// headers, none is trusted and the token is empty.
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

// forwardingHeaders show that a request came through a proxy, so its peer is
// not the caller. Headers that begin with forwardedPrefix show the same.
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
// machine. The peer must have a loopback address that does not belong to a
// proxy. The host must be a loopback name, because a page of another site may
// have bound its own name to 127.0.0.1. If a page sends the request, the page
// must come from this server: a server at another port of this machine is a
// different program, and its pages must not act as an operator.
func (a *API) isDirectLoopback(r *http.Request) bool {
	peer := peerOf(r)
	if !peer.IsLoopback() || a.options.Access.Proxies.Trusts(peer) || !auth.IsLoopbackHost(r.Host) || isForwarded(r.Header) {
		return false
	}
	// For browsers, other ports of the same name are the same site.
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == schemeOf(r)+"://"+r.Host
}

// schemeOf returns the scheme with which a request reached this process.
func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// peerOf returns the address at the other end of the connection, or the zero
// address if it cannot be parsed.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// clientOf returns the address of the client behind the trusted proxies.
func (a *API) clientOf(r *http.Request) netip.Addr {
	return a.options.Access.Proxies.ClientAddress(peerOf(r), r.Header["X-Forwarded-For"])
}

package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// Results of an account endpoint, as sent in the body of a 200 response
// (contract §3).
const (
	authDone    = 200
	authRefused = 500
)

// passwordRequest is a request whose password proves the identity of the
// caller. Its endpoint must call limitTries first: if the address has no
// attempts left, the endpoint runs even for a request that could not be decoded.
type passwordRequest interface {
	// tellsRefusals reports whether a refusal is sent in a 200 response.
	tellsRefusals() bool
}

func (accountRequest) tellsRefusals() bool { return true }

// maxAccountBody is the maximum size of the body of an account endpoint, in
// bytes. The longest name and passwords fit in it in any encoding.
const maxAccountBody = 16 << 10

// accountRequest has the fields that all account endpoints share.
type accountRequest struct {
	Username string         `json:"username" required:"true" description:"User name, 1 to 254 characters. Forms that look the same, such as full-width letters, are the same name." example:"example-user@example.org"`
	Password backend.Secret `json:"password" required:"true" description:"Password, 1 to 1,024 bytes." example:"correct horse battery"`
	Language *string        `json:"language" description:"Language of auth_msg: en, zh, or a tag such as zh-CN; en for any other." example:"en"`
}

// accountResult has the fields that the responses to all account endpoints share.
type accountResult struct {
	AuthCode int    `json:"auth_code" required:"true" enum:"[200,500]" description:"200 for success, 500 for a refusal. After too many tries it is 500, and the header Retry-After says after how many seconds to try again." example:"200"`
	AuthMsg  string `json:"auth_msg" required:"true" description:"Reason of a refusal, as a sentence for people, in the requested language; empty on success." example:""`
}

// accountResultOf converts a refusal to the result that reports it. It returns
// any other error unchanged.
func (a accountRequest) accountResultOf(err error) (accountResult, error) {
	refusal, ok := errors.AsType[*backend.Refusal](err)
	switch {
	case err == nil:
		return accountResult{AuthCode: authDone}, nil
	case !ok:
		return accountResult{}, err
	}
	language := fallbackLanguage
	if a.Language != nil {
		language = *a.Language
	}
	return accountResult{authRefused, refusalMessage(refusal, language)}, nil
}

type registerUserRequest struct{ accountRequest }

type registerUserResponse struct {
	UserID               string `json:"user_id" required:"true" description:"Id of the new user; empty on a refusal." example:"8f2c1c9e-52d5-4c1e-9b7c-0c1c39f3b6aa"`
	ConfirmationRequired bool   `json:"confirmation_required" required:"true" description:"Always false: an account can be used immediately." example:"false"`
	accountResult
}

func (a *API) registerUser(ctx context.Context, in *registerUserRequest) (registerUserResponse, error) {
	id, err := a.Register(ctx, in.Username, in.Password)
	result, err := in.accountResultOf(err)
	return registerUserResponse{UserID: id, accountResult: result}, err
}

type authenticateUserRequest struct{ accountRequest }

type authenticateUserResponse struct {
	UserID string `json:"user_id" required:"true" description:"Id of the user; empty on a refusal." example:"8f2c1c9e-52d5-4c1e-9b7c-0c1c39f3b6aa"`
	accountResult
	AccessToken string `json:"access_token,omitempty" description:"Access token, for the header Authorization: Bearer; absent on a refusal." example:"wbt_…"`
	TokenType   string `json:"token_type,omitempty" description:"Always bearer." example:"bearer"`
	ExpiresIn   int    `json:"expires_in,omitempty" description:"How many seconds the token is valid." example:"604800"`
}

func (a *API) authenticateUser(ctx context.Context, in *authenticateUserRequest) (authenticateUserResponse, error) {
	login, err := a.LogIn(ctx, in.Username, in.Password)
	result, err := in.accountResultOf(err)
	response := authenticateUserResponse{UserID: login.UserID, accountResult: result}
	if login.Token.IsSet() {
		response.AccessToken, response.TokenType = login.Token.Reveal(), "bearer"
		response.ExpiresIn = int(login.ExpiresIn.Seconds())
	}
	return response, err
}

type updateUserPasswordRequest struct {
	accountRequest
	NewPassword backend.Secret `json:"new_password" required:"true" description:"The new password, at most 1,024 bytes." example:"staple battery horse"`
}

type updateUserPasswordResponse struct {
	ConfirmationRequired bool `json:"confirmation_required" required:"true" description:"Always false: the new password is valid immediately." example:"false"`
	accountResult
}

func (a *API) updateUserPassword(ctx context.Context, in *updateUserPasswordRequest) (updateUserPasswordResponse, error) {
	err := a.UpdatePassword(ctx, in.Username, in.Password, in.NewPassword)
	result, err := in.accountResultOf(err)
	return updateUserPasswordResponse{accountResult: result}, err
}

// setUserPasswordRequest names the user as an operator does. It does not
// contain the current password, because the access level of the route protects
// it instead.
type setUserPasswordRequest struct {
	UserID      *string        `json:"user_id" description:"Id of the user; not needed if username is sent." example:"example-user"`
	Username    *string        `json:"username" description:"User name. Together with user_id, the name that a user without a user name gets." example:"example-user@example.org"`
	NewPassword backend.Secret `json:"new_password" required:"true" description:"The new password, at most 1,024 bytes." example:"staple battery horse"`
	Language    *string        `json:"language" description:"Language of auth_msg." example:"en"`
}

type setUserPasswordResponse struct {
	UserID string `json:"user_id" required:"true" description:"Id of the user; empty on a refusal." example:"example-user"`
	accountResult
}

// setUserPassword does not count as an attempt because it checks no password.
func (a *API) setUserPassword(ctx context.Context, in *setUserPasswordRequest) (setUserPasswordResponse, error) {
	account := accountRequest{Language: in.Language}
	var userID string
	if in.Username != nil {
		account.Username = *in.Username
	}
	if in.UserID != nil {
		userID = *in.UserID
	}
	id, err := a.service.SetPassword(ctx, userID, account.Username, in.NewPassword)
	requestFrom(ctx).userID = cmp.Or(id, userID)
	result, err := account.accountResultOf(noteRefusal(ctx, err))
	response := setUserPasswordResponse{accountResult: result}
	if result.AuthCode == authDone {
		response.UserID = id
	}
	return response, err
}

// noteRefusal marks the log line of the request if err is a refusal, and
// returns err. It first replaces a TooMany error with a refusal.
func noteRefusal(ctx context.Context, err error) error {
	info := requestFrom(ctx)
	if errors.Is(err, backend.TooMany) {
		err = &backend.Refusal{Reason: backend.Busy, Limit: 1} // the domain does not set a time
	}
	if refusal, ok := errors.AsType[*backend.Refusal](err); ok {
		info.refused = true
		info.err = refusal.Cause
		if refusal.Reason == backend.TooManyTries || refusal.Reason == backend.Busy {
			info.retryAfter = refusal.Limit
		}
	}
	return err
}

// limitAddress counts a request as an attempt from the address of the client.
// It counts each request once: later calls return the result of the first.
func (a *API) limitAddress(info *request) error {
	if info.tried {
		return refusedTry(info.overLimit)
	}
	info.tried = true
	if ok, wait := a.options.Access.AddressTries.Allow(auth.RateKey(info.client)); !ok {
		a.options.Observer.RateLimited(AddressLimit)
		a.warnOfUntrustedProxy(info)
		info.overLimit = wait
	}
	return refusedTry(info.overLimit)
}

// refusedTry returns the refusal of an attempt that has to wait, or nil if wait
// is not positive. Like other refusals, it is sent in a 200 response (contract
// §3), because the web client shows no other responses.
func refusedTry(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	return &backend.Refusal{Reason: backend.TooManyTries, Limit: wholeSeconds(wait)}
}

// limitTries counts an attempt on the account of username, for the address of
// the client and for the name. An attacker who tries a name from many addresses
// blocks its owner at new addresses, but not at addresses from which the owner
// has logged in before. The error is a [backend.Refusal] if a limit is reached.
func (a *API) limitTries(ctx context.Context, username string) error {
	if err := a.limitAddress(requestFrom(ctx)); err != nil {
		return err
	}
	name, address := backend.UsernameTriesKey(username), auth.RateKey(requestFrom(ctx).client)
	ok, wait := a.options.Access.PairTries.Allow(auth.PairKey(name, address))
	if ok && !a.known.Has(name, address) {
		ok, wait = a.options.Access.UsernameTries.Allow(name)
	}
	if !ok {
		a.options.Observer.RateLimited(UsernameLimit)
		return refusedTry(wait)
	}
	return nil
}

// warnOfUntrustedProxy logs, only once, that the address with too many attempts
// may belong to a proxy. In that case all clients of the proxy share one limit.
func (a *API) warnOfUntrustedProxy(info *request) {
	if !info.untrustedProxy {
		return
	}
	a.proxyWarning.Do(func() {
		a.log.Warn("too many tries come from an address that claims to be a proxy; if it is, its clients are counted as one",
			"client", info.client.String(), "remedy", "add it to trusted_proxies, but only if it is a proxy of yours")
	})
}

// logout ends the session of the token that the request carries, in every
// access mode.
func (a *API) logout(ctx context.Context, _ *none) (empty, error) {
	return withToken(ctx, func(token backend.Secret) (empty, error) { return empty{}, a.service.Logout(ctx, token) })
}

// withToken calls do with the token that the request carries. The token is
// required in every access mode.
func withToken[Out any](ctx context.Context, do func(token backend.Secret) (Out, error)) (out Out, err error) {
	info := requestFrom(ctx)
	if !info.tokenSent {
		return out, unauthorized("", needsTokenText)
	}
	out, err = do(info.token)
	if errors.Is(err, backend.Unauthorized) {
		err = unauthorized(invalidToken, badTokenText)
	}
	return out, err
}

// deleteUserRequest covers two forms of delete_user on one path. With user name
// and password, the caller proves to be the owner. The form with only the user
// id is for operators (contract §2).
type deleteUserRequest struct {
	UserID   string          `json:"user_id" required:"true" description:"Id of the user." example:"example-user"`
	Username *string         `json:"username" description:"User name. If it or a password is sent, then user id, user name and password must belong together." example:"example-user@example.org"`
	Password *backend.Secret `json:"password" description:"Password of the user." example:"correct horse battery"`
	Language *string         `json:"language" description:"Language of auth_msg." example:"en"`
}

// provesItself implements [selfProving].
func (r *deleteUserRequest) provesItself() bool { return r.Username != nil || r.Password != nil }

// tellsRefusals implements [passwordRequest].
func (r *deleteUserRequest) tellsRefusals() bool { return r.Username != nil && r.Password != nil }

// missing returns the 422 error of a deletion that has a name but no password,
// or a password but no name.
func (r *deleteUserRequest) missing() error {
	name := "username"
	if r.Password == nil {
		name = "password"
	}
	return &validationError{faults: []fault{{Type: "missing", Loc: []any{"body", name}, Msg: "Field required"}}}
}

type deleteUserResponse struct {
	UserID string `json:"user_id" required:"true" description:"Id of the deleted user; empty on a refusal." example:"example-user"`
	accountResult
}

// deleteUserReply is the response to a deletion. withPassword is nil for a
// deletion without a password; the response is empty then.
type deleteUserReply struct{ withPassword *deleteUserResponse }

func (r deleteUserReply) write(a *API, w http.ResponseWriter, request *http.Request) error {
	if r.withPassword == nil {
		return empty{}.write(a, w, request)
	}
	return writeJSON(w, http.StatusOK, r.withPassword)
}

func (a *API) deleteUser(ctx context.Context, in *deleteUserRequest) (deleteUserReply, error) {
	if !in.provesItself() {
		requestFrom(ctx).userID = in.UserID
		return deleteUserReply{}, a.service.DeleteUser(ctx, in.UserID)
	}
	if !in.tellsRefusals() {
		return deleteUserReply{}, in.missing()
	}
	account := accountRequest{*in.Username, *in.Password, in.Language}
	err := a.DeleteAccount(ctx, account.Username, account.Password, in.UserID)
	result, err := account.accountResultOf(err)
	response := &deleteUserResponse{accountResult: result}
	if result.AuthCode == authDone {
		response.UserID = in.UserID
	}
	return deleteUserReply{response}, err
}

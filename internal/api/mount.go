package api

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/logging"
)

// mount is a handler for pages that are not part of the API.
type mount struct {
	path    string
	handler http.Handler
}

// Mount makes Handler serve path, such as /console, and everything below it
// with handler. The requests pass through the middleware of the API, but pages
// of other origins cannot read the responses. Mount must be called before
// Handler. The methods below are for the handler, with the context of a
// request.
func (a *API) Mount(path string, handler http.Handler) {
	a.mounts = append(a.mounts, mount{path, handler})
}

// isMounted reports whether a mounted handler serves a URL, as it was sent.
func (a *API) isMounted(u *url.URL) bool {
	for _, m := range a.mounts {
		rest, below := strings.CutPrefix(u.Path, a.options.BasePath+m.path)
		if below && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// LogIn logs a user in like [backend.Service.Authenticate]. It counts the
// attempt for the rate limits and the metrics, and marks the log line of the
// request if it is refused. The error is also a [backend.Refusal] if a limit is
// reached.
func (a *API) LogIn(ctx context.Context, username string, password backend.Secret) (login backend.Login, err error) {
	err = a.limitTries(ctx, username)
	if err == nil {
		login, err = a.service.Authenticate(ctx, username, password)
	}
	if err == nil {
		a.known.Add(backend.UsernameTriesKey(username), auth.RateKey(requestFrom(ctx).client))
	}
	err = noteRefusal(ctx, err)
	a.options.Observer.Login(loginOutcomeOf(requestFrom(ctx), err))
	return login, err
}

// Register, UpdatePassword and DeleteAccount do the same as those of
// [backend.Service]. They count and mark refusals as LogIn does.

// Register creates an account and returns its user id.
func (a *API) Register(ctx context.Context, username string, password backend.Secret) (userID string, err error) {
	err = a.tryAccount(ctx, username, func() (err error) {
		userID, err = a.service.Register(ctx, username, password)
		return err
	})
	return userID, err
}

// UpdatePassword gives an account a new password and ends its sessions.
func (a *API) UpdatePassword(ctx context.Context, username string, password, newPassword backend.Secret) error {
	return a.tryAccount(ctx, username, func() error { return a.service.UpdatePassword(ctx, username, password, newPassword) })
}

// DeleteAccount removes an account with all its data.
func (a *API) DeleteAccount(ctx context.Context, username string, password backend.Secret, userID string) error {
	return a.tryAccount(ctx, username, func() error { return a.service.DeleteAccount(ctx, username, password, userID) })
}

// tryAccount calls do unless the attempt on the account of username reaches a
// rate limit.
func (a *API) tryAccount(ctx context.Context, username string, do func() error) error {
	err := a.limitTries(ctx, username)
	if err == nil {
		err = do()
	}
	return noteRefusal(ctx, err)
}

// MatchOperator returns the number of the operator token that equals token, or
// 0 if there is none. A wrong token counts as an attempt from the address of
// the client. The error is a [backend.Refusal] if no attempt is left; then the
// token was not compared.
func (a *API) MatchOperator(ctx context.Context, token backend.Secret) (int, error) {
	number, wait := a.matchOperator(requestFrom(ctx), token)
	return number, noteRefusal(ctx, refusedTry(wait))
}

// RefusalMessage returns the sentence for a refusal in a language, such as en.
func (a *API) RefusalMessage(refusal *backend.Refusal, language string) string {
	return refusalMessage(refusal, language)
}

// NoteCaller adds the caller to the log line of the request if it is an
// operator.
func (a *API) NoteCaller(ctx context.Context, caller auth.Caller) {
	if caller.Kind == auth.CallerOperator {
		requestFrom(ctx).caller = caller.String()
	}
}

// NoteChange adds the user that the request has changed to the log line of the
// request if the caller is an operator.
func (a *API) NoteChange(ctx context.Context, userID string) { requestFrom(ctx).userID = userID }

// NoteError adds an error, for which the client gets a response with a status
// of 500 or above, to the log line of the request.
func (a *API) NoteError(ctx context.Context, err error) { requestFrom(ctx).err = err }

// Quiet keeps the request out of the log if it succeeds. It is for the files
// that a page loads.
func (a *API) Quiet(ctx context.Context) { requestFrom(ctx).quiet = true }

// Lasting marks a request whose response goes on for as long as the client
// wants, so that its duration does not count as a response time.
func (a *API) Lasting(ctx context.Context) { requestFrom(ctx).lasting = true }

// TailLog returns the last n lines of the log, oldest first. If the log cannot
// be read, the error is a [backend.Error] of kind Unavailable.
func (a *API) TailLog(n int) ([]string, error) {
	file, err := a.openLogForMounted()
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	return logging.Tail(file, n)
}

// FollowLog is like TailLog, and also returns the lines that come after. If the
// error is nil, the Follower must be closed.
func (a *API) FollowLog(n int) ([]string, *logging.Follower, error) {
	file, err := a.openLogForMounted()
	if err != nil {
		return nil, nil, err
	}
	lines, follower, err := logging.Follow(file, n)
	if err != nil {
		_ = follower.Close() // only read
		return nil, nil, err
	}
	return lines, follower, nil
}

func (a *API) openLogForMounted() (*os.File, error) {
	file, err := a.openLog()
	if err != nil {
		return nil, &backend.Error{Kind: backend.Unavailable, Message: err.Error()}
	}
	return file, nil
}

// ServeLog responds with the log file as a download. If it returns an error, it
// has written nothing. The errors are those of TailLog.
func (a *API) ServeLog(w http.ResponseWriter, r *http.Request) error {
	file, err := a.openLogForMounted()
	if err != nil {
		return err
	}
	r.Header.Del("Range") // a range outside the file would need a response of its own
	return logDownload{file}.write(a, w, r)
}

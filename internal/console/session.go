package console

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// sessionCookie is the name of the cookie of a person who is signed in. It
// contains the access token of a user, or the ticket of an operator.
const sessionCookie = "web_backend_session"

// cookie returns the value of a cookie, or "" if there is none.
func (v *visit) cookie(name string) string {
	for _, cookie := range v.r.CookiesNamed(name) {
		if cookie.Value != "" {
			return cookie.Value
		}
	}
	return ""
}

// setCookie sets a cookie, or removes it if lifetime is negative. The cookie
// has no path, so the browser uses the path of the request up to its last
// slash. So only pages at /console/NAME may call setCookie. A page further
// down would set a second cookie for its own folder, and this cookie would hide
// the cookie of /console in that folder. The server cannot set the path, because
// it does not know which path a proxy adds before it.
func (v *visit) setCookie(name, value string, lifetime time.Duration) {
	maxAge := int(lifetime / time.Second)
	if lifetime < 0 {
		maxAge = -1
	}
	http.SetCookie(v.w, &http.Cookie{ //nolint:gosec // Secure cannot be set without HTTPS
		Name: name, Value: value, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: v.r.TLS != nil || strings.EqualFold(v.r.Header.Get("X-Forwarded-Proto"), "https"), // a client that lies gets a useless cookie
	})
}

// session returns what the session cookie contains.
func (v *visit) session() backend.Secret {
	if value := v.cookie(sessionCookie); len(value) <= auth.MaxTokenLength {
		return backend.NewSecret(value)
	}
	return backend.Secret{}
}

// identify sets the caller to the person who is signed in. The error comes from
// the store.
func (v *visit) identify() error {
	session := v.session()
	switch {
	case !session.IsSet():
		return nil
	case !auth.LooksLikeToken(session):
		if number := v.options.Tickets.Check(auth.SessionTicket, session); number > 0 {
			v.caller = auth.Caller{Kind: auth.CallerOperator, Token: number}
			v.options.Gate.NoteCaller(v.r.Context(), v.caller)
		}
		return nil
	}
	userID, err := v.service.TokenUser(v.r.Context(), session)
	if errors.Is(err, backend.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v.caller = auth.Caller{Kind: auth.CallerUser, UserID: userID}
	return nil
}

// signInForm is the content of the page for signing in.
type signInForm struct {
	Problem  string // why it failed, as a sentence
	Username string // as it was typed
	Code     string // of a link; the page then has only a button
	Next     string // the page to show after signing in, relative to /console/, or "" for the first one
	Register bool   // people can create accounts
}

// showSignIn shows the forms for signing in. For a link with a code it shows
// only a button that sends the code, because another program that previews the
// link must not use up the code.
func (v *visit) showSignIn() error {
	code := v.r.URL.Query().Get("code")
	switch {
	case code == "":
		if err := v.identify(); err != nil {
			return err
		}
		if v.caller.Kind != auth.CallerNobody {
			return v.redirect("overview")
		}
		if v.cookie(sessionCookie) != "" { // of a session that has ended
			v.setCookie(sessionCookie, "", -1)
		}
		return v.show(http.StatusOK, "sign-in", "sign_in", signInForm{Next: v.nextPage(v.r.URL.Query().Get("next")), Register: v.service.RegistrationOpen()})
	case v.options.Tickets.Check(auth.SignInTicket, backend.NewSecret(code)) == 0:
		return v.refuseSignIn(http.StatusForbidden, v.texts["link_bad"], "")
	}
	return v.show(http.StatusOK, "sign-in", "sign_in", signInForm{Code: code})
}

func (v *visit) refuseSignIn(status int, problem, username string) error {
	return v.show(status, "sign-in", "sign_in", signInForm{
		Problem: problem, Username: username, Next: v.nextPage(v.r.PostForm.Get("next")), Register: v.service.RegistrationOpen(),
	})
}

// nextPage returns page if it is the path of a page, relative to /console/,
// otherwise "".
func (v *visit) nextPage(page string) string {
	if v.isPage(page) {
		return page
	}
	return ""
}

// redirectSignedIn leads to the page that the visitor asked for before signing
// in, or to the first one.
func (v *visit) redirectSignedIn() error {
	return v.redirect(cmp.Or(v.nextPage(v.r.PostForm.Get("next")), "overview"))
}

// signIn signs in a user with name and password, or an operator with the token
// or the code of a link.
func (v *visit) signIn() error {
	fields, err := v.form()
	if err != nil {
		return err
	}
	if code := fields["code"]; code != "" {
		number := v.options.Tickets.End(auth.SignInTicket, backend.NewSecret(code))
		if number == 0 {
			return v.refuseSignIn(http.StatusForbidden, v.texts["link_bad"], "")
		}
		return v.startOperatorSession(number)
	}
	if token := fields["token"]; token != "" {
		return v.signInOperator(backend.NewSecret(token))
	}
	return v.signInUser(fields["username"], backend.NewSecret(fields["password"]))
}

func (v *visit) signInUser(username string, password backend.Secret) error {
	if !backend.ValidText(username) || !backend.ValidText(password.Reveal()) {
		return &pageError{http.StatusBadRequest, "unreadable", nil}
	}
	login, err := v.options.Gate.LogIn(v.r.Context(), username, password)
	if refusal, ok := errors.AsType[*backend.Refusal](err); ok {
		return v.refuse(refusal, username)
	}
	if err != nil {
		return err
	}
	v.setCookie(sessionCookie, login.Token.Reveal(), login.ExpiresIn)
	return v.redirectSignedIn()
}

func (v *visit) signInOperator(token backend.Secret) error {
	number, err := v.options.Gate.MatchOperator(v.r.Context(), token)
	if refusal, ok := errors.AsType[*backend.Refusal](err); ok {
		return v.refuse(refusal, "")
	}
	if err != nil {
		return err
	}
	if number == 0 {
		return v.refuseSignIn(http.StatusForbidden, v.texts["wrong_token"], "")
	}
	return v.startOperatorSession(number)
}

func (v *visit) startOperatorSession(number int) error {
	v.options.Gate.NoteCaller(v.r.Context(), auth.Caller{Kind: auth.CallerOperator, Token: number})
	v.setCookie(sessionCookie, v.options.Tickets.Make(auth.SessionTicket, number).Reveal(), auth.SessionTicket.Lifetime())
	return v.redirectSignedIn()
}

// refuse shows why somebody is not signed in.
func (v *visit) refuse(refusal *backend.Refusal, username string) error {
	status := http.StatusForbidden
	if refusal.Reason == backend.TooManyTries || refusal.Reason == backend.Busy {
		status = http.StatusTooManyRequests
		v.w.Header().Set("Retry-After", strconv.Itoa(max(1, refusal.Limit)))
	}
	return v.refuseSignIn(status, v.options.Gate.RefusalMessage(refusal, v.language), username)
}

// signOut ends the session.
func (v *visit) signOut() error {
	session := v.session()
	if auth.LooksLikeToken(session) {
		if err := v.service.Logout(v.r.Context(), session); err != nil && !errors.Is(err, backend.Unauthorized) {
			return err
		}
	} else {
		v.options.Tickets.End(auth.SessionTicket, session)
	}
	v.setCookie(sessionCookie, "", -1)
	return v.redirect("sign-in")
}

package console

import (
	"errors"
	"net/http"
	"strconv"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// accountPage is the content of the page for a user's own account. It contains
// no password that was typed.
type accountPage struct {
	Username  string
	TypedName string // in the form that deletes the account
	Sessions  []backend.Session
	// Problems are the reasons why a form was refused: a sentence for each field.
	// The sentence for the whole page has the key "".
	Problems map[string]string
}

// onlyUser returns an error for an operator, who has no account.
func (v *visit) onlyUser() error {
	if v.caller.Kind == auth.CallerUser {
		return nil
	}
	return &pageError{http.StatusForbidden, "forbidden", nil}
}

// accountForm returns the form that a user sent, and the page to show it again.
func (v *visit) accountForm() (map[string]string, accountPage, error) {
	var page accountPage
	err := v.onlyUser()
	if err != nil {
		return nil, page, err
	}
	fields, err := v.form()
	if err != nil {
		return nil, page, err
	}
	for _, text := range fields {
		if !backend.ValidText(text) {
			return nil, page, &pageError{http.StatusBadRequest, "unreadable", nil}
		}
	}
	page, err = v.account()
	return fields, page, err
}

// account returns the page of the account without problems.
func (v *visit) account() (page accountPage, err error) {
	profile, err := v.service.Profile(v.r.Context(), v.caller.UserID)
	if err != nil {
		return page, err
	}
	page = accountPage{Username: profile.Username, Problems: map[string]string{}}
	page.Sessions, err = v.service.Sessions(v.r.Context(), v.session())
	if errors.Is(err, backend.Unauthorized) {
		err = errNotSignedIn // the session has ended in the meantime
	}
	return page, err
}

func (v *visit) showAccount() error {
	if err := v.onlyUser(); err != nil {
		return err
	}
	page, err := v.account()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "account", "account", page)
}

// changePassword gives the user a new password. That ends all sessions.
func (v *visit) changePassword() error {
	fields, page, err := v.accountForm()
	if err != nil {
		return err
	}
	if fields["new_password"] != fields["new_password_again"] {
		page.Problems["new_password_again"] = v.texts["password_differs"]
		return v.show(http.StatusUnprocessableEntity, "account", "account", page)
	}
	err = v.options.Gate.UpdatePassword(v.r.Context(), page.Username, backend.NewSecret(fields["password"]), backend.NewSecret(fields["new_password"]))
	if err != nil {
		return v.refuseAccount(page, err, "password")
	}
	v.setCookie(sessionCookie, "", -1)
	return v.redirectDone("sign-in", "done_password")
}

// endSessions ends all sessions of the user except this one.
func (v *visit) endSessions() error {
	if err := v.onlyUser(); err != nil {
		return err
	}
	_, err := v.service.EndSessions(v.r.Context(), v.session(), nil)
	switch {
	case errors.Is(err, backend.Unauthorized):
		return errNotSignedIn
	case err != nil:
		return err
	}
	return v.redirectDone("account", "done_sessions")
}

// deleteAccount removes the account of the user with all its data.
func (v *visit) deleteAccount() error {
	fields, page, err := v.accountForm()
	if err != nil {
		return err
	}
	page.TypedName = fields["username"]
	err = v.options.Gate.DeleteAccount(v.r.Context(), page.TypedName, backend.NewSecret(fields["delete_password"]), v.caller.UserID)
	if err != nil {
		return v.refuseAccount(page, err, "delete_password")
	}
	v.setCookie(sessionCookie, "", -1)
	return v.redirectDone("sign-in", "done_account_deleted")
}

// refuseAccount shows the page of the account with the reason for a refusal.
// password is the field of the password that was checked.
func (v *visit) refuseAccount(page accountPage, err error, password string) error {
	refusal, ok := errors.AsType[*backend.Refusal](err)
	if !ok {
		return v.accountFailed(page, err)
	}
	status, field := v.problemOf(refusal)
	if field == "password" {
		field = password
	}
	page.Problems[field] = v.options.Gate.RefusalMessage(refusal, v.language)
	if field == "password" { // the name is not in the form
		page.Problems[field] = v.texts["password_old_wrong"]
	}
	return v.show(status, "account", "account", page)
}

// accountFailed shows the page of the account if the error is that the store
// did not respond. It returns any other error unchanged.
func (v *visit) accountFailed(page accountPage, err error) error {
	if !errors.Is(err, backend.Unavailable) {
		return err
	}
	v.options.Gate.NoteError(v.r.Context(), err)
	page.Problems[""] = v.texts["store_away"]
	return v.show(http.StatusServiceUnavailable, "account", "account", page)
}

// problemOf returns the status of the response to a refusal, and the field that
// it is about: username, password or new_password, or "" for none of them. If
// the person has to wait, it sets the header Retry-After.
func (v *visit) problemOf(refusal *backend.Refusal) (status int, field string) {
	switch refusal.Reason {
	case backend.TooManyTries, backend.Busy:
		v.w.Header().Set("Retry-After", strconv.Itoa(max(1, refusal.Limit)))
		return http.StatusTooManyRequests, ""
	case backend.NameTaken, backend.NameInvalid:
		return http.StatusUnprocessableEntity, "username"
	case backend.WrongCredentials:
		return http.StatusUnprocessableEntity, "password"
	case backend.PasswordTooShort, backend.PasswordTooLong:
		return http.StatusUnprocessableEntity, "new_password"
	case backend.NotOpen, backend.NoRoom:
	}
	return http.StatusForbidden, ""
}

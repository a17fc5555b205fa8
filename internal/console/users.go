package console

import (
	"errors"
	"net/http"
	"net/url"

	"web-backend/internal/backend"
)

// usersShown is the number of users on one page.
const usersShown = 50

// userList is the content of the list of users.
type userList struct {
	Text    string // the text that was searched for
	Users   []listedUser
	Next    string // where the next page begins, or ""
	Later   bool   // this is not the first page
	Problem string // why there is no list, as a sentence
}

// listedUser is one user of the list.
type listedUser struct {
	Name, ID string
	Path     string // of the page of the user, relative to /console/
	Disabled bool
}

// showUsers shows one page of the users whose name or id begins with a text.
func (v *visit) showUsers() error {
	query := v.r.URL.Query()
	list := userList{Text: query.Get("text"), Later: query.Get("after") != ""}
	found, err := v.service.FindUsers(v.r.Context(), backend.UserSearch{Text: list.Text, After: query.Get("after"), Limit: usersShown})
	switch {
	case errors.Is(err, backend.Unavailable):
		v.options.Gate.NoteError(v.r.Context(), err)
		list.Problem = v.texts["store_away"]
		return v.show(http.StatusServiceUnavailable, "users", "users_list", list)
	case errors.Is(err, backend.Invalid):
		return &pageError{http.StatusBadRequest, "unreadable", err}
	case err != nil:
		return err
	}
	for _, user := range found.Users {
		list.Users = append(list.Users, listedUser{user.Username, user.UserID, userPath(user.UserID), user.Disabled})
	}
	list.Next = found.Next
	return v.show(http.StatusOK, "users", "users_list", list)
}

// newUserForm is the content of the page for creating a user.
type newUserForm struct {
	Username string // as it was typed
	// Why the user was not created, as sentences: because of a field, or for
	// another reason.
	UsernameProblem, PasswordProblem, Problem string
}

func (v *visit) showNewUser() error {
	return v.show(http.StatusOK, "new-user", "user_create", newUserForm{})
}

// createUser creates a user that can log in.
func (v *visit) createUser() error {
	fields, err := v.form()
	if err != nil {
		return err
	}
	form := newUserForm{Username: fields["username"]}
	userID, err := v.service.CreateAccount(v.r.Context(), form.Username, backend.NewSecret(fields["password"]))
	if err != nil {
		status, err := v.problem(err, &form.UsernameProblem, &form.PasswordProblem, &form.Problem)
		if err != nil {
			return err
		}
		return v.show(status, "new-user", "user_create", form)
	}
	v.options.Gate.NoteChange(v.r.Context(), userID)
	return v.redirectDone("users?text="+url.QueryEscape(form.Username), "done_user_created")
}

// problem writes the sentence for an error to username, password or other,
// depending on what the error is about, and returns the status. It returns the
// error itself if the form cannot show it.
func (v *visit) problem(err error, username, password, other *string) (status int, _ error) {
	if errors.Is(err, backend.Unavailable) {
		v.options.Gate.NoteError(v.r.Context(), err)
		*other = v.texts["store_away"]
		return http.StatusServiceUnavailable, nil
	}
	refusal, ok := errors.AsType[*backend.Refusal](err)
	if !ok {
		return 0, err
	}
	sentence := v.options.Gate.RefusalMessage(refusal, v.language)
	switch refusal.Reason {
	case backend.NameTaken, backend.NameInvalid:
		*username = sentence
	case backend.PasswordTooShort, backend.PasswordTooLong:
		*password = sentence
	default:
		*other = sentence
	}
	return http.StatusUnprocessableEntity, nil
}

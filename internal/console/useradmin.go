package console

import (
	"errors"
	"net/http"
	"net/url"

	"web-backend/internal/backend"
)

// userAdmin is the content of the page on which an operator changes a user.
type userAdmin struct {
	UserID   string
	Path     string // UserID as a part of an address
	Username string // "" if the user has none
	Typed    string // as the user name of a user who has none yet

	UsernameProblem, PasswordProblem, ConfirmProblem, Problem string
}

// Confirm returns what must be typed to delete the user.
func (a userAdmin) Confirm() string {
	if a.Username != "" {
		return a.Username
	}
	return a.UserID
}

// userAdmin reads the user whom the page is about.
func (v *visit) userAdmin() (userAdmin, error) {
	admin := userAdmin{UserID: v.userID(), Path: url.PathEscape(v.userID())}
	user, err := v.service.User(v.r.Context(), admin.UserID)
	if errors.Is(err, backend.NotFound) {
		return admin, &pageError{http.StatusNotFound, "user_unknown", err}
	}
	admin.Username = user.Username
	return admin, err
}

func (v *visit) showUserAdmin() error {
	admin, err := v.userAdmin()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "user-admin", "user_admin", admin)
}

// setPassword gives the user a new password, and a user name if there is none.
func (v *visit) setPassword() error {
	fields, err := v.form()
	if err != nil {
		return err
	}
	admin, err := v.userAdmin()
	if err != nil {
		return err
	}
	if admin.Username == "" {
		admin.Typed = fields["username"]
		if admin.Typed == "" {
			admin.UsernameProblem = v.texts["username_needed"]
			return v.show(http.StatusUnprocessableEntity, "user-admin", "user_admin", admin)
		}
	}
	if _, err := v.service.SetPassword(v.r.Context(), admin.UserID, admin.Typed, backend.NewSecret(fields["password"])); err != nil {
		status, err := v.problem(err, &admin.UsernameProblem, &admin.PasswordProblem, &admin.Problem)
		if err != nil {
			return err
		}
		return v.show(status, "user-admin", "user_admin", admin)
	}
	return v.redirectDone("users/"+admin.Path+"/admin", "done_password_set")
}

// deleteUser removes the user if the name, or the id of a user without a name,
// was typed as a confirmation.
func (v *visit) deleteUser() error {
	fields, err := v.form()
	if err != nil {
		return err
	}
	admin, err := v.userAdmin()
	if err != nil {
		return err
	}
	if fields["confirm"] != admin.Confirm() {
		admin.ConfirmProblem = v.texts["confirm_wrong"]
		return v.show(http.StatusUnprocessableEntity, "user-admin", "user_admin", admin)
	}
	if err := v.service.DeleteUser(v.r.Context(), admin.UserID); err != nil && !errors.Is(err, backend.NotFound) {
		return err
	}
	return v.redirectDone("users", "done_user_deleted")
}

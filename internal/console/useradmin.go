package console

import (
	"context"
	"errors"
	"net/http"

	"web-backend/internal/backend"
)

// userAdmin is the content of the page on which an operator changes a user.
type userAdmin struct {
	UserID   string
	Path     string // of the page of the user, relative to /console/
	Username string // "" if the user has none
	Disabled bool   // nobody can log in
	Typed    string // the user name that was typed for a user who has none yet

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
	admin := userAdmin{UserID: v.userID(), Path: userPath(v.userID())}
	user, err := v.service.User(v.r.Context(), admin.UserID)
	if err != nil || user.Username == "" {
		return admin, userError(err)
	}
	admin.Username = user.Username
	admin.Disabled, err = v.service.AccountDisabled(v.r.Context(), user.Username)
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
	return v.redirectDone(admin.Path+"/admin", "done_password_set")
}

func (v *visit) disableUser() error {
	return v.changeAccount(v.service.DisableUser, "done_user_disabled")
}

func (v *visit) enableUser() error { return v.changeAccount(v.service.EnableUser, "done_user_enabled") }

func (v *visit) endUserSessions() error {
	return v.changeAccount(v.service.EndUserSessions, "done_sessions_ended")
}

// changeAccount calls change with the id of the user.
func (v *visit) changeAccount(change func(ctx context.Context, userID string) error, done string) error {
	if err := change(v.r.Context(), v.userID()); err != nil {
		return userError(err)
	}
	return v.redirectDone(userPath(v.userID())+"/admin", done)
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

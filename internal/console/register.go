package console

import (
	"errors"
	"net/http"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// registerForm is the content of the page for registering. It contains no
// password that was typed.
type registerForm struct {
	Username string // as it was typed
	Closed   bool   // only operators create accounts
	// Problems are the reasons for a refusal: a sentence for each field. The
	// sentence for the whole page has the key "".
	Problems map[string]string
}

func (v *visit) showRegister() error {
	if err := v.identify(); err != nil {
		return err
	}
	if v.caller.Kind != auth.CallerNobody {
		return v.redirect("overview")
	}
	if !v.service.RegistrationOpen() {
		return v.refuseRegistration(&backend.Refusal{Reason: backend.NotOpen}, "")
	}
	return v.show(http.StatusOK, "register", "register", registerForm{})
}

// register creates an account and signs the user in.
func (v *visit) register() error {
	fields, err := v.form()
	if err != nil {
		return err
	}
	username, password := fields["username"], backend.NewSecret(fields["new_password"])
	if !backend.ValidText(username) || !backend.ValidText(password.Reveal()) {
		return &pageError{http.StatusBadRequest, "unreadable", nil}
	}
	if fields["new_password_again"] != fields["new_password"] {
		return v.show(http.StatusUnprocessableEntity, "register", "register", registerForm{
			Username: username, Problems: map[string]string{"new_password_again": v.texts["password_differs"]},
		})
	}
	_, err = v.options.Gate.Register(v.r.Context(), username, password)
	refusal, refused := errors.AsType[*backend.Refusal](err)
	switch {
	case refused:
		return v.refuseRegistration(refusal, username)
	case errors.Is(err, backend.Unavailable):
		v.options.Gate.NoteError(v.r.Context(), err)
		return v.show(http.StatusServiceUnavailable, "register", "register", registerForm{
			Username: username, Problems: map[string]string{"": v.texts["store_away"]},
		})
	case err != nil:
		return err
	}
	return v.signInUser(username, password)
}

func (v *visit) refuseRegistration(refusal *backend.Refusal, username string) error {
	status, field := v.problemOf(refusal)
	return v.show(status, "register", "register", registerForm{
		Username: username, Closed: refusal.Reason == backend.NotOpen,
		Problems: map[string]string{field: v.options.Gate.RefusalMessage(refusal, v.language)},
	})
}

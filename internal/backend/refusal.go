package backend

import "fmt"

// RefusalReason says why an account operation was refused. Front ends have a
// sentence for each.
type RefusalReason string

// The reasons.
const (
	NameTaken        RefusalReason = "name_taken"
	NameInvalid      RefusalReason = "name_invalid"
	PasswordTooShort RefusalReason = "password_too_short"
	PasswordTooLong  RefusalReason = "password_too_long"
	NoRoom           RefusalReason = "no_room" // for another user
	// WrongCredentials never tells whether the name, the password or the user
	// id was wrong.
	WrongCredentials RefusalReason = "wrong_credentials"
	// NotOpen says that people cannot register themselves.
	NotOpen RefusalReason = "registration_closed"
	// TooManyTries says that a rate limit was hit, and Busy that more passwords
	// are being checked than the server can take.
	TooManyTries RefusalReason = "too_many_tries"
	Busy         RefusalReason = "busy"
)

// RefusalReasons lists every reason, for catalogues that must be complete.
var RefusalReasons = []RefusalReason{
	NameTaken, NameInvalid, PasswordTooShort, PasswordTooLong, NoRoom, WrongCredentials, NotOpen, TooManyTries, Busy,
}

// Refusal is the error of an account operation that the rules do not allow: an
// outcome that the person is told in words, not a fault of the request.
type Refusal struct {
	Reason RefusalReason
	// Limit is the least or greatest length that was not kept, or the seconds
	// after which to try again; 0 for none.
	Limit int
	// Cause is what the operator should know and the person should not; nil for
	// most.
	Cause error
}

// Error gives the reason.
func (r *Refusal) Error() string {
	if r.Limit > 0 {
		return fmt.Sprintf("refused: %s (%d)", r.Reason, r.Limit)
	}
	return fmt.Sprintf("refused: %s", r.Reason)
}

package backend

import "fmt"

// RefusalReason says why an account operation was refused. Front ends have a
// sentence for each reason.
type RefusalReason string

// The reasons.
const (
	NameTaken        RefusalReason = "name_taken"
	NameInvalid      RefusalReason = "name_invalid"
	PasswordTooShort RefusalReason = "password_too_short"
	PasswordTooLong  RefusalReason = "password_too_long"
	NoRoom           RefusalReason = "no_room" // for another user
	// WrongCredentials does not reveal whether the name, the password or the
	// user id was wrong.
	WrongCredentials RefusalReason = "wrong_credentials"
	// AccountDisabled is only for a caller who has proved that they know the
	// password.
	AccountDisabled RefusalReason = "account_disabled"
	// NotOpen says that people cannot register themselves.
	NotOpen RefusalReason = "registration_closed"
	// TooManyTries says that a rate limit was reached. Busy says that the server
	// is already checking as many passwords as it can.
	TooManyTries RefusalReason = "too_many_tries"
	Busy         RefusalReason = "busy"
)

// RefusalReasons lists every reason, for catalogues that must be complete.
var RefusalReasons = []RefusalReason{
	NameTaken, NameInvalid, PasswordTooShort, PasswordTooLong, NoRoom, WrongCredentials, AccountDisabled, NotOpen, TooManyTries, Busy,
}

// Refusal is the error of an account operation that the rules do not allow. The
// person is told the reason in words. It does not mean that the request was
// malformed.
type Refusal struct {
	Reason RefusalReason
	// Limit is the minimum or maximum length that was not respected, or the
	// number of seconds to wait before the next try. It is 0 if there is no
	// limit.
	Limit int
	// Cause is information for the operator that the person must not see. It is
	// usually nil.
	Cause error
}

// Error returns the reason.
func (r *Refusal) Error() string {
	if r.Limit > 0 {
		return fmt.Sprintf("refused: %s (%d)", r.Reason, r.Limit)
	}
	return fmt.Sprintf("refused: %s", r.Reason)
}

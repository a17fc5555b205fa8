package backend

import (
	"errors"
	"fmt"
)

// Kind classifies an [Error]. The set is closed: every layer that turns
// errors into answers has a row for each kind. A Kind is itself an error, so
// that errors.Is(err, backend.NotFound) asks for it.
type Kind uint8

// The kinds, with what each tells the caller.
const (
	Internal     Kind = iota // unexpected; the cause is for the log only
	NotFound                 // the user or character does not exist
	Exists                   // the name or id is taken
	ReadOnly                 // the character must not be changed
	Invalid                  // a value breaks a rule; Field names it
	TooLong                  // a text is longer than it may be; Field names it
	Full                     // there are as many as there may be; Field names whose
	Unauthorized             // the caller is not known
	Forbidden                // the caller is known and may not
	TooMany                  // a rate limit was hit
	Unavailable              // the store cannot answer now; a retry may succeed
)

// Kinds lists every kind, for tables that must be complete.
var Kinds = []Kind{Internal, NotFound, Exists, ReadOnly, Invalid, TooLong, Full, Unauthorized, Forbidden, TooMany, Unavailable}

var kindNames = map[Kind]string{
	Internal: "internal error", NotFound: "not found", Exists: "exists already",
	ReadOnly: "read-only", Invalid: "invalid value", TooLong: "too long", Full: "full", Unauthorized: "unauthorized",
	Forbidden: "forbidden", TooMany: "too many requests", Unavailable: "unavailable",
}

// Error names the kind, so that a Kind can be the target of errors.Is.
func (k Kind) Error() string { return kindNames[k] }

// Error is what the domain and its stores return. Message is for the person
// who made the request and holds no secret; Cause is for the log.
type Error struct {
	Kind    Kind
	Message string
	Field   string // the offending field of the request, with kinds Invalid, TooLong and Full
	Cause   error
}

// Error gives the message followed by the cause: text for a log line, not for
// an answer.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is the kind of e.
func (e *Error) Is(target error) bool {
	kind, ok := target.(Kind)
	return ok && kind == e.Kind
}

// KindOf is the kind of the first [Error] in err's chain, else Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// UserNotFound is the error for a user that does not exist.
func UserNotFound(userID string) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf("user %s does not exist", shortQuote(userID))}
}

// UserExists is the error for a user id that is taken.
func UserExists(userID string) error {
	return &Error{Kind: Exists, Message: fmt.Sprintf("user %s exists already", shortQuote(userID))}
}

// UsernameTaken is the error for a user name that has a credential already.
func UsernameTaken(username string) error {
	return &Error{Kind: Exists, Message: fmt.Sprintf("user name %s is taken", shortQuote(username))}
}

// CredentialNotFound is the error for a credential that does not exist, or is
// no longer as the caller knew it.
func CredentialNotFound(username string) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf("user name %s has no such credential", shortQuote(username))}
}

// TokenNotFound is the error for an access token that was never given, has
// expired or has ended.
func TokenNotFound() error {
	return &Error{Kind: NotFound, Message: "the access token is unknown or has expired"}
}

// CharacterNotFound is the error for a character that does not exist.
func CharacterNotFound(key CharacterKey) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf(
		"character %s of user %s does not exist", shortQuote(key.CharacterID), shortQuote(key.UserID))}
}

// CharacterExists is the error for a character id that its user has already.
func CharacterExists(key CharacterKey) error {
	return &Error{Kind: Exists, Message: fmt.Sprintf(
		"character %s of user %s exists already", shortQuote(key.CharacterID), shortQuote(key.UserID))}
}

// TooManyCharacters is the error for a user that has most characters already.
func TooManyCharacters(most int) error {
	return &Error{Kind: Full, Field: "user_id", Message: fmt.Sprintf("The user should have at most %d characters", most)}
}

// CharacterReadOnly is the error for changing a read-only character.
func CharacterReadOnly(key CharacterKey) error {
	return &Error{Kind: ReadOnly, Message: fmt.Sprintf(
		"character %s is read-only; duplicate it and change the copy", shortQuote(key.CharacterID))}
}

// shortQuote quotes an id for a message. Ids are free text of any length.
func shortQuote(id string) string {
	const most = 64 // runes
	if runes := []rune(id); len(runes) > most {
		return fmt.Sprintf("%q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", id)
}

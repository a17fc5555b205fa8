package backend

import (
	"errors"
	"fmt"
)

// Kind classifies an [Error]. The set is closed: every layer that turns errors
// into responses handles each kind. A Kind is itself an error, so that
// errors.Is(err, backend.NotFound) tests for it.
type Kind uint8

// The kinds, with their meaning for the caller.
const (
	Internal     Kind = iota // unexpected; the cause is for the log only
	NotFound                 // the user or character does not exist
	Exists                   // the name or id is taken
	ReadOnly                 // the character must not be changed
	Invalid                  // a value breaks a rule; Field names it
	TooLong                  // a text is too long; Field names it
	Full                     // the maximum number is reached; Field names what it belongs to
	Unauthorized             // the caller is not known
	Forbidden                // the caller is known but is not allowed to do this
	TooMany                  // a rate limit was hit
	Unavailable              // the store does not respond now; a retry may succeed
)

// Kinds lists every kind, for tables that must be complete.
var Kinds = []Kind{Internal, NotFound, Exists, ReadOnly, Invalid, TooLong, Full, Unauthorized, Forbidden, TooMany, Unavailable}

var kindNames = map[Kind]string{
	Internal: "internal error", NotFound: "not found", Exists: "exists already",
	ReadOnly: "read-only", Invalid: "invalid value", TooLong: "too long", Full: "full", Unauthorized: "unauthorized",
	Forbidden: "forbidden", TooMany: "too many requests", Unavailable: "unavailable",
}

// Error returns the name of the kind. With this method, a Kind can be the
// target of errors.Is.
func (k Kind) Error() string { return kindNames[k] }

// Error is the error type of the domain and its stores. Message is for the
// person who made the request and does not contain a secret. Cause is for the
// log.
type Error struct {
	Kind    Kind
	Message string
	Field   string // the offending field of the request, with kinds Invalid, TooLong and Full
	Limit   int    // the limit of [Limits] that was exceeded, with kinds TooLong and Full; 0 if none
	Cause   error
}

// Error returns the message followed by the cause. The text is for the log, not
// for a response.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is the kind of e.
func (e *Error) Is(target error) bool {
	kind, ok := target.(Kind)
	return ok && kind == e.Kind
}

// KindOf returns the kind of the first [Error] in err's chain, or Internal if
// there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// UserNotFound returns the error for a user that does not exist.
func UserNotFound(userID string) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf("user %s does not exist", shortQuote(userID))}
}

// UserExists returns the error for a user id that is taken.
func UserExists(userID string) error {
	return &Error{Kind: Exists, Message: fmt.Sprintf("user %s exists already", shortQuote(userID))}
}

// UsernameTaken returns the error for a user name that already has a
// credential.
func UsernameTaken(username string) error {
	return &Error{Kind: Exists, Message: fmt.Sprintf("user name %s is taken", shortQuote(username))}
}

// CredentialNotFound returns the error for a credential that does not exist, or
// that has changed since the caller read it.
func CredentialNotFound(username string) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf("user name %s has no such credential", shortQuote(username))}
}

// TokenNotFound returns the error for an access token that was never issued,
// has expired or has ended.
func TokenNotFound() error {
	return &Error{Kind: NotFound, Message: "the access token is unknown or has expired"}
}

// CharacterNotFound returns the error for a character that does not exist.
func CharacterNotFound(key CharacterKey) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf(
		"character %s of user %s does not exist", shortQuote(key.CharacterID), shortQuote(key.UserID))}
}

// CharacterExists returns the error for a character id that the user already
// has.
func CharacterExists(key CharacterKey) error {
	return &Error{Kind: Exists, Message: fmt.Sprintf(
		"character %s of user %s exists already", shortQuote(key.CharacterID), shortQuote(key.UserID))}
}

// TooManyCharacters returns the error for a user that already has the maximum
// number of characters. The parameter most is this maximum.
func TooManyCharacters(most int) error {
	return &Error{Kind: Full, Field: "user_id", Limit: most, Message: fmt.Sprintf("The user should have at most %d characters", most)}
}

// CharacterReadOnly returns the error for an attempt to change a read-only
// character.
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

// NoSuchPosition returns the error for a position that the list does not have.
func NoSuchPosition() error {
	return &Error{Kind: Invalid, Field: "after", Message: "this is not a position that a page of this list has returned; begin with the first page"}
}

package backend

import (
	"context"
	"iter"
	"time"
)

// Store keeps users and characters. It enforces only uniqueness, atomicity and
// the read-only flag. Every implementation passes the test suite in package
// storetest.
//
// A method that changes data is atomic: it changes everything or nothing. When
// it returns nil, the change survives a crash. The caller owns the returned
// values. Errors are of type [*Error]. Their kinds are those that a method
// documents, and Unavailable if the store cannot respond now or ctx ended
// first. All methods are safe for concurrent use.
type Store interface {
	Archive

	// CreateUser stores a new user's config and characters, in this order. The
	// error is Exists if the user id already has a credential or a config.
	CreateUser(ctx context.Context, config UserConfig, characters []Character) error

	// SetUpUser stores config and characters, in this order, for a user that has
	// a credential but has not been set up. The error is NotFound if the user id
	// does not have a credential, and Exists if it already has a config. It
	// checks in this order.
	SetUpUser(ctx context.Context, config UserConfig, characters []Character) error

	// DeleteUser removes credential, config and characters of a user, and ends
	// its tokens. The error is NotFound if the user has none of the first three.
	DeleteUser(ctx context.Context, userID string) error

	// CreateCredential stores a credential. The error is Exists if the user
	// name, compared by NameKey, or the user id already has one.
	CreateCredential(ctx context.Context, credential Credential) error

	// Credential returns the credential of a user name, compared by UsernameKey.
	// The error is NotFound if there is none.
	Credential(ctx context.Context, username string) (Credential, error)

	// ReplacePassword replaces the password of credential. The stored credential
	// must still have the same name, user id and password as credential;
	// otherwise the error is NotFound. It does not enable a disabled account.
	// With EndTokens, the user's tokens end at the same moment for every process
	// that uses this store.
	ReplacePassword(ctx context.Context, credential Credential, password Secret, fate TokenFate) error

	// SetDisabled disables or enables the account of a user. When it disables
	// the account, the user's tokens end at the same moment for every process
	// that uses this store, and they stay ended when the account is enabled
	// again. It may be repeated. The error is NotFound if the user does not have
	// a credential.
	SetDisabled(ctx context.Context, userID string, disabled bool) error

	// CreateToken stores a new token for the user of credential. The stored
	// credential must still have the same name, user id and password as
	// credential, and must not be disabled; otherwise the error is NotFound. A
	// store may remove tokens that expired before token was created.
	CreateToken(ctx context.Context, token Token, credential Credential) error

	// Token returns the token with this hash. The error is NotFound if there is
	// none, if it expired at or before now, or if it has ended.
	Token(ctx context.Context, hash TokenHash, now time.Time) (Token, error)

	// UserTokens returns the tokens of a user that are valid at now, ordered by
	// creation time and then by hash. The list is empty for an unknown user.
	UserTokens(ctx context.Context, userID string, now time.Time) ([]Token, error)

	// DeleteToken ends a token. The error is NotFound if there is none.
	DeleteToken(ctx context.Context, hash TokenHash) error

	// Users iterates over the users that filter selects, in creation order. It
	// may or may not include a user that is created or deleted during the
	// iteration. The first error ends the sequence.
	Users(ctx context.Context, filter UserFilter) iter.Seq2[User, error]

	// UserPage returns at most limit users, beginning at a position in an
	// order. Texts are ordered by their bytes. from is "" for the first user,
	// or the Next of a user. In the orders by name and by id it may also be any
	// text without NUL characters: the page then begins with the first NameKey
	// or user id that is not less. Users with the same Next belong together:
	// all of them are returned, even if they are more than limit. The error is
	// Invalid if from is none of these.
	UserPage(ctx context.Context, order UserOrder, from string, limit int) ([]PositionedUser, error)

	// CountUsers returns the number of users with a credential or a config.
	CountUsers(ctx context.Context) (int64, error)

	// UserConfig returns a user's config. The error is NotFound if there is
	// none.
	UserConfig(ctx context.Context, userID string) (UserConfig, error)

	// UpdateUserConfig applies patch to a user's config. The error is NotFound
	// if there is none.
	UpdateUserConfig(ctx context.Context, userID string, patch UserConfigPatch) error

	// CharacterNames returns a user's characters in creation order. The list is
	// empty for an unknown user. A name of more than MaxListedName bytes is
	// omitted.
	CharacterNames(ctx context.Context, userID string) ([]CharacterName, error)

	// CharacterSummaries is like CharacterNames, but returns more fields of each
	// character. Texts of more than MaxSummary bytes are omitted.
	CharacterSummaries(ctx context.Context, userID string) ([]CharacterSummary, error)

	// Character returns one character. The error is NotFound if it does not
	// exist.
	Character(ctx context.Context, key CharacterKey) (Character, error)

	// CharacterDocument returns one character in the form of EncodeCharacter.
	// The caller must not change the document, because other readers may share
	// it. The error is NotFound if the character does not exist.
	CharacterDocument(ctx context.Context, key CharacterKey) ([]byte, error)

	// CopyCharacter reads the character at key, calls edit to make a new
	// character from it, and stores the result as the last one of its user. edit
	// must change the id, keep the user, and not have side effects, because it
	// may run more than once. most is the maximum number of characters of a
	// user; 0 means no limit. The error is NotFound if there is no character at
	// key, Exists if the new id is taken, and Full if the user would exceed the
	// maximum. Concurrent copies may be refused with Full although there is room
	// for one of them.
	CopyCharacter(ctx context.Context, key CharacterKey, most int, edit func(Character) Character) error

	// AddCharacter stores a new character as the last one of its user. The error
	// is NotFound if the user does not have a config, Exists if the id is taken,
	// and Full as for CopyCharacter.
	AddCharacter(ctx context.Context, character Character, most int) error

	// UpdateCharacter applies patch unless the character is read-only. The error
	// is NotFound if the character does not exist, and ReadOnly if it must not
	// be changed. It checks in this order.
	UpdateCharacter(ctx context.Context, key CharacterKey, patch CharacterPatch) error

	// DeleteCharacter removes a character, even a read-only one. The error is
	// NotFound if it does not exist.
	DeleteCharacter(ctx context.Context, key CharacterKey) error

	// Ping returns an error if the store does not respond.
	Ping(ctx context.Context) error

	// Close waits for running calls and releases the store's resources. No other
	// method may be called after it.
	Close() error
}

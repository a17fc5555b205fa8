package backend

import (
	"context"
	"iter"
	"time"
)

// Store keeps users and characters. It knows no rule beyond uniqueness,
// atomicity and "unless read-only"; package storetest holds the suite that
// every implementation passes.
//
// A method that changes something is atomic: it happens whole or not at all,
// and when it returns nil the change survives a crash. What a method returns
// belongs to the caller. Errors are [*Error]: the kinds a method names, and
// Unavailable when the store cannot answer now or ctx ended first. All methods
// are safe for concurrent use.
type Store interface {
	Archive

	// CreateUser stores a new user's config and characters, in this order.
	// Exists if the user id has a credential or a config already.
	CreateUser(ctx context.Context, config UserConfig, characters []Character) error

	// SetUpUser stores config and characters of a user that has a credential
	// and was not set up yet, in this order. NotFound if the user id has no
	// credential, Exists if it has a config already; it checks in this order.
	SetUpUser(ctx context.Context, config UserConfig, characters []Character) error

	// DeleteUser removes credential, config and characters of a user, and ends
	// its tokens. NotFound if there is none of the first three.
	DeleteUser(ctx context.Context, userID string) error

	// CreateCredential stores a credential. Exists if the user name, compared
	// by NameKey, or the user id, has one already.
	CreateCredential(ctx context.Context, credential Credential) error

	// Credential gives the credential of a user name, compared by UsernameKey.
	// NotFound if there is none.
	Credential(ctx context.Context, username string) (Credential, error)

	// ReplacePassword stores password in place of that of credential, which
	// must be stored still as it is given: same name, user id and password.
	// NotFound otherwise. With EndTokens the user's tokens end in the same
	// moment, for every process on this store.
	ReplacePassword(ctx context.Context, credential Credential, password Secret, fate TokenFate) error

	// CreateToken stores a new token of the user of credential, which must be
	// stored still as it is given: NotFound otherwise. A store may remove
	// tokens that expired before token was created.
	CreateToken(ctx context.Context, token Token, credential Credential) error

	// Token gives the token of a hash. NotFound if there is none, if it
	// expired at or before now, or if it has ended.
	Token(ctx context.Context, hash TokenHash, now time.Time) (Token, error)

	// UserTokens gives the tokens of a user that are good at now, by creation
	// time and then by hash; none for an unknown user.
	UserTokens(ctx context.Context, userID string, now time.Time) ([]Token, error)

	// DeleteToken ends a token. NotFound if there is none.
	DeleteToken(ctx context.Context, hash TokenHash) error

	// Users iterates over the users that filter chooses, in creation order.
	// A user made or deleted meanwhile may be in or out. The first error ends
	// the sequence.
	Users(ctx context.Context, filter UserFilter) iter.Seq2[User, error]

	// CountUsers returns how many users there are with a credential or a
	// config.
	CountUsers(ctx context.Context) (int64, error)

	// UserConfig gives a user's config. NotFound if there is none.
	UserConfig(ctx context.Context, userID string) (UserConfig, error)

	// UpdateUserConfig applies patch to a user's config. NotFound if there is
	// none.
	UpdateUserConfig(ctx context.Context, userID string, patch UserConfigPatch) error

	// CharacterNames lists a user's characters in creation order: none for an
	// unknown user. A name of more than MaxListedName bytes is left out.
	CharacterNames(ctx context.Context, userID string) ([]CharacterName, error)

	// CharacterSummaries is CharacterNames with more of each character. Texts of
	// more than MaxSummary bytes are left out.
	CharacterSummaries(ctx context.Context, userID string) ([]CharacterSummary, error)

	// Character gives one character. NotFound if it does not exist.
	Character(ctx context.Context, key CharacterKey) (Character, error)

	// CharacterDocument gives one character in the form of EncodeCharacter,
	// which others may be reading, too: it must not be changed. NotFound if it
	// does not exist.
	CharacterDocument(ctx context.Context, key CharacterKey) ([]byte, error)

	// CopyCharacter reads the character at key, lets edit make the new one of
	// it, and stores that as the last of its user. edit must change the id,
	// keep the user, and have no effect beyond its result: it may run more
	// than once. NotFound if there is no character at key, Exists if the new
	// id is taken, Full if the user would have more than most characters, 0
	// for any number; of copies at the same moment more may be refused than
	// need be.
	CopyCharacter(ctx context.Context, key CharacterKey, most int, edit func(Character) Character) error

	// UpdateCharacter applies patch unless the character is read-only.
	// NotFound if it does not exist, ReadOnly if it must not be changed; it
	// checks in this order.
	UpdateCharacter(ctx context.Context, key CharacterKey, patch CharacterPatch) error

	// DeleteCharacter removes a character, also a read-only one. NotFound if
	// it does not exist.
	DeleteCharacter(ctx context.Context, key CharacterKey) error

	// Ping reports whether the store answers.
	Ping(ctx context.Context) error

	// Close waits for running calls and frees what the store holds. No other
	// method may be called after it.
	Close() error
}

package backend

import (
	"crypto/sha256"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Credential lets a user log in.
type Credential struct {
	Username string // as it was registered; see UsernameKey
	Password Secret // in its stored form: a password hash, or the plain text that the original stored
	UserID   string
	Disabled bool // an operator has disabled the account: nobody can log in, and there are no tokens
}

// UsernameKey returns the key by which user names are compared. Two names are
// the same if they look the same, even if their code points differ (Unicode
// NFC).
func UsernameKey(username string) string { return norm.NFC.String(username) }

// NameKey returns the key by which a new user name is compared with existing
// ones. People cannot reliably tell apart two names that have the same NameKey.
// Names with the same UsernameKey also have the same NameKey. So do names that
// differ only in case, in full-width versus ordinary letters, in spaces, or in
// invisible characters. Every text has a NameKey, even if it is not allowed as
// a new user name.
func NameKey(username string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, username)
	key := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(visible)))
	return strings.Join(strings.Fields(key), " ")
}

// TokenHash is the stored form of an access token. A reader of the hash cannot
// log in with it, because a token has too many possible values to try them all.
type TokenHash [sha256.Size]byte

// HashToken returns the hash of a token's text.
func HashToken(token Secret) TokenHash { return sha256.Sum256([]byte(token.Reveal())) }

// Token is an access token of a user, as it is stored. Times are in UTC, to
// the millisecond.
type Token struct {
	Hash      TokenHash
	UserID    string
	CreatedAt time.Time
	ExpiresAt time.Time // the token is invalid from this time on
}

// TokenFate says what happens to a user's access tokens when the stored
// password is replaced.
type TokenFate uint8

// The fates.
const (
	EndTokens  TokenFate = iota // a different password: sessions that began with the old one end
	KeepTokens                  // the same password in another stored form
)

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
	Password Secret // as stored: a password hash, or the plain text of the original
	UserID   string
}

// UsernameKey is what user names are compared by: two names are the same if
// they look the same, whatever code points they are made of (Unicode NFC).
func UsernameKey(username string) string { return norm.NFC.String(username) }

// NameKey is what a new user name is compared by with those that there are:
// people take names that share it for one. Names that share their UsernameKey
// share this, too; so do those that differ in upper and lower case, in
// full-width and ordinary letters, in spaces, or in what cannot be seen. Every
// text has one, also a name that no new user could have.
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

// TokenHash is what is stored of an access token. Who reads it cannot log in
// with it, as a token has too many values to try.
type TokenHash [sha256.Size]byte

// HashToken gives the hash of a token's text.
func HashToken(token Secret) TokenHash { return sha256.Sum256([]byte(token.Reveal())) }

// Token is an access token of a user, as it is stored. Times are in UTC, to
// the millisecond.
type Token struct {
	Hash      TokenHash
	UserID    string
	CreatedAt time.Time
	ExpiresAt time.Time // from then on it is worth nothing
}

// TokenFate says what becomes of a user's access tokens when the stored
// password is replaced.
type TokenFate uint8

// The fates.
const (
	EndTokens  TokenFate = iota // another password: who logged in with the old one is out
	KeepTokens                  // the same password, stored in another form
)

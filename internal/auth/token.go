package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"web-backend/internal/backend"
)

// The prefixes tell people and secret scanners what they have found.
const (
	userTokenPrefix     = "wbt_"
	operatorTokenPrefix = "wbo_"
)

const tokenBytes = 32 // too many values to try, so that a fast hash is enough to store

// NewToken gives a new access token of a user: "wbt_" and 43 characters of
// base64url.
func NewToken() backend.Secret { return newToken(userTokenPrefix) }

// NewOperatorToken gives a new operator token: "wbo_" and 43 characters of
// base64url.
func NewOperatorToken() backend.Secret { return newToken(operatorTokenPrefix) }

func newToken(prefix string) backend.Secret {
	var random [tokenBytes]byte
	_, _ = rand.Read(random[:]) // it ends the program rather than fail
	return backend.NewSecret(prefix + base64.RawURLEncoding.EncodeToString(random[:]))
}

// HasTokenPrefix reports whether text begins as the tokens made here do.
func HasTokenPrefix(text string) bool {
	return strings.HasPrefix(text, userTokenPrefix) || strings.HasPrefix(text, operatorTokenPrefix)
}

// HoldsTokenPrefix reports whether a token that was made here may begin anywhere
// in text.
func HoldsTokenPrefix(text string) bool {
	return strings.Contains(text, userTokenPrefix) || strings.Contains(text, operatorTokenPrefix)
}

// LooksLikeToken reports whether token has the form of NewToken's, which costs
// less than asking the store. It says nothing about whether the token is good.
func LooksLikeToken(token backend.Secret) bool {
	encoded, found := strings.CutPrefix(token.Reveal(), userTokenPrefix)
	if !found || len(encoded) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return false
	}
	for _, c := range []byte(encoded) {
		isLetter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !isLetter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Limits of an operator token, in bytes: a shorter one could be guessed, and a
// longer one, of whomever, is not looked at. Below wiseOperatorToken it depends
// on how it was chosen.
const (
	minOperatorToken  = 16
	wiseOperatorToken = 32
	MaxTokenLength    = 1024
)

// OperatorTokenFile is the name of the file in a data folder that has the
// operator token that was made for it.
const OperatorTokenFile = "operator.token"

// SplitOperatorTokens gives each of several tokens, which commas or line ends
// separate.
func SplitOperatorTokens(text backend.Secret) []backend.Secret {
	var tokens []backend.Secret
	for token := range strings.FieldsFuncSeq(text.Reveal(), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if token = strings.TrimSpace(token); token != "" {
			tokens = append(tokens, backend.NewSecret(token))
		}
	}
	return tokens
}

// CheckOperatorToken says what is wrong with a token. What looks like a user's
// would be looked up as one.
func CheckOperatorToken(token backend.Secret) error {
	if length := len(token.Reveal()); length < minOperatorToken || length > MaxTokenLength {
		return fmt.Errorf("one has %d bytes, want %d to %d", length, minOperatorToken, MaxTokenLength)
	}
	if LooksLikeToken(token) {
		return fmt.Errorf("one looks like a user's access token (%s…); choose another", userTokenPrefix)
	}
	return nil
}

// OperatorTokenAdvice says what would be better about a token that is allowed;
// "" for nothing.
func OperatorTokenAdvice(token backend.Secret) string {
	length := len(token.Reveal())
	if length >= wiseOperatorToken {
		return ""
	}
	return fmt.Sprintf("one has %d bytes, which might be guessed; use %d random ones or more, such as of `openssl rand -base64 32`",
		length, wiseOperatorToken)
}

// OperatorTokens are the tokens that operators may use, several while one
// replaces another. They may be of any form, as operators choose them.
// The zero value matches no token. It is safe for concurrent use.
type OperatorTokens struct{ tokens []backend.Secret }

// NewOperatorTokens takes the tokens that are set; the others are left out, so
// that an empty setting lets nobody in.
func NewOperatorTokens(tokens []backend.Secret) OperatorTokens {
	var set OperatorTokens
	for _, token := range tokens {
		if token.IsSet() {
			set.tokens = append(set.tokens, token)
		}
	}
	return set
}

// Len is the number of tokens.
func (t OperatorTokens) Len() int { return len(t.tokens) }

// LengthIn gives how many bytes at the beginning of text are one of the tokens, 0
// for none. How long it takes does not depend on how much of one text has right.
func (t OperatorTokens) LengthIn(text string) int {
	length := 0
	for _, token := range t.tokens {
		want := token.Reveal()
		if len(text) >= len(want) && subtle.ConstantTimeCompare([]byte(text[:len(want)]), []byte(want)) == 1 {
			length = max(length, len(want))
		}
	}
	return length
}

// Match gives which of them token is, counted from 1, and 0 if it is none. How
// long it takes depends on neither which one it is nor how much of one it has
// right.
func (t OperatorTokens) Match(token backend.Secret) int {
	given := sha256.Sum256([]byte(token.Reveal()))
	match := 0
	for i, want := range t.tokens {
		hash := sha256.Sum256([]byte(want.Reveal()))
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(given[:], hash[:]), i+1, match)
	}
	return match
}

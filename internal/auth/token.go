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

// The prefixes tell people and secret scanners what kind of token they have
// found.
const (
	userTokenPrefix     = "wbt_"
	operatorTokenPrefix = "wbo_"
)

const tokenBytes = 32 // too many values to try, so that a fast hash is enough for storage

// NewToken returns a new access token of a user: "wbt_" and 43 characters of
// base64url.
func NewToken() backend.Secret { return newToken(userTokenPrefix) }

// NewOperatorToken returns a new operator token: "wbo_" and 43 characters of
// base64url.
func NewOperatorToken() backend.Secret { return newToken(operatorTokenPrefix) }

func newToken(prefix string) backend.Secret {
	var random [tokenBytes]byte
	_, _ = rand.Read(random[:]) // returns no error: it ends the program instead
	return backend.NewSecret(prefix + base64.RawURLEncoding.EncodeToString(random[:]))
}

// HasTokenPrefix reports whether text begins like the tokens and tickets of this
// package.
func HasTokenPrefix(text string) bool {
	return strings.HasPrefix(text, userTokenPrefix) || strings.HasPrefix(text, operatorTokenPrefix) || strings.HasPrefix(text, ticketPrefix)
}

// HoldsTokenPrefix reports whether a token or a ticket of this package may begin
// anywhere in text.
func HoldsTokenPrefix(text string) bool {
	return strings.Contains(text, userTokenPrefix) || strings.Contains(text, operatorTokenPrefix) || strings.Contains(text, ticketPrefix)
}

// LooksLikeToken reports whether token has the form of a token from NewToken.
// This is cheaper than a lookup in the store. It does not say whether the token
// is valid.
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

// Limits of a token, in bytes. An operator token shorter than minOperatorToken
// could be guessed. A token of any kind longer than MaxTokenLength is not
// examined. Whether an operator token shorter than wiseOperatorToken can be
// guessed depends on how it was chosen.
const (
	minOperatorToken  = 16
	wiseOperatorToken = 32
	MaxTokenLength    = 1024
)

// OperatorTokenFile is the name of the file in a data folder that holds the
// operator token that was created for that folder.
const OperatorTokenFile = "operator.token"

// SplitOperatorTokens splits text at commas and line ends and returns the
// tokens.
func SplitOperatorTokens(text backend.Secret) []backend.Secret {
	var tokens []backend.Secret
	for token := range strings.FieldsFuncSeq(text.Reveal(), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if token = strings.TrimSpace(token); token != "" {
			tokens = append(tokens, backend.NewSecret(token))
		}
	}
	return tokens
}

// CheckOperatorToken returns an error if a token is not allowed. A token that
// looks like a user's token is not allowed, because it would be looked up as
// one.
func CheckOperatorToken(token backend.Secret) error {
	if length := len(token.Reveal()); length < minOperatorToken || length > MaxTokenLength {
		return fmt.Errorf("one has %d bytes, want %d to %d", length, minOperatorToken, MaxTokenLength)
	}
	if LooksLikeToken(token) {
		return fmt.Errorf("one looks like a user's access token (%s…); choose another", userTokenPrefix)
	}
	return nil
}

// OperatorTokenAdvice returns advice on how to improve an allowed token, or ""
// if there is none.
func OperatorTokenAdvice(token backend.Secret) string {
	length := len(token.Reveal())
	if length >= wiseOperatorToken {
		return ""
	}
	return fmt.Sprintf("one has %d bytes, which might be guessed; use at least %d random bytes, such as the output of `openssl rand -base64 32`",
		length, wiseOperatorToken)
}

// OperatorTokens are the tokens that operators may use. There can be several
// while one replaces another. Operators choose the tokens, so they may have any
// form. The zero value does not match any token. It is safe for concurrent use.
type OperatorTokens struct{ tokens []backend.Secret }

// NewOperatorTokens returns the tokens that are set. It omits empty ones, so
// that an empty setting does not give access.
func NewOperatorTokens(tokens []backend.Secret) OperatorTokens {
	var set OperatorTokens
	for _, token := range tokens {
		if token.IsSet() {
			set.tokens = append(set.tokens, token)
		}
	}
	return set
}

// Len returns the number of tokens.
func (t OperatorTokens) Len() int { return len(t.tokens) }

// LengthIn returns the length in bytes of the token with which text begins, or
// 0 if it does not begin with one. The time that it takes does not depend on
// how much of a token text matches.
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

// Match returns the number of the token that equals token, starting at 1, or 0
// if there is none. The time that it takes depends neither on which token
// matches nor on how much of one matches.
func (t OperatorTokens) Match(token backend.Secret) int {
	given := sha256.Sum256([]byte(token.Reveal()))
	match := 0
	for i, want := range t.tokens {
		hash := sha256.Sum256([]byte(want.Reveal()))
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(given[:], hash[:]), i+1, match)
	}
	return match
}

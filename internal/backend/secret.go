package backend

import (
	"fmt"
	"log/slog"
	"unique"
)

// redacted is how every secret prints.
const redacted = "***"

// Secret is a text that must not be shown: a provider key, a password, a
// token. Printing, logging and encoding it give "***", or "" when it is empty.
// Two secrets are equal if their texts are.
//
// The text is behind a handle because package fmt calls no method of a value
// in an unexported field, nor after a wrong verb: it then prints an address.
type Secret struct{ text unique.Handle[string] }

// NewSecret wraps value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{unique.Make(value)}
}

// Reveal gives the text itself, for the one place that needs it.
func (s Secret) Reveal() string {
	if !s.IsSet() {
		return ""
	}
	return s.text.Value()
}

// IsSet reports whether the secret holds any text.
func (s Secret) IsSet() bool { return s != Secret{} }

// String gives "***".
func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return redacted
}

// Format gives "***" for every verb, %#v and %x included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText gives "***", also as a JSON value or map key.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue gives "***".
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

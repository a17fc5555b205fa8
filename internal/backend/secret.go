package backend

import (
	"fmt"
	"log/slog"
	"unique"
)

// redacted is the printed form of every secret.
const redacted = "***"

// Secret is a text that must not be shown: a provider key, a password or a
// token. Printing, logging or encoding it produces "***", or "" if it is empty.
// Two secrets are equal if their texts are equal.
//
// The text is behind a handle because package fmt does not call the methods of
// a value that is in an unexported field or that it prints after a wrong verb.
// With the handle, fmt prints an address in these cases.
type Secret struct{ text unique.Handle[string] }

// NewSecret returns a Secret with the text value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{unique.Make(value)}
}

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string {
	if !s.IsSet() {
		return ""
	}
	return s.text.Value()
}

// IsSet reports whether the secret is not empty.
func (s Secret) IsSet() bool { return s != Secret{} }

// String returns "***", or "" if the secret is empty.
func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return redacted
}

// Format writes the same as String for every verb, including %#v and %x.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText returns the same as String. Package json uses it for values and
// map keys.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns the same as String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

package backend

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// ValidText reports whether a store may keep s: valid UTF-8 without NUL
// characters (contract §1).
func ValidText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// CheckText returns an error unless s is a [ValidText]. The error does not show
// any part of s. Its message has no subject: the caller writes what s is, such
// as "the password", before it.
func CheckText(s string) error {
	switch {
	case ValidText(s):
		return nil
	case strings.ContainsRune(s, 0) || strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff"):
		return errors.New("holds NUL characters or is UTF-16, want UTF-8")
	}
	return errors.New("is not UTF-8 (it may be Latin-1, GBK or another older encoding); " +
		"convert it, for example with iconv -f LATIN1 -t UTF-8, or set the terminal to UTF-8")
}

// ValidJSONText reports whether every text in the JSON document raw is valid
// UTF-8 and has no escaped surrogate without its partner. JSON's grammar allows
// such surrogates. Package encoding/json would silently replace both kinds of
// error.
func ValidJSONText(raw []byte) bool {
	return jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true))
}

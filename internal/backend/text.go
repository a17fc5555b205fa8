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

// CheckText gives an error, which shows nothing of s, unless [ValidText]. It
// completes a sentence that begins with what s is.
func CheckText(s string) error {
	switch {
	case ValidText(s):
		return nil
	case strings.ContainsRune(s, 0) || strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff"):
		return errors.New("holds NUL characters or is UTF-16, want UTF-8")
	}
	return errors.New("is not UTF-8 (it may be Latin-1, GBK or another older encoding); " +
		"convert it, such as with iconv -f LATIN1 -t UTF-8, or set the terminal to UTF-8")
}

// ValidJSONText reports whether every text in raw, which is JSON, is one: valid
// UTF-8, and no escaped surrogate without its partner, which JSON's grammar
// allows. Package encoding/json would replace either silently.
func ValidJSONText(raw []byte) bool {
	return jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true))
}

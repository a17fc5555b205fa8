package backend

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// ValidText reports whether a store may keep s: valid UTF-8 without NUL
// characters (contract §1).
func ValidText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// ValidJSONText reports whether every text in raw, which is JSON, is one: valid
// UTF-8, and no escaped surrogate without its partner, which JSON's grammar
// allows. Package encoding/json would replace either silently.
func ValidJSONText(raw []byte) bool {
	return jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true))
}

package backend

import (
	"strings"
	"unicode/utf8"
)

// ValidText reports whether a store may keep s: valid UTF-8 without NUL
// characters (contract §1).
func ValidText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

package backend

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
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

// HasLoneSurrogate reports whether raw, which is JSON, holds an escaped
// surrogate without its partner: no text, though JSON's grammar allows it.
// Package encoding/json would replace it silently.
func HasLoneSurrogate(raw []byte) bool {
	if !bytes.Contains(raw, []byte(`\u`)) {
		return false
	}
	unit := func(i int) uint64 { // the UTF-16 unit escaped at i, or 0
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0
		}
		value, _ := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
		return value
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		switch value := unit(i); {
		case value >= 0xD800 && value <= 0xDBFF:
			if low := unit(i + 6); low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 11
		case value >= 0xDC00 && value <= 0xDFFF:
			return true
		default:
			i++ // the escaped character, so that \\u is not taken for \u
		}
	}
	return false
}

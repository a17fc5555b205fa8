package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// errNotAllowed says that a value does not match the description of the allowed
// values.
var errNotAllowed = errors.New("is not allowed")

// flaw is an error that says what must not be in a value and what to do about
// it. It does not show the value.
type flaw string

func (f flaw) Error() string { return string(f) }

// entryError is the error of one entry of a list.
type entryError struct {
	number int // from 1
	entry  string
	err    error
}

func (e entryError) Error() string { return fmt.Sprintf("entry %d %v", e.number, e.err) }

// complaint returns the reason why v rejects a value. found is that value in a
// form that a fault may show. show returns such a form for an entry of a list;
// it is nil if entries must not be shown.
func complaint(v value, found string, err error, show func(string) string) string {
	if e, ok := errors.AsType[entryError](err); ok {
		found, err = fmt.Sprintf("entry %d", e.number), e.err
		if show != nil {
			found += " (" + show(e.entry) + ")"
		}
	}
	if f, ok := errors.AsType[flaw](err); ok {
		return found + " " + string(f)
	}
	return found + " is not allowed; want " + v.allowed
}

// byteOrderMark is written by some editors at the start of a file. It is not
// part of the text.
const byteOrderMark = "\ufeff"

// controlFlaw returns an error for control characters that nobody types on
// purpose.
func controlFlaw(s string) error {
	isLineEnd := func(r rune) bool { return r == '\r' || r == '\n' }
	switch inner := strings.TrimFunc(s, isLineEnd); {
	case strings.HasPrefix(s, byteOrderMark):
		return flaw("begins with a byte order mark (U+FEFF); remove it")
	case strings.TrimRightFunc(s, isLineEnd) != s:
		return flaw("ends with a line end; remove it")
	case inner != s:
		return flaw("begins with a line end; remove it")
	}
	if at := strings.IndexFunc(s, unicode.IsControl); at >= 0 {
		r, _ := utf8.DecodeRuneInString(s[at:])
		return flaw(fmt.Sprintf("has a control character in it (%U); remove it", r))
	}
	return nil
}

// inQuotes reports whether s is in quotes. Env files and service managers may
// not remove quotes.
func inQuotes(s string) bool {
	return len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0]
}

// textFlaw returns an error for features of a name or a path that are certainly
// mistakes.
func textFlaw(s string) error {
	if err := controlFlaw(s); err != nil {
		return err
	}
	switch {
	case inQuotes(s):
		return flaw("stands in quotes, which would be part of it; leave them out, since an env file keeps them")
	case strings.TrimSpace(s) != s:
		return flaw("begins or ends with a space; remove it")
	}
	return nil
}

package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// errNotAllowed says that a value is not what allowed describes.
var errNotAllowed = errors.New("is not allowed")

// flaw is an error that says what a value has that it must not have, and what
// to do. It does not show the value.
type flaw string

func (f flaw) Error() string { return string(f) }

// entryError is what is wrong with one entry of a list.
type entryError struct {
	number int // from 1
	entry  string
	err    error
}

func (e entryError) Error() string { return fmt.Sprintf("entry %d %v", e.number, e.err) }

// complaint says of found, a value as a fault may show it, why v does not take
// it. Show gives an entry of a list as the fault may show it; nil if it must not.
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
	return found + " is not allowed; want " + v.allowed()
}

// byteOrderMark begins files of some editors, and is no part of the text.
const byteOrderMark = "\ufeff"

// controlFlaw says what a text has that nobody types on purpose.
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

// inQuotes reports whether a text stands in quotes, as where an env file or a
// service manager does not take them away.
func inQuotes(s string) bool {
	return len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0]
}

// textFlaw says what a name or a path has that nobody means.
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

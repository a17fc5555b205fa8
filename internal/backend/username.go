package backend

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// withoutSelectors removes the variation selectors that choose between the text
// form and the emoji form of a sign. Phones add them, and PRECIS does not know
// them.
var withoutSelectors = strings.NewReplacer("\ufe0e", "", "\ufe0f", "")

// plainUsername returns the form of a user name that looks the same and is
// unique: that of the PRECIS profile Nickname (RFC 8266). The profile maps
// full-width letters and repeated spaces, and keeps upper and lower case apart,
// as the original does. It returns an error if the name has invisible or
// control characters.
func plainUsername(username string) (string, error) {
	return precis.Nickname.String(withoutSelectors.Replace(username))
}

// UsernameTriesKey returns the key by which login tries for a user name are
// counted. It is the same for all names that Authenticate treats as one.
func UsernameTriesKey(username string) string {
	if plain, err := plainUsername(username); err == nil {
		return plain
	}
	return UsernameKey(username)
}

// newUsername checks a requested name and returns the name to store. The error
// is a [Refusal] if the name is not allowed.
func newUsername(username string) (string, error) {
	plain, err := plainUsername(username)
	if err != nil || strings.TrimSpace(username) != username || blank(plain) ||
		max(utf8.RuneCountInString(username), utf8.RuneCountInString(plain)) > maxUsernameLength {
		return "", &Refusal{Reason: NameInvalid, Limit: maxUsernameLength}
	}
	if UsernameKey(username) == plain {
		return username, nil // as the user typed it
	}
	return plain, nil
}

// blank reports whether a name has no visible character. RFC 8266 allows
// combining marks without a letter, and two signs that are drawn as empty
// space.
func blank(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool {
		return !unicode.In(r, unicode.Zs, unicode.M) && r != '\u2800' && r != '\U0001D159' // Braille blank, null notehead
	}) < 0
}

// credential returns the stored credential of a user name. It first looks up
// the given name, which may be any name that older servers allowed, and then
// its plain form.
func (s *Service) credential(ctx context.Context, username string) (Credential, error) {
	credential, err := s.store.Credential(ctx, username)
	if !errors.Is(err, NotFound) {
		return credential, err
	}
	plain, wrong := plainUsername(username)
	if wrong != nil || plain == UsernameKey(username) {
		return credential, err
	}
	return s.store.Credential(ctx, plain)
}

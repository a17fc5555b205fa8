package backend

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// withoutSelectors removes the characters that choose between the text and the
// emoji form of a sign, which phones add and PRECIS does not know.
var withoutSelectors = strings.NewReplacer("\ufe0e", "", "\ufe0f", "")

// plainUsername gives the form of a user name that looks the same and has no
// other look: that of the PRECIS profile Nickname (RFC 8266), which maps
// full-width letters and many spaces, and keeps upper and lower case apart as
// the original does. An error if the name has invisible or control characters.
func plainUsername(username string) (string, error) {
	return precis.Nickname.String(withoutSelectors.Replace(username))
}

// UsernameTriesKey is what tries at a user name are counted by: the same for
// all names that Authenticate takes for one.
func UsernameTriesKey(username string) string {
	if plain, err := plainUsername(username); err == nil {
		return plain
	}
	return UsernameKey(username)
}

// newUsername checks a name that somebody wants and gives the one to store. A
// [Refusal] if it is not allowed.
func newUsername(username string) (string, error) {
	plain, err := plainUsername(username)
	if err != nil || strings.TrimSpace(username) != username || blank(plain) ||
		max(utf8.RuneCountInString(username), utf8.RuneCountInString(plain)) > maxUsernameLength {
		return "", &Refusal{Reason: NameInvalid, Limit: maxUsernameLength}
	}
	if UsernameKey(username) == plain {
		return username, nil // as it was typed
	}
	return plain, nil
}

// blank reports whether nothing of a name can be seen: RFC 8266 allows marks that
// stand on no letter, and two signs that are drawn as empty space.
func blank(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool {
		return !unicode.In(r, unicode.Zs, unicode.M) && r != '\u2800' && r != '\U0001D159' // Braille blank, null notehead
	}) < 0
}

// credential finds the credential of a user name as it is stored, which may be
// any that older servers took, else that of its plain form.
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

package backend

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// PlainPassword returns the form of a password that is hashed. Passwords that
// look the same have the same form, whatever code points a keyboard produces.
// It maps like the PRECIS profile OpaqueString (RFC 8265), but it does not
// reject anything, so that every password that the original accepts still
// works.
func PlainPassword(password Secret) Secret {
	text := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}, password.Reveal())
	return NewSecret(norm.NFC.String(text))
}

// hashPassword returns the form of a password to store.
func (s *Service) hashPassword(ctx context.Context, password Secret) (Secret, error) {
	return s.passwords.Hash(ctx, PlainPassword(password))
}

// verify reports the same as [PasswordHasher.Verify]. If a password is not in
// its plain form, verify also tries it as it was sent, because older hashes
// were made from that. Unless the password is right, the number of tries
// depends only on the password.
//
// verify rejects an empty or too long password without computing a hash. This
// does not reveal anything about the user name.
func (s *Service) verify(ctx context.Context, password, stored Secret) (ok, outdated bool, err error) {
	if !password.IsSet() || passwordTooLong(password) {
		return false, false, nil
	}
	plain := PlainPassword(password)
	ok, outdated, err = s.passwords.Verify(ctx, plain, stored)
	if ok || err != nil || plain == password {
		return ok, outdated, err
	}
	ok, _, err = s.passwords.Verify(ctx, password, stored)
	return ok, ok, err
}

// PasswordMinLength returns how many characters a new password must have.
func (s *Service) PasswordMinLength() int { return max(1, s.accounts.PasswordMinLength) }

// checkNewPassword returns a [Refusal] if a password may not be stored.
func (s *Service) checkNewPassword(password Secret) error {
	least := s.PasswordMinLength()
	switch {
	case !ValidText(password.Reveal()):
		return &Error{Kind: Invalid, Field: "new_password", Message: "password: " + invalidTextProblem}
	case passwordTooLong(password):
		return &Refusal{Reason: PasswordTooLong, Limit: maxPasswordBytes}
	case utf8.RuneCountInString(password.Reveal()) < least:
		return &Refusal{Reason: PasswordTooShort, Limit: least}
	}
	return nil
}

// passwordTooLong reports whether both the password as it was sent and its
// plain form are too long.
func passwordTooLong(password Secret) bool {
	return min(len(password.Reveal()), len(PlainPassword(password).Reveal())) > maxPasswordBytes
}

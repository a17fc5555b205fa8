package backend

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// PlainPassword gives the form of a password that is hashed: the same for what
// looks the same, whatever code points a keyboard makes of it. It maps as the
// PRECIS profile OpaqueString (RFC 8265) does, and refuses nothing, so that every
// password that the original accepts still works.
func PlainPassword(password Secret) Secret {
	text := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}, password.Reveal())
	return NewSecret(norm.NFC.String(text))
}

// hashPassword gives what is to be stored of a password.
func (s *Service) hashPassword(ctx context.Context, password Secret) (Secret, error) {
	return s.passwords.Hash(ctx, PlainPassword(password))
}

// verify reports what [PasswordHasher.Verify] does. A password that is not in its
// plain form is also tried as it was sent, since older hashes were made of that;
// how often it is tried depends on the password alone, unless it is right.
//
// It refuses what no password can be without the cost of a hash: that tells
// nothing of the name.
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

// checkNewPassword gives a [Refusal] unless a password may be stored.
func (s *Service) checkNewPassword(password Secret) error {
	least := max(1, s.accounts.PasswordMinLength)
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

// passwordTooLong reports whether a password is too long both as it was sent and
// in its plain form.
func passwordTooLong(password Secret) bool {
	return min(len(password.Reveal()), len(PlainPassword(password).Reveal())) > maxPasswordBytes
}

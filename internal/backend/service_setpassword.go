package backend

import (
	"context"
	"errors"
	"fmt"
)

// SetPassword gives a user a new password without asking for the old one, ends
// all its access tokens and returns its id: for operators. The user is named
// by userID, by username or by both. A user that never had a password gets
// username and this password; then both must be given.
//
// NotFound if there is no such user. Invalid if neither names one, if a user
// without a user name is to get a password alone, or if the user has another
// user name. A [Refusal] if name or password is not allowed, or the name is
// taken.
func (s *Service) SetPassword(ctx context.Context, userID, username string, newPassword Secret) (string, error) {
	for range credentialTries {
		credential, err := s.credentialOf(ctx, userID, username)
		if err != nil {
			return "", err
		}
		first := credential == nil
		if first {
			if _, err := newUsername(username); err != nil {
				return "", err
			}
		}
		if err := s.checkNewPassword(newPassword); err != nil {
			return "", err
		}
		if first {
			return userID, s.createCredential(ctx, userID, username, newPassword)
		}
		hash, err := s.hashPassword(ctx, newPassword)
		if err != nil {
			return "", err
		}
		if err := s.store.ReplacePassword(ctx, *credential, hash, EndTokens); !errors.Is(err, NotFound) {
			return credential.UserID, err
		}
	}
	return "", accountBusy()
}

// credentialOf finds the credential of the user that userID, username or both
// name; nil if the user has none and can get one.
func (s *Service) credentialOf(ctx context.Context, userID, username string) (*Credential, error) {
	switch {
	case userID == "" && username == "":
		return nil, &Error{Kind: Invalid, Field: "user_id", Message: "user_id or username must be given"}
	case userID == "":
		credential, err := s.credential(ctx, username)
		if errors.Is(err, NotFound) {
			err = usernameUnknown(username)
		} else if err == nil && credential.UserID == "" {
			err = noUserID(username)
		}
		return &credential, err
	}
	found, err := s.store.UserData(ctx, []string{userID})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, UserNotFound(userID)
	}
	credential := found[0].Credential
	switch {
	case credential == nil && username == "":
		return nil, &Error{Kind: Invalid, Field: "username",
			Message: fmt.Sprintf("user %s has no user name yet; give one with the password", shortQuote(userID))}
	case credential != nil && username != "" && UsernameKey(username) != UsernameKey(credential.Username):
		return nil, &Error{Kind: Invalid, Field: "username",
			Message: fmt.Sprintf("user %s has another user name; leave it out to change the password", shortQuote(userID))}
	}
	return credential, nil
}

// usernameUnknown is the error for a user name that nobody has.
func usernameUnknown(username string) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf("no user has the user name %s", shortQuote(username))}
}

package backend

import (
	"context"
	"errors"
	"fmt"
)

// SetPassword is for operators. It gives a user a new password without asking
// for the old one, ends all the user's access tokens and returns the user id.
// The caller names the user by userID, by username or by both. If the user has
// never had a password, both must be given; the user then gets username and
// this password.
//
// The error is NotFound if the user does not exist. It is Invalid if userID and
// username are both empty, if the user does not have a user name and username
// is empty, or if the user has another user name. It is a [Refusal] if name or
// password is not allowed, or if the name is taken.
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

// credentialOf returns the credential of the user named by userID, username or
// both. It returns nil if the user does not have a credential but can get one.
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
			Message: fmt.Sprintf("user %s has another user name; to change only the password, leave the user name out", shortQuote(userID))}
	}
	return credential, nil
}

// usernameUnknown returns the error for a user name that does not exist.
func usernameUnknown(username string) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf("no user has the user name %s", shortQuote(username))}
}

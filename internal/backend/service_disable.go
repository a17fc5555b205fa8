package backend

import (
	"context"
	"errors"
	"fmt"
)

// DisableUser is for operators. Nobody can log in to a disabled account, and its
// access tokens end. Its data stays. The error is NotFound if the user does not
// have an account.
func (s *Service) DisableUser(ctx context.Context, userID string) error {
	return noAccount(userID, s.store.SetDisabled(ctx, userID, true))
}

// EnableUser is for operators. It undoes DisableUser, but the access tokens stay
// ended. The error is NotFound if the user does not have an account.
func (s *Service) EnableUser(ctx context.Context, userID string) error {
	return noAccount(userID, s.store.SetDisabled(ctx, userID, false))
}

// EndUserSessions is for operators. It ends all access tokens of a user, who can
// then log in again. The error is NotFound if the user does not have an account.
func (s *Service) EndUserSessions(ctx context.Context, userID string) error {
	for range credentialTries {
		found, err := s.store.UserData(ctx, []string{userID})
		if err != nil {
			return err
		}
		if len(found) == 0 || found[0].Credential == nil {
			return noAccount(userID, NotFound)
		}
		credential := *found[0].Credential
		// The store ends tokens when it replaces a password, even with the same one.
		if err := s.store.ReplacePassword(ctx, credential, credential.Password, EndTokens); !errors.Is(err, NotFound) {
			return err
		}
	}
	return accountBusy()
}

// noAccount turns NotFound into the error for a user without a credential.
func noAccount(userID string, err error) error {
	if errors.Is(err, NotFound) {
		return &Error{Kind: NotFound, Message: fmt.Sprintf("user %s does not exist or has no account", shortQuote(userID))}
	}
	return err
}

// AccountDisabled reports whether the account with a user name is disabled. The
// error is NotFound if there is none.
func (s *Service) AccountDisabled(ctx context.Context, username string) (bool, error) {
	credential, err := s.store.Credential(ctx, username)
	return credential.Disabled, err
}

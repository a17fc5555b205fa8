package backend

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// PasswordHasher hashes and checks passwords. A method returns a TooMany error
// if too many calls are running, so that it cannot start soon.
type PasswordHasher interface {
	// Hash returns the form of password to store.
	Hash(ctx context.Context, password Secret) (Secret, error)
	// Verify reports whether stored was made from password, and whether stored
	// has an older form and should be replaced. If stored is empty, there is no
	// such user: the check then takes as long as any other and always fails.
	Verify(ctx context.Context, password, stored Secret) (ok, outdated bool, err error)
}

// AccountRules are the settings of an operator for accounts.
type AccountRules struct {
	// RegistrationClosed means that only operators can create accounts.
	RegistrationClosed bool
	// PasswordMinLength is the minimum length of a new password in characters.
	// With 0, any password that is not empty is allowed.
	PasswordMinLength int
	TokenLifetime     time.Duration
	// NewToken returns the text of a new access token. It must be impossible to
	// guess.
	NewToken func() Secret
}

// Limits for names and passwords: what a person can type, and how long the
// input of a hash may be.
const (
	maxUsernameLength = 254  // characters; an e-mail address fits
	maxPasswordBytes  = 1024 // bytes of UTF-8
)

// Login is the result of a successful login.
type Login struct {
	UserID    string
	Token     Secret
	ExpiresIn time.Duration
}

// RegistrationOpen reports whether people can create accounts themselves.
func (s *Service) RegistrationOpen() bool { return !s.accounts.RegistrationClosed }

// Register creates an account and returns its user id. The user is set up at
// the first login. The error is a [Refusal] if registration is closed, the name
// is taken, the name or the password is not allowed, or the maximum number of
// users is reached.
func (s *Service) Register(ctx context.Context, username string, password Secret) (userID string, err error) {
	if s.accounts.RegistrationClosed {
		return "", &Refusal{Reason: NotOpen}
	}
	return s.createAccount(ctx, username, password)
}

// CreateAccount is for operators. It is like Register, and also works if
// registration is closed. It sets the user up at once, so that an operator can
// give the user provider keys and characters.
func (s *Service) CreateAccount(ctx context.Context, username string, password Secret) (userID string, err error) {
	if userID, err = s.createAccount(ctx, username, password); err == nil {
		_ = s.setUp(ctx, userID) // if it fails, the first login does it
	}
	return userID, err
}

func (s *Service) createAccount(ctx context.Context, username string, password Secret) (userID string, err error) {
	if _, err := newUsername(username); err != nil {
		return "", err
	}
	if err := s.checkNewPassword(password); err != nil {
		return "", err
	}
	if err := s.checkUsers(ctx); errors.Is(err, Full) {
		return "", &Refusal{Reason: NoRoom}
	} else if err != nil {
		return "", err
	}
	userID = s.newID()
	if err := s.createCredential(ctx, userID, username, password); err != nil {
		return "", err
	}
	return userID, nil
}

// createCredential gives a user a name and a password that have been checked.
// The error is a [Refusal] if the name is taken, either in the given form or in
// the form to store.
func (s *Service) createCredential(ctx context.Context, userID, username string, password Secret) error {
	stored, err := newUsername(username)
	if err != nil {
		return err
	}
	taken := &Refusal{Reason: NameTaken}
	switch _, err := s.credential(ctx, username); {
	case err == nil:
		return taken // return before the costly hash
	case !errors.Is(err, NotFound):
		return err
	}
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	err = s.store.CreateCredential(ctx, Credential{Username: stored, Password: hash, UserID: userID})
	if errors.Is(err, Exists) {
		return taken
	}
	return err
}

// Authenticate logs a user in. It checks name and password, sets up the user if
// this is the first login, and returns an access token. If the stored password
// has an older form, it is hashed again. The error is a [Refusal] if name or
// password is wrong, or if the account is disabled.
func (s *Service) Authenticate(ctx context.Context, username string, password Secret) (login Login, err error) {
	err = s.withCredential(ctx, username, password, func(credential Credential, outdated bool) error {
		if outdated {
			hash, err := s.hashPassword(ctx, password)
			if err != nil {
				return err
			}
			if err := s.store.ReplacePassword(ctx, credential, hash, KeepTokens); err != nil {
				return err
			}
			credential.Password = hash
		}
		if err := s.setUp(ctx, credential.UserID); err != nil {
			return err
		}
		now := s.now()
		token := s.accounts.NewToken()
		login = Login{UserID: credential.UserID, Token: token, ExpiresIn: s.accounts.TokenLifetime}
		return s.store.CreateToken(ctx, Token{
			Hash: HashToken(token), UserID: credential.UserID,
			CreatedAt: storedTime(now), ExpiresAt: storedTime(now.Add(s.accounts.TokenLifetime)),
		}, credential)
	})
	if err != nil {
		return Login{}, err
	}
	return login, nil
}

// storedTime returns t with the precision and the zone in which stores keep
// times.
func storedTime(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// setUp gives a user the default config and characters, unless the user has
// them already.
func (s *Service) setUp(ctx context.Context, userID string) error {
	if _, err := s.store.UserConfig(ctx, userID); !errors.Is(err, NotFound) {
		return err
	}
	config, characters := s.newUser(userID, s.now())
	err := s.store.SetUpUser(ctx, config, characters)
	if errors.Is(err, Exists) {
		return nil // a concurrent login has done it
	}
	return err
}

// UpdatePassword gives an account a new password and ends all its access
// tokens. The error is a [Refusal] if name or password is wrong, if the account
// is disabled, or if the new password is not allowed. It checks in this order.
func (s *Service) UpdatePassword(ctx context.Context, username string, password, newPassword Secret) error {
	return s.withCredential(ctx, username, password, func(credential Credential, _ bool) error {
		if err := s.checkNewPassword(newPassword); err != nil {
			return err
		}
		hash, err := s.hashPassword(ctx, newPassword)
		if err != nil {
			return err
		}
		return s.store.ReplacePassword(ctx, credential, hash, EndTokens)
	})
}

// DeleteAccount removes an account with all data that is stored for its user,
// and ends its access tokens. The error is a [Refusal] if name, password and
// user id do not belong together, or if the account is disabled. A concurrent
// change of the password does not prevent the deletion.
func (s *Service) DeleteAccount(ctx context.Context, username string, password Secret, userID string) error {
	return s.withCredential(ctx, username, password, func(credential Credential, _ bool) error {
		if credential.UserID != userID {
			return &Refusal{Reason: WrongCredentials}
		}
		return s.store.DeleteUser(ctx, userID)
	})
}

// Logout ends an access token. The error is Unauthorized if the token is not
// valid.
func (s *Service) Logout(ctx context.Context, token Secret) error {
	_, err := s.TokenUser(ctx, token)
	if err == nil {
		err = s.store.DeleteToken(ctx, HashToken(token))
	}
	return badToken(err)
}

// badToken turns the error for an unknown token into the error for the client
// that sent it.
func badToken(err error) error {
	if errors.Is(err, NotFound) {
		return &Error{Kind: Unauthorized, Message: "the access token is unknown or has expired"}
	}
	return err
}

// TokenUser returns the id of the user to which an access token belongs. The
// error is NotFound if the token is unknown, has expired or has ended.
func (s *Service) TokenUser(ctx context.Context, token Secret) (userID string, err error) {
	found, err := s.store.Token(ctx, HashToken(token), s.now())
	return found.UserID, err
}

// credentialTries is how often an operation reads a credential. If the
// credential changes each time while it is in use, the operation fails.
const credentialTries = 4

// withCredential checks name and password and calls do with the credential. The
// error is a [Refusal] if they are wrong, or if they are right but the account
// is disabled. Without the password, nobody learns which accounts exist. If the
// store then returns NotFound, another login or a new password has changed the
// credential in the meantime, and withCredential starts again.
func (s *Service) withCredential(
	ctx context.Context, username string, password Secret, do func(credential Credential, outdated bool) error,
) error {
	for range credentialTries {
		credential, err := s.credential(ctx, username)
		if err != nil && !errors.Is(err, NotFound) {
			return err
		}
		// Verify even without a credential, so that an unknown name takes as long
		// as a known one.
		ok, outdated, err := s.verify(ctx, password, credential.Password)
		switch {
		case err != nil:
			return err
		case !ok:
			return &Refusal{Reason: WrongCredentials}
		case credential.UserID == "":
			return noUserID(username)
		case credential.Disabled:
			return &Refusal{Reason: AccountDisabled}
		}
		if err := do(credential, outdated); !errors.Is(err, NotFound) {
			return err
		}
	}
	return accountBusy()
}

// noUserID returns the error for a credential without a user id. Only another
// program can have stored it. Trying again does not help.
func noUserID(username string) error {
	return &Error{Kind: Internal, Message: fmt.Sprintf("the stored credential of user name %s has no user_id that is a text; "+
		"repair it in the database", shortQuote(username))}
}

// accountBusy returns the error for a credential that changes each time it is
// read.
func accountBusy() error {
	return &Error{Kind: Unavailable, Message: "the account is being changed by others; try again"}
}

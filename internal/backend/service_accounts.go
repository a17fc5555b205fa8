package backend

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// PasswordHasher hashes passwords and checks them. A method that cannot start
// soon, because too many run, gives a TooMany error.
type PasswordHasher interface {
	// Hash gives what is to be stored of password.
	Hash(ctx context.Context, password Secret) (Secret, error)
	// Verify reports whether password is the one that stored was made of, and
	// whether stored is of an older form and should be made anew. An empty
	// stored stands for nobody's: it takes as long, and is never right.
	Verify(ctx context.Context, password, stored Secret) (ok, outdated bool, err error)
}

// AccountRules are what an operator can choose of accounts.
type AccountRules struct {
	// RegistrationClosed leaves it to operators to make accounts.
	RegistrationClosed bool
	// PasswordMinLength is the least length of a new password in characters; 0
	// for any that is not empty.
	PasswordMinLength int
	TokenLifetime     time.Duration
	// NewToken makes the text of an access token, which nobody can guess.
	NewToken func() Secret
}

// Limits of names and passwords: what a person can type, and a hash may cost.
const (
	maxUsernameLength = 254  // characters; an e-mail address fits
	maxPasswordBytes  = 1024 // bytes of UTF-8
)

// Login is what a successful login gives.
type Login struct {
	UserID    string
	Token     Secret
	ExpiresIn time.Duration
}

// Register makes an account and returns its user id. The user is set up at the
// first login. A [Refusal] if registration is closed, the name is taken, name or
// password are not allowed, or there are as many users as there may be.
func (s *Service) Register(ctx context.Context, username string, password Secret) (userID string, err error) {
	if s.accounts.RegistrationClosed {
		return "", &Refusal{Reason: NotOpen}
	}
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

// createCredential gives a user a name and a password that were checked. A
// [Refusal] if the name is taken, as it is given or as it would be stored.
func (s *Service) createCredential(ctx context.Context, userID, username string, password Secret) error {
	stored, err := newUsername(username)
	if err != nil {
		return err
	}
	taken := &Refusal{Reason: NameTaken}
	switch _, err := s.credential(ctx, username); {
	case err == nil:
		return taken // without the cost of a hash
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

// Authenticate logs a user in: it checks name and password, sets the user up
// if this is the first login, and gives an access token. A stored password of
// an older form is hashed anew. A [Refusal] if name or password is wrong.
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

// storedTime gives t as stores keep times.
func storedTime(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// setUp gives a user config and default characters, unless it has them.
func (s *Service) setUp(ctx context.Context, userID string) error {
	if _, err := s.store.UserConfig(ctx, userID); !errors.Is(err, NotFound) {
		return err
	}
	config, characters := s.newUser(userID, s.now())
	err := s.store.SetUpUser(ctx, config, characters)
	if errors.Is(err, Exists) {
		return nil // another login was faster
	}
	return err
}

// UpdatePassword gives an account a new password and ends all its access
// tokens. A [Refusal] if name or password is wrong, or the new password is not
// allowed; it checks in this order.
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

// DeleteAccount removes an account with everything stored for its user, and
// ends its access tokens. A [Refusal] unless name, password and user id belong
// together. A change of the password at the same moment does not stop it.
func (s *Service) DeleteAccount(ctx context.Context, username string, password Secret, userID string) error {
	return s.withCredential(ctx, username, password, func(credential Credential, _ bool) error {
		if credential.UserID != userID {
			return &Refusal{Reason: WrongCredentials}
		}
		return s.store.DeleteUser(ctx, userID)
	})
}

// Logout ends an access token. Unauthorized if it is none that counts.
func (s *Service) Logout(ctx context.Context, token Secret) error {
	_, err := s.TokenUser(ctx, token)
	if err == nil {
		err = s.store.DeleteToken(ctx, HashToken(token))
	}
	return badToken(err)
}

// badToken turns the error for a token that there is not into the one of who
// sent it.
func badToken(err error) error {
	if errors.Is(err, NotFound) {
		return &Error{Kind: Unauthorized, Message: "the access token is unknown or has expired"}
	}
	return err
}

// TokenUser gives the id of the user that an access token belongs to. NotFound
// if it is unknown, has expired or has ended.
func (s *Service) TokenUser(ctx context.Context, token Secret) (userID string, err error) {
	found, err := s.store.Token(ctx, HashToken(token), s.now())
	return found.UserID, err
}

// credentialTries bounds how often a credential is read again because it was
// changed while it was used.
const credentialTries = 4

// withCredential checks name and password and calls do with the credential. If
// the store answers NotFound then, the credential was changed meanwhile, by
// another login or another password, and all is done again.
func (s *Service) withCredential(
	ctx context.Context, username string, password Secret, do func(credential Credential, outdated bool) error,
) error {
	for range credentialTries {
		credential, err := s.credential(ctx, username)
		if err != nil && !errors.Is(err, NotFound) {
			return err
		}
		// Without a credential too, so that an unknown name takes as long.
		ok, outdated, err := s.verify(ctx, password, credential.Password)
		switch {
		case err != nil:
			return err
		case !ok:
			return &Refusal{Reason: WrongCredentials}
		case credential.UserID == "":
			return noUserID(username)
		}
		if err := do(credential, outdated); !errors.Is(err, NotFound) {
			return err
		}
	}
	return accountBusy()
}

// noUserID is the error of a credential that belongs to nobody, which only another
// program can have stored. No later try helps.
func noUserID(username string) error {
	return &Error{Kind: Internal, Message: fmt.Sprintf("the stored credential of user name %s has no user_id that is a text; "+
		"mend it in the database", shortQuote(username))}
}

// accountBusy is the error when a credential changes each time it is read.
func accountBusy() error {
	return &Error{Kind: Unavailable, Message: "the account is being changed by others; try again"}
}

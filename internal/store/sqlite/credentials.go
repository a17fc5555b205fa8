package sqlite

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// usernameGiven is a user's name as it was registered. The column username
// holds the normalized form that is used to compare names.
const usernameGiven = `coalesce(username_given, username)`

// CreateCredential implements [backend.Store].
func (s *Store) CreateCredential(ctx context.Context, credential backend.Credential) error {
	return s.write(ctx, noUsers, func(c *conn) error {
		name := nameColumnsOf(credential.Username)
		same, err := countRows(c, `SELECT count(*) FROM users WHERE name_key = ?`, name.key)
		if err != nil {
			return err
		}
		if same > 0 {
			return backend.UsernameTaken(credential.Username)
		}
		changed, err := c.run(putCredential+` WHERE username IS NULL`,
			credential.UserID, name.username, name.given, name.key, credential.Password.Reveal(), credential.Disabled)
		switch {
		case isUniqueViolation(err): // the stored key was made by an older version of Unicode
			return backend.UsernameTaken(credential.Username)
		case err != nil:
			return err
		case changed == 0:
			return backend.UserExists(credential.UserID)
		}
		return nil
	})
}

// putCredential stores a user's credential. Its parameters are the user id, the
// columns of nameColumns, the password, and whether it is disabled.
const putCredential = `INSERT INTO users (user_id, username, username_given, name_key, password, disabled)
	VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (user_id)
	DO UPDATE SET username = ?2, username_given = ?3, name_key = ?4, password = ?5, disabled = ?6`

// nameColumns are the columns of users that hold a user name.
type nameColumns struct {
	username string
	given    any // nil if it is equal to username
	key      string
}

func nameColumnsOf(username string) nameColumns {
	name := nameColumns{username: backend.UsernameKey(username), key: backend.NameKey(username)}
	if name.username != username {
		name.given = username
	}
	return name
}

// Credential implements [backend.Store].
func (s *Store) Credential(ctx context.Context, username string) (credential backend.Credential, err error) {
	found := false
	err = s.read(ctx, func(c *conn) error {
		return c.query(`SELECT `+usernameGiven+`, password, user_id, disabled FROM users WHERE username = ?`,
			[]any{backend.UsernameKey(username)}, func(row *sqlite3.Stmt) error {
				found = true
				credential = backend.Credential{Username: row.ColumnText(0),
					Password: backend.NewSecret(row.ColumnText(1)), UserID: row.ColumnText(2), Disabled: row.ColumnBool(3)}
				return nil
			})
	})
	if err == nil && !found {
		err = backend.CredentialNotFound(username)
	}
	return credential, err
}

// UsernameOwners implements [backend.Archive].
func (s *Store) UsernameOwners(ctx context.Context, usernames []string) (map[string]string, error) {
	owners := map[string]string{}
	err := s.read(ctx, func(c *conn) error {
		for _, username := range usernames {
			key := backend.UsernameKey(username)
			if err := c.query(`SELECT user_id FROM users WHERE username = ?`, []any{key}, func(row *sqlite3.Stmt) error {
				owners[key] = row.ColumnText(0)
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return owners, err
}

// ReplacePassword implements [backend.Store].
func (s *Store) ReplacePassword(
	ctx context.Context, credential backend.Credential, password backend.Secret, fate backend.TokenFate,
) error {
	return s.write(ctx, noUsers, func(c *conn) error {
		changed, err := c.run(`UPDATE users SET password = ? WHERE user_id = ? AND username = ? AND password = ?`,
			password.Reveal(),
			credential.UserID, backend.UsernameKey(credential.Username), credential.Password.Reveal())
		switch {
		case err != nil:
			return err
		case changed == 0:
			return backend.CredentialNotFound(credential.Username)
		case fate == backend.KeepTokens:
			return nil
		}
		return endTokens(c, credential.UserID)
	})
}

// SetDisabled implements [backend.Store].
func (s *Store) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	return s.write(ctx, noUsers, func(c *conn) error {
		changed, err := c.run(`UPDATE users SET disabled = ? WHERE user_id = ? AND username IS NOT NULL`, disabled, userID)
		switch {
		case err != nil:
			return err
		case changed == 0:
			return backend.UserNotFound(userID)
		case !disabled:
			return nil // the tokens ended when the account was disabled
		}
		return endTokens(c, userID)
	})
}

package sqlite

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// usernameGiven is a user's name as it was registered. The column username
// holds the form that names are compared by.
const usernameGiven = `coalesce(username_given, username)`

// CreateCredential implements [backend.Store].
func (s *Store) CreateCredential(ctx context.Context, credential backend.Credential) error {
	return s.write(ctx, noUsers, func(c *conn) error {
		key, given := usernameColumns(credential.Username)
		changed, err := c.run(`INSERT INTO users (user_id, username, username_given, password) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (user_id) DO UPDATE SET username = ?2, username_given = ?3, password = ?4 WHERE username IS NULL`,
			credential.UserID, key, given, credential.Password.Reveal())
		switch {
		case isUniqueViolation(err):
			return backend.UsernameTaken(credential.Username)
		case err != nil:
			return err
		case changed == 0:
			return backend.UserExists(credential.UserID)
		}
		return nil
	})
}

// usernameColumns gives the columns username and username_given of a name.
func usernameColumns(username string) (key string, given any) {
	key = backend.UsernameKey(username)
	if key != username {
		given = username
	}
	return key, given
}

// Credential implements [backend.Store].
func (s *Store) Credential(ctx context.Context, username string) (credential backend.Credential, err error) {
	found := false
	err = s.read(ctx, func(c *conn) error {
		return c.query(`SELECT `+usernameGiven+`, password, user_id FROM users WHERE username = ?`,
			[]any{backend.UsernameKey(username)}, func(row *sqlite3.Stmt) error {
				found = true
				credential = backend.Credential{Username: row.ColumnText(0),
					Password: backend.NewSecret(row.ColumnText(1)), UserID: row.ColumnText(2)}
				return nil
			})
	})
	if err == nil && !found {
		err = backend.CredentialNotFound(username)
	}
	return credential, err
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

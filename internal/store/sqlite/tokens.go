package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// maxExpired is the number of expired tokens that one call of CreateToken
// removes. It is more than one, so that they do not accumulate, and small
// enough not to be noticed.
const maxExpired = 64

// CreateToken implements [backend.Store].
func (s *Store) CreateToken(ctx context.Context, token backend.Token, credential backend.Credential) error {
	return s.write(ctx, noUsers, func(c *conn) error {
		created := token.CreatedAt.UnixMilli()
		changed, err := c.run(`INSERT INTO tokens (hash, user_id, created_at, expires_at)
			SELECT ?, user_id, ?, ? FROM users WHERE user_id = ? AND username = ? AND password = ? AND disabled = 0`,
			token.Hash, created, token.ExpiresAt.UnixMilli(),
			credential.UserID, backend.UsernameKey(credential.Username), credential.Password.Reveal())
		if err != nil {
			return err
		}
		if changed == 0 {
			return backend.CredentialNotFound(credential.Username)
		}
		_, err = c.run(`DELETE FROM tokens WHERE hash IN
			(SELECT hash FROM tokens WHERE expires_at <= ? LIMIT ?)`, created, int64(maxExpired))
		return err
	})
}

// Token implements [backend.Store].
func (s *Store) Token(ctx context.Context, hash backend.TokenHash, now time.Time) (token backend.Token, err error) {
	found := false
	err = s.read(ctx, func(c *conn) error {
		return c.query(`SELECT user_id, created_at, expires_at FROM tokens WHERE hash = ? AND expires_at > ?`,
			[]any{hash, now.UnixMilli()}, func(row *sqlite3.Stmt) error {
				found = true
				token = backend.Token{Hash: hash, UserID: row.ColumnText(0),
					CreatedAt: milliseconds(row.ColumnInt64(1)), ExpiresAt: milliseconds(row.ColumnInt64(2))}
				return nil
			})
	})
	if err == nil && !found {
		err = backend.TokenNotFound()
	}
	return token, err
}

// UserTokens implements [backend.Store].
func (s *Store) UserTokens(ctx context.Context, userID string, now time.Time) (tokens []backend.Token, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(`SELECT hash, created_at, expires_at FROM tokens WHERE user_id = ? AND expires_at > ?
			ORDER BY created_at, hash`,
			[]any{userID, now.UnixMilli()}, func(row *sqlite3.Stmt) error {
				token := backend.Token{UserID: userID,
					CreatedAt: milliseconds(row.ColumnInt64(1)), ExpiresAt: milliseconds(row.ColumnInt64(2))}
				copy(token.Hash[:], row.ColumnRawBlob(0))
				tokens = append(tokens, token)
				return nil
			})
	})
	return tokens, err
}

// DeleteToken implements [backend.Store].
func (s *Store) DeleteToken(ctx context.Context, hash backend.TokenHash) error {
	return s.write(ctx, noUsers, func(c *conn) error {
		changed, err := c.run(`DELETE FROM tokens WHERE hash = ?`, hash)
		if err == nil && changed == 0 {
			err = backend.TokenNotFound()
		}
		return err
	})
}

// endTokens ends all tokens of a user.
func endTokens(c *conn, userID string) error {
	_, err := c.run(`DELETE FROM tokens WHERE user_id = ?`, userID)
	return err
}

// milliseconds converts the value of a column to the time that [backend.Token]
// needs.
func milliseconds(sinceEpoch int64) time.Time { return time.UnixMilli(sinceEpoch).UTC() }

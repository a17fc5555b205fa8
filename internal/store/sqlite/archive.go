package sqlite

import (
	"context"
	"iter"
	"maps"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// Limits of a page of ExportUsers: the number of users, and the bytes of
// documents after which the page ends earlier. Each page is one snapshot. A
// slow consumer does not keep the snapshot open.
const (
	exportPage  = 200
	exportBytes = 8 << 20
)

// Count implements [backend.Archive].
func (s *Store) Count(ctx context.Context) (counts backend.Counts, err error) {
	err = s.readAtOnce(ctx, func(c *conn) error {
		for _, number := range []struct {
			query string
			count *int64
		}{
			{`SELECT count(*) FROM users`, &counts.Users},
			{`SELECT count(*) FROM users WHERE username IS NOT NULL`, &counts.Credentials},
			{`SELECT count(*) FROM user_configs`, &counts.Configs},
			{`SELECT count(*) FROM characters`, &counts.Characters},
			{`SELECT count(*) FROM provider_keys`, &counts.ProviderKeys},
		} {
			rows, err := countRows(c, number.query)
			if err != nil {
				return err
			}
			*number.count = int64(rows)
		}
		use, err := keyUse(c)
		if err != nil {
			return err
		}
		unreadable, err := use.Lost(s.sealing.ring)
		counts.ProviderKeys += int64(use.Plain)
		counts.UnreadableKeys = int64(unreadable)
		return err
	})
	return counts, err
}

// ExportUsers implements [backend.Archive]. If no master key opens a provider
// key, ExportUsers returns it as not set, like UserConfig.
func (s *Store) ExportUsers(ctx context.Context) iter.Seq2[backend.UserData, error] {
	return func(yield func(backend.UserData, error) bool) {
		var rests backend.RestCache
		last := int64(0)
		read := func() (page []backend.UserData, err error) {
			err = s.readAtOnce(ctx, func(c *conn) (err error) {
				page, last, err = s.exportPage(c, last, &rests)
				return err
			})
			return page, err
		}
		for page, err := read(); ; {
			if err != nil {
				yield(backend.UserData{}, err)
				return
			}
			if len(page) == 0 {
				return
			}
			// The next page is read while this one is used.
			var next []backend.UserData
			var nextErr error
			var reading sync.WaitGroup
			reading.Go(func() { next, nextErr = read() })
			for _, user := range page {
				if !yield(user, nil) {
					reading.Wait()
					return
				}
			}
			reading.Wait()
			page, err = next, nextErr
		}
	}
}

// exportPage reads the users after position last in the creation order, and
// returns the position of the last user on the page.
func (s *Store) exportPage(c *conn, last int64, rests *backend.RestCache) (page []backend.UserData, end int64, err error) {
	var users []account
	err = c.query(accountColumns+`WHERE seq > ? ORDER BY seq LIMIT ?`, []any{last, int64(exportPage)},
		func(row *sqlite3.Stmt) error {
			users = append(users, accountFrom(row))
			return nil
		})
	if err != nil {
		return nil, last, err
	}
	end = last
	for bytes := 0; len(page) < len(users) && bytes < exportBytes; {
		user := users[len(page)]
		data, size, err := s.userData(c, user, rests)
		if err != nil {
			return nil, last, err
		}
		page, bytes, end = append(page, data), bytes+size, user.seq
	}
	return page, end, nil
}

// UserData implements [backend.Archive].
func (s *Store) UserData(ctx context.Context, userIDs []string) ([]backend.UserData, error) {
	var users []backend.UserData
	var rests backend.RestCache
	err := s.readAtOnce(ctx, func(c *conn) error {
		for _, userID := range userIDs {
			stored, err := readAccount(c, userID)
			if err != nil {
				return err
			}
			if stored == nil {
				continue
			}
			data, _, err := s.userData(c, *stored, &rests)
			if err != nil {
				return err
			}
			users = append(users, data)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return users, nil
}

// account is a row of users.
type account struct {
	seq        int64
	userID     string
	credential *backend.Credential
}

const accountColumns = `SELECT seq, user_id, ` + usernameGiven + `, password, disabled FROM users `

func accountFrom(row *sqlite3.Stmt) account {
	found := account{seq: row.ColumnInt64(0), userID: row.ColumnText(1)}
	if row.ColumnType(2) != sqlite3.NULL {
		found.credential = &backend.Credential{Username: row.ColumnText(2),
			Password: backend.NewSecret(row.ColumnText(3)), UserID: found.userID, Disabled: row.ColumnBool(4)}
	}
	return found
}

// readAccount returns the row of a user, or nil if there is none.
func readAccount(c *conn, userID string) (found *account, err error) {
	err = c.query(accountColumns+`WHERE user_id = ?`, []any{userID}, func(row *sqlite3.Stmt) error {
		found = new(accountFrom(row))
		return nil
	})
	return found, err
}

// userData reads the data that belongs to a row of users, and also returns the
// size of its character documents.
func (s *Store) userData(c *conn, user account, rests *backend.RestCache) (data backend.UserData, size int, err error) {
	data.Credential = user.credential
	if data.Config, err = s.userConfig(c, user.userID); err != nil {
		return data, 0, err
	}
	err = c.query(selectDocuments+ofUser,
		[]any{user.userID}, func(row *sqlite3.Stmt) error {
			character, bytes, err := characterFrom(row, rests)
			data.Characters, size = append(data.Characters, character), size+bytes
			return err
		})
	return data, size, err
}

// PutUsers implements [backend.Archive]. It stores all of users or none.
func (s *Store) PutUsers(ctx context.Context, users []backend.UserData) error {
	userIDs, characters := make([]string, len(users)), make([][]storedCharacter, len(users))
	for i, user := range users {
		var err error
		if characters[i], err = s.encodeAll(user.Characters); err != nil {
			return err
		}
		userIDs[i] = user.UserID()
	}
	return s.write(ctx, userIDs, func(c *conn) error {
		for i, user := range users {
			if err := s.putUser(c, user, characters[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// putUser replaces everything that is stored for a user. characters are the
// encoded characters of data.
func (s *Store) putUser(c *conn, data backend.UserData, characters []storedCharacter) error {
	userID := data.UserID()
	stored, err := readAccount(c, userID)
	if err != nil {
		return err
	}
	if err := putAccount(c, userID, data.Credential); err != nil {
		return err
	}
	config := backend.UserConfig{UserID: userID}
	if data.Config != nil {
		config = *data.Config
		config.Keys = maps.Clone(config.Keys)
		maps.DeleteFunc(config.Keys, func(_ string, key backend.Secret) bool { return !key.IsSet() })
	}
	if stored != nil {
		if err := s.clear(c, *stored, data.Credential); err != nil {
			return err
		}
		if config.Keys, err = withCleared(c, userID, config.Keys); err != nil {
			return err
		}
	}
	if data.Config == nil {
		return s.setProviderKeys(c, userID, config.Keys)
	}
	return s.setUp(c, config, characters)
}

// putAccount stores a user's row with this credential, or without one if it is
// nil.
func putAccount(c *conn, userID string, credential *backend.Credential) error {
	if credential == nil {
		_, err := c.run(`INSERT INTO users (user_id) VALUES (?)
			ON CONFLICT (user_id) DO UPDATE
			SET username = NULL, username_given = NULL, name_key = NULL, password = NULL, disabled = 0`, userID)
		return err
	}
	name := nameColumnsOf(credential.Username)
	_, err := c.run(putCredential, userID, name.username, name.given, name.key, credential.Password.Reveal(), credential.Disabled)
	if isUniqueViolation(err) {
		return backend.UsernameTaken(credential.Username)
	}
	return err
}

// clear removes a user's config and characters, but not its provider keys. It
// ends the user's tokens unless credential has the same password as the stored
// one and is not disabled.
func (s *Store) clear(c *conn, stored account, credential *backend.Credential) error {
	if _, err := deleteCharacters(c, deleteUserCharacters, stored.userID); err != nil {
		return err
	}
	if _, err := c.run(`DELETE FROM user_configs WHERE user_id = ?`, stored.userID); err != nil {
		return err
	}
	if stored.credential != nil && credential != nil && stored.credential.Password == credential.Password && !credential.Disabled {
		return nil
	}
	return endTokens(c, stored.userID)
}

// withCleared returns keys, plus an empty key for each stored key that is not in
// keys, so that setProviderKeys sees which keys it would remove.
func withCleared(c *conn, userID string, keys map[string]backend.Secret) (map[string]backend.Secret, error) {
	all := map[string]backend.Secret{}
	err := c.query(`SELECT name FROM provider_keys WHERE user_id = ?1
		UNION ALL SELECT name FROM plain_provider_keys WHERE user_id = ?1`,
		[]any{userID}, func(row *sqlite3.Stmt) error {
			all[row.ColumnText(0)] = backend.Secret{}
			return nil
		})
	maps.Copy(all, keys)
	return all, err
}

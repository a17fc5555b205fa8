package sqlite

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// CreateUser implements [backend.Store].
func (s *Store) CreateUser(ctx context.Context, config backend.UserConfig, characters []backend.Character) error {
	encoded, err := s.encodeAll(characters)
	if err != nil {
		return err
	}
	return s.write(ctx, []string{config.UserID}, func(c *conn) error {
		if _, err := c.run(`INSERT INTO users (user_id) VALUES (?)`, config.UserID); err != nil {
			if isUniqueViolation(err) {
				return backend.UserExists(config.UserID)
			}
			return err
		}
		return s.setUp(c, config, encoded)
	})
}

// SetUpUser implements [backend.Store].
func (s *Store) SetUpUser(ctx context.Context, config backend.UserConfig, characters []backend.Character) error {
	encoded, err := s.encodeAll(characters)
	if err != nil {
		return err
	}
	return s.write(ctx, []string{config.UserID}, func(c *conn) error {
		found := false
		err := c.query(`SELECT 1 FROM users WHERE user_id = ? AND username IS NOT NULL`, []any{config.UserID},
			func(*sqlite3.Stmt) error {
				found = true
				return nil
			})
		if err != nil {
			return err
		}
		if !found {
			return backend.UserNotFound(config.UserID)
		}
		return s.setUp(c, config, encoded)
	})
}

// setUp stores the config, provider keys and characters of a user. The error is
// Exists if the user was set up before.
func (s *Store) setUp(c *conn, config backend.UserConfig, characters []storedCharacter) error {
	if _, err := c.run(`INSERT INTO user_configs (user_id, timezone) VALUES (?, ?)`,
		config.UserID, config.Timezone); err != nil {
		if isUniqueViolation(err) {
			return backend.UserExists(config.UserID)
		}
		return err
	}
	if err := s.setProviderKeys(c, config.UserID, config.Keys); err != nil {
		return err
	}
	for _, character := range characters {
		if err := insertCharacter(c, character); err != nil {
			return err
		}
	}
	return nil
}

// DeleteUser implements [backend.Store].
func (s *Store) DeleteUser(ctx context.Context, userID string) error {
	return s.write(ctx, []string{userID}, func(c *conn) error {
		removed, err := deleteCharacters(c, deleteUserCharacters, userID)
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM provider_keys WHERE user_id = ?`,
			`DELETE FROM plain_provider_keys WHERE user_id = ?`,
			`DELETE FROM user_configs WHERE user_id = ?`,
			`DELETE FROM users WHERE user_id = ?`,
		} {
			changed, err := c.run(statement, userID)
			if err != nil {
				return err
			}
			removed += changed
		}
		if removed == 0 {
			return backend.UserNotFound(userID)
		}
		return endTokens(c, userID)
	})
}

// CountUsers implements [backend.Store].
func (s *Store) CountUsers(ctx context.Context) (count int64, err error) {
	err = s.read(ctx, func(c *conn) error {
		rows, err := countRows(c, `SELECT count(*) FROM users`)
		count = int64(rows)
		return err
	})
	return count, err
}

// userColumns are the columns that listedUser reads, after the position in the
// creation order.
const userColumns = `seq, user_id, ` + usernameGiven + `, disabled`

func listedUser(row *sqlite3.Stmt) backend.User {
	return backend.User{UserID: row.ColumnText(1), Username: row.ColumnText(2), Disabled: row.ColumnBool(3)}
}

// usersQueries list users by filter, after a position in the creation order.
var usersQueries = map[backend.UserFilter]string{
	backend.AllUsers: `SELECT ` + userColumns + ` FROM users WHERE seq > ? ORDER BY seq LIMIT ?`,
	backend.UsersWithCredential: `SELECT ` + userColumns + ` FROM users
		WHERE seq > ? AND username IS NOT NULL ORDER BY seq LIMIT ?`,
	backend.UsersWithConfig: `SELECT ` + userColumns + ` FROM users
		WHERE seq > ? AND EXISTS (SELECT 1 FROM user_configs c WHERE c.user_id = users.user_id)
		ORDER BY seq LIMIT ?`,
}

// pageQueries read users from a position on: a creation position, the pair of a
// NameKey and a creation position, or a user id.
var pageQueries = map[backend.UserOrder]string{
	backend.ByCreation: `SELECT ` + userColumns + `, name_key FROM users WHERE seq > ? ORDER BY seq LIMIT ?`,
	backend.ByName: `SELECT ` + userColumns + `, name_key FROM users
		WHERE (name_key, seq) > (?, ?) ORDER BY name_key, seq LIMIT ?`,
	backend.ByID: `SELECT ` + userColumns + `, name_key FROM users WHERE user_id >= ? ORDER BY user_id LIMIT ?`,
}

// UserPage implements [backend.Store].
func (s *Store) UserPage(
	ctx context.Context, order backend.UserOrder, from string, limit int,
) (page []backend.PositionedUser, err error) {
	position, err := positionOf(order, from)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(c *conn) error {
		page = nil // a read may be repeated
		return c.query(pageQueries[order], append(position, int64(limit)), func(row *sqlite3.Stmt) error {
			user := backend.PositionedUser{
				User: listedUser(row), NameKey: row.ColumnText(4),
			}
			switch seq := strconv.FormatInt(row.ColumnInt64(0), 10); order {
			case backend.ByCreation:
				user.Next = seq
			case backend.ByName:
				user.Next = user.NameKey + "\x00" + seq
			case backend.ByID:
				user.Next = user.UserID + "\x00"
			}
			page = append(page, user)
			return nil
		})
	})
	return page, err
}

// positionOf returns the arguments of a query of pageQueries for a position.
func positionOf(order backend.UserOrder, from string) ([]any, error) {
	if order == backend.ByID {
		return []any{from}, nil
	}
	key, after, _ := strings.Cut(from, "\x00")
	if order == backend.ByCreation {
		key, after = "", from
	}
	var seq int64
	if after != "" {
		var err error
		if seq, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, backend.NoSuchPosition()
		}
	}
	if order == backend.ByCreation {
		return []any{seq}, nil
	}
	return []any{key, seq}, nil
}

// usersPage is the number of users that one query of Users reads. It is small,
// so that a slow consumer does not keep a snapshot open, which would keep the
// WAL from being emptied.
const usersPage = 1000

// Users implements [backend.Store].
func (s *Store) Users(ctx context.Context, filter backend.UserFilter) iter.Seq2[backend.User, error] {
	return func(yield func(backend.User, error) bool) {
		var last int64
		page := make([]backend.User, 0, usersPage)
		for {
			page = page[:0]
			err := s.read(ctx, func(c *conn) error {
				return c.query(usersQueries[filter], []any{last, int64(usersPage)}, func(row *sqlite3.Stmt) error {
					last = row.ColumnInt64(0)
					page = append(page, listedUser(row))
					return nil
				})
			})
			if err != nil {
				yield(backend.User{}, err)
				return
			}
			for _, user := range page {
				if !yield(user, nil) {
					return
				}
			}
			if len(page) < usersPage {
				return
			}
		}
	}
}

package sqlite

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// UserConfig implements [backend.Store].
func (s *Store) UserConfig(ctx context.Context, userID string) (backend.UserConfig, error) {
	config := backend.UserConfig{UserID: userID, Keys: map[string]backend.Secret{}}
	found := false
	err := s.read(ctx, func(c *conn) error {
		return c.query(`SELECT c.timezone, k.name, k.value
			FROM user_configs c LEFT JOIN provider_keys k USING (user_id) WHERE c.user_id = ?`,
			[]any{userID}, func(row *sqlite3.Stmt) error {
				found = true
				config.Timezone = row.ColumnText(0)
				if name := row.ColumnText(1); name != "" {
					config.Keys[name] = backend.NewSecret(row.ColumnText(2))
				}
				return nil
			})
	})
	if err == nil && !found {
		err = backend.UserNotFound(userID)
	}
	return config, err
}

// UpdateUserConfig implements [backend.Store].
func (s *Store) UpdateUserConfig(ctx context.Context, userID string, patch backend.UserConfigPatch) error {
	return s.write(ctx, func(c *conn) error {
		var timezone any // nil keeps it
		if patch.Timezone != nil {
			timezone = *patch.Timezone
		}
		changed, err := c.run(`UPDATE user_configs SET timezone = coalesce(?, timezone) WHERE user_id = ?`,
			timezone, userID)
		if err != nil {
			return err
		}
		if changed == 0 {
			return backend.UserNotFound(userID)
		}
		return setProviderKeys(c, userID, patch.Keys)
	})
}

// setProviderKeys stores keys by name and removes the empty ones.
func setProviderKeys(c *conn, userID string, keys map[string]backend.Secret) error {
	for name, key := range keys {
		var err error
		if key.IsSet() {
			_, err = c.run(`INSERT INTO provider_keys (user_id, name, value) VALUES (?, ?, ?)
				ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value`, userID, name, key.Reveal())
		} else {
			_, err = c.run(`DELETE FROM provider_keys WHERE user_id = ? AND name = ?`, userID, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

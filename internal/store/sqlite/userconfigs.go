package sqlite

import (
	"context"
	"maps"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// UserConfig implements [backend.Store]. If no master key opens a provider key,
// UserConfig returns it as not set; see [KeySource].
func (s *Store) UserConfig(ctx context.Context, userID string) (backend.UserConfig, error) {
	config, err := readRecent(ctx, s, readKey{userID, readConfig}, sizeOfConfig, func(ctx context.Context) (backend.UserConfig, error) {
		var config *backend.UserConfig
		err := s.read(ctx, func(c *conn) (err error) {
			config, err = s.userConfig(c, userID)
			return err
		})
		if err == nil && config == nil {
			err = backend.UserNotFound(userID)
		}
		if err != nil {
			return backend.UserConfig{}, err
		}
		return *config, nil
	})
	config.Keys = maps.Clone(config.Keys)
	return config, err
}

func sizeOfConfig(config backend.UserConfig) int {
	size := len(config.UserID) + len(config.Timezone)
	for name, key := range config.Keys {
		size += len(name) + len(key.Reveal()) + 64 // of the map
	}
	return size
}

// userConfig reads a user's config. It returns nil if there is none.
func (s *Store) userConfig(c *conn, userID string) (config *backend.UserConfig, err error) {
	err = c.query(`SELECT c.timezone, k.name, k.value
		FROM user_configs c LEFT JOIN provider_keys k USING (user_id) WHERE c.user_id = ?`,
		[]any{userID}, func(row *sqlite3.Stmt) error {
			if config == nil {
				config = &backend.UserConfig{UserID: userID, Timezone: row.ColumnText(0), Keys: map[string]backend.Secret{}}
			}
			name := row.ColumnText(1)
			if key, err := s.sealing.ring.Open(row.ColumnRawBlob(2), keyContext(userID, name)...); err == nil {
				config.Keys[name] = backend.NewSecret(string(key))
			}
			return nil
		})
	if err != nil || config == nil || !s.sealing.plain {
		return config, err
	}
	return config, plainKeys(c, userID, config.Keys)
}

// UpdateUserConfig implements [backend.Store].
func (s *Store) UpdateUserConfig(ctx context.Context, userID string, patch backend.UserConfigPatch) error {
	return s.write(ctx, []string{userID}, func(c *conn) error {
		var timezone any // nil keeps the stored one
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
		return s.setProviderKeys(c, userID, patch.Keys)
	})
}

// setProviderKeys stores keys by name and removes the empty ones. It returns
// Unavailable if that would change something and the master key is missing or
// wrong.
func (s *Store) setProviderKeys(c *conn, userID string, keys map[string]backend.Secret) error {
	locked, err := s.sealing.locked(c)
	if err != nil {
		return err
	}
	for name, key := range keys {
		if key.IsSet() && locked {
			return errKeysLocked
		}
		removed, err := c.run(`DELETE FROM plain_provider_keys WHERE user_id = ? AND name = ?`, userID, name)
		if err != nil {
			return err
		}
		if key.IsSet() {
			if err := putSealed(c, s.sealing.ring, providerKey{userID, name, []byte(key.Reveal())}); err != nil {
				return err
			}
			continue
		}
		removedSealed, err := c.run(`DELETE FROM provider_keys WHERE user_id = ? AND name = ?`, userID, name)
		if err != nil {
			return err
		}
		if locked && removed+removedSealed > 0 {
			return errKeysLocked
		}
	}
	return nil
}

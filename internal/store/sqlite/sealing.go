package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
)

// KeyUse describes the stored provider keys.
type KeyUse struct {
	Sealed []masterkey.ID // master keys that sealed at least one stored value
	Plain  int            // values that a version without sealing wrote

	count func(masterkey.Ring) (int, error)
}

// Missing returns those of Sealed that are not in ring.
func (u KeyUse) Missing(ring masterkey.Ring) []masterkey.ID {
	return slices.DeleteFunc(slices.Clone(u.Sealed), ring.Has)
}

// Lost counts the values whose master key is not in ring. Its duration grows
// with their number. It queries the database, so a [KeySource] must not call it
// after it has returned.
func (u KeyUse) Lost(ring masterkey.Ring) (values int, err error) {
	return u.count(ring)
}

// KeySource returns the master keys for the given use. It runs while the store
// that is being opened owns the data folder.
//
// The ring may lack keys or be empty. The store opens in that case too. It
// returns the provider keys that it cannot read as not set, and rejects every
// change to a provider key with Unavailable.
type KeySource func(use KeyUse) (masterkey.Ring, error)

// Keys returns a KeySource that always returns ring.
func Keys(ring masterkey.Ring) KeySource {
	return func(KeyUse) (masterkey.Ring, error) { return ring, nil }
}

// errKeysLocked is the error for a change of provider keys that could destroy a
// value that the right master key can open.
var errKeysLocked = &backend.Error{Kind: backend.Unavailable,
	Message: "provider keys cannot be changed: the server's master key is missing or is not the one that sealed them; " +
		"its operator finds out more with `web-backend keys doctor`"}

// sealing is how a store handles provider keys. It does not change after the
// store is open.
type sealing struct {
	ring    masterkey.Ring
	suspect bool // the ring did not have all keys when the store was opened
	plain   bool // there are plain values that could not be sealed with the ring
}

// startSealing gets the master keys and seals the plain values.
func startSealing(c *conn, keys KeySource) (s sealing, err error) {
	use, err := keyUse(c)
	if err != nil {
		return s, err
	}
	if s.ring, err = keys(use); err != nil {
		return s, err
	}
	s.plain = use.Plain > 0
	if s.suspect = s.ring.Empty() || len(use.Missing(s.ring)) > 0; !s.suspect && s.plain {
		if err := sealPlain(c, s.ring); err != nil {
			return s, fmt.Errorf("seal the provider keys: %w", err)
		}
		s.plain = false
	}
	// The WAL may still hold plain values, for example those of a process that
	// crashed right after it had sealed them.
	return s, c.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
}

// locked reports whether provider keys must not be changed now. It checks again
// because the values with a missing key may have been deleted since the start,
// together with their users.
func (s sealing) locked(c *conn) (bool, error) {
	if !s.suspect || s.ring.Empty() {
		return s.suspect, nil
	}
	use, err := keyUse(c)
	return len(use.Missing(s.ring)) > 0, err
}

// keyIDs reads the index on key_id with one step for each master key. A GROUP
// BY would read the rows of all users.
const keyIDs = `WITH RECURSIVE ids (id) AS (
		SELECT min(key_id) FROM provider_keys
		UNION ALL SELECT (SELECT min(key_id) FROM provider_keys WHERE key_id > id) FROM ids WHERE id IS NOT NULL
	) SELECT id FROM ids WHERE id IS NOT NULL`

// keyUse finds out which keys sealed the stored values.
func keyUse(c *conn) (use KeyUse, err error) {
	var stored [][]byte // as in key_id: an altered value may be shorter than an id
	err = c.query(keyIDs, nil, func(row *sqlite3.Stmt) error {
		stored = append(stored, bytes.Clone(row.ColumnRawBlob(0)))
		return nil
	})
	if err != nil {
		return use, err
	}
	for _, short := range stored {
		use.Sealed = append(use.Sealed, keyID(short))
	}
	use.count = func(ring masterkey.Ring) (values int, err error) {
		for _, id := range stored {
			if ring.Has(keyID(id)) {
				continue
			}
			count, err := countRows(c, `SELECT count(*) FROM provider_keys WHERE key_id = ?`, blob(id))
			if err != nil {
				return 0, err
			}
			values += count
		}
		return values, nil
	}
	use.Plain, err = countRows(c, `SELECT count(*) FROM plain_provider_keys`)
	return use, err
}

// keyID returns the master key id at the beginning of a sealed value.
func keyID(value []byte) (id masterkey.ID) {
	copy(id[:], value)
	return id
}

// keyContext returns the context that a provider key is bound to when it is
// sealed. It must never change.
func keyContext(userID, name string) []string { return []string{"provider key", userID, name} }

// providerKey is a row of provider_keys or plain_provider_keys.
type providerKey struct {
	userID, name string
	value        []byte // sealed or plain
}

// putSealed seals a plain key and stores it.
func putSealed(c *conn, ring masterkey.Ring, key providerKey) error {
	sealed := ring.Seal(key.value, keyContext(key.userID, key.name)...)
	_, err := c.run(`INSERT INTO provider_keys (user_id, name, value) VALUES (?, ?, ?)
		ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value`, key.userID, key.name, blob(sealed))
	return err
}

// plainKeys adds a user's plain keys to keys.
func plainKeys(c *conn, userID string, keys map[string]backend.Secret) error {
	return c.query(`SELECT name, value FROM plain_provider_keys WHERE user_id = ?`,
		[]any{userID}, func(row *sqlite3.Stmt) error {
			keys[row.ColumnText(0)] = backend.NewSecret(row.ColumnText(1))
			return nil
		})
}

// sealPlain seals every plain key in a transaction of its own.
func sealPlain(c *conn, ring masterkey.Ring) error {
	if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	_, err := movePlain(c, ring)
	if err == nil {
		err = c.Exec("COMMIT")
	}
	if err != nil && !c.GetAutocommit() {
		err = errors.Join(err, c.Exec("ROLLBACK"))
	}
	return err
}

// movePlain seals every plain key within the current transaction.
func movePlain(c *conn, ring masterkey.Ring) (moved int, err error) {
	err = eachKey(c, plainPage, func(key providerKey) error {
		moved++
		return putSealed(c, ring, key)
	})
	if err != nil {
		return 0, err
	}
	_, err = c.run(`DELETE FROM plain_provider_keys`)
	return moved, err
}

// Queries for one page of each table, after a given row.
const (
	sealedPage = `SELECT user_id, name, value FROM provider_keys
		WHERE (user_id, name) > (?, ?) ORDER BY user_id, name LIMIT 500`
	plainPage = `SELECT user_id, name, CAST(value AS BLOB) FROM plain_provider_keys
		WHERE (user_id, name) > (?, ?) ORDER BY user_id, name LIMIT 500`
)

// eachKey calls fn with every row of a table. It reads one page at a time, so
// fn may change the table.
func eachKey(c *conn, page string, fn func(providerKey) error) error {
	var last providerKey
	for {
		var keys []providerKey
		err := c.query(page, []any{last.userID, last.name}, func(row *sqlite3.Stmt) error {
			keys = append(keys, providerKey{row.ColumnText(0), row.ColumnText(1), bytes.Clone(row.ColumnRawBlob(2))})
			return nil
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		// In a damaged table the page after a row may be the same row again,
		// without end.
		next := keys[len(keys)-1]
		if cmp.Or(cmp.Compare(next.userID, last.userID), cmp.Compare(next.name, last.name)) <= 0 {
			return fmt.Errorf("provider keys are out of order: %w", sqlite3.CORRUPT)
		}
		for _, key := range keys {
			if err := fn(key); err != nil {
				return err
			}
		}
		last = next
	}
}

// Resealed is the result of Reseal.
type Resealed struct {
	Values    int // values that are now sealed with the first key
	Changed   int // those of Values that were not sealed with it before
	Discarded int // values that no key opened
}

// Reseal seals every provider key with the first key of the ring. It seals all
// of them or none. If no key opens some values, Reseal returns an error with
// their number; if discard is set, it permanently removes them instead.
func (s *Store) Reseal(ctx context.Context, discard bool) (done Resealed, err error) {
	ring := s.sealing.ring
	if ring.Empty() {
		return done, errors.New("there is no master key to seal provider keys with")
	}
	first := ring.Keys()[0].ID()
	err = s.write(ctx, nil, func(c *conn) error {
		moved, err := movePlain(c, ring)
		if err != nil {
			return err
		}
		done = Resealed{Changed: moved}
		err = eachKey(c, sealedPage, func(key providerKey) error {
			plain, err := ring.Open(key.value, keyContext(key.userID, key.name)...)
			switch {
			case err != nil:
				done.Discarded++
				_, err = c.run(`DELETE FROM provider_keys WHERE user_id = ? AND name = ?`, key.userID, key.name)
				return err
			case bytes.HasPrefix(key.value, first[:]):
				done.Values++
				return nil
			}
			done.Values, done.Changed = done.Values+1, done.Changed+1
			return putSealed(c, ring, providerKey{key.userID, key.name, plain})
		})
		if err == nil && done.Discarded > 0 && !discard {
			err = fmt.Errorf("%d of %d provider keys cannot be opened with any master key; nothing was changed",
				done.Discarded, done.Discarded+done.Values)
		}
		return err
	})
	return done, err
}

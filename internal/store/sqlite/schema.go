package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// applicationID marks a SQLite file as one of this program ("WBKD"; see PRAGMA
// application_id in SQLite's documentation).
const applicationID = 0x57424b44

// The versions of the schema that introduced a feature.
const (
	firstWithTokens = 2
	firstSealed     = 3
	firstSharing    = 6 // shareStored may have been interrupted at this version
)

// migrations bring the schema from version i to i+1. user_version counts the
// migrations that ran. A released migration must never change: add another one
// instead.
var migrations = []string{
	// seq is the creation order. A user has a row in users as long as the user
	// has a credential (username, password) or a config.
	`CREATE TABLE users (
		seq      INTEGER PRIMARY KEY AUTOINCREMENT,
		user_id  TEXT NOT NULL UNIQUE,
		username TEXT UNIQUE,
		password TEXT
	) STRICT;

	CREATE TABLE user_configs (
		user_id  TEXT NOT NULL PRIMARY KEY,
		timezone TEXT NOT NULL
	) STRICT, WITHOUT ROWID;

	-- Only keys that are set have a row.
	CREATE TABLE provider_keys (
		user_id TEXT NOT NULL,
		name    TEXT NOT NULL,
		value   TEXT NOT NULL,
		PRIMARY KEY (user_id, name)
	) STRICT, WITHOUT ROWID;

	-- document is the character as the API returns it; the columns beside it
	-- are those that queries need.
	CREATE TABLE characters (
		seq            INTEGER PRIMARY KEY AUTOINCREMENT,
		user_id        TEXT NOT NULL,
		character_id   TEXT NOT NULL,
		character_name TEXT NOT NULL,
		read_only      INTEGER NOT NULL,
		document       TEXT NOT NULL,
		UNIQUE (user_id, character_id)
	) STRICT;
	CREATE INDEX characters_list ON characters (user_id, seq, character_id, character_name);`,

	// From here on, username is backend.UsernameKey of the name. username_given
	// is the name as it was registered if it differs, otherwise NULL. If
	// several old names have the same key, one user gets that key. The other
	// users keep their old names in lists, but Credential does not find them.
	`ALTER TABLE users ADD COLUMN username_given TEXT;
	UPDATE OR IGNORE users SET username = username_key(username), username_given = username
		WHERE username <> username_key(username);

	-- Times are in milliseconds since 1970.
	CREATE TABLE tokens (
		hash       BLOB NOT NULL PRIMARY KEY,
		user_id    TEXT NOT NULL,
		created_at INTEGER NOT NULL,
		expires_at INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE INDEX tokens_user ON tokens (user_id);
	CREATE INDEX tokens_expiry ON tokens (expires_at);`,

	// From here on, provider keys are sealed. Package masterkey describes the
	// format of value. The plain keys keep a table of their own, which Open
	// empties when it seals them. A replaced row can leave a part of itself in
	// its page, but an emptied table cannot.
	`ALTER TABLE provider_keys RENAME TO plain_provider_keys;
	CREATE TABLE provider_keys (
		user_id TEXT NOT NULL,
		name    TEXT NOT NULL,
		value   BLOB NOT NULL,
		key_id  BLOB GENERATED ALWAYS AS (substr(value, 1, 8)) VIRTUAL,
		PRIMARY KEY (user_id, name)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX provider_keys_by_master_key ON provider_keys (key_id);`,

	// The index no longer holds names: they can be long, and were stored twice.
	`DROP INDEX characters_list;
	CREATE INDEX characters_by_user ON characters (user_id);`,

	// name_key is backend.NameKey of the name, or NULL if there is no name. It
	// is not unique: accounts that share a key because they are older, or
	// because of an import, all stay.
	`ALTER TABLE users ADD COLUMN name_key TEXT;
	UPDATE users SET name_key = to_name_key(username) WHERE username IS NOT NULL;
	CREATE INDEX users_by_name_key ON users (name_key);`,

	// From here on, the common part of read-only characters is stored once; see
	// sharing.go. created is the create_datatime of a character that has shared
	// set.
	`CREATE TABLE shared_documents (
		id   INTEGER PRIMARY KEY,
		hash BLOB NOT NULL UNIQUE,
		rest TEXT NOT NULL
	) STRICT;
	ALTER TABLE characters ADD COLUMN shared INTEGER;
	ALTER TABLE characters ADD COLUMN created TEXT;
	CREATE INDEX characters_by_shared ON characters (shared) WHERE shared IS NOT NULL;`,

	// This version means that shareStored has completed. The index of UNIQUE
	// also begins with user_id, and lists use it.
	`DROP INDEX characters_by_user;`,

	// disabled is 1 if an operator has disabled the account, otherwise 0.
	`ALTER TABLE users ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;`,
}

// registerKeys registers the SQL functions username_key and to_name_key, which
// migrations use.
func registerKeys(c *conn) error {
	for name, key := range map[string]func(string) string{
		"username_key": backend.UsernameKey, "to_name_key": backend.NameKey,
	} {
		err := c.CreateFunction(name, 1, sqlite3.DETERMINISTIC, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
			ctx.ResultText(key(arg[0].Text()))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// migrate checks that the file belongs to this program and is not newer than
// it, then brings the file up to date. It writes nothing to a file that it
// rejects.
func migrate(c *conn, log *slog.Logger) error {
	// Closing a rejected file must not write to it either. By default, closing
	// empties the WAL that the last owner of the file left.
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		return err
	}
	version, err := schemaVersion(c)
	if err != nil {
		return err
	}
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, false); err != nil {
		return err
	}
	if err := c.Exec("PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	if err := registerKeys(c); err != nil {
		return err
	}
	if version == 0 {
		return migrateNew(c)
	}
	for ; version < int64(len(migrations)); version++ {
		if version == firstSharing {
			if err := shareStored(c, log); err != nil {
				return err
			}
		}
		if err := apply(c, migrations[version], version+1); err != nil {
			return fmt.Errorf("migrate the schema to version %d: %w", version+1, err)
		}
	}
	return nil
}

// migrateNew brings a new file up to date in one transaction, which takes a
// third of the time of one transaction per version.
func migrateNew(c *conn) error {
	if err := apply(c, strings.Join(migrations, ""), int64(len(migrations))); err != nil {
		return fmt.Errorf("create the schema: %w", err)
	}
	return nil
}

// apply runs statements that lead to a version of the schema, in one
// transaction.
func apply(c *conn, statements string, version int64) error {
	err := c.Exec("BEGIN IMMEDIATE; " + statements +
		"PRAGMA application_id = " + strconv.Itoa(applicationID) + ";" +
		"PRAGMA user_version = " + strconv.FormatInt(version, 10) + "; COMMIT")
	if err != nil {
		_ = c.Exec("ROLLBACK") // nothing to undo if BEGIN failed
	}
	return err
}

// schemaVersion returns the version of the schema. It returns an error if the
// file belongs to another program, is newer than this program, or does not have
// exactly the objects of its version.
func schemaVersion(c *conn) (version int64, err error) {
	// Use one snapshot, because a starting server may migrate the file at the
	// same time.
	if err := c.Exec("SAVEPOINT version"); err != nil {
		return 0, err
	}
	defer func() {
		if endErr := c.Exec("RELEASE version"); err == nil {
			err = endErr
		}
	}()
	if version, err = pragma(c, "user_version"); err != nil {
		return 0, err
	}
	id, err := pragma(c, "application_id")
	if err != nil {
		return 0, err
	}
	found, err := objects(c)
	if err != nil {
		return 0, err
	}
	found = slices.DeleteFunc(found, func(o object) bool { return slices.Contains(litestreamTables, o) })
	switch {
	case id != applicationID && (id != 0 || len(found) > 0):
		return 0, errors.New("the file is a SQLite database of another program; move it away to start with a new one")
	case version > int64(len(migrations)):
		return 0, fmt.Errorf("the schema has version %d and this program knows versions up to %d; "+
			"run the newer web-backend that wrote it", version, len(migrations))
	case version < 0:
		return 0, fmt.Errorf("the schema has version %d, which no web-backend writes; use a backup of the file", version)
	}
	return version, checkObjects(found, version)
}

func pragma(c *conn, name string) (value int64, err error) {
	err = c.query("PRAGMA "+name, nil, func(row *sqlite3.Stmt) error {
		value = row.ColumnInt64(0)
		return nil
	})
	return value, err
}

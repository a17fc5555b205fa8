package sqlite_test

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

// rewrite returns statements that change the text of the schema of a database.
// Only an attacker would do that.
func rewrite(change string) string {
	return "PRAGMA writable_schema = ON; " + change + "; PRAGMA writable_schema = RESET;"
}

// endless is the definition of a view that takes forever to count.
const endless = ` AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i AS seq, i AS user_id,
	i AS username, i AS password, i AS username_given FROM n;`

// alterations are changes to a valid database, and a part of the error for
// each.
var alterations = map[string]struct{ change, want string }{
	"a trigger that plants a token": {`CREATE TRIGGER plant AFTER INSERT ON tokens BEGIN
		INSERT OR IGNORE INTO tokens VALUES (x'00', NEW.user_id, 0, 9000000000000); END`, `"trigger" "plant" is not one of`},
	"a view beside":            {"CREATE VIEW v" + endless, `"view" "v" is not one of`},
	"a view in place":          {"DROP TABLE users; CREATE VIEW users" + endless, `"view" "users" is not one of`},
	"a table beside":           {"CREATE TABLE t (a)", `"table" "t" is not one of`},
	"a virtual table":          {rewrite("INSERT INTO sqlite_schema VALUES ('table', 't', 't', 0, 'CREATE VIRTUAL TABLE t USING fts5 (a)')"), `"table" "t" is not one of`},
	"an index beside":          {"CREATE INDEX i ON users (password)", `"index" "i" is not one of`},
	"an index of expressions":  {"CREATE INDEX i ON users (abs(seq))", `"index" "i" is not one of`},
	"statistics":               {"ANALYZE", `"table" "sqlite_stat1" is not one of`},
	"a column beside":          {"ALTER TABLE users ADD COLUMN a TEXT", `"table" "users" is not as`},
	"a generated column":       {"ALTER TABLE users ADD COLUMN a BLOB AS (zeroblob(900000000))", `"table" "users" is not as`},
	"a missing index":          {"DROP INDEX tokens_user", `"index" "tokens_user" is missing`},
	"a missing table":          {"DROP TABLE tokens", `is missing`},
	"a table of another kind":  {rewrite("UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '')"), `is not as`},
	"a CHECK":                  {rewrite("UPDATE sqlite_schema SET sql = replace(sql, 'timezone TEXT', 'timezone TEXT CHECK (length(timezone) < 99)')"), `"table" "user_configs" is not as`},
	"a default":                {rewrite("UPDATE sqlite_schema SET sql = replace(sql, 'password TEXT', 'password TEXT DEFAULT ''x''')"), `"table" "users" is not as`},
	"a partial index":          {rewrite("UPDATE sqlite_schema SET sql = sql || ' WHERE 0' WHERE name = 'tokens_user'"), `"index" "tokens_user" is not as`},
	"a table of another":       {"DROP TABLE tokens; CREATE TABLE tokens (hash BLOB)", `"table" "tokens" is not as`},
	"a version below nought":   {"PRAGMA user_version = -1", "version -1"},
	"the least version":        {"PRAGMA user_version = -2147483648", "version -2147483648"},
	"the version before":       {fmt.Sprintf("PRAGMA user_version = %d", sqlite.SchemaVersion-1), fmt.Sprint("schema version ", sqlite.SchemaVersion-1)},
	"version 0":                {"PRAGMA user_version = 0", "schema version 0"},
	"a newer version":          {fmt.Sprintf("PRAGMA user_version = %d", sqlite.SchemaVersion+1), "newer web-backend"},
	"like one of Litestream's": {"CREATE VIEW _litestream_seq AS SELECT 1", `"view" "_litestream_seq" is not one of`},
	"a table for Litestream's": {"CREATE TABLE _litestream_lock (id INTEGER, a AS (1))", `"table" "_litestream_lock" is not one of`},
}

// A file whose schema is not exactly that of its version is rejected by every
// operation that reads it, before its content can act.
func TestAlteredSchema_IsRefused(t *testing.T) {
	t.Parallel()
	for name, altered := range alterations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := openStore(t, dir)
			mustCreateUser(t, store, "ada", 1)
			mustClose(t, store)
			file := filepath.Join(dir, sqlite.DatabaseFile)
			sql("PRAGMA journal_mode = DELETE; "+altered.change)(t, file)
			before := readFile(t, file)

			_, err := sqlite.CheckBackup(t.Context(), file)
			wantError(t, "CheckBackup", err, altered.want)
			_, err = sqlite.Restore(t.Context(), t.TempDir(), file)
			wantError(t, "Restore", err, altered.want)
			_, err = sqlite.WriteBackup(t.Context(), dir, filepath.Join(t.TempDir(), "b"))
			wantError(t, "WriteBackup", err, altered.want)
			_, err = sqlite.InspectKeysOf(file, masterkey.Ring{})
			wantError(t, "InspectKeysOf", err, altered.want)
			for what, open := range map[string]func(string, sqlite.KeySource) (*sqlite.Store, error){
				"Open": sqlite.Open, "OpenReadOnly": sqlite.OpenReadOnly,
			} {
				opened, err := open(dir, testKeys)
				if err == nil {
					mustClose(t, opened)
				}
				wantError(t, what, err, file, altered.want)
			}
			if readFile(t, file) != before {
				t.Error("the file was changed")
			}
		})
	}
}

// Objects that were added to an open database do not act either, and no
// statement of the program can change the texts of the schema.
func TestGuards(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	mustCreateUser(t, store, "ada", 1)
	onWriter(t, store, `CREATE TRIGGER plant AFTER INSERT ON users BEGIN DELETE FROM characters; END;
		CREATE VIEW v AS SELECT 1`)
	mustCreateUser(t, store, "bob", 1)
	wantUser(t, store, "ada", 1)
	for _, statement := range []string{
		"SELECT * FROM v", "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = '' WHERE name = 'v'",
	} {
		if err := store.OnWriter(t.Context(), func(c *sqlite3.Conn) error { return c.Exec(statement) }); err == nil {
			t.Errorf("%s: got no error, want one", statement)
		}
	}
}

// Tables that Litestream leaves in a database are accepted.
func TestLitestreamTables_AreTaken(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "b")
	store := openStore(t, dir)
	mustCreateUser(t, store, "ada", 1)
	mustClose(t, store)
	sql(`CREATE TABLE IF NOT EXISTS _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
		CREATE TABLE IF NOT EXISTS _litestream_lock (id INTEGER);
		INSERT INTO _litestream_seq VALUES (1, 1)`)(t, filepath.Join(dir, sqlite.DatabaseFile))
	mustBackup(t, dir, file)
	if _, err := sqlite.CheckBackup(t.Context(), file); err != nil {
		t.Error(err)
	}
	wantUser(t, restored(t, file), "ada", 1)
	wantUser(t, openStore(t, dir), "ada", 1)
}

// A database of each older version is accepted, and upgraded to the newest one.
func TestOlderSchemas_AreTaken(t *testing.T) {
	t.Parallel()
	for version := 1; version <= sqlite.SchemaVersion; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, sqlite.DatabaseFile)
			if err := sqlite.WriteSchema(file, version); err != nil {
				t.Fatal(err)
			}
			if found, err := sqlite.CheckBackup(t.Context(), file); err != nil || found.Schema != int64(version) {
				t.Errorf("check: got version %d, %v, want %d", found.Schema, err, version)
			}
			mustCreateUser(t, restored(t, file), "ada", 1)
			store := openStore(t, dir)
			mustCreateUser(t, store, "ada", 1)
			mustClose(t, store)
			if found, err := sqlite.CheckBackup(t.Context(), file); err != nil || found.Schema != int64(sqlite.SchemaVersion) {
				t.Errorf("check of what was opened: got version %d, %v, want %d", found.Schema, err, sqlite.SchemaVersion)
			}
		})
	}
}

// SQLite itself writes parts of these texts (ALTER TABLE). If another version
// of SQLite writes them differently, this program would reject existing
// databases. In that case both texts must be allowed.
func TestSchemaTexts_AreThoseOfDatabasesInUse(t *testing.T) {
	t.Parallel()
	for version, want := range []string{"4f53cda18c2b", "3e55a798e3e8", "709fc2066948", "b90d7367fdcc", "b6944183f43f", "77391bacd5b1", "5b6c507d74ed", "4916a4a9a722", "a03c7fffa861"} {
		texts, err := sqlite.SchemaTexts(version)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%.6x", sha256.Sum256([]byte(texts))); got != want {
			t.Errorf("version %d: got hash %s, want %s, of\n%s", version, got, want, texts)
		}
	}
}

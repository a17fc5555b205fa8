package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/masterkey"
)

// SealedBy says what one master key has sealed.
type SealedBy struct {
	ID     masterkey.ID
	Values int
	Opened int // of Values, those that a ring opened
}

// KeyCheck is what InspectKeys found.
type KeyCheck struct {
	Sealed []SealedBy // by id
	Plain  int        // values of a version that did not seal
}

// Exists reports whether folder dir has a database, or something in its place.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, databaseFile))
	return !errors.Is(err, fs.ErrNotExist)
}

// CheckFolder says why [Open] would refuse folder dir for what is in it: files
// that this process may not use, or a database of something else. It changes
// nothing, does not look at who owns the folder now, and has no fault to find
// where nothing is.
func CheckFolder(dir string) error {
	if err := checkFolder(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, databaseFile)
	for file, access := range map[string]int{
		path: os.O_RDWR, path + "-wal": os.O_RDWR, path + "-shm": os.O_RDWR, filepath.Join(dir, lockFile): os.O_RDONLY,
	} {
		opened, err := os.OpenFile(file, access, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("database %s cannot be opened: %w", path, err)
		}
		if err := opened.Close(); err != nil {
			return fmt.Errorf("database %s cannot be opened: %w", path, err)
		}
	}
	isThere := func(file string) bool {
		info, err := os.Stat(file)
		return err == nil && info.Size() > 0
	}
	if !isThere(path) { // Open makes it
		return nil
	}
	if exists(path+"-wal") && !exists(path+"-shm") { // SQLite would make the other file to read
		return nil
	}
	if err := checkSchema(path); err != nil {
		return fmt.Errorf("database %s: %w", path, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// checkSchema says why migrate would refuse a database file.
func checkSchema(path string) (err error) {
	ctx, cancel := limitTime(context.Background(), path)
	defer cancel()
	defer catchMemory(&err)
	c, err := openStrange(ctx, readOnlyURI(path))
	if err != nil {
		return explain(ctx, err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		return err
	}
	_, err = schemaVersion(c)
	return explain(ctx, err)
}

// InspectKeys tries to open every provider key in folder dir with ring. It
// changes nothing, and works beside the process that owns the folder. It is
// fs.ErrNotExist if there is no database.
func InspectKeys(dir string, ring masterkey.Ring) (KeyCheck, error) {
	if err := checkFolder(dir); err != nil {
		return KeyCheck{}, err
	}
	return InspectKeysOf(filepath.Join(dir, databaseFile), ring)
}

// InspectKeysOf is InspectKeys for a database file, such as a backup.
func InspectKeysOf(path string, ring masterkey.Ring) (check KeyCheck, err error) {
	if _, err := os.Stat(path); err != nil {
		return check, fmt.Errorf("database: %w", err)
	}
	ctx, cancel := limitTime(context.Background(), path)
	defer cancel()
	defer catchMemory(&err)
	c, err := openStrange(ctx, readOnlyURI(path))
	if err != nil {
		return check, fmt.Errorf("database %s cannot be opened: %w", path, explain(ctx, err))
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.Exec("BEGIN"); err != nil { // one snapshot for all that follows
		return check, fmt.Errorf("database %s: %w", path, explain(ctx, err))
	}
	if check, err = checkKeys(c, ring); err == nil {
		err = giveSharedMemory(path)
	}
	if err != nil {
		return check, fmt.Errorf("database %s: %w", path, explain(ctx, err))
	}
	return check, nil
}

// immutable ends the URI of a database that no process has open.
const immutable = "&immutable=1"

// readOnlyURI names a database for a connection that changes nothing. SQLite
// makes the files of the WAL even to read, so it may only where they are: they
// are while a process has the database open, and after a crash.
func readOnlyURI(path string) string {
	if _, err := os.Stat(path + "-wal"); err == nil || errors.Is(err, fs.ErrPermission) {
		return databaseURI(path) + "&mode=ro"
	}
	return databaseURI(path) + immutable
}

// checkKeys looks at each row, in this version's tables or those of an older.
func checkKeys(c *conn, ring masterkey.Ring) (check KeyCheck, err error) {
	version, err := schemaVersion(c)
	switch {
	case err != nil || version == 0: // a database that is empty still has no tables
		return check, err
	case version < firstSealed:
		check.Plain, err = countRows(c, "SELECT count(*) FROM provider_keys")
		return check, err
	}
	if check.Plain, err = countRows(c, "SELECT count(*) FROM plain_provider_keys"); err != nil {
		return check, err
	}
	found := map[masterkey.ID]SealedBy{}
	err = eachKey(c, sealedPage, func(key providerKey) error {
		id := keyID(key.value)
		entry := found[id]
		entry.ID = id
		entry.Values++
		if _, err := ring.Open(key.value, keyPlace(key.userID, key.name)...); err == nil {
			entry.Opened++
		}
		found[id] = entry
		return nil
	})
	for _, entry := range found {
		check.Sealed = append(check.Sealed, entry)
	}
	slices.SortFunc(check.Sealed, func(a, b SealedBy) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return check, err
}

func countRows(c *conn, query string, args ...any) (count int, err error) {
	err = c.query(query, args, func(row *sqlite3.Stmt) error {
		count = row.ColumnInt(0)
		return nil
	})
	return count, err
}

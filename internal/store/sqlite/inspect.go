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

// SealedBy counts the values that one master key has sealed.
type SealedBy struct {
	ID     masterkey.ID
	Values int
	Opened int // those of Values that the ring opened
}

// KeyCheck is the result of InspectKeys.
type KeyCheck struct {
	Sealed []SealedBy // by id
	Plain  int        // values that a version without sealing wrote
}

// Exists reports whether folder dir has a database, or any file with its name.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, databaseFile))
	return !errors.Is(err, fs.ErrNotExist)
}

// CheckFolder returns the reason why [Open] would fail because of the content
// of folder dir: files that this process must not use, or a database of another
// program. It changes nothing and does not check which process owns the folder.
// Missing files are not an error.
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
	if !isThere(path) { // Open creates it
		return nil
	}
	if exists(path+"-wal") && !exists(path+"-shm") { // reading would make SQLite create the -shm file
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

// checkSchema returns the error that migrate would return for a database file
// that it rejects.
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
// changes nothing, and works while another process owns the folder. The error
// is fs.ErrNotExist if there is no database.
func InspectKeys(dir string, ring masterkey.Ring) (KeyCheck, error) {
	if err := checkFolder(dir); err != nil {
		return KeyCheck{}, err
	}
	return InspectKeysOf(filepath.Join(dir, databaseFile), ring)
}

// InspectKeysOf is like InspectKeys for a database file, such as a backup.
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

// immutable is appended to the URI of a database that no process has open.
const immutable = "&immutable=1"

// readOnlyURI returns the URI for a connection that changes nothing. SQLite
// creates the WAL files even to read. So the URI opens the WAL only if its file
// exists, which is the case while a process has the database open, and after a
// crash.
func readOnlyURI(path string) string {
	if _, err := os.Stat(path + "-wal"); err == nil || errors.Is(err, fs.ErrPermission) {
		return databaseURI(path) + "&mode=ro"
	}
	return databaseURI(path) + immutable
}

// checkKeys examines each row, in the tables of this version or of an older
// one.
func checkKeys(c *conn, ring masterkey.Ring) (check KeyCheck, err error) {
	version, err := schemaVersion(c)
	switch {
	case err != nil || version == 0: // an empty database does not have tables yet
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
		if _, err := ring.Open(key.value, keyContext(key.userID, key.name)...); err == nil {
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

package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/fileowner"
)

// Backup describes a file that [WriteBackup] has written, or that [CheckBackup]
// has verified.
type Backup struct {
	Path   string
	Schema int64 // version of the tables
	Counts backend.Counts
	Size   int64  // bytes
	SHA256 string // of the file, in hexadecimal
}

// Pace of a backup. Between two steps it sleeps as long as the step took, at most
// restMost, so that it uses about half of a core unless the disk is very slow.
const (
	stepPages = 64 // of 4 KiB
	restLeast = time.Millisecond
	restMost  = 100 * time.Millisecond
	// syncEvery is the number of pages between two syncs of the copy. It limits
	// how long a sync of the copy can delay a sync of the store.
	syncEvery = 1024
)

// Unfinished backups. If a file has not been written to for abandonedAfter, its
// process no longer runs.
const (
	partialPattern = "web-backend-backup-*.partial"
	abandonedAfter = time.Hour
)

// sidecars are the suffixes of the files that SQLite puts beside a database.
var sidecars = []string{"-wal", "-shm", "-journal"}

// WriteBackup copies the current state of the database in folder dir to a new
// file at target. The folder of target must exist. WriteBackup works while a
// process owns dir, also within that process. The file appears at target only
// when it is complete, verified and synced. If WriteBackup fails or ctx ends,
// it leaves nothing behind. The error is fs.ErrExist if target already exists,
// and fs.ErrNotExist if there is no database.
//
// Provider keys are sealed in the backup as they are in the database. Login
// tokens are left out. Otherwise a file that is carried around would contain
// valid tokens, and a restore would bring ended sessions back.
func WriteBackup(ctx context.Context, dir, target string) (made Backup, err error) {
	if err := checkFolder(dir); err != nil {
		return made, err
	}
	source := filepath.Join(dir, databaseFile)
	if _, err := os.Stat(source); err != nil {
		return made, fmt.Errorf("database: %w", err)
	}
	if _, err := os.Lstat(target); err == nil {
		return made, existsAt(target)
	}
	folder := filepath.Dir(target)
	removeAbandoned(folder)
	partial, err := os.CreateTemp(folder, partialPattern) // mode 0600
	if err != nil {
		return made, fmt.Errorf("backup cannot be written: %w", err)
	}
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("backup of %s was broken off: %w", source, ctx.Err())
		}
		err = errors.Join(fullDisk(err, folder), partial.Close(), removeDatabase(partial.Name()))
	}()
	if err := fileowner.Take(partial, target); err != nil {
		return made, fmt.Errorf("backup cannot be written: %w", err)
	}
	counts, err := copySnapshot(ctx, source, partial)
	if err != nil {
		return made, fmt.Errorf("backup of %s: %w", source, err)
	}
	if err := finishCopy(ctx, partial.Name(), "delete"); err != nil {
		return made, fmt.Errorf("backup of %s: %w", source, err)
	}
	if err := partial.Sync(); err != nil {
		return made, fmt.Errorf("backup of %s: %w", source, err)
	}
	if made, err = verify(ctx, partial.Name()); err != nil {
		return made, fmt.Errorf("backup of %s is not usable: %w", source, err)
	}
	if made.Counts != counts {
		return made, fmt.Errorf("backup of %s is not usable: it holds %+v, and the database %+v", source, made.Counts, counts)
	}
	made.Path = target
	if err := ctx.Err(); err != nil {
		return made, err
	}
	return made, putInPlace(partial.Name(), target)
}

// copySnapshot copies a database to an empty file, and returns the counts of
// its content. One transaction covers the whole copy: it does not see the
// writes of others, and those writes do not restart it. Until the transaction
// ends, the WAL cannot be emptied.
func copySnapshot(ctx context.Context, source string, target *os.File) (counts backend.Counts, err error) {
	c, err := openConn(databaseURI(source), "PRAGMA query_only = on", "BEGIN")
	if err != nil {
		return counts, notOurs(err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	c.SetInterrupt(ctx)
	version, err := schemaVersion(c)
	if err != nil {
		return counts, err
	}
	if err := giveSharedMemory(source); err != nil {
		return counts, err
	}
	if counts, err = count(c, version); err != nil {
		return counts, err
	}
	c.SetInterrupt(context.Background()) // closing the copy must not be interrupted
	copying, err := c.BackupInit("main", databaseURI(target.Name()))
	if err != nil {
		return counts, err
	}
	defer func() { err = errors.Join(err, copying.Close()) }()
	rest := time.NewTimer(0)
	defer rest.Stop()
	for steps := 1; ; steps++ {
		select {
		case <-rest.C:
		case <-ctx.Done():
			return counts, ctx.Err()
		}
		began := time.Now()
		done, err := copying.Step(stepPages)
		if err == nil && steps%(syncEvery/stepPages) == 0 {
			err = target.Sync()
		}
		if done || err != nil {
			return counts, err
		}
		rest.Reset(min(max(time.Since(began), restLeast), restMost))
	}
}

// finishCopy removes the tokens from a copy and sets its journal mode. In mode
// "delete" the file is the whole database: SQLite reads it without creating
// other files beside it.
func finishCopy(ctx context.Context, path, journalMode string) (err error) {
	ctx, cancel := limitTime(ctx, path)
	defer cancel()
	defer func() { err = explain(ctx, err) }()
	defer catchMemory(&err)
	c, err := openStrange(ctx, databaseURI(path), "PRAGMA locking_mode = EXCLUSIVE")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	version, err := schemaVersion(c)
	if err != nil {
		return err
	}
	if err := setJournalMode(c, "delete"); err != nil {
		return err
	}
	if version >= firstWithTokens {
		if _, err := c.run(`DELETE FROM tokens`); err != nil {
			return err
		}
	}
	return setJournalMode(c, journalMode)
}

// setJournalMode sets the journal mode of a database. mode must be in lower
// case.
func setJournalMode(c *conn, mode string) error {
	got := ""
	err := c.query("PRAGMA journal_mode = "+mode, nil, func(row *sqlite3.Stmt) error {
		got = row.ColumnText(0)
		return nil
	})
	if err == nil && got != mode {
		err = fmt.Errorf("the journal mode stays %s and does not become %s", got, mode)
	}
	return err
}

// CheckBackup verifies a file as [Restore] does. It changes nothing and creates
// no file.
func CheckBackup(ctx context.Context, path string) (Backup, error) {
	if err := looksLikeDatabase(path); err != nil {
		return Backup{}, err
	}
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return Backup{}, fmt.Errorf("%s is a part of a database: %s-wal beside it is the rest; restore takes both", path, path)
	}
	found, err := verify(ctx, path)
	if err != nil {
		return found, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}

// verify examines a database file that no process writes to. It checks that the
// file belongs to this program and that SQLite finds no fault in it, and it
// returns what the file holds. The check compares each index with its table,
// which quick_check does not do.
func verify(ctx context.Context, path string) (found Backup, err error) {
	ctx, cancel := limitTime(ctx, path)
	defer cancel()
	defer func() { err = explain(ctx, err) }()
	defer catchMemory(&err)
	c, err := openStrange(ctx, databaseURI(path)+immutable, "PRAGMA query_only = on")
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	found.Path = path
	if found.Schema, err = schemaVersion(c); err != nil {
		return found, err
	}
	verdict := ""
	err = c.query("PRAGMA integrity_check(1)", nil, func(row *sqlite3.Stmt) error {
		verdict = row.ColumnText(0)
		return nil
	})
	if err == nil && verdict != "ok" {
		err = fmt.Errorf("the file is damaged: %s", verdict)
	}
	if err != nil {
		return found, err
	}
	if err := checkEmpty(c); err != nil {
		return found, err
	}
	if err := checkShared(c, found.Schema); err != nil {
		return found, err
	}
	if found.Counts, err = count(c, found.Schema); err != nil {
		return found, err
	}
	found.Size, found.SHA256, err = digest(ctx, path)
	return found, err
}

// checkEmpty reads the first entry of each table and each index. This is needed
// for empty ones: integrity_check accepts a page of them that claims to have
// children but has none. Every statement that uses such a page fails.
func checkEmpty(c *conn) error {
	var queries []string
	err := c.query(`SELECT type, tbl_name, name, sql FROM sqlite_schema WHERE rootpage > 0`, nil, func(row *sqlite3.Stmt) error {
		how, condition := "NOT INDEXED", ""
		if row.ColumnText(0) == "index" {
			how = "INDEXED BY " + sqlite3.QuoteIdentifier(row.ColumnText(2))
			if _, where, partial := strings.Cut(row.ColumnText(3), " WHERE "); partial {
				condition = " WHERE " + where
			}
		}
		queries = append(queries, "SELECT 1 FROM "+sqlite3.QuoteIdentifier(row.ColumnText(1))+" "+how+condition+" LIMIT 1")
		return nil
	})
	for _, query := range queries {
		if err == nil {
			err = c.query(query, nil, func(*sqlite3.Stmt) error { return nil })
		}
	}
	return err
}

// count counts the content of a database whose schema has the given version.
func count(c *conn, version int64) (counts backend.Counts, err error) {
	keys := "(SELECT count(*) FROM provider_keys)"
	switch {
	case version == 0:
		return counts, errors.New("the database is empty, it has no tables")
	case version >= firstSealed:
		keys += " + (SELECT count(*) FROM plain_provider_keys)"
	}
	err = c.query(`SELECT (SELECT count(*) FROM users), (SELECT count(username) FROM users),
		(SELECT count(*) FROM user_configs), (SELECT count(*) FROM characters), `+keys, nil,
		func(row *sqlite3.Stmt) error {
			counts = backend.Counts{
				Users: row.ColumnInt64(0), Credentials: row.ColumnInt64(1), Configs: row.ColumnInt64(2),
				Characters: row.ColumnInt64(3), ProviderKeys: row.ColumnInt64(4),
			}
			return nil
		})
	return counts, err
}

// digest returns the size and the SHA-256 of a file.
func digest(ctx context.Context, path string) (size int64, sum string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer file.Close() //nolint:errcheck // it was only read
	hash := sha256.New()
	size, err = io.Copy(hash, contextReader{ctx, file})
	return size, hex.EncodeToString(hash.Sum(nil)), err
}

// contextReader reads until ctx ends.
type contextReader struct {
	ctx  context.Context //nolint:containedctx // io.Copy has no other way to end
	file io.Reader
}

// Read implements [io.Reader].
func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.file.Read(p)
}

// errEndless is the error for a file that was crafted so that examining it
// never ends.
var errEndless = errors.New("examining the file takes far longer than a file of this size needs; do not use it")

// limitTime returns a context with a time limit of one minute plus one second
// for each MiB of the database. That is many times what one read of the
// database takes.
func limitTime(ctx context.Context, path string) (context.Context, context.CancelFunc) {
	var size int64
	for _, name := range []string{path, path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	return context.WithTimeoutCause(ctx, time.Minute+time.Duration(size>>20)*time.Second, errEndless)
}

// explain translates an error that occurred while a file was examined under
// limitTime and openStrange.
func explain(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errEndless) {
		return errEndless
	}
	return notOurs(err)
}

// notOurs translates the errors of SQLite for a file that it cannot read as a
// database.
func notOurs(err error) error {
	switch {
	case errors.Is(err, sqlite3.NOTADB):
		return errors.New("the file is not a database")
	case errors.Is(err, sqlite3.CORRUPT):
		return fmt.Errorf("the file is damaged: %w", err)
	}
	return err
}

func existsAt(target string) error {
	return fmt.Errorf("%s is there already and is not replaced: %w", target, fs.ErrExist)
}

// putInPlace renames a finished file to target, unless target exists.
func putInPlace(partial, target string) error {
	err := os.Link(partial, target)
	switch {
	case errors.Is(err, fs.ErrExist):
		return existsAt(target)
	case err != nil: // the file system has no hard links
		if _, err := os.Lstat(target); err == nil {
			return existsAt(target)
		}
		if err := os.Rename(partial, target); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(target))
}

// syncFolder makes a new name in a folder survive a power failure.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows makes folders durable itself and does not sync them on request
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// removeDatabase removes a database and the files beside it, if they exist.
func removeDatabase(path string) error {
	errs := []error{remove(path)}
	for _, suffix := range sidecars {
		errs = append(errs, remove(path+suffix))
	}
	return errors.Join(errs...)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeAbandoned removes the files that killed backups left in a folder.
func removeAbandoned(folder string) {
	partials, _ := filepath.Glob(filepath.Join(folder, partialPattern)) // on an error, the next backup tries again
	for _, path := range partials {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > abandonedAfter {
			_ = removeDatabase(path)
		}
	}
}

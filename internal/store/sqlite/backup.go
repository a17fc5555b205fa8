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
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/fileowner"
)

// Backup describes a file that [WriteBackup] has written, or [CheckBackup] has
// found whole.
type Backup struct {
	Path   string
	Schema int64 // version of the tables
	Counts backend.Counts
	Size   int64  // bytes
	SHA256 string // of the file, in hexadecimal
}

// How a backup copies. Between two steps it rests as long as a step took, so
// that it never has more than half of a core.
const (
	stepPages = 64 // of 4 KiB
	restLeast = time.Millisecond
	restMost  = 100 * time.Millisecond
	// syncEvery bounds how much a sync of the copy can put before one of the
	// store, in pages.
	syncEvery = 1024
)

// What has been begun and is not whole yet. One that nobody has written to for
// as long as abandonedAfter belongs to a process that is gone.
const (
	partialPattern = "web-backend-backup-*.partial"
	abandonedAfter = time.Hour
)

// sidecars are what SQLite adds to the name of a database for files beside it.
var sidecars = []string{"-wal", "-shm", "-journal"}

// WriteBackup copies the database in folder dir, as it is at this moment, to a
// new file at target, whose folder must exist. It works beside the process
// that owns dir, also from within. The file appears at target whole, verified
// and synced, or not at all: an error, or the end of ctx, leaves nothing
// behind. It is fs.ErrExist if something is at target already, and
// fs.ErrNotExist if there is no database.
//
// Provider keys are sealed in it as they are in the database. The tokens of
// logins are left out: they would be open sessions in a file that is carried
// around, and would bring ended ones back.
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
	partial, err := os.CreateTemp(folder, partialPattern) // with mode 0600
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

// copySnapshot copies a database to an empty file, and gives what it holds. One
// transaction covers all of it, so that writes of others neither show nor make
// the copy start over; until it ends, the WAL is not emptied.
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
	c.SetInterrupt(context.Background()) // the end of a copy must not be interrupted
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
// delete the file is all there is of the database: SQLite reads it without
// making others beside it.
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

// setJournalMode sets the journal mode of a file, in small letters.
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

// CheckBackup verifies a file as [Restore] does. It changes nothing, and makes
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

// verify examines a database file that nobody writes to: that it is ours, that
// SQLite finds no fault in it (each index against its table, which quick_check
// would leave out), and what it holds.
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
	if err := checkShared(c, found.Schema); err != nil {
		return found, err
	}
	if found.Counts, err = count(c, found.Schema); err != nil {
		return found, err
	}
	found.Size, found.SHA256, err = digest(ctx, path)
	return found, err
}

// count counts what a database of a version of the schema holds.
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

// digest gives size and SHA-256 of a file.
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

// errEndless is what became of examining a file that was made to take for ever.
var errEndless = errors.New("examining the file takes far longer than one of its size needs; it is not one to use")

// limitTime ends ctx after many times what it takes to read a database once: a
// minute, and a second for each MiB.
func limitTime(ctx context.Context, path string) (context.Context, context.CancelFunc) {
	var size int64
	for _, name := range []string{path, path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	return context.WithTimeoutCause(ctx, time.Minute+time.Duration(size>>20)*time.Second, errEndless)
}

// explain says what an error means that came of examining a file under
// limitTime and openStrange.
func explain(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errEndless) {
		return errEndless
	}
	return notOurs(err)
}

// notOurs says what SQLite means when it cannot make sense of a file.
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

// putInPlace gives a finished file its name, unless something has that name.
func putInPlace(partial, target string) error {
	err := os.Link(partial, target)
	switch {
	case errors.Is(err, fs.ErrExist):
		return existsAt(target)
	case err != nil: // no links in this file system
		if _, err := os.Lstat(target); err == nil {
			return existsAt(target)
		}
		if err := os.Rename(partial, target); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(target))
}

// syncFolder makes a new name in a folder survive a power cut.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // it keeps its folders itself, and syncs none on request
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// removeDatabase removes a database and what lies beside it, as far as it is
// there.
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

// removeAbandoned removes what backups that were killed have left in a folder.
func removeAbandoned(folder string) {
	partials, _ := filepath.Glob(filepath.Join(folder, partialPattern)) // the next backup tries again
	for _, path := range partials {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > abandonedAfter {
			_ = removeDatabase(path)
		}
	}
}

package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/fileowner"
)

// restoring is the suffix of the file that becomes the new database. Only the
// owner of the folder creates this file. So one name is enough, and the next
// restore finds what a crash left behind.
const restoring = ".restoring"

// Restored is the result of [Restore].
type Restored struct {
	Backup        // of the new database
	Kept   string // path of the old database; "" if there was none
}

// Restore installs a copy of the backup at file as the database of folder dir,
// and keeps the old database beside it. It creates the folder if it does not
// exist. No other process may own the folder. Restore does not change the
// backup. If there is a -wal file beside the backup, as in a copied data
// folder, Restore uses both. It removes the tokens from the copy.
//
// The copy is verified before anything changes. After a crash at any point
// either the old or the new database is in place. Only an old database that was
// already damaged may lose its -wal file, which then is beside the kept copy.
func Restore(ctx context.Context, dir, file string) (done Restored, err error) {
	path := filepath.Join(dir, databaseFile)
	if err := looksLikeDatabase(file); err != nil {
		return done, err
	}
	if same, err := sameFile(file, path); err != nil || same {
		return done, errors.Join(err, sameFileError(same, path))
	}
	if err := fileowner.MkdirAll(dir, 0o700); err != nil {
		return done, fmt.Errorf("data folder %s cannot be made: %w", dir, err)
	}
	lock, err := lockFolder(dir)
	if errors.Is(err, ErrInUse) {
		return done, fmt.Errorf("%w; stop it first", err)
	}
	if err != nil {
		return done, err
	}
	partial := path + restoring
	defer func() { err = errors.Join(fullDisk(err, dir), removeDatabase(partial), lock.Close()) }()
	if done.Backup, err = prepare(ctx, file, path); err != nil {
		return done, fmt.Errorf("%s cannot be restored, nothing was changed: %w", file, err)
	}
	if done.Kept, err = keepOld(path); err != nil {
		return done, fmt.Errorf("the database %s cannot be kept, and was not replaced: %w", path, err)
	}
	if err := os.Rename(partial, path); err != nil {
		return done, fmt.Errorf("the database %s cannot be replaced: %w", path, err)
	}
	done.Path = path
	return done, syncFolder(dir)
}

func sameFile(a, b string) (bool, error) {
	first, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second), nil
}

func sameFileError(same bool, path string) error {
	if !same {
		return nil
	}
	return fmt.Errorf("%s is the database itself, not a backup of it", path)
}

// How a database file begins. See "The Database Header" in SQLite's
// documentation.
const (
	sqliteMagic  = "SQLite format 3\x00"
	writeFormat  = 18 // offset of the format version that a writer must support
	newestFormat = 2  // the format with a WAL
)

// looksLikeDatabase checks the first bytes of a file, and returns an error if
// it is not a database.
func looksLikeDatabase(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	head := make([]byte, 32)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte(sqliteMagic)):
		// SQLite opens a file of a newer format only for reading, but a restore
		// must write.
		if n <= writeFormat || head[writeFormat] > newestFormat {
			return fmt.Errorf("%s is damaged, or a database of a newer SQLite", path)
		}
		return nil
	case n == 0:
		return fmt.Errorf("%s is empty", path)
	case bytes.HasPrefix(head, []byte("{")), bytes.HasPrefix(head, []byte("age-encryption.org/")),
		bytes.HasPrefix(head, []byte("-----BEGIN AGE")):
		return fmt.Errorf("%s is not a backup but looks like an export; use web-backend import", path)
	}
	return fmt.Errorf("%s is not a SQLite database, so it is not a backup", path)
}

// prepare copies a backup to the file that will become the database at path.
// The copy gets the owner of that database.
func prepare(ctx context.Context, file, path string) (made Backup, err error) {
	partial := path + restoring
	if err := removeDatabase(partial); err != nil {
		return made, err
	}
	if _, err := os.Lstat(file + "-journal"); err == nil {
		return made, fmt.Errorf("there is a file %s-journal beside it: a change to it was interrupted", file)
	}
	if err := copyFile(ctx, file, partial, path); err != nil {
		return made, err
	}
	if err := copyFile(ctx, file+"-wal", partial+"-wal", path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return made, err
	}
	// Use mode wal, as the server does. Otherwise a process that reads the file
	// while a server starts could keep the server from changing the mode.
	if err := finishCopy(ctx, partial, "wal"); err != nil {
		return made, err
	}
	if err := syncFile(partial); err != nil {
		return made, err
	}
	return verify(ctx, partial)
}

// copyFile copies a file to a new one with the owner and mode of the file at
// like. If there is no such file, only the owner may read the copy.
func copyFile(ctx context.Context, source, target, like string) (err error) {
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // it was only read
	to, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = fileowner.Take(to, like); err == nil {
		_, err = io.Copy(to, contextReader{ctx, from})
	}
	return errors.Join(err, to.Sync(), to.Close())
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// keepOld gives the database a second name and returns it. The old database
// keeps that name when the new one takes the first name. The files beside the
// old database must not stay beside the new one, because SQLite would write
// their content into it.
func keepOld(path string) (kept string, err error) {
	if err := foldWAL(path); err != nil {
		return "", err
	}
	name := keptName(path)
	switch err := os.Link(path, name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil: // the file system has no hard links
		if err := copyFile(context.Background(), path, name, path); err != nil {
			return "", errors.Join(err, remove(name))
		}
		fallthrough
	default:
		kept = name
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return "", err
	}
	for _, suffix := range sidecars { // they exist only if the database is damaged or missing
		err := os.Rename(path+suffix, name+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return kept, syncFolder(filepath.Dir(path))
}

// keptName returns an unused name for the old database.
func keptName(path string) string {
	name := path + ".before-restore-" + time.Now().UTC().Format("20060102T150405Z")
	for n, free := 2, name; ; n++ {
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free
		}
		free = name + "-" + strconv.Itoa(n)
	}
}

// foldWAL moves the content of the WAL into the database file, which then is
// the whole database. If the file is not a database, foldWAL changes neither
// the file nor the files beside it, which SQLite would remove.
func foldWAL(path string) (err error) {
	if looksLikeDatabase(path) != nil {
		return nil //nolint:nilerr // a file that is not a database has no WAL to fold
	}
	c, err := openConn(databaseURI(path), "PRAGMA locking_mode = EXCLUSIVE")
	if err == nil {
		err = errors.Join(setJournalMode(c, "delete"), c.close())
	}
	if errors.Is(err, sqlite3.NOTADB) || errors.Is(err, sqlite3.CORRUPT) {
		return nil
	}
	return err
}

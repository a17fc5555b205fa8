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

// restoring is added to the database's name for what becomes the new one. Only
// the owner of the folder makes it, so that one name is enough and what a crash
// left is found.
const restoring = ".restoring"

// Restored says what [Restore] did.
type Restored struct {
	Backup        // of the database as it is in place now
	Kept   string // where the old database is; "" if there was none
}

// Restore puts a copy of the backup at file in place as the database of folder
// dir, which it creates if it is missing, and keeps the old database beside
// it. The folder must belong to no process. The file is not changed; with a
// -wal beside it, as in a copied data folder, both are taken. Tokens in it are
// dropped.
//
// The copy is verified before anything changes. A crash at any point leaves
// either the old or the new database in place; one that was damaged already
// may be left without its -wal, which then lies beside it.
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

// How a database begins: see "The Database Header" in SQLite's documentation.
const (
	sqliteMagic  = "SQLite format 3\x00"
	writeFormat  = 18 // where the version of the format is that who writes must know
	newestFormat = 2  // with a WAL
)

// looksLikeDatabase tells other files from databases by how they begin.
func looksLikeDatabase(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
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
		// SQLite would only read a file of a newer format, and a restore must write.
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
	return fmt.Errorf("%s is not a SQLite database, so it is no backup", path)
}

// prepare copies a backup to where it becomes what can be put in place as the
// database at path, with the same owner.
func prepare(ctx context.Context, file, path string) (made Backup, err error) {
	partial := path + restoring
	if err := removeDatabase(partial); err != nil {
		return made, err
	}
	if _, err := os.Lstat(file + "-journal"); err == nil {
		return made, fmt.Errorf("%s-journal lies beside it: it was broken off in a change", file)
	}
	if err := copyFile(ctx, file, partial, path); err != nil {
		return made, err
	}
	if err := copyFile(ctx, file+"-wal", partial+"-wal", path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return made, err
	}
	// In mode wal, as the server leaves it: what reads beside a server that
	// starts then does not keep it from changing the mode.
	if err := finishCopy(ctx, partial, "wal"); err != nil {
		return made, err
	}
	if err := syncFile(partial); err != nil {
		return made, err
	}
	return verify(ctx, partial)
}

// copyFile copies a file to a new one with the owner and the mode of that at
// like; if there is none, its owner alone may read it.
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

// keepOld gives the database a second name, under which it stays when the
// first is given to another, and gives that name. What lies beside the database
// must not meet another one: SQLite would write it into that.
func keepOld(path string) (kept string, err error) {
	if err := foldWAL(path); err != nil {
		return "", err
	}
	name := keptName(path)
	switch err := os.Link(path, name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil: // no links in this file system
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
	for _, suffix := range sidecars { // only of a database that is damaged or missing
		err := os.Rename(path+suffix, name+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return kept, syncFolder(filepath.Dir(path))
}

// keptName is a free name for the old database.
func keptName(path string) string {
	name := path + ".before-restore-" + time.Now().UTC().Format("20060102T150405Z")
	for n, free := 2, name; ; n++ {
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free
		}
		free = name + "-" + strconv.Itoa(n)
	}
}

// foldWAL brings what is in the WAL into the database file, which then is all
// of the database. It leaves a file that is none alone, with what lies beside
// it, which SQLite would remove.
func foldWAL(path string) (err error) {
	if looksLikeDatabase(path) != nil {
		return nil //nolint:nilerr // nothing is there that could be folded
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

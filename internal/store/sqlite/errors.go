package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// unavailable returns the error for a store that cannot respond now.
func unavailable(cause error) error {
	return &backend.Error{Kind: backend.Unavailable, Message: "the store does not respond now; try again", Cause: cause}
}

// transientCodes are the SQLite result codes after which a later attempt may
// succeed, because the cause is the machine and not the request.
var transientCodes = []sqlite3.ErrorCode{
	sqlite3.BUSY, sqlite3.LOCKED, sqlite3.NOMEM, sqlite3.READONLY, sqlite3.INTERRUPT,
	sqlite3.IOERR, sqlite3.CANTOPEN, sqlite3.PROTOCOL,
}

// storeError converts an error of SQLite to an error of package backend. It
// returns a *backend.Error unchanged.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*backend.Error](err); ok {
		return err
	}
	if errors.Is(err, sqlite3.FULL) {
		return &backend.Error{Kind: backend.Unavailable,
			Message: "the disk of the store is full; nothing was changed", Cause: err}
	}
	for _, code := range transientCodes {
		if errors.Is(err, code) {
			return unavailable(err)
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unavailable(err)
	}
	return err
}

// fullDisk returns the SQLite error for a full disk if err is a failure to
// write below folder, and the disk is full or its owner has used up a disk
// quota. Otherwise it returns err. The driver reports both like any other disk
// error.
func fullDisk(err error, folder string) error {
	if err == nil || errors.Is(err, sqlite3.FULL) || !errors.Is(err, sqlite3.IOERR) && !errors.Is(err, sqlite3.CANTOPEN) {
		return err
	}
	full := tryToWrite(folder)
	if !errors.Is(full, syscall.ENOSPC) && !errors.Is(full, syscall.EDQUOT) {
		return err
	}
	return fmt.Errorf("%w in %s (%w; %w)", sqlite3.FULL, folder, err, full)
}

// leastFree is the number of free bytes below which a disk counts as full.
const leastFree = 1 << 20

// tryToWrite writes a file of leastFree bytes to folder and removes it. No
// other way finds a quota on every system. A test replaces it.
var tryToWrite = func(folder string) error {
	file, err := os.CreateTemp(folder, ".space-")
	if err != nil {
		return err
	}
	removed := os.Remove(file.Name()) == nil // while it is open, so that a crash leaves nothing
	if _, err = file.Write(make([]byte, leastFree)); err == nil {
		err = file.Sync() // file servers check quotas no earlier than this
	}
	err = errors.Join(err, file.Close())
	if !removed {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return err
}

// isUniqueViolation reports whether a unique index or a primary key rejected a
// row.
func isUniqueViolation(err error) bool {
	return errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) || errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY)
}

package sqlite

import (
	"context"
	"errors"
	"fmt"

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

// leastFree is the number of free bytes below which a file system counts as
// full.
const leastFree = 1 << 20

// fullDisk returns the SQLite error for a full disk if err is a failure to
// write below folder and the disk is full. Otherwise it returns err. The driver
// reports a full disk like any other disk error.
func fullDisk(err error, folder string) error {
	if err == nil || errors.Is(err, sqlite3.FULL) || !errors.Is(err, sqlite3.IOERR) && !errors.Is(err, sqlite3.CANTOPEN) {
		return err
	}
	if free, known := freeBytes(folder); !known || free >= leastFree {
		return err
	}
	return fmt.Errorf("%w in %s (%w)", sqlite3.FULL, folder, err)
}

// isUniqueViolation reports whether a unique index or a primary key rejected a
// row.
func isUniqueViolation(err error) bool {
	return errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) || errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY)
}

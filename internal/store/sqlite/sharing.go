package sqlite

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// Every user has a read-only copy of each default character. All copies are
// equal except for the head of the document. So the rest of a read-only
// character's document is stored once for all users, and a row of characters
// with shared set has an empty document. A read-only character with a document
// of its own is also valid.

// selectDocuments is the beginning of a query for documents. documentFrom reads
// its rows.
const selectDocuments = `SELECT document, shared, rest, user_id, character_id, character_name, created
	FROM characters LEFT JOIN shared_documents ON id = shared `

// documentFrom returns the document of a row. The caller owns it.
func documentFrom(row *sqlite3.Stmt) ([]byte, error) {
	if row.ColumnType(1) == sqlite3.NULL {
		return bytes.Clone(row.ColumnRawText(0)), nil
	}
	if row.ColumnType(2) == sqlite3.NULL {
		return nil, fmt.Errorf("the document of character %.60q is missing: %w", row.ColumnText(4), sqlite3.CORRUPT)
	}
	return backend.JoinCharacter(backend.CharacterHead{
		UserID: row.ColumnText(3), CharacterID: row.ColumnText(4),
		CharacterName: row.ColumnText(5), CreateDatatime: row.ColumnText(6),
	}, row.ColumnRawText(2))
}

// characterFrom returns the character of a row and the size of its document.
func characterFrom(row *sqlite3.Stmt, rests *backend.RestCache) (c backend.Character, size int, err error) {
	if rest := row.ColumnRawText(2); len(rest) > 0 {
		if c, found := rests.Find(rest); found {
			c.UserID, c.CharacterID = row.ColumnText(3), row.ColumnText(4)
			c.CharacterName, c.CreateDatatime = row.ColumnText(5), row.ColumnText(6)
			return c, len(rest), nil
		}
	}
	document, err := documentFrom(row)
	if err != nil {
		return c, 0, err
	}
	if c, err = backend.DecodeCharacter(document); err == nil {
		rests.Keep(c)
	}
	return c, len(document), err
}

// sharedRest is the part of a document that characters share.
type sharedRest struct {
	hash [sha256.Size]byte
	rest []byte
}

func newSharedRest(rest []byte) *sharedRest {
	return &sharedRest{hash: sha256.Sum256(rest), rest: rest}
}

// recentRests caches the rests that were encoded recently, which are nearly
// always those of the default characters. Encoding and hashing them takes as
// long as storing a user.
type recentRests struct {
	mu    sync.Mutex
	rests map[restKey]*sharedRest
}

// Limits of recentRests.
const (
	keptRests = 64
	keptRest  = 64 << 10 // bytes of one rest
)

// restKey is a character without the fields of its head. speed holds the bits
// of the voice speed, because -0 and 0 are encoded differently.
type restKey struct {
	backend.Character
	speed uint64
}

// of returns the rest of a character's document.
func (r *recentRests) of(character backend.Character) (*sharedRest, error) {
	character.UserID, character.CharacterID, character.CharacterName, character.CreateDatatime = "", "", "", ""
	key := restKey{character, math.Float64bits(character.VoiceSpeed)}
	r.mu.Lock()
	found := r.rests[key]
	r.mu.Unlock()
	if found != nil {
		return found, nil
	}
	document, err := backend.EncodeCharacter(character)
	if err != nil {
		return nil, err
	}
	_, rest, ok := backend.SplitCharacter(document)
	if !ok {
		return nil, errors.New("a character's document cannot be split")
	}
	made := newSharedRest(rest)
	if len(rest) > keptRest {
		return made, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rests == nil || len(r.rests) == keptRests {
		r.rests = make(map[restKey]*sharedRest, keptRests)
	}
	r.rests[key] = made
	return made, nil
}

// id returns the row id of the stored rest, and stores the rest if it is not
// there.
func (r *sharedRest) id(c *conn) (id int64, err error) {
	err = c.query(`SELECT id FROM shared_documents WHERE hash = ?`, []any{blob(r.hash[:])}, func(row *sqlite3.Stmt) error {
		id = row.ColumnInt64(0)
		return nil
	})
	if err != nil || id != 0 { // SQLite counts from 1
		return id, err
	}
	_, err = c.run(`INSERT INTO shared_documents (hash, rest) VALUES (?, ?)`, blob(r.hash[:]), r.rest)
	return c.LastInsertRowID(), err
}

// Statements for deleteCharacters.
const (
	deleteOneCharacter   = `DELETE FROM characters WHERE user_id = ? AND character_id = ? RETURNING shared`
	deleteUserCharacters = `DELETE FROM characters WHERE user_id = ? RETURNING shared`
)

// deleteCharacters removes characters. It also removes each shared rest that no
// other character uses, because that rest may be text that a person wrote.
func deleteCharacters(c *conn, statement string, args ...any) (removed int64, err error) {
	shared := map[int64]bool{}
	err = c.query(statement, args, func(row *sqlite3.Stmt) error {
		removed++
		if row.ColumnType(0) != sqlite3.NULL {
			shared[row.ColumnInt64(0)] = true
		}
		return nil
	})
	if err != nil {
		return removed, err
	}
	for id := range shared {
		if _, err := c.run(`DELETE FROM shared_documents
			WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM characters WHERE shared = ?1)`, id); err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// checkShared returns an error if the document of a character is missing, which
// SQLite does not detect, or if a rest does not match its hash. New users would
// get such a rest, too.
func checkShared(c *conn, version int64) error {
	if version < firstSharing {
		return nil
	}
	missing, err := countRows(c, `SELECT count(*) FROM characters
		WHERE shared IS NOT NULL AND shared NOT IN (SELECT id FROM shared_documents)`)
	if err != nil {
		return err
	}
	if missing > 0 {
		return fmt.Errorf("the file is damaged: the documents of %d characters are missing", missing)
	}
	return c.query(`SELECT hash, rest FROM shared_documents`, nil, func(row *sqlite3.Stmt) error {
		if hash := sha256.Sum256(row.ColumnRawText(1)); !bytes.Equal(row.ColumnRawBlob(0), hash[:]) {
			return errors.New("the file is damaged: a document that characters share does not match its hash")
		}
		return nil
	})
}

// charactersOfSlice is the number of characters that one transaction converts.
// It is large enough that the sync costs little, and small enough that the WAL
// stays small.
const charactersOfSlice = 2000

// shareStored makes the read-only characters of an older version share their
// rests. It may be interrupted after any slice, and continues there at the next
// start.
func shareStored(c *conn, log *slog.Logger) error {
	began, total := time.Now(), 0
	for last, more := int64(-1), true; more; {
		done, err := shareSlice(c, last)
		if err != nil {
			return fmt.Errorf("store default characters once: %w", err)
		}
		last, more = done.last, done.seen == charactersOfSlice
		if total == 0 && more {
			log.Info("default characters are being stored once for all users; this is done once, and takes a while")
		}
		total += done.shared
	}
	if total > 0 {
		log.Info("default characters are stored once for all users",
			"characters", total, "duration", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// slice is the result of shareSlice.
type slice struct {
	last         int64 // seq of its last character
	seen, shared int   // characters
}

// shareSlice converts the characters after position last, in one transaction.
func shareSlice(c *conn, last int64) (done slice, err error) {
	if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
		return done, err
	}
	done, err = shareAfter(c, last)
	if err == nil {
		err = c.Exec("COMMIT")
	}
	if err != nil && !c.GetAutocommit() {
		err = errors.Join(err, c.Exec("ROLLBACK"))
	}
	return done, err
}

func shareAfter(c *conn, last int64) (slice, error) {
	type change struct {
		seq, shared int64
		created     string
	}
	var changes []change
	done := slice{last: last}
	err := c.query(`SELECT seq, user_id, character_id, character_name, document FROM characters
		WHERE seq > ? AND read_only AND shared IS NULL ORDER BY seq LIMIT ?`, []any{last, int64(charactersOfSlice)},
		func(row *sqlite3.Stmt) error {
			done.last, done.seen = row.ColumnInt64(0), done.seen+1
			key := backend.CharacterKey{UserID: row.ColumnText(1), CharacterID: row.ColumnText(2)}
			head, rest, ok := splitFor(key, row.ColumnText(3), row.ColumnRawText(4))
			if !ok {
				return nil // a document of another form stays unchanged
			}
			id, err := newSharedRest(rest).id(c)
			changes = append(changes, change{done.last, id, head.CreateDatatime})
			return err
		})
	if err == nil && done.seen > 0 && done.last <= last { // otherwise this slice would repeat without end
		err = fmt.Errorf("characters are out of order: %w", sqlite3.CORRUPT)
	}
	if err != nil {
		return done, err
	}
	for _, change := range changes {
		if _, err := c.run(`UPDATE characters SET document = '', shared = ?, created = ? WHERE seq = ?`,
			change.shared, change.created, change.seq); err != nil {
			return done, err
		}
	}
	done.shared = len(changes)
	return done, nil
}

// splitFor splits the document of a character. ok is false if the document and
// the columns beside it disagree.
func splitFor(key backend.CharacterKey, name string, document []byte) (head backend.CharacterHead, rest []byte, ok bool) {
	head, rest, ok = backend.SplitCharacter(document)
	return head, rest, ok && head.UserID == key.UserID && head.CharacterID == key.CharacterID && head.CharacterName == name
}

package sqlite

import (
	"context"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// ofUser is the end of a query for all characters of a user, in creation order.
// SQLite sorts only the numbers and then reads one row after another. With a
// plain WHERE it would also sort the documents.
const ofUser = `WHERE seq IN (SELECT seq FROM characters WHERE user_id = ?) ORDER BY seq`

// CharacterNames implements [backend.Store].
func (s *Store) CharacterNames(ctx context.Context, userID string) ([]backend.CharacterName, error) {
	names, err := readRecent(ctx, s, readKey{userID, readNames}, sizeOfNames, func(ctx context.Context) (names []backend.CharacterName, err error) {
		err = s.read(ctx, func(c *conn) error {
			return c.query(`SELECT character_id, character_name FROM characters `+ofUser,
				[]any{userID}, func(row *sqlite3.Stmt) error {
					names = append(names, backend.NewCharacterName(row.ColumnText(0), row.ColumnText(1)))
					return nil
				})
		})
		return names, err
	})
	return slices.Clone(names), err
}

func sizeOfNames(names []backend.CharacterName) (size int) {
	for _, name := range names {
		size += len(name.CharacterID) + len(name.CharacterName) + 32 // two string headers
	}
	return size
}

// CharacterSummaries implements [backend.Store]. Avatar and scene are only in
// the documents, so each document is read; only one at a time is in memory.
func (s *Store) CharacterSummaries(ctx context.Context, userID string) ([]backend.CharacterSummary, error) {
	summaries, err := readRecent(ctx, s, readKey{userID, readSummaries}, sizeOfSummaries, func(ctx context.Context) (summaries []backend.CharacterSummary, err error) {
		err = s.read(ctx, func(c *conn) error {
			return c.query(selectDocuments+ofUser, []any{userID}, func(row *sqlite3.Stmt) error {
				document, err := documentFrom(row)
				if err != nil {
					return err
				}
				summary, err := backend.SummarizeDocument(document)
				summaries = append(summaries, summary)
				return err
			})
		})
		return summaries, err
	})
	return slices.Clone(summaries), err
}

// summarySize is the size of a summary without its texts, in bytes.
const summarySize = 80

func sizeOfSummaries(summaries []backend.CharacterSummary) (size int) {
	for _, s := range summaries {
		size += len(s.CharacterID) + len(s.CharacterName) + len(s.Avatar) + len(s.SceneName) + summarySize
	}
	return size
}

// Character implements [backend.Store].
func (s *Store) Character(ctx context.Context, key backend.CharacterKey) (backend.Character, error) {
	document, err := s.CharacterDocument(ctx, key)
	if err != nil {
		return backend.Character{}, err
	}
	character, err := backend.DecodeCharacter(document)
	return character, storeError(err)
}

// CharacterDocument implements [backend.Store].
func (s *Store) CharacterDocument(ctx context.Context, key backend.CharacterKey) ([]byte, error) {
	return readRecent(ctx, s, readKey{key.UserID, documentMark + key.CharacterID}, func(document []byte) int { return len(document) },
		func(ctx context.Context) (document []byte, err error) {
			err = s.read(ctx, func(c *conn) (err error) {
				document, err = characterDocument(c, key)
				return err
			})
			return document, err
		})
}

// CopyCharacter implements [backend.Store].
func (s *Store) CopyCharacter(
	ctx context.Context, key backend.CharacterKey, most int, edit func(backend.Character) backend.Character,
) error {
	return s.write(ctx, []string{key.UserID}, func(c *conn) error {
		character, err := readCharacter(c, key)
		if err != nil {
			return err
		}
		if err := checkRoom(c, key.UserID, most); err != nil {
			return err
		}
		stored, err := s.encode(edit(character))
		if err != nil {
			return err
		}
		return insertCharacter(c, stored)
	})
}

// AddCharacter implements [backend.Store].
func (s *Store) AddCharacter(ctx context.Context, character backend.Character, most int) error {
	stored, err := s.encode(character)
	if err != nil {
		return err
	}
	return s.write(ctx, []string{character.UserID}, func(c *conn) error {
		configs, err := countRows(c, `SELECT count(*) FROM user_configs WHERE user_id = ?`, character.UserID)
		if err != nil {
			return err
		}
		if configs == 0 {
			return backend.UserNotFound(character.UserID)
		}
		if err := checkRoom(c, character.UserID, most); err != nil {
			return err
		}
		return insertCharacter(c, stored)
	})
}

// checkRoom returns a Full error if a user already has the maximum number of
// characters. The parameter most is this maximum; 0 means no limit.
func checkRoom(c *conn, userID string, most int) error {
	if most == 0 {
		return nil
	}
	count, err := countRows(c, `SELECT count(*) FROM characters WHERE user_id = ?`, userID)
	if err == nil && count >= most {
		err = backend.TooManyCharacters(most)
	}
	return err
}

// UpdateCharacter implements [backend.Store].
func (s *Store) UpdateCharacter(ctx context.Context, key backend.CharacterKey, patch backend.CharacterPatch) error {
	return s.write(ctx, []string{key.UserID}, func(c *conn) error {
		document, err := characterDocument(c, key)
		if err != nil {
			return err
		}
		document, character, err := backend.PatchDocument(document, patch)
		if err != nil {
			return err
		}
		_, err = c.run(`UPDATE characters SET character_name = ?, read_only = ?, document = ?
			WHERE user_id = ? AND character_id = ?`,
			character.CharacterName, character.ReadOnly, document, key.UserID, key.CharacterID)
		return err
	})
}

// DeleteCharacter implements [backend.Store].
func (s *Store) DeleteCharacter(ctx context.Context, key backend.CharacterKey) error {
	return s.write(ctx, []string{key.UserID}, func(c *conn) error {
		removed, err := deleteCharacters(c, deleteOneCharacter, key.UserID, key.CharacterID)
		if err == nil && removed == 0 {
			err = backend.CharacterNotFound(key)
		}
		return err
	})
}

// characterDocument returns the stored document. The caller owns it.
func characterDocument(c *conn, key backend.CharacterKey) (document []byte, err error) {
	err = c.query(selectDocuments+`WHERE user_id = ? AND character_id = ?`,
		[]any{key.UserID, key.CharacterID}, func(row *sqlite3.Stmt) (err error) {
			document, err = documentFrom(row)
			return err
		})
	if err == nil && document == nil {
		err = backend.CharacterNotFound(key)
	}
	return document, err
}

// readCharacter returns the stored character.
func readCharacter(c *conn, key backend.CharacterKey) (backend.Character, error) {
	document, err := characterDocument(c, key)
	if err != nil {
		return backend.Character{}, err
	}
	return backend.DecodeCharacter(document)
}

// storedCharacter is a character as it is written. Encoding takes longer than
// writing, and all requests share one writer. Therefore characters are encoded
// before they reach the writer, where possible.
type storedCharacter struct {
	key      backend.CharacterKey
	name     string
	readOnly bool
	document []byte // nil if shared is set

	shared  *sharedRest
	created string // set if shared is set
}

// encode prepares a character for writing. A read-only character shares the
// rest of its document with others.
func (s *Store) encode(character backend.Character) (stored storedCharacter, err error) {
	stored = storedCharacter{key: character.Key(), name: character.CharacterName, readOnly: character.ReadOnly}
	if character.ReadOnly {
		stored.created = character.CreateDatatime
		stored.shared, err = s.rests.of(character)
	} else {
		stored.document, err = backend.EncodeCharacter(character)
	}
	return stored, storeError(err)
}

// encodeAll prepares characters for writing.
func (s *Store) encodeAll(characters []backend.Character) ([]storedCharacter, error) {
	all := make([]storedCharacter, len(characters))
	for i, character := range characters {
		var err error
		if all[i], err = s.encode(character); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// insertCharacter stores character as the last one of its user.
func insertCharacter(c *conn, character storedCharacter) error {
	document, shared, created := any(character.document), any(nil), any(nil)
	if character.shared != nil {
		id, err := character.shared.id(c)
		if err != nil {
			return err
		}
		document, shared, created = "", id, character.created
	}
	_, err := c.run(`INSERT INTO characters (user_id, character_id, character_name, read_only, document, shared, created)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, character.key.UserID, character.key.CharacterID, character.name,
		character.readOnly, document, shared, created)
	if isUniqueViolation(err) {
		return backend.CharacterExists(character.key)
	}
	return err
}

package sqlite

import (
	"bytes"
	"context"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
)

// CharacterNames implements [backend.Store].
func (s *Store) CharacterNames(ctx context.Context, userID string) ([]backend.CharacterName, error) {
	names, err := readRecent(ctx, s, readKey{userID, readNames}, sizeOfNames, func(ctx context.Context) (names []backend.CharacterName, err error) {
		err = s.read(ctx, func(c *conn) error {
			return c.query(`SELECT character_id, character_name FROM characters WHERE user_id = ? ORDER BY seq`,
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
		if most > 0 {
			count, err := countRows(c, `SELECT count(*) FROM characters WHERE user_id = ?`, key.UserID)
			if err != nil {
				return err
			}
			if count >= most {
				return backend.TooManyCharacters(most)
			}
		}
		return insertCharacter(c, edit(character))
	})
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
		changed, err := c.run(`DELETE FROM characters WHERE user_id = ? AND character_id = ?`,
			key.UserID, key.CharacterID)
		if err == nil && changed == 0 {
			err = backend.CharacterNotFound(key)
		}
		return err
	})
}

// characterDocument gives the stored document; the caller owns it.
func characterDocument(c *conn, key backend.CharacterKey) (document []byte, err error) {
	err = c.query(`SELECT document FROM characters WHERE user_id = ? AND character_id = ?`,
		[]any{key.UserID, key.CharacterID}, func(row *sqlite3.Stmt) error {
			document = bytes.Clone(row.ColumnRawText(0))
			return nil
		})
	if err == nil && document == nil {
		err = backend.CharacterNotFound(key)
	}
	return document, err
}

// readCharacter gives the stored character.
func readCharacter(c *conn, key backend.CharacterKey) (backend.Character, error) {
	document, err := characterDocument(c, key)
	if err != nil {
		return backend.Character{}, err
	}
	return backend.DecodeCharacter(document)
}

// insertCharacter stores character as the last of its user.
func insertCharacter(c *conn, character backend.Character) error {
	document, err := backend.EncodeCharacter(character)
	if err != nil {
		return err
	}
	_, err = c.run(`INSERT INTO characters (user_id, character_id, character_name, read_only, document)
		VALUES (?, ?, ?, ?, ?)`,
		character.UserID, character.CharacterID, character.CharacterName, character.ReadOnly, document)
	if isUniqueViolation(err) {
		return backend.CharacterExists(character.Key())
	}
	return err
}

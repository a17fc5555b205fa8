package backend

import (
	"context"
	"errors"
)

// CharacterNames lists a user's characters in creation order; none for an
// unknown user.
func (s *Service) CharacterNames(ctx context.Context, userID string) ([]CharacterName, error) {
	return s.store.CharacterNames(ctx, userID)
}

// LongCharacterName returns the name of a character that a list leaves out, and
// "" if the character was deleted meanwhile.
func (s *Service) LongCharacterName(ctx context.Context, key CharacterKey) (string, error) {
	character, err := s.store.Character(ctx, key)
	if errors.Is(err, NotFound) {
		return "", nil
	}
	return character.CharacterName, err
}

// CharacterSummaries lists a user's characters in creation order; none for an
// unknown user.
func (s *Service) CharacterSummaries(ctx context.Context, userID string) ([]CharacterSummary, error) {
	return s.store.CharacterSummaries(ctx, userID)
}

// LongCharacterSummary returns the summary of a character whose texts a list
// leaves out. NotFound if the character was deleted meanwhile.
func (s *Service) LongCharacterSummary(ctx context.Context, key CharacterKey) (CharacterSummary, error) {
	character, err := s.store.Character(ctx, key)
	return character.Summary(), err
}

// CharacterDocument gives one character as JSON; see [EncodeCharacter].
// NotFound if it does not exist.
func (s *Service) CharacterDocument(ctx context.Context, key CharacterKey) ([]byte, error) {
	return s.store.CharacterDocument(ctx, key)
}

// DuplicateCharacter copies a character and returns the id of the copy, which
// may be changed and is the last of its user's list. A nil name keeps the
// name. The copy's creation time is the user's own local time. NotFound if
// there is no such character, TooLong or Full beyond the [Limits].
func (s *Service) DuplicateCharacter(ctx context.Context, key CharacterKey, name *string) (string, error) {
	if name != nil {
		if err := s.limits.checkText("character_name", *name); err != nil {
			return "", err
		}
	}
	config, err := s.store.UserConfig(ctx, key.UserID)
	if err != nil && !errors.Is(err, NotFound) {
		return "", err
	}
	id := s.newID()
	created := Timestamp(s.now(), config.location(s.defaults.UserConfig.Timezone))
	err = s.store.CopyCharacter(ctx, key, s.limits.Characters, func(c Character) Character {
		c.CharacterID, c.CreateDatatime, c.ReadOnly = id, created, false
		set(&c.CharacterName, name)
		return c
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// UpdateCharacter changes a character. NotFound if it does not exist, then
// ReadOnly if it must not be changed. TooLong beyond the [Limits].
func (s *Service) UpdateCharacter(ctx context.Context, key CharacterKey, patch CharacterPatch) error {
	if err := s.limits.checkPatch(patch); err != nil {
		return err
	}
	return s.store.UpdateCharacter(ctx, key, patch)
}

// DeleteCharacter removes a character, also a read-only one. NotFound if it
// does not exist.
func (s *Service) DeleteCharacter(ctx context.Context, key CharacterKey) error {
	return s.store.DeleteCharacter(ctx, key)
}

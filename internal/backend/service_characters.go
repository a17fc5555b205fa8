package backend

import (
	"context"
	"errors"
)

// CharacterNames returns a user's characters in creation order. The list is
// empty for an unknown user.
func (s *Service) CharacterNames(ctx context.Context, userID string) ([]CharacterName, error) {
	return s.store.CharacterNames(ctx, userID)
}

// LongCharacterName returns the name of a character if a list omits it because
// of its length. It returns "" if the character was deleted in the meantime.
func (s *Service) LongCharacterName(ctx context.Context, key CharacterKey) (string, error) {
	character, err := s.store.Character(ctx, key)
	if errors.Is(err, NotFound) {
		return "", nil
	}
	return character.CharacterName, err
}

// CharacterSummaries returns a user's characters in creation order. The list is
// empty for an unknown user.
func (s *Service) CharacterSummaries(ctx context.Context, userID string) ([]CharacterSummary, error) {
	return s.store.CharacterSummaries(ctx, userID)
}

// LongCharacterSummary returns the summary of a character if a list omits its
// texts because of their length. The error is NotFound if the character was
// deleted in the meantime.
func (s *Service) LongCharacterSummary(ctx context.Context, key CharacterKey) (CharacterSummary, error) {
	character, err := s.store.Character(ctx, key)
	return character.Summary(), err
}

// CharacterDocument returns one character as JSON; see [EncodeCharacter]. The
// error is NotFound if it does not exist.
func (s *Service) CharacterDocument(ctx context.Context, key CharacterKey) ([]byte, error) {
	return s.store.CharacterDocument(ctx, key)
}

// DuplicateCharacter copies a character and returns the copy, which can be
// changed and is the last in its user's list. If name is nil, the copy keeps
// the name. The copy's creation time is in the user's own time zone. The error
// is NotFound if the character does not exist, and TooLong or Full if a limit
// of [Limits] is exceeded.
func (s *Service) DuplicateCharacter(ctx context.Context, key CharacterKey, name *string) (Character, error) {
	if name != nil {
		if err := s.limits.checkText("character_name", *name); err != nil {
			return Character{}, err
		}
	}
	config, err := s.store.UserConfig(ctx, key.UserID)
	if err != nil && !errors.Is(err, NotFound) {
		return Character{}, err
	}
	id := s.newID()
	created := Timestamp(s.now(), config.location(s.defaults.UserConfig.Timezone))
	var duplicate Character
	err = s.store.CopyCharacter(ctx, key, s.limits.Characters, func(c Character) Character {
		c.CharacterID, c.CreateDatatime, c.ReadOnly = id, created, false
		set(&c.CharacterName, name)
		duplicate = c
		return c
	})
	if err != nil {
		return Character{}, err
	}
	return duplicate, nil
}

// AddCharacter stores character as the last one of a user and returns it with a
// new id, and with a creation time in the user's own time zone. It can be
// changed, even if character is read-only. The error is NotFound if the user
// does not exist, and TooLong or Full if a limit of [Limits] is exceeded.
func (s *Service) AddCharacter(ctx context.Context, userID string, character Character) (Character, error) {
	if err := s.limits.checkPatch(NewCharacterPatch(Character{}, character)); err != nil {
		return Character{}, err
	}
	config, err := s.store.UserConfig(ctx, userID)
	if err != nil {
		return Character{}, err
	}
	character.UserID, character.CharacterID, character.ReadOnly = userID, s.newID(), false
	character.CreateDatatime = Timestamp(s.now(), config.location(s.defaults.UserConfig.Timezone))
	if err := s.store.AddCharacter(ctx, character, s.limits.Characters); err != nil {
		return Character{}, err
	}
	return character, nil
}

// UpdateCharacter changes a character. The error is NotFound if it does not
// exist, ReadOnly if it must not be changed (checked in this order), and
// TooLong if a limit of [Limits] is exceeded.
func (s *Service) UpdateCharacter(ctx context.Context, key CharacterKey, patch CharacterPatch) error {
	if err := s.limits.checkPatch(patch); err != nil {
		return err
	}
	return s.store.UpdateCharacter(ctx, key, patch)
}

// DeleteCharacter removes a character, even a read-only one. The error is
// NotFound if it does not exist.
func (s *Service) DeleteCharacter(ctx context.Context, key CharacterKey) error {
	return s.store.DeleteCharacter(ctx, key)
}

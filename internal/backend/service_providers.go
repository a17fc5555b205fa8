package backend

import (
	"context"
	"errors"
)

// AvailableProviders returns, sorted, the providers of role for which a user
// has set all keys. The error is NotFound for an unknown user.
func (s *Service) AvailableProviders(ctx context.Context, userID string, role ProviderRole) ([]string, error) {
	config, err := s.store.UserConfig(ctx, userID)
	if err != nil {
		return nil, err
	}
	return availableProviders(role, config.Keys), nil
}

// CharactersMissingSecrets returns the ids of those of a user's characters that
// need a provider key that is not set. It reads each character. A user without
// a config has not set any key.
func (s *Service) CharactersMissingSecrets(ctx context.Context, userID string) (map[string]bool, error) {
	config, err := s.store.UserConfig(ctx, userID)
	if err != nil && !errors.Is(err, NotFound) {
		return nil, err
	}
	names, err := s.store.CharacterNames(ctx, userID)
	if err != nil {
		return nil, err
	}
	lacking := map[string]bool{}
	for _, name := range names {
		character, err := s.store.Character(ctx, CharacterKey{userID, name.CharacterID})
		if errors.Is(err, NotFound) {
			continue // deleted in the meantime
		}
		if err != nil {
			return nil, err
		}
		if missing := missingSecrets(character, config.Keys); len(missing.LLM)+len(missing.ASR)+len(missing.TTS) > 0 {
			lacking[name.CharacterID] = true
		}
	}
	return lacking, nil
}

// MissingSecrets returns the provider keys that a character needs but its user
// has not set. The error is NotFound if the character does not exist. A user
// without a config has not set any key.
func (s *Service) MissingSecrets(ctx context.Context, key CharacterKey) (MissingSecrets, error) {
	character, err := s.store.Character(ctx, key)
	if err != nil {
		return MissingSecrets{}, err
	}
	config, err := s.store.UserConfig(ctx, key.UserID)
	if err != nil && !errors.Is(err, NotFound) {
		return MissingSecrets{}, err
	}
	return missingSecrets(character, config.Keys), nil
}

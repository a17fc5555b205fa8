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

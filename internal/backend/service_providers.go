package backend

import (
	"context"
	"errors"
)

// AvailableProviders lists the providers of role that a user has set all keys
// for, sorted. NotFound for an unknown user.
func (s *Service) AvailableProviders(ctx context.Context, userID string, role ProviderRole) ([]string, error) {
	config, err := s.store.UserConfig(ctx, userID)
	if err != nil {
		return nil, err
	}
	return availableProviders(role, config.Keys), nil
}

// MissingSecrets lists the provider keys that a character needs and its user
// has not set. NotFound if the character does not exist; a user without a
// config has set nothing.
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

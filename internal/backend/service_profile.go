package backend

import (
	"context"
	"slices"
)

// Profile is what a page about one user shows. It has no secret.
type Profile struct {
	UserID   string
	Username string // "" if the user cannot log in
	// SetUp is false for a user who has registered but not logged in yet. The
	// fields below are then empty.
	SetUp      bool
	Timezone   string
	KeysSet    []string                  // the names of the provider keys that are set, sorted
	Available  map[ProviderRole][]string // the providers whose keys are all set, sorted
	Characters []CharacterProfile        // in creation order
}

// CharacterProfile is one character of a [Profile].
type CharacterProfile struct {
	CharacterSummary

	MissingKeys []string // the provider keys that the character needs but that are not set, sorted
}

// Profile returns the profile of a user, with one call of the store. The error
// is NotFound for an unknown user.
func (s *Service) Profile(ctx context.Context, userID string) (Profile, error) {
	found, err := s.store.UserData(ctx, []string{userID})
	switch {
	case err != nil:
		return Profile{}, err
	case len(found) == 0:
		return Profile{}, UserNotFound(userID)
	}
	data := found[0]
	profile := Profile{UserID: userID}
	if data.Credential != nil {
		profile.Username = data.Credential.Username
	}
	if data.Config == nil {
		return profile, nil
	}
	profile.SetUp, profile.Timezone, profile.Available = true, data.Config.Timezone, map[ProviderRole][]string{}
	for name, key := range data.Config.Keys {
		if key.IsSet() {
			profile.KeysSet = append(profile.KeysSet, name)
		}
	}
	slices.Sort(profile.KeysSet)
	for _, role := range []ProviderRole{LLM, ASR, TTS} {
		profile.Available[role] = availableProviders(role, data.Config.Keys)
	}
	for _, c := range data.Characters {
		missing := missingSecrets(c, data.Config.Keys)
		keys := slices.Concat(missing.LLM, missing.ASR, missing.TTS)
		slices.Sort(keys)
		profile.Characters = append(profile.Characters, CharacterProfile{c.Summary().Bounded(), slices.Compact(keys)})
	}
	return profile, nil
}

package backend

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// defaultCharacterSpace is the UUID name space for the ids of default
// characters. It must never change, because ids derived from it are stored
// (contract §4).
var defaultCharacterSpace = uuid.MustParse("6c1f6f0e-8d0b-4f0f-9a38-5b7a2f2f6f61")

// defaultCharacterID returns the id of a user's copy of the default character
// at position. It is the same each time, so that setting up a user twice
// produces the same characters.
func defaultCharacterID(userID string, position int) string {
	return uuid.NewSHA1(defaultCharacterSpace, []byte(strconv.Itoa(position)+"/"+userID)).String()
}

// CreateUser creates a user with the default config and a read-only copy of
// each default character, in one atomic step. It returns the user id: userID,
// or a new id if userID is empty. The error is Exists if the id is taken,
// Invalid if it is not valid text or not [Reachable], and TooLong or Full if a
// limit of [Limits] is exceeded.
func (s *Service) CreateUser(ctx context.Context, userID string) (string, error) {
	switch {
	case !ValidText(userID):
		return "", &Error{Kind: Invalid, Field: "user_id", Message: "user id " + invalidTextProblem}
	case !Reachable(userID):
		return "", &Error{Kind: Invalid, Field: "user_id",
			Message: fmt.Sprintf("%q cannot be an id: clients and proxies take it out of a URL; choose another one", userID)}
	}
	if err := s.limits.checkID("user_id", userID); err != nil {
		return "", err
	}
	if err := s.checkUsers(ctx); err != nil {
		return "", err
	}
	if userID == "" {
		userID = s.newID()
	}
	config, characters := s.newUser(userID, s.now())
	if err := s.store.CreateUser(ctx, config, characters); err != nil {
		return "", err
	}
	return userID, nil
}

// Reachable reports whether a URL can name an id. Clients and proxies remove
// "." and ".." from a path, even if they are escaped.
func Reachable(id string) bool { return id != "." && id != ".." }

// newUser returns the config and characters of a new user.
func (s *Service) newUser(userID string, now time.Time) (UserConfig, []Character) {
	config := s.defaults.UserConfig
	config.UserID = userID
	config.Keys = maps.Clone(config.Keys)
	created := Timestamp(now, config.location(DefaultTimezone))

	characters := make([]Character, len(s.defaults.Characters))
	for i, c := range s.defaults.Characters {
		c.UserID, c.CharacterID = userID, defaultCharacterID(userID, i)
		c.CreateDatatime, c.ReadOnly = created, true
		characters[i] = c
	}
	return config, characters
}

// DeleteUser removes a user with all data that is stored for it. The error is
// NotFound if nothing is stored.
func (s *Service) DeleteUser(ctx context.Context, userID string) error {
	return s.store.DeleteUser(ctx, userID)
}

// Users iterates over the users that filter selects, in creation order.
func (s *Service) Users(ctx context.Context, filter UserFilter) iter.Seq2[User, error] {
	return s.store.Users(ctx, filter)
}

// User returns one user. The error is NotFound if the user does not exist.
func (s *Service) User(ctx context.Context, userID string) (User, error) {
	found, err := s.store.UserPage(ctx, ByID, userID, 1)
	if err == nil && (len(found) == 0 || found[0].UserID != userID) {
		err = UserNotFound(userID)
	}
	if err != nil {
		return User{}, err
	}
	return found[0].User, nil
}

// UserConfig returns a user's config, including the provider keys. Callers may
// show which keys are set, but never a value. The error is NotFound for an
// unknown user.
func (s *Service) UserConfig(ctx context.Context, userID string) (UserConfig, error) {
	return s.store.UserConfig(ctx, userID)
}

// UpdateUserConfig changes a user's provider keys and time zone. An empty time
// zone restores the default. An unknown time zone keeps the stored one, because
// browsers send Etc/Unknown. The error is NotFound for an unknown user, and
// TooLong if a limit of [Limits] is exceeded.
func (s *Service) UpdateUserConfig(ctx context.Context, userID string, patch UserConfigPatch) error {
	switch {
	case patch.Timezone == nil:
	case *patch.Timezone == "":
		patch.Timezone = &s.defaults.UserConfig.Timezone
	case !KnownTimezone(*patch.Timezone):
		patch.Timezone = nil
	}
	if err := s.limits.checkKeys(patch.Keys); err != nil {
		return err
	}
	return s.store.UpdateUserConfig(ctx, userID, patch)
}

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

// defaultCharacterSpace is the name space of the ids of default characters.
// It must never change: ids derived from it are stored (contract §4).
var defaultCharacterSpace = uuid.MustParse("6c1f6f0e-8d0b-4f0f-9a38-5b7a2f2f6f61")

// defaultCharacterID is the id of a user's copy of the default character at
// position, the same each time, so that setting a user up twice gives the same
// characters.
func defaultCharacterID(userID string, position int) string {
	return uuid.NewSHA1(defaultCharacterSpace, []byte(strconv.Itoa(position)+"/"+userID)).String()
}

// CreateUser makes a user with the default config and a read-only copy of
// each default character, all or nothing, and returns the id: userID, or a new
// one if userID is empty. Exists if the id is taken, Invalid if it is no text or
// not [Reachable], TooLong or Full beyond the [Limits].
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

// Reachable reports whether a URL can name an id: "." and ".." as a part of a path
// are taken out by clients and proxies, also where they are escaped.
func Reachable(id string) bool { return id != "." && id != ".." }

// newUser builds what a new user starts with.
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

// DeleteUser removes a user with everything stored for it. NotFound if there
// is nothing.
func (s *Service) DeleteUser(ctx context.Context, userID string) error {
	return s.store.DeleteUser(ctx, userID)
}

// Users iterates over the users that filter chooses, in creation order.
func (s *Service) Users(ctx context.Context, filter UserFilter) iter.Seq2[User, error] {
	return s.store.Users(ctx, filter)
}

// UserConfig gives a user's config, with the provider keys: show which are set,
// never a value. NotFound for an unknown user.
func (s *Service) UserConfig(ctx context.Context, userID string) (UserConfig, error) {
	return s.store.UserConfig(ctx, userID)
}

// UpdateUserConfig changes a user's provider keys and time zone; an empty time
// zone means the default again, and one that is not known keeps what is stored:
// browsers send Etc/Unknown. NotFound for an unknown user, TooLong beyond the
// [Limits].
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

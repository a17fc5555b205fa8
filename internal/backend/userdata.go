package backend

import (
	"context"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
)

// UserData is all data that is stored of one user, except its access tokens,
// because another store cannot use them.
type UserData struct {
	Credential *Credential // nil if the user cannot log in
	Config     *UserConfig // nil if the user has not been set up
	Characters []Character // in creation order; empty without Config
}

// UserID returns the id of the user, or "" if d is empty.
func (d UserData) UserID() string {
	switch {
	case d.Config != nil:
		return d.Config.UserID
	case d.Credential != nil:
		return d.Credential.UserID
	}
	return ""
}

// Counts says how much data is stored.
type Counts struct {
	Users       int64 // with a credential or a config
	Credentials int64
	Configs     int64
	Characters  int64 // of users with a config
	// Orphans are characters of users without a config. No list shows them.
	Orphans      int64
	ProviderKeys int64 // that are set
	// UnreadableKeys counts those of ProviderKeys that are sealed with a missing
	// master key.
	UnreadableKeys int64
}

// Archive reads and writes all data of users at once, to move users between
// stores. The promises of [Store] about its methods apply here, too.
type Archive interface {
	// Count counts the stored data. All numbers are from about the same moment.
	Count(ctx context.Context) (Counts, error)

	// ExportUsers iterates over all stored data, user by user, in the order of
	// [Store.Users]. It holds a bounded number of users in memory. The data of
	// one user is from one moment. A user that is created or deleted during the
	// iteration may or may not be included. The first error ends the sequence.
	ExportUsers(ctx context.Context) iter.Seq2[UserData, error]

	// UserData returns the stored data of users, in the order of userIDs. It
	// omits users without stored data.
	UserData(ctx context.Context, userIDs []string) ([]UserData, error)

	// UsernameOwners returns the user ids of those usernames that have a
	// credential. The keys of the result are the [UsernameKey] of each name. The
	// owner is the user of the credential that [Store.Credential] returns.
	UsernameOwners(ctx context.Context, usernames []string) (map[string]string, error)

	// PutUsers stores users, in the given order. Each user replaces all data
	// that is stored for its id. A new user becomes the last in creation order;
	// a replaced user keeps its position. A user's tokens end if its password
	// changes or is removed, or if the account is disabled. The error is Exists
	// if a user name belongs to another user id. After any error, some of the
	// other users may be stored; a later call with the same users completes the
	// work.
	PutUsers(ctx context.Context, users []UserData) error
}

// MaxMovedCharacters is the maximum number of characters of one user that moves
// between stores. The limit exists because the move holds them in memory.
const MaxMovedCharacters = 10_000

// checkUserData returns an Invalid error that names the user if a store may not
// keep d. It does not check whether the time zone is known, because the Python
// original stored any value.
func checkUserData(d UserData) error {
	userID := d.UserID()
	invalid := func(format string, args ...any) error {
		return &Error{Kind: Invalid, Message: fmt.Sprintf("user %s: ", shortQuote(userID)) + fmt.Sprintf(format, args...)}
	}
	switch {
	case userID == "":
		return invalid("it has no id")
	case d.Credential != nil && d.Credential.UserID != userID:
		return invalid("its credential is that of user %s", shortQuote(d.Credential.UserID))
	case d.Config == nil && len(d.Characters) > 0:
		return invalid("it has characters, but no config")
	case len(d.Characters) > MaxMovedCharacters:
		return invalid("it has %d characters, but at most %d can be moved", len(d.Characters), MaxMovedCharacters)
	}
	for place, text := range d.texts() {
		if !ValidText(text) {
			return invalid("%s: %s", place, invalidTextProblem)
		}
	}
	if d.Config != nil {
		for name := range d.Config.Keys {
			if !slices.Contains(ProviderKeys, name) {
				return invalid("provider key %s is unknown", shortQuote(name))
			}
		}
	}
	seen := make(map[string]bool, len(d.Characters))
	for _, c := range d.Characters {
		if problem := characterProblem(c, userID, seen); problem != "" {
			return invalid("character %s %s", shortQuote(c.CharacterID), problem)
		}
		seen[c.CharacterID] = true
	}
	return nil
}

// characterProblem returns what is wrong with a character of a user, or "".
func characterProblem(c Character, userID string, seen map[string]bool) string {
	switch {
	case c.UserID != userID:
		return "is that of user " + shortQuote(c.UserID)
	case seen[c.CharacterID]:
		return "is there twice"
	case math.IsNaN(c.VoiceSpeed) || math.IsInf(c.VoiceSpeed, 0):
		return "has a voice_speed that is not a finite number"
	}
	return ""
}

// textLocation is the location of a text in the data of a user.
type textLocation struct{ field, characterID string }

// String describes the location for a message.
func (p textLocation) String() string {
	if p.characterID == "" {
		return p.field
	}
	return "character " + shortQuote(p.characterID) + ": " + p.field
}

// texts returns every text of d.
func (d UserData) texts() iter.Seq2[textLocation, string] {
	return func(yield func(textLocation, string) bool) {
		account := map[string]string{}
		if d.Credential != nil {
			account["user_id"], account["username"] = d.Credential.UserID, d.Credential.Username
			account["password"] = d.Credential.Password.Reveal()
		}
		if d.Config != nil {
			account["user_id"], account["timezone"] = d.Config.UserID, d.Config.Timezone
			for name, key := range d.Config.Keys {
				account[name] = key.Reveal()
			}
		}
		for field, text := range account {
			if !yield(textLocation{field: field}, text) {
				return
			}
		}
		for _, c := range d.Characters {
			values := reflect.ValueOf(c)
			for i := range values.NumField() {
				if values.Field(i).Kind() == reflect.String &&
					!yield(textLocation{values.Type().Field(i).Tag.Get("json"), c.CharacterID}, values.Field(i).String()) {
					return
				}
			}
		}
	}
}

// memoryBytes returns roughly how much memory the data of a user takes.
func memoryBytes(d UserData) (size int) {
	size = len(d.Characters) * int(reflect.TypeFor[Character]().Size())
	for _, text := range d.texts() {
		size += len(text)
	}
	return size
}

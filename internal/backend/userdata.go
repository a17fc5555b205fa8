package backend

import (
	"context"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
)

// UserData is everything that is stored of one user, less its access tokens,
// which are no use to another store.
type UserData struct {
	Credential *Credential // nil for a user that cannot log in
	Config     *UserConfig // nil for a user that was not set up
	Characters []Character // in creation order; none without Config
}

// UserID is the id of the user; "" for no user at all.
func (d UserData) UserID() string {
	switch {
	case d.Config != nil:
		return d.Config.UserID
	case d.Credential != nil:
		return d.Credential.UserID
	}
	return ""
}

// Counts says how much is stored.
type Counts struct {
	Users       int64 // with a credential or a config
	Credentials int64
	Configs     int64
	Characters  int64 // of users with a config
	// Orphans are characters of users without a config, which no list shows.
	Orphans      int64
	ProviderKeys int64 // that are set
	// UnreadableKeys are those of ProviderKeys that are sealed with a master key
	// that is missing.
	UnreadableKeys int64
}

// Archive reads and writes everything of users at once, to move it between
// stores. What [Store] promises of its methods holds here too.
type Archive interface {
	// Count counts what is stored. The numbers are those of about one moment.
	Count(ctx context.Context) (Counts, error)

	// ExportUsers iterates over everything that is stored, user by user, in the
	// order of [Store.Users], holding a bounded number of users in memory. What
	// it gives of one user is of one moment; a user made or deleted meanwhile
	// may be in or out. The first error ends the sequence.
	ExportUsers(ctx context.Context) iter.Seq2[UserData, error]

	// UserData gives what is stored of users, in the order of userIDs, without
	// those of whom nothing is stored.
	UserData(ctx context.Context, userIDs []string) ([]UserData, error)

	// PutUsers stores each of users in place of all that was stored for its id,
	// in this order. A new user is the last in the creation order, one that is
	// replaced keeps its place. A user's tokens end if its password is another
	// one now, or gone. Exists if a user name belongs to another user id; then,
	// and after any other error, some of the other users may be stored and a later
	// call with the same users completes the work.
	PutUsers(ctx context.Context, users []UserData) error
}

// MaxMovedCharacters bounds the characters of one user that moves between
// stores, as it does so in memory. No person has as many.
const MaxMovedCharacters = 10_000

// checkUserData gives an Invalid error, which names the user, unless a store
// may keep d. Whether a time zone is known is not asked: the Python original
// stored what it got.
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
		return invalid("it has %d characters, at most %d can be taken", len(d.Characters), MaxMovedCharacters)
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

// characterProblem says what is wrong with a character of a user, if anything.
func characterProblem(c Character, userID string, seen map[string]bool) string {
	switch {
	case c.UserID != userID:
		return "is that of user " + shortQuote(c.UserID)
	case seen[c.CharacterID]:
		return "is there twice"
	case math.IsNaN(c.VoiceSpeed) || math.IsInf(c.VoiceSpeed, 0):
		return "has a voice_speed that is no finite number"
	}
	return ""
}

// textPlace is where a text of a user stands.
type textPlace struct{ field, characterID string }

// String describes the place for a message.
func (p textPlace) String() string {
	if p.characterID == "" {
		return p.field
	}
	return "character " + shortQuote(p.characterID) + ": " + p.field
}

// texts gives every text of d.
func (d UserData) texts() iter.Seq2[textPlace, string] {
	return func(yield func(textPlace, string) bool) {
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
			if !yield(textPlace{field: field}, text) {
				return
			}
		}
		for _, c := range d.Characters {
			values := reflect.ValueOf(c)
			for i := range values.NumField() {
				if values.Field(i).Kind() == reflect.String &&
					!yield(textPlace{values.Type().Field(i).Tag.Get("json"), c.CharacterID}, values.Field(i).String()) {
					return
				}
			}
		}
	}
}

// memoryBytes is about how much memory a user takes.
func memoryBytes(d UserData) (size int) {
	size = len(d.Characters) * int(reflect.TypeFor[Character]().Size())
	for _, text := range d.texts() {
		size += len(text)
	}
	return size
}

package backend

import (
	"context"
	"iter"
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
	// and after any other error, users before it may be stored and a later call
	// with the same users completes the work.
	PutUsers(ctx context.Context, users []UserData) error
}

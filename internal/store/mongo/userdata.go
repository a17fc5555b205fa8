package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// stored holds the documents of one user in all collections.
type stored struct {
	credential, config bson.Raw // nil for none
	characters         []storedCharacter
}

type storedCharacter struct {
	id        bson.ObjectID
	character backend.Character // zero if only the id was read
	bad       bool              // the character is left out
}

// data converts s to the types of package backend. It leaves out characters
// without a config, because they belong to no user.
func (s stored) data(userID string) (data backend.UserData) {
	if s.credential != nil {
		data.Credential = new(credentialFrom(s.credential))
	}
	if s.config != nil {
		data.Config = new(configFrom(userID, s.config))
		for _, c := range s.characters {
			if !c.bad {
				data.Characters = append(data.Characters, c.character)
			}
		}
	}
	return data
}

// sameAs reports whether s and a later reading show the same state. Replacing a
// user's characters gives them new ids.
func (s stored) sameAs(later stored) bool {
	sameID := func(a, b storedCharacter) bool { return a.id == b.id }
	return bytes.Equal(s.credential, later.credential) && bytes.Equal(s.config, later.config) &&
		(s.config == nil || slices.EqualFunc(s.characters, later.characters, sameID))
}

var errTooLarge = errors.New("more than is read at once")

// load reads users in the order of userIDs, and leaves out users without stored
// data. If the users are large, it reads only the first ones; read is their
// number.
func (s *Store) load(ctx context.Context, userIDs []string, bad badPolicy) (users []backend.UserData, read int, err error) {
	for read = len(userIDs); ; read = max(1, read/2) {
		limit := exportBytes
		if read == 1 {
			limit = math.MaxInt
		}
		users, err = s.loadWhole(ctx, userIDs[:read], limit, bad)
		if !errors.Is(err, errTooLarge) {
			return users, read, err
		}
	}
}

// loadWhole reads users, each in one consistent state, or returns errTooLarge.
//
// A standalone server has no snapshots. So each user is read twice, and between
// the two readings loadWhole checks that no call is creating, replacing or
// removing the user. It reads a user again if there was such a call, or if the
// two readings differ.
func (s *Store) loadWhole(ctx context.Context, userIDs []string, limit int, bad badPolicy) (users []backend.UserData, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.lease()+s.timeout) // long enough for the lock of a crashed server to end
	defer cancel()
	whole := map[string]stored{}
	waiting := slices.Clone(userIDs)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if err := s.loadSome(ctx, waiting, limit, bad, whole); err != nil {
			return nil, err
		}
		waiting = slices.DeleteFunc(waiting, func(id string) bool {
			_, ok := whole[id]
			return ok
		})
		if len(waiting) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		case <-time.After(pause):
		}
	}
	for _, id := range userIDs {
		if found := whole[id]; found.credential != nil || found.config != nil {
			users = append(users, found.data(id))
		}
	}
	return users, nil
}

// loadSome reads users once, and adds to whole those whose state is consistent.
// If a replacement of a user was interrupted, loadSome restores the user's
// config; the user is read next time.
func (s *Store) loadSome(ctx context.Context, userIDs []string, limit int, bad badPolicy, whole map[string]stored) error {
	before, err := s.readStored(ctx, userIDs, limit, bad)
	if err != nil {
		return err
	}
	locked, err := s.lockedOf(ctx, userIDs)
	if err != nil {
		return err
	}
	saved, err := s.withSavedConfig(ctx, slices.DeleteFunc(slices.Clone(userIDs), func(id string) bool {
		return locked[id] || before[id].config != nil
	}))
	if err != nil {
		return err
	}
	after, err := s.readStored(ctx, userIDs, onlyIDs, bad)
	if err != nil {
		return err
	}
	for _, id := range saved {
		if err := s.alone(ctx, id, func(heldLock) error { return nil }); err != nil {
			return err
		}
	}
	for _, id := range userIDs {
		if !locked[id] && !slices.Contains(saved, id) && before[id].sameAs(after[id]) {
			whole[id] = before[id]
		}
	}
	return nil
}

// onlyIDs is a limit for readStored: it then reads only the ids of characters.
const onlyIDs = -1

// readStored reads the documents of users, with few commands for all of them.
// If there are two documents where there should be one, which is possible only
// without the unique index, it returns the older one. It returns errTooLarge if
// the characters have more bytes than limit.
func (s *Store) readStored(ctx context.Context, userIDs []string, limit int, bad badPolicy) (map[string]stored, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	found := make(map[string]stored, len(userIDs))
	newestFirst := options.Find().SetSort(bson.D{{Key: fieldID, Value: -1}})
	for _, part := range []struct {
		from *mongo.Collection
		keep func(*stored, bson.Raw)
	}{
		{s.credentials, func(u *stored, document bson.Raw) { u.credential = document }},
		{s.configs, func(u *stored, document bson.Raw) { u.config = document }},
	} {
		cursor, err := part.from.Find(ctx, ofUsers(userIDs), newestFirst)
		if err != nil {
			return nil, err
		}
		var documents []bson.Raw
		if err := cursor.All(ctx, &documents); err != nil {
			return nil, err
		}
		for _, document := range documents {
			if bad == leaveOutBad && s.problem(part.from, document) != "" {
				continue
			}
			id := document.Lookup(fieldUserID).StringValue()
			user := found[id]
			part.keep(&user, document)
			found[id] = user
		}
	}
	return found, s.readCharacters(ctx, userIDs, limit, bad, found)
}

// readCharacters adds the characters of users to found. The characters of each
// user are in creation order.
func (s *Store) readCharacters(ctx context.Context, userIDs []string, limit int, bad badPolicy, found map[string]stored) error {
	find := options.Find()
	if limit == onlyIDs {
		find.SetProjection(onlyOwnedID)
	}
	cursor, err := s.characters.Find(ctx, ofUsers(userIDs), find)
	if err != nil {
		return err
	}
	defer cursor.Close(ctx) //nolint:errcheck // only read
	for size := 0; cursor.Next(ctx); {
		id, ok := cursor.Current.Lookup(fieldID).ObjectIDOK()
		if !ok && bad == leaveOutBad {
			continue
		}
		if !ok {
			return fmt.Errorf("a document of %s has an _id that is not an ObjectID: %s",
				s.characters.Name(), cursor.Current.Lookup(fieldID))
		}
		next := storedCharacter{id: id}
		userID := cursor.Current.Lookup(fieldUserID).StringValue()
		if limit != onlyIDs {
			if size += len(cursor.Current); size > limit {
				return errTooLarge
			}
			next.character = backend.NewCharacter()
			if bad == leaveOutBad && s.problem(s.characters, cursor.Current) != "" {
				next.bad = true
			} else if err := cursor.Decode(&next.character); err != nil {
				return fmt.Errorf("character with _id %s of user %q: %w", id.Hex(), userID, err)
			}
		}
		user := found[userID]
		user.characters = append(user.characters, next)
		found[userID] = user
	}
	for _, user := range found {
		slices.SortFunc(user.characters, func(a, b storedCharacter) int { return compareIDs(a.id, b.id) })
		if bad == leaveOutBad && limit != onlyIDs {
			markSeconds(user.characters)
		}
	}
	return cursor.Err()
}

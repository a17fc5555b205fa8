package mongo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The locks have their own collection, with one document for each user that is
// being created, replaced or removed. A document has the user id as _id, the
// holder of the lock, and the end of the lock by the clock of the database.
// While a user is replaced, it also holds the config, which is hidden during
// that time. A server that crashes leaves its lock behind; the lock then ends at
// the time in its document.
const (
	lockCollection = "web_backend_locks"
	lockHolder     = "holder"
	lockUntil      = "until"
	lockConfig     = "config"
)

// lease returns how long a lock lasts. Its holder stops when the time of its
// call is over. The rest of the lease is for a last command that is still in
// transit.
func (s *Store) lease() time.Duration { return s.timeout * 3 / 2 }

// alone runs change while no other call, on this or another server, creates,
// replaces or removes the same user. If an earlier replacement of the user was
// interrupted, alone restores its config first. It returns Unavailable if it
// does not get the lock before ctx ends.
func (s *Store) alone(ctx context.Context, userID string, change func(heldLock) error) error {
	// Only one call of this server at a time asks for the lock of a user.
	leave, err := s.queues.enter(ctx, userID)
	if err != nil {
		return unavailable(err)
	}
	defer leave()
	holder := bson.NewObjectID()
	var saved bson.Raw
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		locked, config, err := s.lock(ctx, userID, holder)
		if err != nil {
			return storeError(err)
		}
		if locked {
			saved = config
			break
		}
		select {
		case <-ctx.Done():
			return unavailable(ctx.Err())
		case <-time.After(pause):
		}
	}
	held := heldLock{userID, holder}
	if saved != nil {
		if err := s.bringBack(ctx, held, saved); err != nil {
			return storeError(err)
		}
	}
	err = change(held)
	release := held.filter()
	if err != nil { // a hidden config stays saved
		release = append(release, bson.E{Key: lockConfig, Value: bson.D{{Key: "$exists", Value: false}}})
	}
	_, _ = s.locks.DeleteOne(ctx, release) // on an error, the lock ends with its lease
	return err
}

// heldLock is a lock that the caller holds.
type heldLock struct {
	userID string
	holder bson.ObjectID
}

// filter selects the lock as long as no other call has taken it.
func (l heldLock) filter() bson.D {
	return bson.D{{Key: fieldID, Value: l.userID}, {Key: lockHolder, Value: l.holder}}
}

// save stores a config in the lock before the config is hidden. It returns
// Unavailable if the lock has ended.
func (s *Store) save(ctx context.Context, held heldLock, config bson.Raw) error {
	saved, err := s.locks.UpdateOne(ctx, held.filter(),
		bson.D{{Key: "$set", Value: bson.D{{Key: lockConfig, Value: withUnknown(nil, config)}}}})
	if err != nil {
		return err
	}
	if saved.MatchedCount == 0 {
		return unavailable(errLockEnded)
	}
	return nil
}

var errLockEnded = errors.New("the lock on the user has ended")

// bringBack undoes the first step of an interrupted replacement: it stores the
// hidden config again. If a config is there already, either the same one or the
// new one, bringBack keeps it and removes its mark. A removal that is still in
// transit looks for that mark.
func (s *Store) bringBack(ctx context.Context, held heldLock, config bson.Raw) error {
	_, err := s.configs.InsertOne(ctx, config)
	if mongo.IsDuplicateKeyError(err) {
		_, err = s.configs.UpdateOne(ctx, byUser(held.userID),
			bson.D{{Key: "$unset", Value: bson.D{{Key: fieldReplacing, Value: ""}}}})
	}
	if err != nil {
		return err
	}
	_, err = s.locks.UpdateOne(ctx, held.filter(),
		bson.D{{Key: "$unset", Value: bson.D{{Key: lockConfig, Value: ""}}}})
	return err
}

// withSavedConfig returns those users whose config is still hidden after an
// interrupted replacement.
func (s *Store) withSavedConfig(ctx context.Context, userIDs []string) (saved []string, err error) {
	if len(userIDs) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	cursor, err := s.locks.Find(ctx, bson.D{
		{Key: fieldID, Value: bson.D{{Key: "$in", Value: userIDs}}},
		{Key: lockConfig, Value: bson.D{{Key: "$exists", Value: true}}}}, options.Find().SetProjection(onlyID))
	if err != nil {
		return nil, err
	}
	var locks []struct {
		UserID string `bson:"_id"`
	}
	if err := cursor.All(ctx, &locks); err != nil {
		return nil, err
	}
	for _, lock := range locks {
		saved = append(saved, lock.UserID)
	}
	return saved, nil
}

// number converts a time of the database to a number, because the database
// engine of the tests cannot compare a stored time with the current one.
func number(time string) bson.D { return bson.D{{Key: "$toLong", Value: time}} }

// lock takes the lock of a user with one command, if the lock is free or has
// ended, and reports whether holder has it. saved is the config that an
// interrupted replacement left in the lock, or nil.
func (s *Store) lock(ctx context.Context, userID string, holder bson.ObjectID) (locked bool, saved bson.Raw, err error) {
	// A missing lock counts as ended, because null is less than any number.
	ended := bson.D{{Key: "$lt", Value: bson.A{number("$" + lockUntil), number("$$NOW")}}}
	takeIfEnded := func(value any, field string) bson.D {
		return bson.D{{Key: "$cond", Value: bson.A{ended, value, "$" + field}}}
	}
	var found struct {
		Holder bson.ObjectID `bson:"holder"`
		Config bson.Raw      `bson:"config"`
	}
	err = s.locks.FindOneAndUpdate(ctx, bson.D{{Key: fieldID, Value: userID}},
		mongo.Pipeline{{{Key: "$set", Value: bson.D{
			{Key: lockHolder, Value: takeIfEnded(holder, lockHolder)},
			{Key: lockUntil, Value: takeIfEnded(s.leaseEnd(), lockUntil)},
		}}}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After),
	).Decode(&found)
	if mongo.IsDuplicateKeyError(err) || errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil, nil // another call took or released it during the command
	}
	return found.Holder == holder, found.Config, err
}

// leaseEnd returns when a lock that is taken now ends, by the clock of the
// database.
func (s *Store) leaseEnd() bson.D {
	return bson.D{{Key: "$add", Value: bson.A{"$$NOW", s.lease().Milliseconds()}}}
}

// lockedOf returns those users for which any call holds a lock now.
func (s *Store) lockedOf(ctx context.Context, userIDs []string) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	running := bson.D{{Key: "$gte", Value: bson.A{number("$" + lockUntil), number("$$NOW")}}}
	cursor, err := s.locks.Find(ctx, bson.D{
		{Key: fieldID, Value: bson.D{{Key: "$in", Value: userIDs}}}, {Key: "$expr", Value: running}})
	if err != nil {
		return nil, err
	}
	var locks []struct {
		UserID string `bson:"_id"`
	}
	if err := cursor.All(ctx, &locks); err != nil {
		return nil, err
	}
	locked := map[string]bool{}
	for _, lock := range locks {
		locked[lock.UserID] = true
	}
	return locked, nil
}

// queues makes the calls of this server for the same user wait for each other.
type queues struct {
	mu    sync.Mutex
	users map[string]*queue
}

type queue struct {
	head    chan struct{} // holds one element while a call is at the head of the queue
	callers int           // calls at the head and behind it
}

// enter waits until the caller is at the head of a user's queue, or until ctx
// ends. leave lets the next caller proceed.
func (q *queues) enter(ctx context.Context, userID string) (leave func(), err error) {
	q.mu.Lock()
	if q.users == nil {
		q.users = map[string]*queue{}
	}
	user := q.users[userID]
	if user == nil {
		user = &queue{head: make(chan struct{}, 1)}
		q.users[userID] = user
	}
	user.callers++
	q.mu.Unlock()

	goAway := func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if user.callers--; user.callers == 0 {
			delete(q.users, userID)
		}
	}
	select {
	case user.head <- struct{}{}:
		return func() {
			<-user.head
			goAway()
		}, nil
	case <-ctx.Done():
		goAway()
		return nil, ctx.Err()
	}
}

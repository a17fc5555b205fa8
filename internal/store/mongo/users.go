package mongo

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// CreateUser implements [backend.Store].
func (s *Store) CreateUser(ctx context.Context, config backend.UserConfig, characters []backend.Character) error {
	return s.makeUser(ctx, config, characters, func(ctx context.Context) error {
		credential, err := idOf(ctx, s.credentials, config.UserID)
		if err != nil {
			return storeError(err)
		}
		if !credential.IsZero() {
			return backend.UserExists(config.UserID)
		}
		return nil
	})
}

// SetUpUser implements [backend.Store].
func (s *Store) SetUpUser(ctx context.Context, config backend.UserConfig, characters []backend.Character) error {
	return s.makeUser(ctx, config, characters, func(ctx context.Context) error {
		credential, err := idOf(ctx, s.credentials, config.UserID)
		if err != nil {
			return storeError(err)
		}
		if credential.IsZero() {
			return backend.UserNotFound(config.UserID)
		}
		return nil
	})
}

// CountUsers implements [backend.Store].
func (s *Store) CountUsers(ctx context.Context) (int64, error) {
	ctx, done := s.begin(ctx)
	defer done()
	configs, err := sum(ctx, s.configs, sumOf(1))
	if err != nil {
		return 0, storeError(err)
	}
	others, err := sum(ctx, s.credentials, s.withoutConfig())
	return configs + others, storeError(err)
}

// makeUser stores config and characters if allowed returns no error and there
// is no config yet. It stores the config last: without a config the characters
// belong to no user, and the next attempt replaces them.
func (s *Store) makeUser(
	ctx context.Context, config backend.UserConfig, characters []backend.Character, allowed func(context.Context) error,
) error {
	if err := distinct(characters); err != nil {
		return err
	}
	ctx, done, err := s.beginWhole(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.alone(ctx, config.UserID, func(heldLock) error {
		if err := allowed(ctx); err != nil {
			return err
		}
		id, err := idOf(ctx, s.configs, config.UserID)
		if err != nil {
			return storeError(err)
		}
		if !id.IsZero() {
			return backend.UserExists(config.UserID)
		}
		if _, err := deleteOwned(ctx, s.characters, config.UserID); err != nil {
			return storeError(err)
		}
		if err := s.insertCharacters(ctx, characters); err != nil {
			return storeError(err)
		}
		_, err = s.configs.InsertOne(ctx, configDocument(config))
		if mongo.IsDuplicateKeyError(err) { // the original, which takes no locks, was faster
			return backend.UserExists(config.UserID)
		}
		return storeError(err)
	})
}

// distinct returns an Exists error if two of characters have the same key.
func distinct(characters []backend.Character) error {
	seen := make(map[backend.CharacterKey]bool, len(characters))
	for _, character := range characters {
		if seen[character.Key()] {
			return backend.CharacterExists(character.Key())
		}
		seen[character.Key()] = true
	}
	return nil
}

// idOf returns the _id of a user's document in collection, or zero if there is
// none.
func idOf(ctx context.Context, collection *mongo.Collection, userID string) (bson.RawValue, error) {
	return idFrom(collection.FindOne(ctx, byUser(userID), options.FindOne().SetProjection(onlyID)))
}

// idFrom returns the _id of a result, or zero if there is none.
func idFrom(result *mongo.SingleResult) (bson.RawValue, error) {
	document, err := result.Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return bson.RawValue{}, nil
	}
	if err != nil {
		return bson.RawValue{}, err
	}
	return document.Lookup(fieldID), nil
}

var onlyID = bson.D{{Key: fieldID, Value: 1}}

// insertCharacters stores characters with _ids in the order of characters.
func (s *Store) insertCharacters(ctx context.Context, characters []backend.Character) error {
	if len(characters) == 0 {
		return nil
	}
	ids := newIDs(len(characters))
	documents := make([]bson.D, len(characters))
	for i, character := range characters {
		documents[i] = characterDocument(ids[i], character)
	}
	_, err := s.characters.InsertMany(ctx, documents)
	return err
}

// newIDs returns new _ids in ascending order.
func newIDs(count int) []bson.ObjectID {
	ids := make([]bson.ObjectID, count)
	for i := range ids {
		ids[i] = bson.NewObjectID()
	}
	// Sort them, because the counter in an ObjectID may wrap around in between.
	slices.SortFunc(ids, compareIDs)
	return ids
}

// deleteOwned removes the documents that a user has in collection now. It
// selects them by their _ids. So if the command is delayed until the user has
// been created again, it matches no document of the new user.
func deleteOwned(ctx context.Context, collection *mongo.Collection, userID string) (removed int64, err error) {
	return deleteFound(ctx, collection, byUser(userID))
}

// deleteFound removes the documents that filter selects now.
func deleteFound(ctx context.Context, collection *mongo.Collection, filter bson.D) (removed int64, err error) {
	cursor, err := collection.Find(ctx, filter, options.Find().SetProjection(onlyID))
	if err != nil {
		return 0, err
	}
	var documents []bson.Raw
	if err := cursor.All(ctx, &documents); err != nil || len(documents) == 0 {
		return 0, err
	}
	ids := make(bson.A, len(documents))
	for i, document := range documents {
		ids[i] = document.Lookup(fieldID)
	}
	result, err := collection.DeleteMany(ctx, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return 0, err
	}
	return result.DeletedCount, nil
}

// DeleteUser implements [backend.Store]. It removes the config first, which
// removes the provider keys and hides the characters. Of the visible documents
// it removes the credential last, so that an interrupted deletion can be
// repeated. Without the credential no token is valid. It removes the tokens
// after the credential, because then no login can add another.
func (s *Store) DeleteUser(ctx context.Context, userID string) error {
	ctx, done, err := s.beginWhole(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.alone(ctx, userID, func(heldLock) error {
		var removed int64
		for _, collection := range []*mongo.Collection{s.configs, s.characters, s.credentials} {
			n, err := deleteOwned(ctx, collection, userID)
			if err != nil {
				return storeError(err)
			}
			removed += n
		}
		if _, err := deleteOwned(ctx, s.tokens, userID); err != nil {
			return storeError(err)
		}
		if removed == 0 {
			return backend.UserNotFound(userID)
		}
		return nil
	})
}

// Users implements [backend.Store]. The age of a user is the age of the older
// one of config and credential. So the list is merged from both collections,
// each in its creation order.
func (s *Store) Users(ctx context.Context, filter backend.UserFilter) iter.Seq2[backend.User, error] {
	return func(yield func(backend.User, error) bool) {
		for user, err := range s.usersAfter(ctx, filter, bson.NilObjectID) {
			if !yield(user.User, err) {
				return
			}
		}
	}
}

// usersAfter is like Users, but begins after a position in the creation order.
// The position of a user is the _id of the older one of config and credential.
func (s *Store) usersAfter(
	ctx context.Context, filter backend.UserFilter, after bson.ObjectID,
) iter.Seq2[backend.PositionedUser, error] {
	return func(yield func(backend.PositionedUser, error) bool) {
		s.running.Add(1)
		defer s.running.Done()
		lists := [...]userList{
			{store: s, first: s.forClients.configs, second: s.forClients.credentials, after: after, alone: filter != backend.UsersWithCredential},
			{store: s, first: s.forClients.credentials, second: s.forClients.configs, after: after, alone: filter != backend.UsersWithConfig},
		}
		defer lists[0].close(ctx)
		defer lists[1].close(ctx)
		for i := range lists {
			if err := lists[i].next(ctx); err != nil {
				yield(backend.PositionedUser{}, storeError(err))
				return
			}
		}
		for {
			list := &lists[0]
			if list.done || !lists[1].done && compareIDs(lists[1].id, list.id) < 0 {
				list = &lists[1]
			}
			if list.done || !yield(backend.PositionedUser{User: list.user, Next: list.id.Hex()}, nil) {
				return
			}
			if err := list.next(ctx); err != nil {
				yield(backend.PositionedUser{}, storeError(err))
				return
			}
		}
	}
}

// userList reads the users whose document in first is older than their document
// in second.
type userList struct {
	store         *Store
	first, second *mongo.Collection
	alone         bool // whether to include users without a document in second
	after         bson.ObjectID

	cursor *mongo.Cursor
	done   bool
	id     bson.ObjectID // _id of the document in first
	user   backend.User
}

// next reads the next user to include. Each step has its own time limit,
// because the list may be long and its reader slow.
func (l *userList) next(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.store.timeout)
	defer cancel()
	if l.cursor == nil {
		cursor, err := l.first.Aggregate(ctx, l.pipeline())
		if err != nil {
			return err
		}
		l.cursor = cursor
	}
	if !l.cursor.Next(ctx) {
		l.done = true
		return l.cursor.Err()
	}
	document := l.cursor.Current
	l.id, _ = document.Lookup(fieldID).ObjectIDOK()
	l.user.UserID, _ = document.Lookup(fieldUserID).StringValueOK()
	l.user.Username, _ = document.Lookup(fieldUsername).StringValueOK()
	l.user.Disabled = isDisabled(document)
	return nil
}

func (l *userList) pipeline() mongo.Pipeline {
	const other = "other"
	one := bson.D{{Key: "$arrayElemAt", Value: bson.A{"$" + other, 0}}}
	either := func(a, b any) bson.D { return bson.D{{Key: "$ifNull", Value: bson.A{a, b}}} }
	username := func(of string) bson.D { return either(of+fieldUsernameGiven, of+fieldUsername) }
	wanted := bson.A{bson.D{{Key: "$lt", Value: bson.A{"$" + fieldID, "$" + other + "." + fieldID}}}}
	if l.alone {
		wanted = append(wanted, bson.D{{Key: "$not", Value: bson.A{"$" + other}}})
	}
	var start mongo.Pipeline
	if !l.after.IsZero() {
		start = mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: fieldID, Value: bson.D{{Key: "$gt", Value: l.after}}}}}}}
	}
	return append(start, mongo.Pipeline{
		{{Key: "$sort", Value: bson.D{{Key: fieldID, Value: 1}}}}, // uses the index
		{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: l.second.Name()},
			{Key: "localField", Value: fieldUserID},
			{Key: "foreignField", Value: fieldUserID},
			{Key: "as", Value: other},
		}}},
		{{Key: "$project", Value: bson.D{
			{Key: fieldUserID, Value: 1}, {Key: fieldUsername, Value: 1}, {Key: fieldUsernameGiven, Value: 1},
			{Key: fieldDisabled, Value: 1}, {Key: other, Value: one}}}},
		{{Key: "$match", Value: bson.D{{Key: "$expr", Value: bson.D{{Key: "$or", Value: wanted}}}}}},
		{{Key: "$project", Value: bson.D{
			{Key: fieldUserID, Value: 1},
			{Key: fieldUsername, Value: either(username("$"), username("$"+other+"."))},
			{Key: fieldDisabled, Value: either("$"+fieldDisabled, "$"+other+"."+fieldDisabled)},
		}}},
	}...)
}

func (l *userList) close(ctx context.Context) {
	if l.cursor != nil {
		_ = l.cursor.Close(context.WithoutCancel(ctx)) // only read
	}
}

func compareIDs(a, b bson.ObjectID) int { return bytes.Compare(a[:], b[:]) }

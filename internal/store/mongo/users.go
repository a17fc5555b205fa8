package mongo

import (
	"context"
	"errors"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// CreateUser implements [backend.Store]. Characters are stored before the
// config, each only if it is not there: of several creations of one user all
// store the same characters, and the one that stores the config has made the
// user. A creation that breaks off is completed by its retry.
func (s *Store) CreateUser(ctx context.Context, config backend.UserConfig, characters []backend.Character) error {
	if err := distinct(characters); err != nil {
		return err
	}
	leftovers, err := s.leftovers(ctx, config.UserID, characters)
	if err != nil {
		return err
	}
	for _, collection := range []*mongo.Collection{s.credentials, s.configs} {
		err := collection.FindOne(ctx, byUser(config.UserID),
			options.FindOne().SetProjection(bson.D{{Key: fieldID, Value: 1}})).Err()
		if err == nil {
			return backend.UserExists(config.UserID)
		}
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return storeError(err)
		}
	}
	if len(leftovers) > 0 {
		filter := bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: leftovers}}}}
		if _, err := s.characters.DeleteMany(ctx, filter); err != nil {
			return storeError(err)
		}
	}
	if err := s.insertMissing(ctx, characters); err != nil {
		return err
	}
	_, err = s.configs.InsertOne(ctx, configDocument(config))
	if mongo.IsDuplicateKeyError(err) {
		return backend.UserExists(config.UserID)
	}
	return storeError(err)
}

// distinct gives an Exists error if two of characters have one key.
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

// leftovers finds characters that a deletion of an earlier user of this id left
// behind when it broke off. It must run before the user's config is looked at:
// what lay there before the config was absent belongs to no later user.
func (s *Store) leftovers(
	ctx context.Context, userID string, characters []backend.Character,
) ([]bson.ObjectID, error) {
	ids := make([]string, len(characters))
	for i, character := range characters {
		ids[i] = character.CharacterID
	}
	filter := append(byUser(userID), bson.E{Key: fieldCharacterID, Value: bson.D{{Key: "$nin", Value: ids}}})
	cursor, err := s.characters.Find(ctx, filter, options.Find().SetProjection(bson.D{{Key: fieldID, Value: 1}}))
	if err != nil {
		return nil, storeError(err)
	}
	var found []struct {
		ID bson.ObjectID `bson:"_id"`
	}
	if err := cursor.All(ctx, &found); err != nil {
		return nil, storeError(err)
	}
	leftovers := make([]bson.ObjectID, len(found))
	for i, character := range found {
		leftovers[i] = character.ID
	}
	return leftovers, nil
}

// insertMissing stores those of characters that are not there, in their order.
func (s *Store) insertMissing(ctx context.Context, characters []backend.Character) error {
	if len(characters) == 0 {
		return nil
	}
	writes := make([]mongo.WriteModel, len(characters))
	for i, character := range characters {
		writes[i] = mongo.NewUpdateOneModel().SetUpsert(true).SetFilter(byKey(character.Key())).
			SetUpdate(bson.D{{Key: "$setOnInsert", Value: characterDocument(bson.NewObjectID(), character)}})
	}
	for {
		_, err := s.characters.BulkWrite(ctx, writes)
		// Two upserts of one key may both find nothing; the index lets one in,
		// and the other one finds it at its next try.
		if !mongo.IsDuplicateKeyError(err) {
			return storeError(err)
		}
	}
}

// CreateCredential implements [backend.Store].
func (s *Store) CreateCredential(ctx context.Context, credential backend.Credential) error {
	// User ids are made for their credential, so nothing races for one; the
	// user name is what the unique index guards.
	err := s.credentials.FindOne(ctx, byUser(credential.UserID)).Err()
	if err == nil {
		return backend.UserExists(credential.UserID)
	}
	if !errors.Is(err, mongo.ErrNoDocuments) {
		return storeError(err)
	}
	_, err = s.credentials.InsertOne(ctx, bson.D{
		{Key: fieldUsername, Value: credential.Username},
		{Key: fieldPassword, Value: credential.Password.Reveal()},
		{Key: fieldUserID, Value: credential.UserID},
	})
	if mongo.IsDuplicateKeyError(err) {
		return backend.UsernameTaken(credential.Username)
	}
	return storeError(err)
}

// DeleteUser implements [backend.Store]. The config goes first: with it the
// provider keys are gone and the user is out of sight. The credential goes
// last, so that a deletion that broke off can be asked for again.
func (s *Store) DeleteUser(ctx context.Context, userID string) error {
	var removed int64
	for _, collection := range []*mongo.Collection{s.configs, s.characters, s.credentials} {
		result, err := collection.DeleteMany(ctx, byUser(userID))
		if err != nil {
			return storeError(err)
		}
		removed += result.DeletedCount
	}
	if removed == 0 {
		return backend.UserNotFound(userID)
	}
	return nil
}

// Users implements [backend.Store]: those with a credential in the order of
// their registration, then those without one in the order of their creation.
func (s *Store) Users(ctx context.Context, filter backend.UserFilter) iter.Seq2[backend.User, error] {
	return func(yield func(backend.User, error) bool) {
		if filter != backend.UsersWithConfig {
			if !s.each(ctx, s.credentials, byCreation(), yield) {
				return
			}
		}
		switch filter {
		case backend.AllUsers:
			s.each(ctx, s.configs, append(byCreation(), s.withoutCredential()...), yield)
		case backend.UsersWithConfig:
			s.each(ctx, s.configs, byCreation(), yield)
		}
	}
}

// byCreation sorts by _id, whose index it walks.
func byCreation() mongo.Pipeline {
	return mongo.Pipeline{
		{{Key: "$sort", Value: bson.D{{Key: fieldID, Value: 1}}}},
		{{Key: "$project", Value: bson.D{{Key: fieldUserID, Value: 1}, {Key: fieldUsername, Value: 1}}}},
	}
}

// withoutCredential keeps the users that have none.
func (s *Store) withoutCredential() mongo.Pipeline {
	return mongo.Pipeline{
		{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: s.credentials.Name()},
			{Key: "localField", Value: fieldUserID},
			{Key: "foreignField", Value: fieldUserID},
			{Key: "pipeline", Value: mongo.Pipeline{
				{{Key: "$limit", Value: 1}},
				{{Key: "$project", Value: bson.D{{Key: fieldID, Value: 1}}}},
			}},
			{Key: "as", Value: "credentials"},
		}}},
		{{Key: "$match", Value: bson.D{{Key: "credentials", Value: bson.D{{Key: "$size", Value: 0}}}}}},
	}
}

// each yields the users that a pipeline gives and reports whether to go on.
func (s *Store) each(
	ctx context.Context, collection *mongo.Collection, pipeline mongo.Pipeline, yield func(backend.User, error) bool,
) bool {
	cursor, err := collection.Aggregate(ctx, pipeline, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		yield(backend.User{}, storeError(err))
		return false
	}
	defer cursor.Close(context.WithoutCancel(ctx)) //nolint:errcheck // only read
	for cursor.Next(ctx) {
		id, _ := cursor.Current.Lookup(fieldUserID).StringValueOK()
		name, _ := cursor.Current.Lookup(fieldUsername).StringValueOK()
		if !yield(backend.User{UserID: id, Username: name}, nil) {
			return false
		}
	}
	if err := cursor.Err(); err != nil {
		yield(backend.User{}, storeError(err))
		return false
	}
	return true
}

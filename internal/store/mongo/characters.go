package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// CharacterNames implements [backend.Store]. It reads through the user's
// config: characters without one are those of a user that is not wholly made,
// or not wholly deleted, and are nobody's to see.
func (s *Store) CharacterNames(ctx context.Context, userID string) ([]backend.CharacterName, error) {
	cursor, err := s.configs.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: byUser(userID)}},
		{{Key: "$limit", Value: 1}},
		{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: s.characters.Name()},
			{Key: "localField", Value: fieldUserID},
			{Key: "foreignField", Value: fieldUserID},
			{Key: "pipeline", Value: mongo.Pipeline{
				{{Key: "$sort", Value: bson.D{{Key: fieldID, Value: 1}}}},
				{{Key: "$project", Value: bson.D{
					{Key: fieldID, Value: 0}, {Key: fieldCharacterID, Value: 1}, {Key: fieldName, Value: 1}}}},
			}},
			{Key: "as", Value: "characters"},
		}}},
		{{Key: "$project", Value: bson.D{{Key: "characters", Value: 1}}}},
	})
	if err != nil {
		return nil, storeError(err)
	}
	var users []struct {
		Characters []struct {
			ID   string `bson:"character_id"`
			Name string `bson:"character_name"`
		} `bson:"characters"`
	}
	if err := cursor.All(ctx, &users); err != nil {
		return nil, storeError(err)
	}
	var names []backend.CharacterName
	for _, user := range users {
		for _, c := range user.Characters {
			names = append(names, backend.CharacterName{CharacterID: c.ID, CharacterName: c.Name})
		}
	}
	return names, nil
}

// Character implements [backend.Store].
func (s *Store) Character(ctx context.Context, key backend.CharacterKey) (backend.Character, error) {
	character := backend.NewCharacter() // holds the defaults of fields that an older document lacks
	err := s.characters.FindOne(ctx, byKey(key)).Decode(&character)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return character, backend.CharacterNotFound(key)
	}
	return character, storeError(err)
}

// CharacterDocument implements [backend.Store].
func (s *Store) CharacterDocument(ctx context.Context, key backend.CharacterKey) ([]byte, error) {
	character, err := s.Character(ctx, key)
	if err != nil {
		return nil, err
	}
	return backend.EncodeCharacter(character)
}

// CopyCharacter implements [backend.Store]. The copy is stored first and the
// config looked at afterwards: a deletion that removes the config in between
// either sees the copy, or is seen here and the copy is taken back.
func (s *Store) CopyCharacter(
	ctx context.Context, key backend.CharacterKey, edit func(backend.Character) backend.Character,
) error {
	source, err := s.Character(ctx, key)
	if err != nil {
		return err
	}
	id, err := s.lastID(ctx, key.UserID)
	if err != nil {
		return err
	}
	copied := edit(source)
	if _, err := s.characters.InsertOne(ctx, characterDocument(id, copied)); err != nil {
		if mongo.IsDuplicateKeyError(err) {
			return backend.CharacterExists(copied.Key())
		}
		return storeError(err)
	}
	err = s.configs.FindOne(ctx, byUser(key.UserID), options.FindOne().SetProjection(bson.D{{Key: fieldID, Value: 1}})).Err()
	if !errors.Is(err, mongo.ErrNoDocuments) {
		return storeError(err)
	}
	if _, err := s.characters.DeleteOne(ctx, bson.D{{Key: fieldID, Value: id}}); err != nil {
		return storeError(err)
	}
	return backend.CharacterNotFound(key)
}

// lastID gives an _id that sorts behind those of all characters of a user, also
// when another server, whose clock is ahead, made them.
func (s *Store) lastID(ctx context.Context, userID string) (bson.ObjectID, error) {
	var last struct {
		ID bson.ObjectID `bson:"_id"`
	}
	err := s.characters.FindOne(ctx, byUser(userID), options.FindOne().
		SetSort(bson.D{{Key: fieldID, Value: -1}}).SetProjection(bson.D{{Key: fieldID, Value: 1}})).Decode(&last)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return bson.NilObjectID, storeError(err)
	}
	id := bson.NewObjectID()
	if id.Hex() > last.ID.Hex() {
		return id, nil
	}
	next := last.ID
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			break
		}
	}
	return next, nil
}

// UpdateCharacter implements [backend.Store]: check and change are one
// command; only a refusal takes a second one, to tell its two reasons apart.
func (s *Store) UpdateCharacter(ctx context.Context, key backend.CharacterKey, patch backend.CharacterPatch) error {
	filter := append(byKey(key), bson.E{Key: fieldReadOnly, Value: bson.D{{Key: "$ne", Value: true}}})
	changes := characterChanges(patch)
	for {
		// MongoDB refuses an empty $set; an empty patch is only the check.
		if len(changes) > 0 {
			result, err := s.characters.UpdateOne(ctx, filter, bson.D{{Key: "$set", Value: changes}})
			if err != nil || result.MatchedCount > 0 {
				return storeError(err)
			}
		}
		var found struct {
			ReadOnly bool `bson:"read_only"`
		}
		err := s.characters.FindOne(ctx, byKey(key),
			options.FindOne().SetProjection(bson.D{{Key: fieldReadOnly, Value: 1}})).Decode(&found)
		switch {
		case errors.Is(err, mongo.ErrNoDocuments):
			return backend.CharacterNotFound(key)
		case err != nil:
			return storeError(err)
		case found.ReadOnly:
			return backend.CharacterReadOnly(key)
		case len(changes) == 0:
			return nil
		}
		// It may be changed again by now: once more.
	}
}

// DeleteCharacter implements [backend.Store].
func (s *Store) DeleteCharacter(ctx context.Context, key backend.CharacterKey) error {
	result, err := s.characters.DeleteOne(ctx, byKey(key))
	if err != nil {
		return storeError(err)
	}
	if result.DeletedCount == 0 {
		return backend.CharacterNotFound(key)
	}
	return nil
}

// characterDocument is a character as it is stored, under an _id of our own
// making: it is the creation order.
func characterDocument(id bson.ObjectID, character backend.Character) bson.D {
	return append(bson.D{{Key: fieldID, Value: id}}, characterFields(character)...)
}

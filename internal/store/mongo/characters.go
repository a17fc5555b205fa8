package mongo

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// CharacterNames implements [backend.Store]. It checks the config before and
// after it reads the characters. Characters without a config belong to a user
// that is not completely created, or not completely removed, and must not be
// visible.
func (s *Store) CharacterNames(ctx context.Context, userID string) ([]backend.CharacterName, error) {
	ctx, done := s.begin(ctx)
	defer done()
	for {
		before, err := idOf(ctx, s.forClients.configs, userID)
		if err != nil || before.IsZero() {
			return nil, storeError(err)
		}
		names, err := s.characterNames(ctx, userID)
		if err != nil {
			return nil, storeError(err)
		}
		after, err := idOf(ctx, s.forClients.configs, userID)
		if err != nil || after.Equal(before) {
			return names, storeError(err)
		}
	}
}

func (s *Store) characterNames(ctx context.Context, userID string) ([]backend.CharacterName, error) {
	cursor, err := s.forClients.characters.Find(ctx, byUser(userID), options.Find().
		SetSort(bson.D{{Key: fieldID, Value: 1}}).
		SetProjection(bson.D{{Key: fieldCharacterID, Value: 1}, {Key: fieldName, Value: 1}}))
	if err != nil {
		return nil, err
	}
	var documents []bson.Raw
	if err := cursor.All(ctx, &documents); err != nil {
		return nil, err
	}
	names := make([]backend.CharacterName, len(documents))
	for i, document := range documents {
		id, _ := document.Lookup(fieldCharacterID).StringValueOK()
		name, _ := document.Lookup(fieldName).StringValueOK()
		names[i] = backend.NewCharacterName(id, name)
	}
	return names, nil
}

// CharacterSummaries implements [backend.Store]. It checks the config before
// and after, as CharacterNames does, but within one command.
func (s *Store) CharacterSummaries(ctx context.Context, userID string) ([]backend.CharacterSummary, error) {
	ctx, done := s.begin(ctx)
	defer done()
	for {
		found, err := s.summarized(ctx, userID)
		switch {
		case errors.Is(err, mongo.ErrNoDocuments):
			return nil, nil
		case err != nil:
			return nil, storeError(err)
		case len(found.After) != 1 || !found.After[0].Lookup(fieldID).Equal(found.Before):
			continue // the config was removed or replaced in the meantime
		}
		summaries := make([]backend.CharacterSummary, len(found.Characters))
		for i, document := range found.Characters {
			summaries[i] = summaryFrom(document)
		}
		return summaries, nil
	}
}

// summarized holds the characters of a user, and the _id of the user's config
// before and after they were read.
type summarized struct {
	Before     bson.RawValue `bson:"_id"`
	Characters []bson.Raw
	After      []bson.Raw
}

func (s *Store) summarized(ctx context.Context, userID string) (found summarized, err error) {
	ofUser := bson.D{{Key: "$match", Value: byUser(userID)}}
	cursor, err := s.forClients.configs.Aggregate(ctx, mongo.Pipeline{
		ofUser,
		{{Key: "$limit", Value: 1}},
		{{Key: "$project", Value: onlyID}},
		{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: s.forClients.characters.Name()},
			{Key: "pipeline", Value: mongo.Pipeline{
				ofUser,
				{{Key: "$sort", Value: bson.D{{Key: fieldID, Value: 1}}}},
				{{Key: "$project", Value: summaryFields}},
			}},
			{Key: "as", Value: "characters"},
		}}},
		{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: s.forClients.configs.Name()},
			{Key: "pipeline", Value: mongo.Pipeline{ofUser, {{Key: "$limit", Value: 1}}, {{Key: "$project", Value: onlyID}}}},
			{Key: "as", Value: "after"},
		}}},
	})
	if err != nil {
		return found, err
	}
	defer cursor.Close(ctx) //nolint:errcheck // only read
	if !cursor.Next(ctx) {
		return found, cmp.Or(cursor.Err(), mongo.ErrNoDocuments)
	}
	return found, cursor.Decode(&found)
}

// summaryFields is the projection of a character for its summary. Long texts
// stay in the database, because all characters of a user come in one document.
var summaryFields = bson.D{
	{Key: fieldID, Value: 0},
	{Key: fieldCharacterID, Value: 1}, {Key: fieldReadOnly, Value: 1},
	{Key: fieldName, Value: shortText(fieldName)},
	{Key: fieldAvatar, Value: shortText(fieldAvatar)},
	{Key: fieldSceneName, Value: shortText(fieldSceneName)},
}

// shortText returns an expression for a text field: the text if it is short
// enough for a summary, "" if the field is not a text, and null if the text is
// too long.
func shortText(field string) bson.D {
	isText := bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$type", Value: "$" + field}}, "string"}}}
	text := bson.D{{Key: "$cond", Value: bson.A{isText, "$" + field, ""}}}
	isShort := bson.D{{Key: "$lte", Value: bson.A{bson.D{{Key: "$strLenBytes", Value: text}}, backend.MaxSummary}}}
	return bson.D{{Key: "$cond", Value: bson.A{isShort, text, nil}}}
}

// summaryFrom converts the result of summaryFields.
func summaryFrom(document bson.Raw) backend.CharacterSummary {
	summary := backend.CharacterSummary{}
	summary.CharacterID, _ = document.Lookup(fieldCharacterID).StringValueOK()
	summary.ReadOnly, _ = document.Lookup(fieldReadOnly).BooleanOK()
	for field, text := range map[string]*string{
		fieldName: &summary.CharacterName, fieldAvatar: &summary.Avatar, fieldSceneName: &summary.SceneName,
	} {
		value, short := document.Lookup(field).StringValueOK()
		*text, summary.TooLong = value, summary.TooLong || !short
	}
	if summary.TooLong {
		return backend.CharacterSummary{CharacterID: summary.CharacterID, ReadOnly: summary.ReadOnly, TooLong: true}
	}
	return summary.Bounded()
}

// Character implements [backend.Store].
func (s *Store) Character(ctx context.Context, key backend.CharacterKey) (backend.Character, error) {
	ctx, done := s.begin(ctx)
	defer done()
	return s.character(ctx, s.forClients, key)
}

// character reads a character, if its user has a config.
func (s *Store) character(ctx context.Context, from collections, key backend.CharacterKey) (backend.Character, error) {
	const config = "config"
	none := backend.Character{}
	cursor, err := from.characters.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: byKey(key)}},
		{{Key: "$limit", Value: 1}},
		{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: from.configs.Name()},
			{Key: "localField", Value: fieldUserID},
			{Key: "foreignField", Value: fieldUserID},
			{Key: "as", Value: config},
		}}},
		{{Key: "$match", Value: bson.D{{Key: config, Value: bson.D{{Key: "$ne", Value: bson.A{}}}}}}},
		{{Key: "$project", Value: bson.D{{Key: config, Value: 0}}}},
	})
	if err != nil {
		return none, storeError(err)
	}
	defer cursor.Close(ctx) //nolint:errcheck // only read
	if !cursor.Next(ctx) {
		if err := cursor.Err(); err != nil {
			return none, storeError(err)
		}
		return none, backend.CharacterNotFound(key)
	}
	character := backend.NewCharacter() // has the defaults for fields that an older document lacks
	if err := cursor.Decode(&character); err != nil {
		return none, err
	}
	return character, nil
}

// CharacterDocument implements [backend.Store].
func (s *Store) CharacterDocument(ctx context.Context, key backend.CharacterKey) ([]byte, error) {
	character, err := s.Character(ctx, key)
	if err != nil {
		return nil, err
	}
	return backend.EncodeCharacter(character)
}

// CopyCharacter implements [backend.Store].
func (s *Store) CopyCharacter(
	ctx context.Context, key backend.CharacterKey, most int, edit func(backend.Character) backend.Character,
) error {
	gone := backend.CharacterNotFound(key)
	return s.addCharacter(ctx, key.UserID, most, gone, func(ctx context.Context, _ bson.RawValue) (backend.Character, error) {
		source, err := s.character(ctx, s.collections, key)
		if err != nil {
			return source, err
		}
		return edit(source), nil
	})
}

// AddCharacter implements [backend.Store].
func (s *Store) AddCharacter(ctx context.Context, character backend.Character, most int) error {
	gone := backend.UserNotFound(character.UserID)
	return s.addCharacter(ctx, character.UserID, most, gone, func(_ context.Context, config bson.RawValue) (backend.Character, error) {
		if config.IsZero() {
			return character, gone
		}
		return character, nil
	})
}

// addCharacter stores the character that newCharacter returns as the last one
// of a user, and then checks the config. newCharacter gets the _id of the
// config, or zero if there is none. If a deletion removes the config in the
// meantime, either the deletion also sees the new character, or addCharacter
// notices the deletion, removes the character and returns gone. addCharacter
// also removes a character that exceeds the limit.
func (s *Store) addCharacter(
	ctx context.Context, userID string, most int, gone error,
	newCharacter func(ctx context.Context, config bson.RawValue) (backend.Character, error),
) error {
	ctx, done, err := s.beginWhole(ctx)
	if err != nil {
		return err
	}
	defer done()
	before, err := idOf(ctx, s.configs, userID)
	if err != nil {
		return storeError(err)
	}
	character, err := newCharacter(ctx, before)
	if err != nil {
		return err
	}
	id, err := s.lastID(ctx, userID)
	if err != nil {
		return storeError(err)
	}
	if _, err := s.characters.InsertOne(ctx, characterDocument(id, character)); err != nil {
		if mongo.IsDuplicateKeyError(err) {
			return backend.CharacterExists(character.Key())
		}
		return storeError(err)
	}
	refused, err := s.additionError(ctx, userID, before, most, gone)
	if err != nil || refused == nil {
		return storeError(err)
	}
	if _, err := s.characters.DeleteOne(ctx, bson.D{{Key: fieldID, Value: id}}); err != nil {
		return storeError(err)
	}
	return refused
}

// additionError returns, as refused, the reason why a character that was just
// stored must not stay, or nil if it may stay.
func (s *Store) additionError(ctx context.Context, userID string, config bson.RawValue, most int, gone error) (refused, err error) {
	after, err := idOf(ctx, s.configs, userID)
	if err != nil {
		return nil, err
	}
	if !after.Equal(config) {
		return gone, nil
	}
	if most == 0 {
		return nil, nil
	}
	count, err := s.characters.CountDocuments(ctx, byUser(userID))
	if err == nil && count > int64(most) {
		refused = backend.TooManyCharacters(most)
	}
	return refused, err
}

// lastID returns a new _id that sorts after the _ids of all characters of a
// user, even if a server whose clock is ahead created the last one.
func (s *Store) lastID(ctx context.Context, userID string) (bson.ObjectID, error) {
	last, err := idFrom(s.characters.FindOne(ctx, byUser(userID), options.FindOne().
		SetSort(bson.D{{Key: fieldID, Value: -1}}).SetProjection(onlyID)))
	id := bson.NewObjectID()
	if last, ok := last.ObjectIDOK(); ok && compareIDs(id, last) < 0 {
		// An ObjectID begins with a time in seconds. The rest stays unique.
		binary.BigEndian.PutUint32(id[:], binary.BigEndian.Uint32(last[:])+1)
	}
	return id, err
}

// UpdateCharacter implements [backend.Store]. One command checks and changes
// the character. Only a rejection needs a second command, which finds the
// reason.
func (s *Store) UpdateCharacter(ctx context.Context, key backend.CharacterKey, patch backend.CharacterPatch) error {
	ctx, done := s.begin(ctx)
	defer done()
	filter := append(byKey(key), bson.E{Key: fieldReadOnly, Value: bson.D{{Key: "$ne", Value: true}}})
	changes := characterChanges(patch)
	for {
		// MongoDB rejects an empty $set. An empty patch needs only the check.
		if len(changes) > 0 {
			result, err := s.characters.UpdateOne(ctx, filter, bson.D{{Key: "$set", Value: changes}})
			if err != nil || result.MatchedCount > 0 {
				return storeError(err)
			}
		}
		character, err := s.character(ctx, s.collections, key)
		switch {
		case err != nil:
			return err
		case character.ReadOnly:
			return backend.CharacterReadOnly(key)
		case len(changes) == 0:
			return nil
		}
		// The character was created, or became changeable, in between: try
		// again.
	}
}

// DeleteCharacter implements [backend.Store].
func (s *Store) DeleteCharacter(ctx context.Context, key backend.CharacterKey) error {
	ctx, done := s.begin(ctx)
	defer done()
	result, err := s.characters.DeleteOne(ctx, byKey(key))
	if err != nil {
		return storeError(err)
	}
	if result.DeletedCount == 0 {
		return backend.CharacterNotFound(key)
	}
	return nil
}

// characterDocument returns a character as it is stored. This program chooses
// the _id, because the _ids define the creation order.
func characterDocument(id bson.ObjectID, character backend.Character) bson.D {
	return append(bson.D{{Key: fieldID, Value: id}}, characterFields(character)...)
}

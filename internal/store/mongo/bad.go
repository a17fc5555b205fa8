package mongo

import (
	"bytes"
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// BadDocument is a document that cannot move to another store.
type BadDocument struct {
	Collection string
	ID         string // its _id, in the notation of mongosh
	Problem    string // holds no value of the document
}

// String names the document and its problem.
func (d BadDocument) String() string {
	return fmt.Sprintf("%s, _id %s: %s", d.Collection, d.ID, d.Problem)
}

// badPolicy says how to handle documents that cannot be read.
type badPolicy bool

const (
	refuseBad   badPolicy = false
	leaveOutBad badPolicy = true
)

// BadDocuments reads every document. It calls report for each document that
// cannot be read, and for each document that has the same key as an older one;
// the oldest one is good. It changes nothing.
func (s *Store) BadDocuments(ctx context.Context, report func(BadDocument)) error {
	s.running.Add(1)
	defer s.running.Done()
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	for _, part := range []struct {
		collection *mongo.Collection
		key        []string // which must be unique
	}{
		{s.credentials, []string{fieldUserID}},
		{s.configs, []string{fieldUserID}},
		{s.characters, []string{fieldUserID, fieldCharacterID}},
	} {
		bad := map[string]bool{}
		tell := func(id bson.RawValue, problem string) {
			if text := id.String(); !bad[text] {
				bad[text] = true
				report(BadDocument{part.collection.Name(), text, problem})
			}
		}
		if err := s.eachBad(ctx, part.collection, tell); err != nil {
			return storeError(err)
		}
		if err := eachSecond(ctx, part.collection, part.key, tell); err != nil {
			return storeError(err)
		}
	}
	return nil
}

func (s *Store) eachBad(ctx context.Context, collection *mongo.Collection, tell func(id bson.RawValue, problem string)) error {
	cursor, err := collection.Find(ctx, bson.D{})
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }() // only read
	for cursor.Next(ctx) {
		if problem := s.problem(collection, cursor.Current); problem != "" {
			tell(cursor.Current.Lookup(fieldID), problem)
		}
	}
	return cursor.Err()
}

// eachSecond reports the documents that have the same key as an older one.
func eachSecond(ctx context.Context, collection *mongo.Collection, key []string, tell func(id bson.RawValue, problem string)) error {
	group := bson.D{}
	texts := bson.D{{Key: fieldID, Value: bson.D{{Key: "$type", Value: "objectId"}}}}
	for _, field := range key {
		group = append(group, bson.E{Key: field, Value: "$" + field})
		texts = append(texts, bson.E{Key: field, Value: bson.D{{Key: "$type", Value: "string"}}})
	}
	cursor, err := collection.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: texts}},
		{{Key: "$group", Value: bson.D{
			{Key: fieldID, Value: group},
			{Key: "first", Value: bson.D{{Key: "$min", Value: "$" + fieldID}}},
			{Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
		{{Key: "$match", Value: bson.D{{Key: "count", Value: bson.D{{Key: "$gt", Value: 1}}}}}},
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }() // only read
	for cursor.Next(ctx) {
		var same bson.D
		for _, field := range key {
			same = append(same, bson.E{Key: field, Value: cursor.Current.Lookup(fieldID, field)})
		}
		first := cursor.Current.Lookup("first")
		found, err := collection.Find(ctx, same, options.Find().SetProjection(onlyID).SetSort(bson.D{{Key: fieldID, Value: 1}}))
		if err != nil {
			return err
		}
		var documents []bson.Raw
		if err := found.All(ctx, &documents); err != nil {
			return err
		}
		for _, document := range documents {
			if id := document.Lookup(fieldID); !id.Equal(first) {
				tell(id, fmt.Sprintf("the document with _id %s has the same %s", first, joined(key)))
			}
		}
	}
	return cursor.Err()
}

// joined returns the names of the fields of a key as text.
func joined(key []string) string {
	if len(key) == 1 {
		return key[0]
	}
	return key[0] + " and " + key[1]
}

// markSeconds marks each character that has the same id as an earlier one.
func markSeconds(characters []storedCharacter) {
	seen := map[string]bool{}
	for i, c := range characters {
		if c.bad {
			continue
		}
		characters[i].bad = seen[c.character.CharacterID]
		seen[c.character.CharacterID] = true
	}
}

// problem returns the reason why a document of a collection cannot be read, or
// "" if it can.
func (s *Store) problem(collection *mongo.Collection, document bson.Raw) string {
	if problem := problemOfOwner(document); problem != "" {
		return problem
	}
	var texts []string
	switch collection {
	case s.credentials:
		texts = []string{fieldUsername}
	case s.characters:
		texts = []string{fieldCharacterID}
	}
	for _, field := range texts {
		if value := document.Lookup(field); value.Type != bson.TypeString {
			return wrongType(field, value, "string")
		}
	}
	elements, err := document.Elements()
	if err != nil {
		return "it is not valid BSON"
	}
	for _, element := range elements {
		if text, ok := element.Value().StringValueOK(); ok && !backend.ValidText(text) {
			return fmt.Sprintf("%s holds a NUL character or is not UTF-8", element.Key())
		}
	}
	if collection != s.characters {
		return ""
	}
	decoder := bson.NewDecoder(bson.NewDocumentReader(bytes.NewReader(document)))
	decoder.SetRegistry(registry())
	decoder.UseJSONStructTags()
	character := backend.NewCharacter()
	if err := decoder.Decode(&character); err != nil {
		return err.Error()
	}
	return ""
}

// problemOfOwner returns the reason why the user or the age of a document is
// unknown, or "".
func problemOfOwner(document bson.Raw) string {
	if id := document.Lookup(fieldID); id.Type != bson.TypeObjectID {
		return wrongType(fieldID, id, "objectID")
	}
	owner, ok := document.Lookup(fieldUserID).StringValueOK()
	switch {
	case !ok:
		return wrongType(fieldUserID, document.Lookup(fieldUserID), "string")
	case owner == "":
		return fieldUserID + " is empty"
	}
	return ""
}

func wrongType(field string, value bson.RawValue, want string) string {
	if value.Type == 0 {
		return field + " is missing"
	}
	return fmt.Sprintf("%s is of type %s, want %s", field, value.Type, want)
}

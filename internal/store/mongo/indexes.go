package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// indexTimeout is enough time to index a large collection for the first time.
const indexTimeout = 10 * time.Minute

// index is one index that the store relies on.
type index struct {
	collection *mongo.Collection
	keys       []string
	kind       indexKind
}

type indexKind uint8

const (
	plain indexKind = iota
	unique
	claims   // unique among the documents that have the key
	expires  // a document is removed at the time in its key
	outdates // a document is removed outdatedAfter after the time in its key
)

// outdatedAfter is how long the lock of a crashed server is kept. During that
// time an interrupted import can run again, and finds the hidden config in the
// lock.
const outdatedAfter = 30 * 24 * time.Hour

// options returns a new value for each call, because the driver writes the name
// into it.
func (k indexKind) options() *options.IndexOptionsBuilder {
	switch k {
	case unique:
		return options.Index().SetUnique(true)
	case claims:
		return options.Index().SetUnique(true).SetSparse(true)
	case expires:
		return options.Index().SetExpireAfterSeconds(0)
	case outdates:
		return options.Index().SetExpireAfterSeconds(int32(outdatedAfter / time.Second))
	default:
		return options.Index()
	}
}

// indexes returns the indexes of contract §6 and additional ones. The
// additional ones ensure that a user has at most one credential. If people would
// confuse several names, they ensure that only one of these can be registered.
// They are also used to find such names, and to find tokens by their user. They
// also remove expired tokens, and locks that a crash left behind.
func (s *Store) indexes() []index {
	return []index{
		{s.credentials, []string{fieldUsername}, unique},
		{s.credentials, []string{fieldUserID}, unique},
		{s.credentials, []string{fieldNameKey}, plain},
		{s.credentials, []string{fieldNameClaim}, claims},
		{s.configs, []string{fieldUserID}, unique},
		{s.characters, []string{fieldUserID, fieldCharacterID}, unique},
		{s.locks, []string{lockUntil}, outdates},
		{s.tokens, []string{tokenExpiresAt}, expires},
		{s.tokens, []string{fieldUserID}, plain},
	}
}

// EnsureIndexes creates the missing indexes, and adds name keys to credentials
// that other programs stored. Many servers may call it at the same time. If the
// documents of a collection violate a unique index, EnsureIndexes leaves the
// collection as it is, and returns a warning that names the first offenders.
// The server can run on such a collection, but without that uniqueness. It also
// returns a warning for each index that cannot be created for another reason.
// It returns an error if the store is unavailable or a query fails.
func (s *Store) EnsureIndexes(ctx context.Context) (warnings []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	leave := false // do not change the credentials
	for _, index := range s.indexes() {
		keys := bson.D{}
		for _, key := range index.keys {
			keys = append(keys, bson.E{Key: key, Value: 1})
		}
		_, err := index.collection.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: keys, Options: index.kind.options()})
		if err == nil {
			continue
		}
		if IsUnavailable(err) {
			return warnings, storeError(err)
		}
		warning := fmt.Sprintf("collection %s: the index on %s could not be made: %v",
			index.collection.Name(), strings.Join(index.keys, ", "), err)
		if mongo.IsDuplicateKeyError(err) {
			leave = leave || index.collection == s.credentials
			offenders, err := s.duplicates(ctx, index)
			if err != nil {
				return warnings, storeError(err)
			}
			warning = index.notUnique(offenders)
		}
		warnings = append(warnings, warning)
	}
	if leave {
		return warnings, nil
	}
	return warnings, storeError(s.fillNameKeys(ctx))
}

// notUnique returns the warning for documents that violate a unique index.
func (i index) notUnique(offenders []string) string {
	return fmt.Sprintf("collection %s has documents with the same %s, so it has no unique index on that; first: %s",
		i.collection.Name(), strings.Join(i.keys, ", "), strings.Join(offenders, "; "))
}

// CheckIndexes returns one line for each missing index, with what EnsureIndexes
// would do or warn about. It changes nothing.
func (s *Store) CheckIndexes(ctx context.Context) (lines []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	for _, index := range s.indexes() {
		there, err := index.isThere(ctx)
		if err != nil {
			return lines, storeError(err)
		}
		if there {
			continue
		}
		line := fmt.Sprintf("collection %s: the index on %s is missing; it would be made", index.collection.Name(), strings.Join(index.keys, ", "))
		if index.kind == unique {
			offenders, err := s.duplicates(ctx, index)
			if err != nil {
				return lines, storeError(err)
			}
			if len(offenders) > 0 {
				line = "warning: " + index.notUnique(offenders)
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// isThere reports whether the collection has an index on the same keys.
func (i index) isThere(ctx context.Context) (bool, error) {
	found, err := i.collection.Indexes().ListSpecifications(ctx)
	if err != nil {
		return false, err
	}
	for _, specification := range found {
		keys, err := specification.KeysDocument.Elements()
		if err != nil {
			return false, err
		}
		same := slices.EqualFunc(keys, i.keys, func(element bson.RawElement, key string) bool { return element.Key() == key })
		isUnique := specification.Unique != nil && *specification.Unique
		if same && (i.kind != unique || isUnique) {
			return true, nil
		}
	}
	return false, nil
}

// duplicates describes the first values that are in more than one document.
func (s *Store) duplicates(ctx context.Context, index index) ([]string, error) {
	const most = 3
	group := bson.D{}
	for _, key := range index.keys {
		group = append(group, bson.E{Key: key, Value: "$" + key})
	}
	cursor, err := index.collection.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: group}, {Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		{{Key: "$match", Value: bson.D{{Key: "count", Value: bson.D{{Key: "$gt", Value: 1}}}}}},
		{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
		{{Key: "$limit", Value: most}},
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, err
	}
	var groups []struct {
		ID    bson.Raw `bson:"_id"`
		Count int      `bson:"count"`
	}
	if err := cursor.All(ctx, &groups); err != nil {
		return nil, err
	}
	described := make([]string, len(groups))
	for i, group := range groups {
		described[i] = fmt.Sprintf("%d documents with %s", group.Count, group.ID)
	}
	return described, nil
}

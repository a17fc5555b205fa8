package mongo

import (
	"context"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// countTimeout is enough time to read every document once.
const countTimeout = 10 * time.Minute

// Limits of a page of ExportUsers: the number of users, and the bytes of
// characters after which the page ends earlier. Each page has its own queries,
// and no query stays open while the consumer works, because MongoDB ends a
// cursor that is idle for ten minutes.
const (
	exportPage  = 100
	exportBytes = 32 << 20
)

// Count implements [backend.Archive].
func (s *Store) Count(ctx context.Context) (counts backend.Counts, err error) {
	s.running.Add(1)
	defer s.running.Done()
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	for _, number := range []struct {
		from     *mongo.Collection
		pipeline mongo.Pipeline
		count    *int64
	}{
		{s.credentials, sumOf(1), &counts.Credentials},
		{s.configs, sumOf(1), &counts.Configs},
		{s.configs, sumOf(keysSet()), &counts.ProviderKeys},
		{s.characters, sumOf(1), &counts.Characters},
		{s.characters, s.orphans(), &counts.Orphans},
		{s.credentials, s.withoutConfig(), &counts.Users},
	} {
		if *number.count, err = sum(ctx, number.from, number.pipeline); err != nil {
			return backend.Counts{}, storeError(err)
		}
	}
	counts.Users += counts.Configs
	counts.Characters -= counts.Orphans
	return counts, nil
}

const sumField = "sum"

// sumOf returns a pipeline that adds up value over all documents.
func sumOf(value any) mongo.Pipeline {
	return mongo.Pipeline{{{Key: "$group", Value: bson.D{
		{Key: fieldID, Value: nil}, {Key: sumField, Value: bson.D{{Key: "$sum", Value: value}}}}}}}
}

// keysSet returns an expression for the number of provider keys that are set in
// a config.
func keysSet() bson.D {
	keys := bson.A{}
	for _, name := range backend.ProviderKeys { // null and missing values are less than any string
		set := bson.D{{Key: "$gt", Value: bson.A{"$" + name, ""}}}
		keys = append(keys, bson.D{{Key: "$cond", Value: bson.A{set, 1, 0}}})
	}
	return bson.D{{Key: "$add", Value: keys}}
}

// withoutConfigs selects the documents whose user, named by field, has no
// config.
func (s *Store) withoutConfigs(field string) mongo.Pipeline {
	const configs = "configs"
	return mongo.Pipeline{
		{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: s.configs.Name()},
			{Key: "localField", Value: field},
			{Key: "foreignField", Value: fieldUserID},
			{Key: "as", Value: configs},
		}}},
		{{Key: "$match", Value: bson.D{{Key: configs, Value: bson.A{}}}}},
	}
}

// withoutConfig returns a pipeline that counts the credentials of users without
// a config.
func (s *Store) withoutConfig() mongo.Pipeline {
	return append(s.withoutConfigs(fieldUserID), sumOf(1)...)
}

// orphans returns a pipeline that counts the characters of users without a
// config.
func (s *Store) orphans() mongo.Pipeline {
	ofUsers := mongo.Pipeline{{{Key: "$group", Value: bson.D{
		{Key: fieldID, Value: "$" + fieldUserID}, {Key: sumField, Value: bson.D{{Key: "$sum", Value: 1}}}}}}}
	return append(append(ofUsers, s.withoutConfigs(fieldID)...), sumOf("$"+sumField)...)
}

func sum(ctx context.Context, from *mongo.Collection, pipeline mongo.Pipeline) (int64, error) {
	cursor, err := from.Aggregate(ctx, pipeline, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return 0, err
	}
	var found []struct{ Sum int64 }
	if err := cursor.All(ctx, &found); err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0].Sum, nil
}

// ExportUsers implements [backend.Archive]. It leaves out the documents that
// [Store.BadDocuments] reports.
func (s *Store) ExportUsers(ctx context.Context) iter.Seq2[backend.UserData, error] {
	return func(yield func(backend.UserData, error) bool) {
		s.running.Add(1)
		defer s.running.Done()
		ids := s.userOrder()
		for {
			page, err := ids.next(ctx, exportPage)
			if err == nil && len(page) == 0 {
				return
			}
			for err == nil && len(page) > 0 {
				var users []backend.UserData
				var read int
				if users, read, err = s.load(ctx, page, leaveOutBad); err != nil {
					break
				}
				page = page[read:]
				for _, user := range users {
					if !yield(user, nil) {
						return
					}
				}
			}
			if err != nil {
				yield(backend.UserData{}, storeError(err))
				return
			}
		}
	}
}

// UserData implements [backend.Archive].
func (s *Store) UserData(ctx context.Context, userIDs []string) ([]backend.UserData, error) {
	s.running.Add(1)
	defer s.running.Done()
	if err := ctx.Err(); err != nil {
		return nil, storeError(err)
	}
	var users []backend.UserData
	for len(userIDs) > 0 {
		some, read, err := s.load(ctx, userIDs[:min(exportPage, len(userIDs))], refuseBad)
		if err != nil {
			return nil, storeError(err)
		}
		users, userIDs = append(users, some...), userIDs[read:]
	}
	return users, nil
}

// userOrder reads the ids of all users in creation order. The age of a user is
// the age of the older one of its config and its credential.
type userOrder struct{ lists [2]*idList }

func (s *Store) userOrder() *userOrder {
	return &userOrder{lists: [2]*idList{
		{store: s, from: s.configs},
		{store: s, from: s.credentials},
	}}
}

// next returns the ids of up to count users, or none at the end.
func (o *userOrder) next(ctx context.Context, count int) (userIDs []string, err error) {
	for len(userIDs) < count {
		for _, list := range o.lists {
			if err := list.fill(ctx); err != nil {
				return nil, err
			}
		}
		list := o.lists[0]
		if second := o.lists[1]; len(list.page) == 0 ||
			len(second.page) > 0 && compareIDs(second.page[0].ID, list.page[0].ID) < 0 {
			list = second
		}
		if len(list.page) == 0 {
			break
		}
		userIDs = append(userIDs, list.page[0].UserID)
		list.page = list.page[1:]
	}
	return userIDs, nil
}

// idList reads the users whose oldest document is in from. It returns each user
// once.
type idList struct {
	store *Store
	from  *mongo.Collection

	page []ownedID
	last bson.ObjectID // _id of the last document that was read
	done bool
}

// ownedID is the _id and the user of a document.
type ownedID struct {
	ID     bson.ObjectID
	UserID string
}

var onlyOwnedID = bson.D{{Key: fieldUserID, Value: 1}}

// fill reads until the page holds a user, or until there are no more documents.
func (l *idList) fill(ctx context.Context) error {
	for len(l.page) == 0 && !l.done {
		if err := l.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *idList) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.store.timeout)
	defer cancel()
	const count = exportPage
	filter := bson.D{{Key: fieldID, Value: bson.D{{Key: "$gt", Value: l.last}}}} // matches ObjectIDs only
	cursor, err := l.from.Find(ctx, filter, options.Find().SetProjection(onlyOwnedID).
		SetSort(bson.D{{Key: fieldID, Value: 1}}).SetLimit(count))
	if err != nil {
		return err
	}
	var found []bson.Raw
	if err := cursor.All(ctx, &found); err != nil {
		return err
	}
	if l.done = len(found) < count; len(found) == 0 {
		return nil
	}
	var documents []ownedID
	var userIDs []string
	for _, document := range found {
		if problemOfOwner(document) != "" {
			continue
		}
		documents = append(documents, ownedID{document.Lookup(fieldID).ObjectID(), document.Lookup(fieldUserID).StringValue()})
		userIDs = append(userIDs, documents[len(documents)-1].UserID)
	}
	l.last = found[len(found)-1].Lookup(fieldID).ObjectID()
	if len(documents) == 0 {
		return nil
	}
	oldest, err := l.store.oldest(ctx, userIDs)
	if err != nil {
		return err
	}
	for _, document := range documents {
		if oldest[document.UserID] == (placedID{l.from, document.ID}) {
			l.page = append(l.page, document)
		}
	}
	return nil
}

// placedID identifies a document and its collection.
type placedID struct {
	in *mongo.Collection
	id bson.ObjectID
}

// oldest returns the oldest config or credential of each user. Without a unique
// index a user may have several of them.
func (s *Store) oldest(ctx context.Context, userIDs []string) (map[string]placedID, error) {
	oldest := map[string]placedID{}
	for _, collection := range []*mongo.Collection{s.configs, s.credentials} {
		cursor, err := collection.Find(ctx, ofUsers(userIDs), options.Find().SetProjection(onlyOwnedID))
		if err != nil {
			return nil, err
		}
		var found []bson.Raw
		if err := cursor.All(ctx, &found); err != nil {
			return nil, err
		}
		for _, document := range found {
			if problemOfOwner(document) != "" {
				continue
			}
			userID, id := document.Lookup(fieldUserID).StringValue(), document.Lookup(fieldID).ObjectID()
			if other, ok := oldest[userID]; !ok || compareIDs(id, other.id) < 0 {
				oldest[userID] = placedID{collection, id}
			}
		}
	}
	return oldest, nil
}

// ofUsers selects the documents that belong to some users.
func ofUsers(userIDs []string) bson.D {
	return bson.D{{Key: fieldUserID, Value: bson.D{{Key: "$in", Value: userIDs}}}}
}

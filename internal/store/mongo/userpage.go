package mongo

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// UserPage implements [backend.Store].
func (s *Store) UserPage(ctx context.Context, order backend.UserOrder, from string, limit int) ([]backend.PositionedUser, error) {
	ctx, done := s.begin(ctx)
	defer done()
	switch order {
	case backend.ByName:
		page, err := s.pageByName(ctx, from, limit)
		return page, storeError(err)
	case backend.ByID:
		page, err := s.pageByID(ctx, from, limit)
		return page, storeError(err)
	}
	var after bson.ObjectID
	if from != "" {
		var err error
		if after, err = bson.ObjectIDFromHex(from); err != nil {
			return nil, backend.NoSuchPosition()
		}
	}
	var page []backend.PositionedUser
	for user, err := range s.usersAfter(ctx, backend.AllUsers, after) {
		if err != nil {
			return nil, err
		}
		if page = append(page, user); len(page) == limit {
			break
		}
	}
	return page, nil
}

// pageByName reads credentials by name key. The index does not order those with
// the same key, which are few, so they are on one page.
func (s *Store) pageByName(ctx context.Context, from string, limit int) ([]backend.PositionedUser, error) {
	documents, err := firstFrom(ctx, s.forClients.credentials, fieldNameKey, from, limit)
	if err != nil {
		return nil, err
	}
	page := positioned(documents, backend.ByName)
	if len(page) == limit {
		last := page[len(page)-1]
		cursor, err := s.forClients.credentials.Find(ctx, bson.D{{Key: fieldNameKey, Value: last.NameKey}}, options.Find().SetProjection(positionedFields))
		if err != nil {
			return nil, err
		}
		if err := cursor.All(ctx, &documents); err != nil {
			return nil, err
		}
		isLast := func(user backend.PositionedUser) bool { return user.Next == last.Next }
		page = append(slices.DeleteFunc(page, isLast), positioned(documents, backend.ByName)...)
	}
	slices.SortFunc(page, func(a, b backend.PositionedUser) int {
		return cmp.Or(strings.Compare(a.NameKey, b.NameKey), strings.Compare(a.UserID, b.UserID))
	})
	return page, nil
}

// pageByID merges the credentials and the configs from a user id on. If the
// config of a user is on the page, the credential of that user has been read
// too.
func (s *Store) pageByID(ctx context.Context, from string, limit int) ([]backend.PositionedUser, error) {
	var page []backend.PositionedUser
	for _, collection := range []*mongo.Collection{s.forClients.credentials, s.forClients.configs} {
		documents, err := firstFrom(ctx, collection, fieldUserID, from, limit)
		if err != nil {
			return nil, err
		}
		page = append(page, positioned(documents, backend.ByID)...)
	}
	byID := func(a, b backend.PositionedUser) int { return strings.Compare(a.UserID, b.UserID) }
	slices.SortStableFunc(page, byID) // the credential of a user stays first
	page = slices.CompactFunc(page, func(a, b backend.PositionedUser) bool { return a.UserID == b.UserID })
	return page[:min(limit, len(page))], nil
}

var positionedFields = bson.D{
	{Key: fieldUserID, Value: 1}, {Key: fieldUsername, Value: 1}, {Key: fieldUsernameGiven, Value: 1}, {Key: fieldNameKey, Value: 1},
	{Key: fieldDisabled, Value: 1},
}

// firstFrom reads the first documents in which an indexed text is not less than
// from.
func firstFrom(ctx context.Context, collection *mongo.Collection, field, from string, limit int) (documents []bson.Raw, err error) {
	cursor, err := collection.Find(ctx, bson.D{{Key: field, Value: bson.D{{Key: "$gte", Value: from}}}}, options.Find().
		SetSort(bson.D{{Key: field, Value: 1}}).SetLimit(int64(limit)).SetProjection(positionedFields))
	if err != nil {
		return nil, err
	}
	return documents, cursor.All(ctx, &documents)
}

// positioned returns the users of credentials or configs.
func positioned(documents []bson.Raw, order backend.UserOrder) []backend.PositionedUser {
	users := make([]backend.PositionedUser, len(documents))
	for i, document := range documents {
		credential := credentialFrom(document)
		users[i].User = backend.User{UserID: credential.UserID, Username: credential.Username, Disabled: credential.Disabled}
		users[i].NameKey, _ = document.Lookup(fieldNameKey).StringValueOK()
		users[i].Next = credential.UserID + "\x00"
		if order == backend.ByName {
			users[i].Next = users[i].NameKey + "\x00"
		}
	}
	return users
}

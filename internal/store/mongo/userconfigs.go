package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"web-backend/internal/backend"
)

// UserConfig implements [backend.Store].
func (s *Store) UserConfig(ctx context.Context, userID string) (backend.UserConfig, error) {
	ctx, done := s.begin(ctx)
	defer done()
	document, err := s.forClients.configs.FindOne(ctx, byUser(userID)).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return backend.UserConfig{}, backend.UserNotFound(userID)
	}
	if err != nil {
		return backend.UserConfig{}, storeError(err)
	}
	return configFrom(userID, document), nil
}

// UpdateUserConfig implements [backend.Store].
func (s *Store) UpdateUserConfig(ctx context.Context, userID string, patch backend.UserConfigPatch) error {
	changes := bson.D{}
	if patch.Timezone != nil {
		changes = append(changes, bson.E{Key: fieldTimezone, Value: *patch.Timezone})
	}
	for name, key := range patch.Keys {
		changes = append(changes, bson.E{Key: name, Value: key.Reveal()})
	}
	if len(changes) == 0 { // MongoDB rejects an empty $set
		_, err := s.UserConfig(ctx, userID)
		return err
	}
	ctx, done := s.begin(ctx)
	defer done()
	result, err := s.configs.UpdateOne(ctx, byUser(userID), bson.D{{Key: "$set", Value: changes}})
	if err != nil {
		return storeError(err)
	}
	if result.MatchedCount == 0 {
		return backend.UserNotFound(userID)
	}
	return nil
}

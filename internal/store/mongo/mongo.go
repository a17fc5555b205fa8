// Package mongo is the store on a MongoDB server or cluster. It shares the
// database with the orchestrator and with the Python original (contract §6):
// documents are plain, complete and named as they name them.
//
// A standalone server has no multi-document transactions, so none are used.
// Each operation is one atomic command where it can be; where it cannot, its
// commands are ordered so that a crash between two of them leaves nothing half
// visible and a retry completes it. A user's config is what makes the user
// visible: it is written last and removed first.
package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"web-backend/internal/backend"
)

// Store is the store on MongoDB. [Open] makes it.
type Store struct {
	client      *mongo.Client
	database    *mongo.Database
	credentials *mongo.Collection
	configs     *mongo.Collection
	characters  *mongo.Collection
	timeout     time.Duration
}

var _ backend.Store = (*Store)(nil)

// Open connects to the cluster, with one pool of connections for the life of
// the store. It does not wait for a server to answer; see [Store.Ping] and
// [Store.EnsureIndexes].
func Open(o Options) (*Store, error) {
	client, err := Connect(o)
	if err != nil {
		return nil, err
	}
	database := client.Database(o.Database)
	return &Store{
		client: client, database: database, timeout: o.Timeout,
		credentials: database.Collection(o.CredentialCollection),
		configs:     database.Collection(o.UserCollection),
		characters:  database.Collection(o.CharacterCollection),
	}, nil
}

// Connect makes a client with the settings that every connection of this
// program has: writes acknowledged by a majority and journaled, and retried
// once by the driver; reads from the primary; unless the URI says otherwise. The error holds
// no part of the URI.
func Connect(o Options) (*mongo.Client, error) {
	client := o.parsed().
		SetAppName("web-backend").
		SetBSONOptions(&options.BSONOptions{UseJSONStructTags: true}).
		SetRegistry(registry())
	if client.WriteConcern == nil {
		client.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: new(true)})
	}
	if credential := o.credential(); credential != nil {
		client.SetAuth(*credential)
	}
	client.SetTimeout(o.Timeout).SetMaxPoolSize(uint64(max(0, o.MaxPoolSize)))
	connected, err := mongo.Connect(client)
	if err != nil {
		// The driver's text can quote the connection string.
		return nil, errors.New("the MongoDB connection settings are not valid; check mongodb_uri, or host and port")
	}
	return connected, nil
}

// Ping implements [backend.Store].
func (s *Store) Ping(ctx context.Context) error {
	return storeError(s.database.RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err())
}

// Close implements [backend.Store]: it waits for running operations as long as
// one may take.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	return s.client.Disconnect(ctx)
}

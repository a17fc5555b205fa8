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
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"web-backend/internal/backend"
)

// Options say how to reach the cluster and where the documents lie.
type Options struct {
	// URI is a whole connection string; if it is not set, Host, Port, Username,
	// Password and AuthDatabase are used.
	URI          backend.Secret
	Host         string
	Port         int
	Username     string
	Password     backend.Secret
	AuthDatabase string

	Database             string
	CredentialCollection string
	UserCollection       string
	CharacterCollection  string

	// Timeout bounds each operation, waiting for a server included.
	Timeout time.Duration
	// MaxPoolSize bounds the connections to each server.
	MaxPoolSize int
}

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
// program has: acknowledged by a majority and journaled, retried once by the
// driver, read from the primary unless the URI says otherwise. The error holds
// no part of the URI.
func Connect(o Options) (*mongo.Client, error) {
	client := options.Client().
		SetAppName("web-backend").
		SetReadPreference(readpref.Primary()).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: new(true)}).
		SetBSONOptions(&options.BSONOptions{UseJSONStructTags: true}).
		SetRegistry(registry())
	if o.URI.IsSet() {
		client.ApplyURI(o.URI.Reveal())
	} else {
		client.SetHosts([]string{fmt.Sprintf("%s:%d", o.Host, o.Port)})
	}
	if o.Username != "" {
		client.SetAuth(options.Credential{
			Username: o.Username, Password: o.Password.Reveal(), PasswordSet: true, AuthSource: o.AuthDatabase})
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

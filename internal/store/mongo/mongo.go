// Package mongo is the store on a MongoDB server or cluster. It shares the
// database with the orchestrator and with the Python original (contract §6). So
// documents are plain and complete, and use the names that those programs use.
//
// A standalone server has no multi-document transactions, so this package uses
// none. Where possible, an operation is one atomic command. Otherwise its
// commands are ordered so that a crash between two of them leaves nothing
// partly visible, and a retry completes the operation. A user's config makes
// the user's characters visible: it is written last and removed first. Calls
// that create or remove a user take turns, across servers; see lock.go. A token
// is valid only while the user has the password that the token was issued for;
// see tokens.go.
package mongo

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"web-backend/internal/backend"
)

// Store is the store on MongoDB. Use [Open] to create one.
type Store struct {
	pool     *pool
	client   *mongo.Client
	database *mongo.Database
	timeout  time.Duration

	collections             // read from the primary, because decisions need current data
	forClients  collections // read as the URI says; only for data that is returned to a client
	locks       *mongo.Collection
	tokens      *mongo.Collection
	queues      queues

	running sync.WaitGroup // running calls
	close   func() error
}

// collections are the collections of contract §6.
type collections struct{ credentials, configs, characters *mongo.Collection }

var _ backend.Store = (*Store)(nil)

// Open returns a store for the cluster, with one pool of connections for the
// lifetime of the store. It does not wait for a server to respond; see
// [Store.Ping] and [Store.EnsureIndexes].
func Open(o Options) (*Store, error) {
	pool := new(pool)
	client, err := connect(o, pool)
	if err != nil {
		return nil, err
	}
	open := func(database *mongo.Database) collections {
		return collections{
			credentials: database.Collection(o.CredentialCollection),
			configs:     database.Collection(o.UserCollection),
			characters:  database.Collection(o.CharacterCollection),
		}
	}
	primary := client.Database(o.Database, options.Database().SetReadPreference(readpref.Primary()))
	s := &Store{
		pool: pool, client: client, database: client.Database(o.Database), timeout: o.Timeout,
		collections: open(primary), forClients: open(client.Database(o.Database)),
		locks: primary.Collection(lockCollection), tokens: primary.Collection(tokenCollection),
	}
	s.close = sync.OnceValue(func() error {
		s.running.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
		defer cancel()
		return s.client.Disconnect(ctx)
	})
	return s, nil
}

// Connect creates a client with the settings that all connections of this
// program use: a majority of the servers confirms and journals each write, the
// driver retries a write once, and reads go to the primary. The URI may
// override these settings. The error is of kind Unavailable if the name service
// did not know the servers; otherwise the settings are wrong. The error
// contains no part of the URI.
func Connect(o Options) (*mongo.Client, error) { return connect(o, new(pool)) }

func connect(o Options, pool *pool) (*mongo.Client, error) {
	if _, ok := authorityOf(o.URI.Reveal()); o.URI.IsSet() && !ok {
		return nil, errors.New("mongodb_uri is not valid; user name and password in it must be percent-encoded")
	}
	encrypted, err := o.tlsConfig()
	if err != nil {
		return nil, errors.New("mongodb_tls_ca_file: " + err.Error()) // not wrapped: retrying does not help
	}
	client := o.parsed().
		SetAppName("web-backend").
		SetBSONOptions(&options.BSONOptions{UseJSONStructTags: true}).
		SetRegistry(registry()).
		SetTimeout(o.Timeout).
		SetPoolMonitor(&event.PoolMonitor{Event: pool.note})
	if encrypted != nil {
		client.SetTLSConfig(encrypted)
	}
	if client.WriteConcern == nil {
		client.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: new(true)})
	}
	if !client.WriteConcern.Acknowledged() {
		return nil, errUnacknowledged
	}
	if o.Username != "" {
		client.SetAuth(options.Credential{
			Username: o.Username, Password: o.Password.Reveal(), PasswordSet: true, AuthSource: o.AuthDatabase})
	}
	if client.MaxPoolSize == nil && o.MaxPoolSize > 0 {
		client.SetMaxPoolSize(uint64(o.MaxPoolSize))
	}
	// With the driver's default of 30 s, the pool would still wait for
	// connections that a network failure cut, long after the network works
	// again.
	if client.ConnectTimeout == nil {
		client.SetConnectTimeout(o.Timeout)
	}
	if client.ServerSelectionTimeout == nil {
		client.SetServerSelectionTimeout(o.Timeout)
	}
	connected, err := mongo.Connect(client)
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		return nil, unavailable(unknown)
	}
	if err != nil {
		return nil, errNotValid
	}
	return connected, nil
}

// begin starts a call. It limits the time of the call, and makes Close wait
// until done is called.
func (s *Store) begin(ctx context.Context) (_ context.Context, done func()) {
	s.running.Add(1)
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	return ctx, func() {
		cancel()
		s.running.Done()
	}
}

// beginWhole starts a call of several commands that belong together. A caller
// that gives up half-way, for example because the client has disconnected, does
// not interrupt it.
// It returns an error if ctx has already ended.
func (s *Store) beginWhole(ctx context.Context) (_ context.Context, done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, storeError(err)
	}
	whole, end := s.begin(context.WithoutCancel(ctx))
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return whole, end, nil
	}
	whole, cancel := context.WithDeadline(whole, deadline)
	return whole, func() {
		cancel()
		end()
	}, nil
}

// Ping implements [backend.Store].
func (s *Store) Ping(ctx context.Context) error {
	ctx, done := s.begin(ctx)
	defer done()
	return storeError(s.database.RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err())
}

// Close implements [backend.Store].
func (s *Store) Close() error { return s.close() }

// Package mongo is the store on a MongoDB server or cluster. It shares the
// database with the orchestrator and with the Python original (contract §6):
// documents are plain, complete and named as they name them.
//
// A standalone server has no multi-document transactions, so none are used.
// Each operation is one atomic command where it can be; where it cannot, its
// commands are ordered so that a crash between two of them leaves nothing half
// visible and a retry completes it. A user's config is what makes the user's
// characters visible: it is written last and removed first. Calls that make or
// remove a user take turns, across servers; see lock.go. A token is good only
// beside the password that it was given for; see tokens.go.
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

// Store is the store on MongoDB. [Open] makes it.
type Store struct {
	pool     *pool
	client   *mongo.Client
	database *mongo.Database
	timeout  time.Duration

	collections             // read from the primary: what is decided on must be true
	answers     collections // read as the URI says: what is only told to a client
	locks       *mongo.Collection
	tokens      *mongo.Collection
	queues      queues

	running sync.WaitGroup // calls
	close   func() error
}

// collections are those of contract §6.
type collections struct{ credentials, configs, characters *mongo.Collection }

var _ backend.Store = (*Store)(nil)

// Open connects to the cluster, with one pool of connections for the life of
// the store. It does not wait for a server to answer; see [Store.Ping] and
// [Store.EnsureIndexes].
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
		collections: open(primary), answers: open(client.Database(o.Database)),
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

// Connect makes a client with the settings that every connection of this
// program has: writes acknowledged by a majority and journaled, and retried
// once by the driver; reads from the primary; unless the URI says otherwise.
// The error is of kind Unavailable if the name service did not know the
// servers, else the settings are wrong. It holds no part of the URI.
func Connect(o Options) (*mongo.Client, error) { return connect(o, new(pool)) }

func connect(o Options, pool *pool) (*mongo.Client, error) {
	if _, ok := authorityOf(o.URI.Reveal()); o.URI.IsSet() && !ok {
		return nil, errors.New("mongodb_uri is not valid; user name and password in it must be percent-encoded")
	}
	encrypted, err := o.tlsConfig()
	if err != nil {
		return nil, errors.New("mongodb_tls_ca_file: " + err.Error()) // not wrapped: no later try helps
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
	// The driver's own 30 s would keep the pool waiting for connections that a
	// broken network swallowed, long after the network is whole again.
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

// begin starts a call: it bounds the call in time and has Close wait for it
// until done is called.
func (s *Store) begin(ctx context.Context) (_ context.Context, done func()) {
	s.running.Add(1)
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	return ctx, func() {
		cancel()
		s.running.Done()
	}
}

// beginWhole starts a call of several commands that belong together: a caller
// that gives up half-way, as one that hangs up does, does not break it off.
// The error is that of a context that ended before.
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

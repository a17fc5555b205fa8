// Package mongotest gives tests a MongoDB server, databases of their own on
// it, and a proxy that breaks connections to it on purpose. Only tests import
// it.
//
// The server is the one of TEST_MONGODB_URI, else SecantusDB, which
// tools/mongodb installs and starts; docs/mongodb.md says what it cannot show.
//
// The proxy is our own: Shopify/toxiproxy would bring prometheus, gorilla and
// zerolog into the product's go.mod, and it cannot strike at a chosen command.
package mongotest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Server is a MongoDB server to test against.
type Server struct {
	uri string

	// foreign is a server that outlives the tests: they drop their databases.
	// Where the server's folder goes with it they do not: SecantusDB drops
	// key by key, and nobody else can log in or read meanwhile.
	foreign bool
}

// shared are the servers of all tests of this process. Each is started when a
// test asks for it. There are two, as one SecantusDB cannot use two processors.
var (
	shared [2]struct {
		sync.Once
		server *Server
		err    error // why there is none
	}
	asked atomic.Uint32 // how often a test has asked for a shared server
)

// Engine returns one of the servers that all tests of this process share, on
// which the user of [Server.URI] may do everything. Two calls may return two
// servers. Without any the test is skipped, and fails when CI is "true".
func Engine(t testing.TB) *Server {
	t.Helper()
	one := &shared[asked.Add(1)%uint32(len(shared))]
	one.Do(func() {
		if uri := os.Getenv("TEST_MONGODB_URI"); uri != "" {
			one.server = &Server{uri: uri, foreign: true}
			return
		}
		var engine *process
		if engine, one.err = startEngine(); one.err == nil {
			one.server = &Server{uri: engine.uri(false)}
		}
	})
	if one.err != nil {
		unavailable(t, one.err)
	}
	return one.server
}

// unavailable ends a test that has no server.
func unavailable(t testing.TB, err error) {
	t.Helper()
	const remedy = "set TEST_MONGODB_URI to a MongoDB server and an administrator on it, or install python3 " +
		"(3.11 to 3.13, with venv) so that tools/mongodb/install.sh can install SecantusDB"
	if os.Getenv("CI") == "true" {
		t.Fatalf("no MongoDB server to test against: %v; %s", err, remedy)
	}
	t.Skipf("no MongoDB server to test against: %v; %s", err, remedy)
}

// URI is the connection string of an administrator; of nobody in particular if
// the server asks for no user.
func (s *Server) URI() string { return s.uri }

// Options are the driver's options for [Server.URI].
func (s *Server) Options() *options.ClientOptions { return options.Client().ApplyURI(s.uri) }

// Client connects as the user of [Server.URI], until the test ends.
func (s *Server) Client(t testing.TB) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(s.Options().SetTimeout(10 * time.Second))
	if err != nil {
		t.Fatalf("connect to the MongoDB server of the tests: %v", err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// Database gives the name of a database that does not exist. It holds the name
// of the test. The test's end drops it, unless it goes with the server anyway.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	const most = 63 // bytes, by MongoDB's limits
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, t.Name())
	unique := "-" + rand.Text()[:8]
	name = name[:min(len(name), most-len(unique))] + unique
	if !s.foreign {
		return name
	}
	t.Cleanup(func() {
		client, err := mongo.Connect(s.Options().SetTimeout(10 * time.Second))
		if err == nil {
			err = errors.Join(
				client.Database(name).Drop(context.Background()), client.Disconnect(context.Background()))
		}
		if err != nil {
			t.Logf("drop database %s of the test: %v", name, err)
		}
	})
	return name
}

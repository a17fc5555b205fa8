// Package mongotest provides tests with a MongoDB server, with separate
// databases on it, and with a proxy that disturbs connections to it. Only tests
// import it.
//
// The server is the one in TEST_MONGODB_URI. Otherwise it is SecantusDB, which
// tools/mongodb installs and starts. docs/mongodb.md describes what SecantusDB
// cannot show.
//
// The proxy is part of this package. Shopify/toxiproxy would add prometheus,
// gorilla and zerolog to the go.mod of the product, and it cannot apply a fault
// at a chosen command.
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

	// foreign is set for a server that outlives the tests. Then each test drops
	// its database. If the folder of the server is removed with the server,
	// tests do not drop databases, because SecantusDB drops one key at a time,
	// and during that time no client can log in or read.
	foreign bool
}

// shared are the servers for all tests of this process. Each one starts when a
// test first asks for it. There are two servers, because one SecantusDB cannot
// use two processors.
var (
	shared [2]struct {
		sync.Once
		server *Server
		err    error // why the server is not available
	}
	asked atomic.Uint32 // how many times tests have asked for a shared server
)

// Engine returns one of the servers that all tests of this process share. The
// user of [Server.URI] has all permissions on it. Two calls may return
// different servers. If no server is available, Engine skips the test, or fails
// it if CI is "true".
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

// unavailable skips or fails a test that has no server.
func unavailable(t testing.TB, err error) {
	t.Helper()
	const remedy = "set TEST_MONGODB_URI to a MongoDB server and an administrator on it, or install python3 " +
		"(3.11 to 3.13, with venv) so that tools/mongodb/install.sh can install SecantusDB"
	if os.Getenv("CI") == "true" {
		t.Fatalf("no MongoDB server to test against: %v; %s", err, remedy)
	}
	t.Skipf("no MongoDB server to test against: %v; %s", err, remedy)
}

// URI returns the connection string of an administrator, or one without a user
// if the server requires no login.
func (s *Server) URI() string { return s.uri }

// Options returns the driver's options for [Server.URI].
func (s *Server) Options() *options.ClientOptions { return options.Client().ApplyURI(s.uri) }

// Client returns a client that is connected as the user of [Server.URI] until
// the test ends.
func (s *Server) Client(t testing.TB) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(s.Options().SetTimeout(10 * time.Second))
	if err != nil {
		t.Fatalf("connect to the MongoDB server of the tests: %v", err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// Database returns the name of a database that does not exist yet. The name
// contains the name of the test. The database is dropped when the test ends,
// unless it is removed with the server.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	const most = 63 // bytes; a limit of MongoDB
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

package mongo_test

import (
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	storetest.Run(t, func(t *testing.T) backend.Store {
		t.Helper()
		return openStore(t, optionsFor(server.URI(), server.Database(t)))
	})
	storetest.RunReopen(t, func(t *testing.T) func(*testing.T) backend.Store {
		t.Helper()
		o := optionsFor(server.URI(), server.Database(t))
		return func(t *testing.T) backend.Store {
			t.Helper()
			return openStore(t, o)
		}
	})
}

// optionsFor are the options of a server for a database of the tests. The time
// of a call is long: dozens of tests share the engine.
func optionsFor(uri, database string) mongo.Options {
	return mongo.Options{
		URI: backend.NewSecret(uri), Database: database,
		CredentialCollection: "UserCredentials", UserCollection: "UserConfigs", CharacterCollection: "CharacterConfigs",
		Timeout: 20 * time.Second, MaxPoolSize: 2,
	}
}

// openStore opens a store with its indexes. The test may close it; else it is
// closed when the test ends.
func openStore(t testing.TB, o mongo.Options) *mongo.Store {
	t.Helper()
	store, err := mongo.Open(o)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	if warnings, err := store.EnsureIndexes(t.Context()); err != nil || len(warnings) > 0 {
		t.Fatalf("make the indexes: got warnings %q, error %v, want none", warnings, err)
	}
	return store
}

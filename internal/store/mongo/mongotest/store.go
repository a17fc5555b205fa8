package mongotest

import (
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
)

// StoreOptions returns the options for a server and a database of the tests.
// The time limit of a call is long, because all tests share the engine. The
// pool is small, because the engine works best with few connections.
func StoreOptions(uri, database string) mongo.Options {
	return mongo.Options{
		URI: backend.NewSecret(uri), Database: database,
		CredentialCollection: "UserCredentials", UserCollection: "UserConfigs", CharacterCollection: "CharacterConfigs",
		Timeout: time.Minute, MaxPoolSize: 2,
	}
}

// OpenStore opens a store with its indexes. The test may close it; otherwise it
// is closed when the test ends.
func OpenStore(t testing.TB, o mongo.Options) *mongo.Store {
	t.Helper()
	store := OpenBare(t, o)
	if warnings, err := store.EnsureIndexes(t.Context()); err != nil || len(warnings) > 0 {
		t.Fatalf("make the indexes: got warnings %q, error %v, want none", warnings, err)
	}
	return store
}

// OpenBare opens a store and creates no indexes.
func OpenBare(t testing.TB, o mongo.Options) *mongo.Store {
	t.Helper()
	store, err := mongo.Open(o)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Logf("close the store: %v", err)
		}
	})
	return store
}

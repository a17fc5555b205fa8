package sqlite_test

import (
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, 2600, func(t *testing.T) backend.Store {
		t.Helper()
		return openStore(t, t.TempDir())
	})
	t.Run("Import_Rules", func(t *testing.T) {
		t.Parallel()
		storetest.RunImportRules(t, func(t *testing.T) backend.Store {
			t.Helper()
			return openStore(t, t.TempDir())
		})
	})
	storetest.RunReopen(t, func(t *testing.T) func(*testing.T) backend.Store {
		t.Helper()
		dir := t.TempDir()
		return func(t *testing.T) backend.Store {
			t.Helper()
			return openStore(t, dir)
		}
	})
}

// testKeys are the same in every process of a test.
var testKeys = sqlite.Keys(mustParse(strings.Repeat("5a", masterkey.Size)))

func mustParse(text string) masterkey.Ring {
	ring, err := masterkey.Parse(backend.NewSecret(text))
	if err != nil {
		panic(err)
	}
	return ring
}

// openStore opens a store in dir. The test may close it; otherwise it is closed
// when the test ends.
func openStore(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(dir, testKeys)
	if err != nil {
		t.Fatalf("open %s: %v", dir, err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close %s: %v", dir, err)
		}
	})
	return store
}

package sqlite_test

import (
	"fmt"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
)

// BenchmarkOpen opens and closes stores of different sizes. Opening must not
// take longer if there are more users. Each user has a provider key and no
// character.
func BenchmarkOpen(b *testing.B) {
	for _, users := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			dir := b.TempDir()
			fillWithKeys(b, dir, users)
			b.ReportAllocs()
			for b.Loop() {
				store, err := sqlite.Open(dir, testKeys)
				if err != nil {
					b.Fatal(err)
				}
				if err := store.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func fillWithKeys(b *testing.B, dir string, count int) {
	b.Helper()
	store, err := sqlite.Open(dir, testKeys)
	if err != nil {
		b.Fatal(err)
	}
	users := make([]backend.UserData, 0, 1000)
	for i := range count {
		users = append(users, backend.UserData{Config: &backend.UserConfig{
			UserID: fmt.Sprintf("user %07d", i), Timezone: "UTC", Keys: setKey("sk-not-a-real-key").Keys,
		}})
		if len(users) < cap(users) && i < count-1 {
			continue
		}
		if err := store.PutUsers(b.Context(), users); err != nil {
			b.Fatal(err)
		}
		users = users[:0]
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}

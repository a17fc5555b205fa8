package sqlite_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// benchUsers is the number of users in the store of the benchmarks. Each user
// has eight characters of 13 KB.
const benchUsers = 64

func benchStore(b *testing.B) *sqlite.Store {
	b.Helper()
	store := openStore(b, b.TempDir())
	for i := range benchUsers {
		userID := fmt.Sprint(i)
		characters := benchCharacters(userID)
		if err := store.CreateUser(b.Context(), storetest.UserConfig(userID), characters); err != nil {
			b.Fatal(err)
		}
	}
	return store
}

func benchCharacters(userID string) []backend.Character {
	characters := storetest.Characters(userID, 8)
	for n := range characters {
		characters[n].Prompt = strings.Repeat("You keep a lighthouse. ", 550)
	}
	return characters
}

// benchKeys returns the keys of all characters of benchStore. The n-th call of
// a benchmark uses the n-th key, and starts again after the last one.
func benchKeys() (keys []backend.CharacterKey) {
	for n := range 8 {
		for i := range benchUsers {
			keys = append(keys, storetest.Character(fmt.Sprint(i), n).Key())
		}
	}
	return keys
}

// single runs call with 0, 1, 2… from one goroutine; parallel64 does so from
// 64.
func single(b *testing.B, call func(n int64) error) {
	b.Helper()
	b.ReportAllocs()
	for n := int64(0); b.Loop(); n++ {
		if err := call(n); err != nil {
			b.Fatal(err)
		}
	}
}

func parallel64(b *testing.B, call func(n int64) error) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism((64 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(next.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkCharacterDocument(b *testing.B) {
	store, keys := benchStore(b), benchKeys()
	read := func(n int64) error {
		_, err := store.CharacterDocument(context.Background(), keys[n%int64(len(keys))])
		return err
	}
	b.Run("single", func(b *testing.B) { single(b, read) })
	b.Run("parallel64", func(b *testing.B) { parallel64(b, read) })
}

func BenchmarkUserConfig(b *testing.B) {
	store := benchStore(b)
	read := func(n int64) error {
		_, err := store.UserConfig(context.Background(), fmt.Sprint(n%benchUsers))
		return err
	}
	b.Run("single", func(b *testing.B) { single(b, read) })
	b.Run("parallel64", func(b *testing.B) { parallel64(b, read) })
}

func BenchmarkUpdateCharacter(b *testing.B) {
	store, keys := benchStore(b), benchKeys()
	update := func(n int64) error { // different bytes each time, because SQLite does not write unchanged pages
		prompt := strings.Repeat(fmt.Sprintf("You keep lighthouse %6d. ", n), 500)
		return store.UpdateCharacter(context.Background(), keys[n%int64(len(keys))], backend.CharacterPatch{Prompt: &prompt})
	}
	b.Run("single", func(b *testing.B) { single(b, update) })
	b.Run("parallel64", func(b *testing.B) { parallel64(b, update) })
}

func BenchmarkCreateUser(b *testing.B) {
	store := benchStore(b)
	var users atomic.Int64
	create := func(int64) error {
		userID := fmt.Sprintf("new %d", users.Add(1))
		return store.CreateUser(context.Background(), storetest.UserConfig(userID), benchCharacters(userID))
	}
	b.Run("single", func(b *testing.B) { single(b, create) })
	b.Run("parallel64", func(b *testing.B) { parallel64(b, create) })
}

// benchAccounts fills a store with users that are logged in once each, and
// returns their credentials and tokens.
func benchAccounts(b *testing.B, store *sqlite.Store) (credentials []backend.Credential, tokens []backend.Token) {
	b.Helper()
	for i := range benchUsers {
		credential := storetest.Credential(fmt.Sprintf("Renée %d", i), fmt.Sprint(i))
		if err := store.CreateCredential(b.Context(), credential); err != nil {
			b.Fatal(err)
		}
		token := storetest.Token(fmt.Sprint(i), credential.UserID)
		if err := store.CreateToken(b.Context(), token, credential); err != nil {
			b.Fatal(err)
		}
		credentials, tokens = append(credentials, credential), append(tokens, token)
	}
	return credentials, tokens
}

func BenchmarkToken(b *testing.B) {
	store, now := benchStore(b), storetest.TokenTime()
	_, tokens := benchAccounts(b, store)
	read := func(n int64) error {
		_, err := store.Token(context.Background(), tokens[n%benchUsers].Hash, now)
		return err
	}
	b.Run("single", func(b *testing.B) { single(b, read) })
	b.Run("parallel64", func(b *testing.B) { parallel64(b, read) })
}

func BenchmarkCredential(b *testing.B) {
	store := benchStore(b)
	credentials, _ := benchAccounts(b, store)
	read := func(n int64) error {
		_, err := store.Credential(context.Background(), credentials[n%benchUsers].Username)
		return err
	}
	b.Run("single", func(b *testing.B) { single(b, read) })
	b.Run("parallel64", func(b *testing.B) { parallel64(b, read) })
}

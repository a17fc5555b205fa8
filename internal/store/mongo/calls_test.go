package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/storetest"
)

// call is one method of the store with arguments for which it succeeds once,
// after prepare has stored the users of a life. Each life has its own users.
// The parameter who is the name of the life.
type call struct {
	name string
	// do also fails if the method returns a wrong result and no error.
	do func(ctx context.Context, s backend.Store, who string) error
	// stored reports whether the effect of do is in the database. It is nil if
	// do has no effect.
	stored func(t *testing.T, database *driver.Database, who string) bool
}

var errWrongAnswer = errors.New("wrong answer")

// prepare stores the users of a life: ada with two characters, bob with a
// credential and no characters, and eve with only a credential. Bob and eve
// have a token.
func prepare(ctx context.Context, s backend.Store, who string) error {
	ada, bob, eve := who+" ada", who+" bob", who+" eve"
	return errors.Join(
		s.CreateUser(ctx, storetest.UserConfig(ada), storetest.Characters(ada, 2)),
		s.CreateUser(ctx, storetest.UserConfig(bob), nil),
		createAccount(ctx, s, bob),
		createAccount(ctx, s, eve))
}

// createAccount stores a token, and a credential whose name is the user id.
func createAccount(ctx context.Context, s backend.Store, userID string) error {
	credential := storetest.Credential(userID, userID)
	return errors.Join(s.CreateCredential(ctx, credential), s.CreateToken(ctx, tokenOf(userID, "old"), credential))
}

// tokenOf returns one of a user's tokens.
func tokenOf(userID, name string) backend.Token { return storetest.Token(name+" of "+userID, userID) }

// byHash selects a token.
func byHash(suffix, name string) func(who string) bson.D {
	return func(who string) bson.D {
		hash := tokenOf(who+suffix, name).Hash
		return bson.D{{Key: "_id", Value: hash[:]}}
	}
}

var newPassword = backend.NewSecret("new password")

// has returns a check of the number of documents that a filter selects.
func has(collection string, want int64, filter func(who string) bson.D) func(*testing.T, *driver.Database, string) bool {
	return func(t *testing.T, database *driver.Database, who string) bool {
		t.Helper()
		n, err := database.Collection(collection).CountDocuments(t.Context(), filter(who))
		must(t, "count documents", err)
		return n == want
	}
}

func byUser(suffix string, more ...bson.E) func(who string) bson.D {
	return func(who string) bson.D {
		return append(bson.D{{Key: "user_id", Value: who + suffix}}, more...)
	}
}

func adas(who string, n int) backend.CharacterKey { return storetest.Character(who+" ada", n).Key() }

var writes = []call{
	{"CreateUser", func(ctx context.Context, s backend.Store, who string) error {
		return s.CreateUser(ctx, storetest.UserConfig(who+" carol"), storetest.Characters(who+" carol", 2))
	}, has("UserConfigs", 1, byUser(" carol"))},

	{"CreateCredential", func(ctx context.Context, s backend.Store, who string) error {
		return s.CreateCredential(ctx, storetest.Credential(who+" Do\u0308ra", who+" dora")) // not in NFC: queried first
	}, has("UserCredentials", 1, byUser(" dora"))},

	{"SetUpUser", func(ctx context.Context, s backend.Store, who string) error {
		return s.SetUpUser(ctx, storetest.UserConfig(who+" eve"), storetest.Characters(who+" eve", 2))
	}, has("UserConfigs", 1, byUser(" eve"))},

	{"CreateToken", func(ctx context.Context, s backend.Store, who string) error {
		return s.CreateToken(ctx, tokenOf(who+" eve", "new"), storetest.Credential(who+" eve", who+" eve"))
	}, has("web_backend_tokens", 1, byHash(" eve", "new"))},

	{"DeleteToken", func(ctx context.Context, s backend.Store, who string) error {
		return s.DeleteToken(ctx, tokenOf(who+" eve", "old").Hash)
	}, has("web_backend_tokens", 0, byHash(" eve", "old"))},

	{"ReplacePassword, tokens end", func(ctx context.Context, s backend.Store, who string) error {
		return s.ReplacePassword(ctx, storetest.Credential(who+" eve", who+" eve"), newPassword, backend.EndTokens)
	}, has("UserCredentials", 1, byUser(" eve", bson.E{Key: "password", Value: newPassword.Reveal()}))},

	{"ReplacePassword, tokens stay", func(ctx context.Context, s backend.Store, who string) error {
		return s.ReplacePassword(ctx, storetest.Credential(who+" bob", who+" bob"), newPassword, backend.KeepTokens)
	}, has("UserCredentials", 1, byUser(" bob", bson.E{Key: "password", Value: newPassword.Reveal()}))},

	{"SetDisabled", func(ctx context.Context, s backend.Store, who string) error {
		return s.SetDisabled(ctx, who+" eve", true)
	}, has("UserCredentials", 1, byUser(" eve", bson.E{Key: "disabled", Value: true}))},

	{"DeleteUser", func(ctx context.Context, s backend.Store, who string) error {
		return s.DeleteUser(ctx, who+" bob")
	}, has("web_backend_tokens", 0, byUser(" bob"))}, // the tokens are removed last

	{"UpdateUserConfig", func(ctx context.Context, s backend.Store, who string) error {
		zone := "Asia/Tokyo"
		return s.UpdateUserConfig(ctx, who+" ada", backend.UserConfigPatch{Timezone: &zone})
	}, has("UserConfigs", 1, byUser(" ada", bson.E{Key: "timezone", Value: "Asia/Tokyo"}))},

	{"CopyCharacter", func(ctx context.Context, s backend.Store, who string) error {
		return s.CopyCharacter(ctx, adas(who, 0), 0, withID("copy"))
	}, has("CharacterConfigs", 1, byUser(" ada", bson.E{Key: "character_id", Value: "copy"}))},

	{"AddCharacter", func(ctx context.Context, s backend.Store, who string) error {
		return s.AddCharacter(ctx, withID("added")(storetest.Character(who+" ada", 0)), 0)
	}, has("CharacterConfigs", 1, byUser(" ada", bson.E{Key: "character_id", Value: "added"}))},

	{"UpdateCharacter", func(ctx context.Context, s backend.Store, who string) error {
		prompt := "changed"
		return s.UpdateCharacter(ctx, adas(who, 0), backend.CharacterPatch{Prompt: &prompt})
	}, has("CharacterConfigs", 1, byUser(" ada", bson.E{Key: "prompt", Value: "changed"}))},

	{"DeleteCharacter", func(ctx context.Context, s backend.Store, who string) error {
		return s.DeleteCharacter(ctx, adas(who, 1))
	}, has("CharacterConfigs", 0, func(who string) bson.D {
		return byUser(" ada", bson.E{Key: "character_id", Value: adas(who, 1).CharacterID})(who)
	})},
}

var reads = []call{
	{"Users", func(ctx context.Context, s backend.Store, who string) error {
		found := false
		for user, err := range s.Users(ctx, backend.AllUsers) {
			if err != nil {
				return err
			}
			found = found || user == backend.User{UserID: who + " bob", Username: who + " bob"}
		}
		return right(found)
	}, nil},

	{"UserPage by creation", userPage(backend.ByCreation, ""), nil},

	{"UserPage by creation, the second", func(ctx context.Context, s backend.Store, _ string) error {
		page, err := s.UserPage(ctx, backend.ByCreation, "", 1)
		if err == nil {
			_, err = s.UserPage(ctx, backend.ByCreation, page[0].Next, 1)
		}
		return err
	}, nil},

	{"UserPage by name", userPage(backend.ByName, " bob"), nil},

	{"UserPage by id", userPage(backend.ByID, " bob"), nil},

	{"Credential", func(ctx context.Context, s backend.Store, who string) error {
		credential, err := s.Credential(ctx, who+" bob")
		return errors.Join(err, right(err != nil || credential == storetest.Credential(who+" bob", who+" bob")))
	}, nil},

	{"Token", func(ctx context.Context, s backend.Store, who string) error {
		want := tokenOf(who+" bob", "old")
		token, err := s.Token(ctx, want.Hash, storetest.TokenTime())
		return errors.Join(err, right(err != nil || token == want))
	}, nil},

	{"UserConfig", func(ctx context.Context, s backend.Store, who string) error {
		config, err := s.UserConfig(ctx, who+" ada")
		return errors.Join(err, right(err != nil || config.Keys["openai_api_key"].IsSet()))
	}, nil},

	{"CharacterNames", func(ctx context.Context, s backend.Store, who string) error {
		names, err := s.CharacterNames(ctx, who+" ada")
		return errors.Join(err, right(err != nil || len(names) == 2))
	}, nil},

	{"CharacterSummaries", func(ctx context.Context, s backend.Store, who string) error {
		summaries, err := s.CharacterSummaries(ctx, who+" ada")
		return errors.Join(err, right(err != nil || len(summaries) == 2))
	}, nil},

	{"Character", func(ctx context.Context, s backend.Store, who string) error {
		c, err := s.Character(ctx, adas(who, 1))
		return errors.Join(err, right(err != nil || c == storetest.Character(who+" ada", 1)))
	}, nil},

	{"CharacterDocument", func(ctx context.Context, s backend.Store, who string) error {
		document, err := s.CharacterDocument(ctx, adas(who, 1))
		return errors.Join(err, right(err != nil || len(document) > 100))
	}, nil},

	{"Ping", func(ctx context.Context, s backend.Store, _ string) error { return s.Ping(ctx) }, nil},
}

// userPage reads one user; with a suffix, that of a life.
func userPage(order backend.UserOrder, suffix string) func(context.Context, backend.Store, string) error {
	return func(ctx context.Context, s backend.Store, who string) error {
		from := ""
		if suffix != "" {
			from = who + suffix
		}
		if order == backend.ByName {
			from = backend.NameKey(from)
		}
		page, err := s.UserPage(ctx, order, from, 1)
		return errors.Join(err, right(err != nil || len(page) == 1 && (from == "" || page[0].UserID == who+suffix)))
	}
}

// The list that a page of the client starts with needs one command, whatever
// its length is.
func TestCharacterSummaries_OneCommand(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	const count = 300 // more than a first batch of documents
	direct := mongotest.OpenStore(t, o)
	must(t, "create user", direct.CreateUser(t.Context(), storetest.UserConfig("ada"), storetest.Characters("ada", count)))
	proxy := server.Proxy(t)
	o.URI = backend.NewSecret(proxy.Through(server.URI()))
	store := mongotest.OpenBare(t, o)
	must(t, "ping", store.Ping(t.Context()))
	for userID, want := range map[string]int{"ada": count, "nobody": 0} {
		proxy.Strike(mongotest.None, mongotest.BeforeCommand, 0)
		summaries, err := store.CharacterSummaries(t.Context(), userID)
		if err != nil || len(summaries) != want {
			t.Errorf("%s: got %d summaries, error %v, want %d", userID, len(summaries), err, want)
		}
		if commands := proxy.Commands(); len(commands) != 1 || commands[0].Name != "aggregate" {
			t.Errorf("%s: got the commands %v, want one", userID, commands)
		}
	}
}

// An import asks once for the user names of a batch, and a new user with
// everything needs eight commands: the lock, three reads, three inserts and the
// end of the lock.
func TestImport_CommandsOfNewUsers(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	mongotest.OpenStore(t, o) // makes the indexes
	proxy := server.Proxy(t)
	o.URI = backend.NewSecret(proxy.Through(server.URI()))
	store := mongotest.OpenBare(t, o)
	must(t, "ping", store.Ping(t.Context()))
	const count = 4
	proxy.Strike(mongotest.None, mongotest.BeforeCommand, 0)
	report, err := backend.Import(t.Context(), store, func(yield func(backend.UserData, error) bool) {
		for n := range count {
			if !yield(storetest.UserData(fmt.Sprint("user ", n), 8), nil) {
				return
			}
		}
	}, backend.ImportOptions{Secrets: true})
	if err != nil || report.Added != count {
		t.Fatalf("import: got %+v, error %v, want %d users added", report, err, count)
	}
	commands := map[string]int{}
	for _, command := range proxy.Commands() {
		commands[command.Name]++
	}
	// The finds of the whole batch are two readings of three collections, two
	// of the locks, and one of the names.
	want := map[string]int{"find": 9 + 3*count, "findAndModify": count, "insert": 3 * count, "delete": count}
	if !maps.Equal(commands, want) {
		t.Errorf("commands of an import of %d new users: got %v, want %v", count, commands, want)
	}
}

// calls are the reads and then the writes, which change what the reads expect.
var calls = slices.Concat(reads, writes)

func right(response bool) error {
	if response {
		return nil
	}
	return errWrongAnswer
}

// life returns the name of a life.
func life(name string, parts ...any) string { return fmt.Sprint(append([]any{name}, parts...)...) }

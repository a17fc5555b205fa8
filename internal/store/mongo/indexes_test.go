package mongo_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo/mongotest"
)

// wantIndexes are the indexes in addition to those on _id.
var wantIndexes = []string{
	"CharacterConfigs user_id character_id unique",
	"UserConfigs user_id unique",
	"UserCredentials name_claim unique sparse",
	"UserCredentials name_key",
	"UserCredentials user_id unique",
	"UserCredentials username unique",
	"web_backend_locks until expires",
	"web_backend_tokens expires_at expires",
	"web_backend_tokens user_id",
}

// indexesOf describes the indexes of a database.
func indexesOf(t *testing.T, database *driver.Database) []string {
	t.Helper()
	var found []string
	for _, collection := range []string{"UserCredentials", "UserConfigs", "CharacterConfigs", "web_backend_locks", "web_backend_tokens"} {
		specifications, err := database.Collection(collection).Indexes().ListSpecifications(t.Context())
		must(t, "list indexes", err)
		for _, index := range specifications {
			keys, err := index.KeysDocument.Elements()
			must(t, "read index", err)
			if keys[0].Key() == "_id" {
				continue
			}
			text := collection
			for _, key := range keys {
				text += " " + key.Key()
			}
			if index.Unique != nil && *index.Unique {
				text += " unique"
			}
			if index.Sparse != nil && *index.Sparse {
				text += " sparse"
			}
			if index.ExpireAfterSeconds != nil {
				text += " expires"
			}
			found = append(found, text)
		}
	}
	slices.Sort(found)
	return found
}

func TestEnsureIndexes_ManyServersAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	for round := range 2 {
		var all sync.WaitGroup
		for i := range 5 {
			store := mongotest.OpenBare(t, o)
			all.Go(func() {
				if warnings, err := store.EnsureIndexes(t.Context()); err != nil || len(warnings) > 0 {
					t.Errorf("round %d, server %d: got warnings %q, error %v, want none", round, i, warnings, err)
				}
			})
		}
		all.Wait()
		if got := indexesOf(t, server.Client(t).Database(o.Database)); !slices.Equal(got, wantIndexes) {
			t.Errorf("indexes after round %d: got %q, want %q", round, got, wantIndexes)
		}
	}
}

// TestEnsureIndexes_ReportsDuplicates uses documents that violate each unique
// index. The warning names them, nothing is changed, the other indexes are
// created, and the store works.
func TestEnsureIndexes_ReportsDuplicates(t *testing.T) {
	t.Parallel()
	user := func(id, name string) bson.D {
		return bson.D{{Key: "username", Value: name}, {Key: "password", Value: "hush"}, {Key: "user_id", Value: id}}
	}
	key := func(userID, characterID, name string) bson.D {
		return bson.D{{Key: "user_id", Value: userID}, {Key: "character_id", Value: characterID}, {Key: "character_name", Value: name}}
	}
	config := func(id, zone string) bson.D {
		return bson.D{{Key: "user_id", Value: id}, {Key: "openai_api_key", Value: "hush"}, {Key: "timezone", Value: zone}}
	}
	for name, test := range map[string]struct {
		collection string
		documents  []bson.D
		words      []string // parts of the only warning
		missing    string
	}{
		"user name": {"UserCredentials", []bson.D{user("1", "ada"), user("2", "ada"), user("3", "bob")},
			[]string{"UserCredentials", "username", "2 documents", `"ada"`}, "UserCredentials username unique"},
		"credential of a user": {"UserCredentials", []bson.D{user("1", "ada"), user("1", "bob")},
			[]string{"UserCredentials", "user_id", "2 documents", `"1"`}, "UserCredentials user_id unique"},
		"config": {"UserConfigs", []bson.D{config("ada", "UTC"), config("ada", "Asia/Tokyo"), config("ada", "UTC"), config("bob", "UTC")},
			[]string{"UserConfigs", "user_id", "3 documents", `"ada"`}, "UserConfigs user_id unique"},
		"character": {"CharacterConfigs", []bson.D{
			key("a", "1", "x"), key("a", "1", "y"), key("b", "1", "x"), key("b", "1", "x"), key("c", "1", "x"), key("c", "1", "x"),
			key("d", "1", "x"), key("d", "1", "x"), key("e", "1", "x")},
			[]string{"CharacterConfigs", "user_id, character_id", "2 documents", `"a"`, `"b"`, `"c"`}, "CharacterConfigs user_id character_id unique"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mongotest.Engine(t)
			o := mongotest.StoreOptions(server.URI(), server.Database(t))
			database := server.Client(t).Database(o.Database)
			_, err := database.Collection(test.collection).InsertMany(t.Context(), test.documents)
			must(t, "store documents", err)
			before := stored(t, database, test.collection)

			store := mongotest.OpenBare(t, o)
			for range 2 { // the second server also warns
				warnings, err := store.EnsureIndexes(t.Context())
				if err != nil || len(warnings) != 1 {
					t.Fatalf("make the indexes: got warnings %q, error %v, want one warning", warnings, err)
				}
				for _, word := range test.words {
					if !strings.Contains(warnings[0], word) {
						t.Errorf("warning: got %q, want %q in it", warnings[0], word)
					}
				}
				for _, never := range []string{"hush", `"e"`, `"d"`, `"bob"`} { // a secret, and values not to name
					if strings.Contains(warnings[0], never) {
						t.Errorf("warning: got %q, want no %q in it", warnings[0], never)
					}
				}
			}
			if got := stored(t, database, test.collection); !slices.EqualFunc(got, before, func(a, b bson.Raw) bool { return string(a) == string(b) }) {
				t.Errorf("documents: got %s, want them unchanged: %s", got, before)
			}
			want := slices.DeleteFunc(slices.Clone(wantIndexes), func(index string) bool { return index == test.missing })
			if got := indexesOf(t, database); !slices.Equal(got, want) {
				t.Errorf("indexes: got %q, want %q", got, want)
			}
			must(t, "prepare", prepare(t.Context(), store, "new"))
			for _, call := range calls {
				must(t, call.name, call.do(t.Context(), store, "new"))
			}
		})
	}
}

func TestEnsureIndexes_LeavesOtherIndexesAlone(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	database := server.Client(t).Database(o.Database)
	_, err := database.Collection("UserConfigs").Indexes().CreateOne(t.Context(),
		driver.IndexModel{Keys: bson.D{{Key: "user_id", Value: 1}}}) // created by an operator, and not unique
	must(t, "make an index", err)
	warnings, err := mongotest.OpenBare(t, o).EnsureIndexes(t.Context())
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "UserConfigs") {
		t.Errorf("make the indexes: got warnings %q, error %v, want one about UserConfigs", warnings, err)
	}
	want := slices.Clone(wantIndexes)
	want[1] = "UserConfigs user_id"
	if got := indexesOf(t, database); !slices.Equal(got, want) {
		t.Errorf("indexes: got %q, want %q", got, want)
	}
}

// TestQueries_UseAnIndex examines every command that the store sends. It asks
// the server how it finds the fields that have an index. The database engine of
// the tests reports the truth only about these fields; see docs/mongodb.md.
func TestQueries_UseAnIndex(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	o.Timeout = 5 * time.Minute // the crash tests keep the engine busy
	direct, proxy := mongotest.OpenStore(t, o), server.Proxy(t)
	throughProxy := o
	throughProxy.URI = backend.NewSecret(proxy.Through(server.URI()))
	store := mongotest.OpenBare(t, throughProxy)
	database := server.Client(t).Database(o.Database)
	indexed := map[string][][]string{ // in addition to those on _id, by collection
		"UserCredentials": {{"user_id"}, {"username"}, {"name_key"}}, "UserConfigs": {{"user_id"}},
		"CharacterConfigs": {{"user_id", "character_id"}}, "web_backend_tokens": {{"user_id"}},
	}
	for i := range 20 {
		must(t, "prepare", prepare(t.Context(), direct, life("other", i)))
	}
	const who = "this"
	must(t, "prepare", prepare(t.Context(), direct, who))
	for _, call := range calls {
		proxy.Strike(mongotest.None, mongotest.BeforeCommand, 0)
		must(t, call.name, call.do(t.Context(), store, who))
		commands := proxy.Commands()
		if len(commands) == 0 {
			t.Errorf("%s: got no command, want some", call.name)
		}
		for _, command := range commands {
			for _, q := range queriesOf(t, command) {
				what := fmt.Sprintf("%s, %s on %s with filter %s", call.name, command.Name, q.collection, q.filter)
				wantIndex(t, database, what, q, indexed[q.collection])
			}
		}
	}
}

// query is how a command selects documents.
type query struct {
	collection string
	filter     bson.Raw
}

// queriesOf returns the filters in a command.
func queriesOf(t *testing.T, command mongotest.Command) (queries []query) {
	t.Helper()
	collection, _ := command.Body.Lookup(command.Name).StringValueOK()
	switch command.Name {
	case "find":
		return []query{{collection, command.Body.Lookup("filter").Document()}}
	case "findAndModify":
		return []query{{collection, command.Body.Lookup("query").Document()}}
	case "update", "delete":
		for _, document := range command.Documents {
			queries = append(queries, query{collection, document.Lookup("q").Document()})
		}
		if len(queries) == 0 {
			t.Errorf("command %s: got no filter, want one", command.Body)
		}
		return queries
	case "aggregate":
		stages, err := command.Body.Lookup("pipeline").Array().Values()
		must(t, "read pipeline", err)
		first := stages[0].Document()
		if _, err := first.LookupErr("$match", "_id", "$gt"); err == nil {
			first = stages[1].Document() // MongoDB uses the index on _id for a range, but not the engine of the tests
		}
		if match, ok := first.Lookup("$match").DocumentOK(); ok {
			queries = append(queries, query{collection, match})
		} else if sort := first.Lookup("$sort").Document(); sort.Index(0).Key() != "_id" {
			t.Errorf("pipeline on %s: got a sort by %s, want one by _id", collection, sort)
		}
		for _, stage := range stages {
			if lookup, ok := stage.Document().Lookup("$lookup").DocumentOK(); ok {
				from := lookup.Lookup("from").StringValue()
				if pipeline, ok := lookup.Lookup("pipeline").ArrayOK(); ok {
					queries = append(queries, query{from, pipeline.Index(0).Document().Lookup("$match").Document()})
					continue
				}
				filter, err := bson.Marshal(bson.D{{Key: lookup.Lookup("foreignField").StringValue(), Value: "x"}})
				must(t, "encode", err)
				queries = append(queries, query{from, filter})
			}
		}
		return queries
	case "insert", "getMore", "killCursors", "ping":
		return nil
	}
	t.Errorf("command %s: teach this test to read its filter", command.Name)
	return nil
}

// wantIndex checks that a filter has a field of an index, and that the server
// uses that index instead of examining all documents.
func wantIndex(t *testing.T, database *driver.Database, what string, q query, indexed [][]string) {
	t.Helper()
	bare := bson.D{}
	for _, index := range append([][]string{{"_id"}}, indexed...) {
		for _, name := range index {
			if value, err := q.filter.LookupErr(name); err == nil {
				bare = append(bare, bson.E{Key: name, Value: value})
			}
		}
		if len(bare) > 0 {
			break
		}
	}
	if len(bare) == 0 {
		t.Errorf("%s: got no field of an index in it", what)
		return
	}
	var plan bson.Raw
	err := database.RunCommand(t.Context(), bson.D{
		{Key: "explain", Value: bson.D{{Key: "find", Value: q.collection}, {Key: "filter", Value: bare}}},
		{Key: "verbosity", Value: "executionStats"},
	}).Decode(&plan)
	must(t, what+", explain", err)
	winning := plan.Lookup("queryPlanner", "winningPlan").String()
	examined := plan.Lookup("executionStats", "totalDocsExamined").AsInt64()
	const most = 5 // the calls leave each user with at most 5 documents in a collection, which has many more
	if strings.Contains(winning, "COLLSCAN") || examined > most {
		t.Errorf("%s: got %d documents examined by plan %s, want an index", what, examined, winning)
	}
}

// BenchmarkCalls_AmongUsers measures each call with few and with many users. A
// call that examines all users takes much longer with many. The shortest time
// of each call is the one without disturbance.
func BenchmarkCalls_AmongUsers(b *testing.B) {
	server := mongotest.Engine(b)
	for _, users := range []int{50, 3000} {
		b.Run(fmt.Sprintf("%d", users), func(b *testing.B) {
			o := mongotest.StoreOptions(server.URI(), server.Database(b))
			crowd(b, server.Client(b).Database(o.Database), users)
			store := mongotest.OpenStore(b, o)
			shortest := map[string]time.Duration{}
			for round := 0; b.Loop(); round++ {
				who := life("this", round)
				must(b, "prepare", prepare(b.Context(), store, who))
				for _, call := range calls {
					if call.name == "Users" {
						continue // reads all users
					}
					start := time.Now()
					must(b, call.name, call.do(b.Context(), store, who))
					if took := time.Since(start); round == 0 || took < shortest[call.name] {
						shortest[call.name] = took
					}
				}
			}
			for name, took := range shortest {
				b.ReportMetric(float64(took.Microseconds()), strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "-")+"-µs")
			}
		})
	}
}

// crowd stores users, each with a character and a token, in a database without indexes.
func crowd(t testing.TB, database *driver.Database, users int) {
	t.Helper()
	documents := map[string][]bson.D{}
	for i := range users {
		id := life("crowd", i)
		documents["UserCredentials"] = append(documents["UserCredentials"],
			bson.D{{Key: "username", Value: id}, {Key: "user_id", Value: id}})
		documents["UserConfigs"] = append(documents["UserConfigs"], bson.D{{Key: "user_id", Value: id}})
		documents["CharacterConfigs"] = append(documents["CharacterConfigs"],
			bson.D{{Key: "user_id", Value: id}, {Key: "character_id", Value: "1"}})
		token := tokenOf(id, "old")
		documents["web_backend_tokens"] = append(documents["web_backend_tokens"],
			bson.D{{Key: "_id", Value: token.Hash[:]}, {Key: "user_id", Value: id}, {Key: "expires_at", Value: token.ExpiresAt}})
	}
	for collection, list := range documents {
		_, err := database.Collection(collection).InsertMany(t.Context(), list)
		must(t, "store a crowd in "+collection, err)
	}
}

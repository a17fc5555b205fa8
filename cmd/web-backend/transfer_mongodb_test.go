//go:build unix

package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo/mongotest"
)

// slowEngine sets a long timeout for the test engine on a busy machine.
var slowEngine = []string{"MONGODB_TIMEOUT=25s"}

// copyWith runs the copy command and waits until it ends.
func copyWith(t *testing.T, folder string, status int, environment []string, args ...string) *process {
	t.Helper()
	p := startWith(t, folder, append(environment, slowEngine...), append([]string{"copy"}, args...)...)
	<-p.exited
	if got := p.command.ProcessState.ExitCode(); got != status {
		t.Fatalf("copy %q: status %d, want %d: %s", args, got, status, p.stderr.last(2000))
	}
	wantNoMovedSecret(t, "copy", p.stdout.String()+p.stderr.String())
	if strings.Contains(p.stdout.String()+p.stderr.String(), "root:root") {
		t.Errorf("copy %q shows the password of the URI", args)
	}
	return p
}

// databaseURI returns the URI of a database of the server, for a command line.
func databaseURI(t *testing.T, server *mongotest.Server, database string) string {
	t.Helper()
	u, err := url.Parse(server.URI())
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	if query := u.Query(); u.User != nil && query.Get("authSource") == "" {
		query.Set("authSource", "admin")
		u.RawQuery = query.Encode()
	}
	return u.String()
}

// The fields of a character, and the provider keys, that the first generation
// of the original did not write.
var (
	newerFields = []string{"read_only", "voice_speed", "classification_model_override", "conversation_model_override",
		"reaction_model_override", "memory_model_override", "acquaintance_threshold", "friend_threshold", "situationship_threshold",
		"lover_threshold", "neutral_threshold", "happiness_threshold", "sadness_threshold", "fear_threshold", "anger_threshold",
		"disgust_threshold", "surprise_threshold", "shyness_threshold"}
	newerKeys = []string{"xai_api_key", "deepseek_api_key", "minimax_api_key", "sensechat_ak", "sensechat_sk", "elevenlabs_api_key", "timezone"}
)

// originalDocuments returns the documents that the original stores for users,
// by collection. Every third user has the form of the first generation.
func originalDocuments(t *testing.T, users int) map[string][]bson.D {
	t.Helper()
	documents := map[string][]bson.D{}
	add := func(collection string, document bson.D, without []string) {
		document = slices.DeleteFunc(document, func(e bson.E) bool { return slices.Contains(without, e.Key) })
		documents[collection] = append(documents[collection], append(bson.D{{Key: "_id", Value: bson.NewObjectID()}}, document...))
	}
	for n := range users {
		user := movedUser(n, 1+n%4)
		old := n%3 == 0
		if user.Credential != nil {
			add("UserCredentials", bson.D{{Key: "username", Value: user.Credential.Username},
				{Key: "password", Value: fmt.Sprint("plain ", movedPassword, n)}, {Key: "user_id", Value: user.UserID()}}, nil)
		}
		if user.Config == nil {
			continue
		}
		config := bson.D{{Key: "user_id", Value: user.UserID()}}
		for _, name := range backend.ProviderKeys {
			config = append(config, bson.E{Key: name, Value: user.Config.Keys[name].Reveal()})
		}
		config = append(config, bson.E{Key: "timezone", Value: user.Config.Timezone})
		var without, withoutKeys []string
		if old {
			without, withoutKeys = newerFields, newerKeys
		}
		add("UserConfigs", config, withoutKeys)
		for _, character := range user.Characters {
			add("CharacterConfigs", characterDocument(character), without)
		}
	}
	return documents
}

// characterDocument returns a character as a document, with the types and the
// field order of contract §4 and §6.
func characterDocument(character backend.Character) (document bson.D) {
	value := reflect.ValueOf(character)
	for i := range value.NumField() {
		document = append(document, bson.E{Key: value.Type().Field(i).Tag.Get("json"), Value: value.Field(i).Interface()})
	}
	return document
}

// read returns all documents of a database by collection, sorted by user id and
// character id. It leaves out _id and the collections web_backend_*, which
// belong to this server.
func read(t *testing.T, database *mongo.Database) map[string][]bson.D {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	names, err := database.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string][]bson.D{}
	for _, name := range names {
		if strings.HasPrefix(name, "web_backend_") {
			continue
		}
		cursor, err := database.Collection(name).Find(ctx, bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		var all []bson.D
		if err := cursor.All(ctx, &all); err != nil {
			t.Fatal(err)
		}
		for _, document := range all {
			documents[name] = append(documents[name], slices.DeleteFunc(document, func(e bson.E) bool { return e.Key == "_id" }))
		}
		slices.SortFunc(documents[name], func(a, b bson.D) int { return cmp.Compare(documentKey(a), documentKey(b)) })
	}
	return documents
}

func documentKey(document bson.D) string {
	return fmt.Sprint(valueOf(document, "user_id"), "/", valueOf(document, "character_id"))
}

func valueOf(document bson.D, key string) any {
	for _, e := range document {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// completed returns a document of the original in the order of the contract.
// Missing fields get the defaults of contract §4 and §5, and the fields that
// this server adds are included.
func completed(collection string, document bson.D) (whole bson.D, missing int) {
	var full bson.D
	switch collection {
	case "CharacterConfigs":
		full = characterDocument(backend.NewCharacter())
	case "UserConfigs":
		full = bson.D{{Key: "user_id", Value: ""}}
		for _, name := range backend.ProviderKeys {
			full = append(full, bson.E{Key: name, Value: ""})
		}
		full = append(full, bson.E{Key: "timezone", Value: backend.DefaultTimezone})
	case "UserCredentials": // this server adds the key by which names are compared
		return append(slices.Clone(document), bson.E{Key: "name_key", Value: backend.NameKey(valueOf(document, "username").(string))}), 0
	default:
		return document, 0
	}
	for i := range full {
		if value := valueOf(document, full[i].Key); value != nil {
			full[i].Value = value
		} else {
			missing++
		}
	}
	return full, missing
}

// traces returns what a program would leave in a database in addition to
// documents.
func traces(t *testing.T, database *mongo.Database) string {
	t.Helper()
	names, err := database.ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	text := ""
	for _, name := range names {
		indexes, err := database.Collection(name).Indexes().ListSpecifications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintln(name, len(indexes))
	}
	return text
}

// The database of the original is moved to the embedded store, and then to
// another database. Every document is unchanged, and so is the source.
func TestTransfer_MongoDBThereAndBack(t *testing.T) {
	t.Parallel()
	const users = 60
	server := mongotest.Engine(t)
	client := server.Client(t)
	from, to := server.Database(t), server.Database(t)
	folder := t.TempDir()
	original := originalDocuments(t, users)
	for name, documents := range original {
		if _, err := client.Database(from).Collection(name).InsertMany(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
	}
	before := traces(t, client.Database(from))

	// The URI of the source has a password, so it comes from a file. It is the
	// configured store, and therefore the place that the command line omits.
	source := []string{"MONGODB_URI=" + databaseURI(t, server, ""), "MONGODB_DATABASE=" + from}
	wantNote := fmt.Sprintf("%d provider keys and %d passwords stayed behind", keysOf(original), len(original["UserCredentials"]))
	if got := copyWith(t, folder, 0, source, "--to", "without").stdout.String(); !strings.Contains(got, wantNote) {
		t.Errorf("without secrets it prints %q, which lacks %q", got, wantNote)
	}
	there := resultOf(t, copyWith(t, folder, 0, source, "--to", "data", "--with-secrets", "--verify", "--json"))
	back := resultOf(t, copyWith(t, folder, 0, nil, "--from", "data", "--to", databaseURI(t, server, to), "--with-secrets", "--verify", "--json"))
	again := resultOf(t, copyWith(t, folder, 0, nil, "--from", "data", "--to", databaseURI(t, server, to), "--with-secrets", "--verify", "--json"))
	for name, got := range map[string]moved{"there": there, "back": back, "again": again} {
		if got.Users != users || got.Added+got.Unchanged != users || got.Differences == nil || got.Differences.Different != 0 ||
			got.Differences.Characters != int64(len(original["CharacterConfigs"])) || (got.Added > 0) == (name == "again") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if after := traces(t, client.Database(from)); after != before {
		t.Errorf("the source has now\n%sand had\n%s", after, before)
	}

	compared, missing, different := 0, 0, 0
	sources, targets := read(t, client.Database(from)), read(t, client.Database(to))
	for name := range original {
		if len(sources[name]) != len(targets[name]) || len(sources[name]) != len(original[name]) {
			t.Fatalf("%s: %d documents, of %d, of %d", name, len(targets[name]), len(sources[name]), len(original[name]))
		}
		for i, document := range sources[name] {
			want, lacked := completed(name, document)
			compared, missing = compared+1, missing+lacked
			if !reflect.DeepEqual(targets[name][i], want) {
				if different++; different < 5 {
					t.Errorf("%s: got\n%v\nwant\n%v", name, targets[name][i], want)
				}
			}
		}
	}
	t.Logf("%d documents compared field by field: %d differ; %d fields that the original lacked have their defaults", compared, different, missing)
	if missing == 0 || different > 0 {
		t.Errorf("%d documents differ, %d fields were missing", different, missing)
	}
	logInBoth(t, folder, server, to)
}

// keysOf counts the provider keys that are set.
func keysOf(documents map[string][]bson.D) (count int) {
	for _, config := range documents["UserConfigs"] {
		for _, name := range backend.ProviderKeys {
			if value := valueOf(config, name); value != nil && value != "" {
				count++
			}
		}
	}
	return count
}

// logInBoth checks that a login with a plain password of the original still
// works.
func logInBoth(t *testing.T, folder string, server *mongotest.Server, database string) {
	t.Helper()
	login := fmt.Sprintf(`{"username": "name user-000001", "password": "plain %s1"}`, movedPassword)
	for _, environment := range [][]string{nil, {"MONGODB_URI=" + databaseURI(t, server, ""), "MONGODB_DATABASE=" + database}} {
		p := serveWith(t, folder, append(append(environment, slowEngine...), manyTries...), "--data-dir", filepath.Join(folder, "data"))
		if got := p.must(t, "/api/v1/authenticate_user", login); !strings.Contains(got, `"auth_code":200`) {
			t.Errorf("login: %s", got)
		}
		if got := p.must(t, "/api/v1/get_available_llm/user-000001", ""); !strings.Contains(got, `"openai"`) {
			t.Errorf("provider keys: %s", got)
		}
		p.stop(t)
	}
}

// Copy one database to another, and then use the same place as source and
// target.
func TestTransfer_BetweenDatabases(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	from, to := server.Database(t), server.Database(t)
	folder := t.TempDir()
	fillFolder(t, filepath.Join(folder, "data"), 10, 1)
	copyWith(t, folder, 0, nil, "--to", databaseURI(t, server, from), "--with-secrets")
	got := resultOf(t, copyWith(t, folder, 0, nil, "--from", databaseURI(t, server, from), "--to", databaseURI(t, server, to), "--with-secrets", "--verify", "--json"))
	if got.Added != 10 || got.Differences == nil || got.Differences.Different != 0 {
		t.Errorf("got %+v", got)
	}
	p := copyWith(t, folder, 1, nil, "--from", databaseURI(t, server, from), "--to", databaseURI(t, server, from))
	if !strings.Contains(p.stderr.String(), "are the same store") {
		t.Errorf("the same place: %s", p.stderr)
	}
}

package mongo_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/storetest"
)

// The fields of the documents of contract §6. If a field is renamed, moved or
// stored with another type, the orchestrator and the original stop working.
const (
	credentialFields = "_id:objectID username:string password:string user_id:string name_key:string"
	registeredFields = credentialFields + " name_claim:string"

	configFields = "_id:objectID user_id:string " +
		"openai_api_key:string xai_api_key:string anthropic_api_key:string gemini_api_key:string " +
		"deepseek_api_key:string minimax_api_key:string sensenova_api_key:string sensenova_ak:string " +
		"sensenova_sk:string sensechat_ak:string sensechat_sk:string softsugar_app_id:string " +
		"softsugar_app_key:string huoshan_app_id:string huoshan_token:string sense_tts_api_key:string " +
		"nova_tts_api_key:string elevenlabs_api_key:string timezone:string"
)

var characterFields = typedCharacterFields()

// typedCharacterFields returns the fields of a stored character with their
// types. That the fields are those of contract §4 is checked by the golden
// OpenAPI document.
func typedCharacterFields() string {
	types := map[reflect.Kind]bson.Type{
		reflect.String: bson.TypeString, reflect.Bool: bson.TypeBoolean, reflect.Float64: bson.TypeDouble, reflect.Int32: bson.TypeInt32,
	}
	fields := []string{"_id:objectID"}
	for _, field := range backend.CharacterFields() {
		fields = append(fields, field.Name+":"+typeName(types[field.Kind]))
	}
	return strings.Join(fields, " ")
}

func typeName(t bson.Type) string { return strings.ReplaceAll(t.String(), " ", "_") }

// fieldsOf describes the fields of a document with their types, in their order.
func fieldsOf(t *testing.T, document bson.Raw) string {
	t.Helper()
	elements, err := document.Elements()
	if err != nil {
		t.Fatalf("read a stored document: %v", err)
	}
	fields := make([]string, len(elements))
	for i, element := range elements {
		fields[i] = element.Key() + ":" + typeName(element.Value().Type)
	}
	return strings.Join(fields, " ")
}

// stored returns the documents of a collection, in creation order.
func stored(t *testing.T, database *driver.Database, collection string) []bson.Raw {
	t.Helper()
	cursor, err := database.Collection(collection).Find(t.Context(), bson.D{},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	var documents []bson.Raw
	if err == nil {
		err = cursor.All(t.Context(), &documents)
	}
	if err != nil {
		t.Fatalf("read collection %s: %v", collection, err)
	}
	return documents
}

// must ends the test unless err is nil.
func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: got error %v, want none", what, err)
	}
}

func withID(id string) func(backend.Character) backend.Character {
	return func(c backend.Character) backend.Character {
		c.CharacterID = id
		return c
	}
}

// everyPatch returns patches that change one field each. Together they change
// every field that can change.
func everyPatch() []backend.CharacterPatch {
	text, speed, yes := "changed", 2.0, true // a double without a fraction stays a double
	return []backend.CharacterPatch{
		{CharacterName: &text}, {Avatar: &text}, {SceneName: &text}, {Prompt: &text}, {ASRAdapter: &text},
		{TTSAdapter: &text, Voice: &text, VoiceSpeed: &speed},
		{ClassificationAdapter: &text, ClassificationModelOverride: &text},
		{ConversationAdapter: &text, ConversationModelOverride: &text},
		{ReactionAdapter: &text, ReactionModelOverride: &text},
		{MemoryAdapter: &text, MemoryModelOverride: &text},
		{ReadOnly: &yes},
	}
}

func TestDocuments_AreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	store, database := mongotest.OpenStore(t, o), server.Client(t).Database(o.Database)

	want := func(after string) {
		t.Helper()
		for collection, fields := range map[string]string{
			"UserCredentials": registeredFields, "UserConfigs": configFields, "CharacterConfigs": characterFields,
		} {
			documents := stored(t, database, collection)
			if len(documents) == 0 {
				t.Errorf("%s, collection %s: got no document, want some", after, collection)
			}
			for _, document := range documents {
				if got := fieldsOf(t, document); got != fields {
					t.Errorf("%s, a document of %s:\n got %s\nwant %s", after, collection, got, fields)
				}
			}
		}
	}
	characters := storetest.Characters("ada", 2)
	must(t, "create user", store.CreateUser(t.Context(), storetest.UserConfig("ada"), characters))
	must(t, "create user", store.CreateUser(t.Context(), backend.UserConfig{UserID: "bob", Timezone: "UTC"}, nil))
	must(t, "create credential", store.CreateCredential(t.Context(), storetest.Credential("Ada L.", "ada")))
	want("after creation")
	must(t, "copy", store.CopyCharacter(t.Context(), characters[0].Key(), 0, withID("copy")))
	want("after a copy")
	for _, patch := range everyPatch() {
		must(t, "update", store.UpdateCharacter(t.Context(), characters[0].Key(), patch))
	}
	zone, keys := "Asia/Tokyo", map[string]backend.Secret{}
	for _, name := range backend.ProviderKeys {
		keys[name] = backend.NewSecret("new " + name)
	}
	must(t, "update config", store.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Timezone: &zone, Keys: keys}))
	want("after every update")

	config := stored(t, database, "UserConfigs")[0]
	for _, name := range backend.ProviderKeys {
		if got := config.Lookup(name).StringValue(); got != "new "+name {
			t.Errorf("stored key %s: got %q, want %q", name, got, "new "+name)
		}
	}
	for _, c := range stored(t, database, "CharacterConfigs") {
		key := backend.CharacterKey{UserID: "ada", CharacterID: c.Lookup("character_id").StringValue()}
		document, err := store.CharacterDocument(t.Context(), key)
		must(t, "read document", err)
		id := c.Lookup("_id").ObjectID()
		for _, secret := range [][]byte{[]byte(`"_id"`), []byte(id.Hex()), id[:]} {
			if bytes.Contains(document, secret) {
				t.Errorf("document of a character: got %s, want no trace of its _id %s", document, id.Hex())
			}
		}
	}
}

// loadFixture stores a database of the original. The fixture is extended JSON
// with a list of documents for each collection.
func loadFixture(t *testing.T, database *driver.Database, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	must(t, "read fixture", err)
	var collections map[string][]bson.D
	must(t, "parse fixture "+name, bson.UnmarshalExtJSON(text, true, &collections))
	for collection, documents := range collections {
		_, err := database.Collection(collection).InsertMany(t.Context(), documents)
		must(t, "store fixture "+name, err)
	}
}

const oldUser = "0b6d1c1e-52c5-4c52-8f8e-0d9f4c3a7e11"

var oldKey = backend.CharacterKey{UserID: oldUser, CharacterID: "5f0c9a52-7a0e-4a35-9a5e-1c2d3e4f5a6b"}

// oldCharacter returns the character of the fixture "complete".
func oldCharacter() backend.Character {
	return backend.Character{
		UserID: oldKey.UserID, CharacterID: oldKey.CharacterID, CharacterName: "凌星",
		CreateDatatime: "2025-09-26 14:49:13,123", SceneName: "vast", TTSAdapter: "huoshan", Voice: "zh_female",
		VoiceSpeed: 1.25, Avatar: "KQ-default", ASRAdapter: "openai_realtime",
		ClassificationAdapter: "openai_classification", ClassificationModelOverride: "gpt-4.1-nano",
		ConversationAdapter: "openai_agent", ConversationModelOverride: "gpt-4.1",
		Prompt:          "You keep a lighthouse.\n你是守灯人。🫖",
		ReactionAdapter: "openai_reaction", ReactionModelOverride: "gpt-4.1-mini",
		MemoryAdapter: "sensenova_memory", MemoryModelOverride: "SenseNova",
		AcquaintanceThreshold: 6, FriendThreshold: 12, SituationshipThreshold: 18, LoverThreshold: 24,
		NeutralThreshold: 55, HappinessThreshold: 21, SadnessThreshold: 22, FearThreshold: 23, AngerThreshold: 25,
		DisgustThreshold: 26, SurpriseThreshold: 27, ShynessThreshold: 28,
	}
}

func oldConfig() backend.UserConfig {
	return backend.UserConfig{UserID: oldUser, Timezone: "Europe/Berlin", Keys: map[string]backend.Secret{
		"openai_api_key": backend.NewSecret("sk-proj-of-old"),
		"huoshan_app_id": backend.NewSecret("7046529182"), "huoshan_token": backend.NewSecret("hs-of-old"),
	}}
}

var fixtures = []struct {
	name string
	edit func(character *backend.Character, config *backend.UserConfig) // the differences from "complete"
}{
	{"complete", func(*backend.Character, *backend.UserConfig) {}},
	{"first-generation", func(c *backend.Character, config *backend.UserConfig) {
		config.Timezone = "Asia/Shanghai"
		c.VoiceSpeed = 1
		c.ClassificationModelOverride, c.ConversationModelOverride = "", ""
		c.ReactionModelOverride, c.MemoryModelOverride = "", ""
		c.AcquaintanceThreshold, c.FriendThreshold, c.SituationshipThreshold, c.LoverThreshold = 5, 10, 15, 20
		c.NeutralThreshold, c.HappinessThreshold, c.SadnessThreshold, c.FearThreshold = 50, 20, 20, 20
		c.AngerThreshold, c.DisgustThreshold, c.SurpriseThreshold, c.ShynessThreshold = 20, 20, 20, 20
	}},
	{"other-numbers", func(c *backend.Character, _ *backend.UserConfig) { c.VoiceSpeed = 2 }},
	{"nulls", func(c *backend.Character, config *backend.UserConfig) {
		config.Timezone = "Asia/Shanghai"
		delete(config.Keys, "openai_api_key")
		c.CharacterName, c.Prompt, c.Voice, c.ClassificationModelOverride, c.VoiceSpeed = "", "", "", "", 1
		c.FriendThreshold, c.LoverThreshold, c.FearThreshold = 10, 20, 20 // the last one is not a number
	}},
	{"extra-fields", func(*backend.Character, *backend.UserConfig) {}},
}

// TestFixtures_Load reads databases of the original and changes them.
func TestFixtures_Load(t *testing.T) {
	t.Parallel()
	for _, fixture := range fixtures {
		t.Run(fixture.name, func(t *testing.T) {
			t.Parallel()
			server := mongotest.Engine(t)
			o := mongotest.StoreOptions(server.URI(), server.Database(t))
			loadFixture(t, server.Client(t).Database(o.Database), fixture.name)
			store := mongotest.OpenStore(t, o)
			character, config := oldCharacter(), oldConfig()
			fixture.edit(&character, &config)

			wantOld(t, store, character, config)
			var users []backend.User
			for user, err := range store.Users(t.Context(), backend.AllUsers) {
				must(t, "list users", err)
				users = append(users, user)
			}
			if want := []backend.User{{UserID: oldUser, Username: "Ada L."}}; !slices.Equal(users, want) {
				t.Errorf("users: got %v, want %v", users, want)
			}
			for _, taken := range []backend.Credential{storetest.Credential("Ada L.", "x"), storetest.Credential("x", oldUser)} {
				if err := store.CreateCredential(t.Context(), taken); backend.KindOf(err) != backend.Exists {
					t.Errorf("create credential %q of %q: got error %v, want %q", taken.Username, taken.UserID, err, backend.Exists)
				}
			}

			old := backend.Credential{Username: "Ada L.", Password: backend.NewSecret("correct horse"), UserID: oldUser}
			if got, err := store.Credential(t.Context(), "Ada L."); err != nil || got != old {
				t.Errorf("credential: got %+v, error %v, want %+v", got, err, old)
			}
			must(t, "create token", store.CreateToken(t.Context(), tokenOf(oldUser, "old"), old))
			must(t, "replace password", store.ReplacePassword(t.Context(), old, newPassword, backend.KeepTokens))

			must(t, "copy", store.CopyCharacter(t.Context(), oldKey, 0, withID("copy")))
			for _, patch := range everyPatch() {
				must(t, "update", store.UpdateCharacter(t.Context(), oldKey, patch))
				patch.Apply(&character)
			}
			patch := backend.UserConfigPatch{Keys: map[string]backend.Secret{"xai_api_key": backend.NewSecret("xai-1")}}
			must(t, "update config", store.UpdateUserConfig(t.Context(), oldUser, patch))
			patch.Apply(&config)
			wantOld(t, store, character, config)
			must(t, "delete user", store.DeleteUser(t.Context(), oldUser))
			for _, collection := range []string{"UserCredentials", "UserConfigs", "CharacterConfigs", "web_backend_tokens"} {
				if left := stored(t, server.Client(t).Database(o.Database), collection); len(left) > 0 {
					t.Errorf("collection %s after the deletion: got %s, want nothing", collection, left)
				}
			}
		})
	}
}

func wantOld(t *testing.T, store *mongo.Store, character backend.Character, config backend.UserConfig) {
	t.Helper()
	if got, err := store.Character(t.Context(), oldKey); err != nil || got != character {
		t.Errorf("character:\n got %+v, error %v\nwant %+v", got, err, character)
	}
	want, err := backend.EncodeCharacter(character)
	must(t, "encode", err)
	if got, err := store.CharacterDocument(t.Context(), oldKey); err != nil || !bytes.Equal(got, want) {
		t.Errorf("document:\n got %s, error %v\nwant %s", got, err, want)
	}
	names, err := store.CharacterNames(t.Context(), oldUser)
	if err != nil || len(names) == 0 || names[0] != (backend.CharacterName{CharacterID: oldKey.CharacterID, CharacterName: character.CharacterName}) {
		t.Errorf("characters: got %v, error %v, want the old one first", names, err)
	}
	got, err := store.UserConfig(t.Context(), oldUser)
	if err != nil || got.UserID != config.UserID || got.Timezone != config.Timezone || len(got.Keys) != len(config.Keys) {
		t.Errorf("config: got %+v with %d keys, error %v, want %+v with %d keys", got, len(got.Keys), err, config, len(config.Keys))
	}
	for name, key := range config.Keys {
		if got.Keys[name].Reveal() != key.Reveal() {
			t.Errorf("key %s: got %q, want %q", name, got.Keys[name].Reveal(), key.Reveal())
		}
	}
}

// TestFixtures_ExtraFieldsSurvive changes a user of the fixture in every
// possible way. It checks that data which the changes do not concern stays the
// same byte for byte.
func TestFixtures_ExtraFieldsSurvive(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	database := server.Client(t).Database(o.Database)
	loadFixture(t, database, "extra-fields")
	store := mongotest.OpenStore(t, o)

	ours := strings.Fields(credentialFields + " " + configFields + " " + characterFields)
	extra := func(collection string) string {
		t.Helper()
		elements, err := stored(t, database, collection)[0].Elements()
		must(t, "read a stored document", err)
		var found []string
		for _, element := range elements {
			ourOwn := slices.ContainsFunc(ours, func(field string) bool { return strings.HasPrefix(field, element.Key()+":") })
			if !ourOwn || element.Key() == "_id" {
				found = append(found, fmt.Sprintf("%s=%x %x", element.Key(), element.Value().Type, element.Value().Value))
			}
		}
		return strings.Join(found, "\n")
	}
	credentials, configs, characters := extra("UserCredentials"), extra("UserConfigs"), extra("CharacterConfigs")
	if strings.Count(configs, "\n") != 6 || strings.Count(characters, "\n") != 6 {
		t.Fatalf("extra fields of the fixture: got\n%s\nand\n%s\nwant six beside _id in each", configs, characters)
	}
	old := backend.Credential{Username: "Ada L.", Password: backend.NewSecret("correct horse"), UserID: oldUser}
	must(t, "replace password", store.ReplacePassword(t.Context(), old, newPassword, backend.EndTokens))
	if got := extra("UserCredentials"); got != credentials || !strings.Contains(credentials, "email=") {
		t.Errorf("extra fields of the credential after its update:\n got %s\nwant %s, with an email", got, credentials)
	}
	for i, patch := range everyPatch() {
		must(t, "update", store.UpdateCharacter(t.Context(), oldKey, patch))
		if got := extra("CharacterConfigs"); got != characters {
			t.Errorf("extra fields of the character after update %d:\n got %s\nwant %s", i, got, characters)
		}
	}
	zone := "Asia/Tokyo"
	for _, patch := range []backend.UserConfigPatch{
		{Timezone: &zone}, {Keys: map[string]backend.Secret{"xai_api_key": backend.NewSecret("xai-1"), "openai_api_key": {}}},
	} {
		must(t, "update config", store.UpdateUserConfig(t.Context(), oldUser, patch))
		if got := extra("UserConfigs"); got != configs {
			t.Errorf("extra fields of the config after an update:\n got %s\nwant %s", got, configs)
		}
	}
}

// appUser creates a user with role readWrite on a database and returns its
// connection string.
func appUser(t *testing.T, server *mongotest.Server, database string) string {
	t.Helper()
	admin := server.Client(t).Database("admin")
	must(t, "create the application user", admin.RunCommand(t.Context(), bson.D{
		{Key: "createUser", Value: database}, {Key: "pwd", Value: "hush"},
		{Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: "readWrite"}, {Key: "db", Value: database}}}},
	}).Err())
	t.Cleanup(func() {
		_ = admin.RunCommand(context.Background(), bson.D{{Key: "dropUser", Value: database}}).Err()
	})
	return fmt.Sprintf("mongodb://%s:hush@%s/?authSource=admin", database, strings.Join(server.Options().Hosts, ","))
}

// TestOrchestrator_ReadsWhatIsStored calls every operation of the store as the
// application user. It reads the results in the way of the orchestrator: with
// plain finds and a projection of the fields that it needs.
func TestOrchestrator_ReadsWhatIsStored(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	name := server.Database(t)
	uri := appUser(t, server, name)
	store := mongotest.OpenStore(t, mongotest.StoreOptions(uri, name))
	characters := storetest.Characters("ada", 2)
	must(t, "create user", store.CreateUser(t.Context(), storetest.UserConfig("ada"), characters))
	must(t, "create credential", store.CreateCredential(t.Context(), storetest.Credential("Ada", "ada")))
	must(t, "copy", store.CopyCharacter(t.Context(), characters[0].Key(), 0, withID("copy")))
	speed, key := 2.0, backend.NewSecret("sk-new")
	must(t, "update", store.UpdateCharacter(t.Context(), backend.CharacterKey{UserID: "ada", CharacterID: "copy"},
		backend.CharacterPatch{VoiceSpeed: &speed}))
	must(t, "update config", store.UpdateUserConfig(t.Context(), "ada",
		backend.UserConfigPatch{Keys: map[string]backend.Secret{"openai_api_key": key}}))
	must(t, "create a user to delete", store.CreateUser(t.Context(), storetest.UserConfig("bob"), nil))
	must(t, "delete user", store.DeleteUser(t.Context(), "bob"))

	client, err := driver.Connect(options.Client().ApplyURI(uri))
	must(t, "connect as the orchestrator", err)
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	read := func(collection string, filter bson.D, fields string) bson.Raw {
		t.Helper()
		projection := bson.D{{Key: "_id", Value: 0}}
		for field := range strings.FieldsSeq(fields) {
			projection = append(projection, bson.E{Key: field, Value: 1})
		}
		document, err := client.Database(name).Collection(collection).
			FindOne(t.Context(), filter, options.FindOne().SetProjection(projection)).Raw()
		must(t, "read "+collection, err)
		return document
	}
	names := func(fields string) string { // without types and fields that the orchestrator does not request
		var names []string
		for _, field := range strings.Fields(fields)[1:] {
			name, _, _ := strings.Cut(field, ":")
			names = append(names, name)
		}
		return strings.Join(names, " ")
	}

	config := read("UserConfigs", bson.D{{Key: "user_id", Value: "ada"}}, names(configFields))
	if got, want := fieldsOf(t, config), strings.TrimPrefix(configFields, "_id:objectID "); got != want {
		t.Errorf("user config:\n got %s\nwant %s", got, want)
	}
	if got := config.Lookup("openai_api_key").StringValue(); got != key.Reveal() {
		t.Errorf("a provider key: got %q, want %q", got, key.Reveal())
	}
	for _, id := range []string{characters[0].CharacterID, characters[1].CharacterID, "copy"} {
		byKey := bson.D{{Key: "user_id", Value: "ada"}, {Key: "character_id", Value: id}}
		whole := read("CharacterConfigs", byKey, names(characterFields))
		if got, want := fieldsOf(t, whole), strings.TrimPrefix(characterFields, "_id:objectID "); got != want {
			t.Errorf("character %s:\n got %s\nwant %s", id, got, want)
		}
		voice := read("CharacterConfigs", byKey, "tts_adapter voice voice_speed")
		if got, want := fieldsOf(t, voice), "tts_adapter:string voice:string voice_speed:double"; got != want {
			t.Errorf("voice of character %s: got %s, want %s", id, got, want)
		}
	}
}

// TestCopyCharacter_GoesLastBehindAFastClock uses a character from a server
// whose clock is hours ahead. Copies on other servers must still come after it,
// and after each other.
func TestCopyCharacter_GoesLastBehindAFastClock(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	store, database := mongotest.OpenStore(t, o), server.Client(t).Database(o.Database)
	first := storetest.Character("ada", 0)
	must(t, "create user", store.CreateUser(t.Context(), storetest.UserConfig("ada"), []backend.Character{first}))
	ahead := bson.NewObjectIDFromTimestamp(time.Now().Add(5 * time.Hour))
	_, err := database.Collection("CharacterConfigs").InsertOne(t.Context(), bson.D{
		{Key: "_id", Value: ahead}, {Key: "user_id", Value: "ada"}, {Key: "character_id", Value: "ahead"}})
	must(t, "store a character", err)

	want := []string{first.CharacterID, "ahead"}
	for i := range 3 {
		id := life("copy ", i)
		must(t, "copy", store.CopyCharacter(t.Context(), first.Key(), 0, withID(id)))
		want = append(want, id)
	}
	var got []string
	names, err := store.CharacterNames(t.Context(), "ada")
	must(t, "list characters", err)
	for _, name := range names {
		got = append(got, name.CharacterID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("characters: got %q, want %q", got, want)
	}
}

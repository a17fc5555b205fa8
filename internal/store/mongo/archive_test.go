package mongo_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/storetest"
)

// TestPutUsers_DocumentsAreThoseOfTheContract puts new users, then replaces
// them, and checks every document.
func TestPutUsers_DocumentsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	store, database := mongotest.OpenStore(t, o), server.Client(t).Database(o.Database)
	users := []backend.UserData{storetest.UserData("ada", 3), storetest.UserData("bob", 1), storetest.UserData("carol", 0)}
	ids := func(collection string) (found []any) {
		t.Helper()
		for _, document := range stored(t, database, collection) {
			found = append(found, document.Lookup("_id").ObjectID())
		}
		return found
	}
	var credentials, configs []any
	for round := range 3 {
		must(t, "put", store.PutUsers(t.Context(), users))
		for collection, fields := range map[string]string{
			"UserCredentials": credentialFields, "UserConfigs": configFields, "CharacterConfigs": characterFields,
		} {
			for _, document := range stored(t, database, collection) {
				if got := fieldsOf(t, document); got != fields {
					t.Errorf("round %d, a document of %s:\n got %s\nwant %s", round, collection, got, fields)
				}
			}
		}
		if round == 0 {
			credentials, configs = ids("UserCredentials"), ids("UserConfigs")
		}
		for collection, want := range map[string][]any{"UserCredentials": credentials, "UserConfigs": configs} {
			got := ids(collection)
			for i := range want {
				if len(got) != len(want) || got[i] != want[i] {
					t.Fatalf("round %d, _ids of %s: got %v, want %v as at first", round, collection, got, want)
				}
			}
		}
		for i := range users { // the next rounds replace users, once with other characters
			users[i].Credential.Password = backend.NewSecret("another")
			users[i].Config.Timezone = "Asia/Tokyo"
			if round == 1 {
				users[i].Characters = storetest.Characters(users[i].UserID(), 2)
			}
		}
	}
	if locks := stored(t, database, "web_backend_locks"); len(locks) > 0 {
		t.Errorf("locks that are left: got %v, want none", locks)
	}
}

// TestArchive_OfTheOriginal exports databases of the original, puts the result
// in place of the originals, and exports the same again.
func TestArchive_OfTheOriginal(t *testing.T) {
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
			export := func() string {
				t.Helper()
				text := ""
				for user, err := range store.ExportUsers(t.Context()) {
					must(t, "export", err)
					text += storetest.DescribeUser(user) + "\n"
				}
				return text
			}
			want := storetest.DescribeUser(backend.UserData{
				Credential: &backend.Credential{Username: "Ada L.", Password: backend.NewSecret("correct horse"), UserID: oldUser},
				Config:     &config, Characters: []backend.Character{character},
			}) + "\n"
			if got := export(); got != want {
				t.Fatalf("export:\n got %s\nwant %s", got, want)
			}
			users, err := store.UserData(t.Context(), []string{oldUser})
			must(t, "read user", err)
			must(t, "put", store.PutUsers(t.Context(), users))
			if got := export(); got != want {
				t.Errorf("export after a put:\n got %s\nwant %s", got, want)
			}
		})
	}
}

// TestArchive_LeavesOrphansOut uses characters of users without a config.
func TestArchive_LeavesOrphansOut(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	store, database := mongotest.OpenStore(t, o), server.Client(t).Database(o.Database)
	ada, carol := storetest.UserData("ada", 2), storetest.UserData("carol", 4)
	carol.Config, carol.Characters = nil, nil
	must(t, "put", store.PutUsers(t.Context(), []backend.UserData{ada, carol}))
	for _, userID := range []string{"nobody", "nobody", "carol"} {
		_, err := database.Collection("CharacterConfigs").InsertOne(t.Context(),
			bson.D{{Key: "user_id", Value: userID}, {Key: "character_id", Value: bson.NewObjectID().Hex()}})
		must(t, "insert a character", err)
	}
	want := backend.Counts{Users: 2, Credentials: 2, Configs: 1, Characters: 2, Orphans: 3, ProviderKeys: 3}
	if got, err := store.Count(t.Context()); err != nil || got != want {
		t.Errorf("counts: got %+v, error %v, want %+v", got, err, want)
	}
	users := []backend.UserData{ada, carol}
	n := 0
	for user, err := range store.ExportUsers(t.Context()) {
		must(t, "export", err)
		if n == len(users) || storetest.DescribeUser(user) != storetest.DescribeUser(users[n]) {
			t.Errorf("export, user %d: got %s", n, storetest.DescribeUser(user))
		}
		n++
	}
	must(t, "put carol with a character", store.PutUsers(t.Context(), []backend.UserData{storetest.UserData("carol", 1)}))
	if got, err := store.CharacterNames(t.Context(), "carol"); err != nil || len(got) != 1 {
		t.Errorf("characters of carol: got %v, error %v, want one", got, err)
	}
}

package mongo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/storetest"
)

// A name in three forms that look the same. Two of them are Unicode normal
// forms.
const (
	composed   = "Zo\u00eb Nu\u00f1ez"
	decomposed = "Zoe\u0308 Nun\u0303ez"
	mixed      = "Zo\u00eb Nun\u0303ez"
)

func newAccountStore(t *testing.T) (*mongo.Store, *driver.Database) {
	t.Helper()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	return mongotest.OpenStore(t, o), server.Client(t).Database(o.Database)
}

// originalCredential stores a credential as the original does.
func originalCredential(t *testing.T, database *driver.Database, username, userID string) {
	t.Helper()
	_, err := database.Collection("UserCredentials").InsertOne(t.Context(), bson.D{
		{Key: "username", Value: username}, {Key: "password", Value: "correct horse"}, {Key: "user_id", Value: userID}})
	must(t, "store a credential of the original", err)
}

func TestDocuments_OfAccounts(t *testing.T) {
	t.Parallel()
	store, database := newAccountStore(t)
	for _, test := range []struct{ given, fields, username string }{
		{"Ada L.", registeredFields, "Ada L."},
		{"凌星", registeredFields, "凌星"},
		{composed, registeredFields, composed},
		{"x" + decomposed, credentialFields + " username_given:string name_claim:string", "x" + composed},
		{"y" + mixed, credentialFields + " username_given:string name_claim:string", "y" + composed},
	} {
		must(t, "create credential", store.CreateCredential(t.Context(), storetest.Credential(test.given, test.given)))
		documents := stored(t, database, "UserCredentials")
		document := documents[len(documents)-1]
		if got := fieldsOf(t, document); got != test.fields {
			t.Errorf("credential of %q:\n got %s\nwant %s", test.given, got, test.fields)
		}
		if got := document.Lookup("username").StringValue(); got != test.username {
			t.Errorf("stored name of %q: got %q, want %q", test.given, got, test.username)
		}
		given, err := document.LookupErr("username_given")
		if err == nil && given.StringValue() != test.given {
			t.Errorf("stored name as given: got %q, want %q", given.StringValue(), test.given)
		}
	}

	token, credential := tokenOf("Ada L.", "token"), storetest.Credential("Ada L.", "Ada L.")
	must(t, "create token", store.CreateToken(t.Context(), token, credential))
	wantTokenDocument(t, database, token, "after creation")
	must(t, "replace password", store.ReplacePassword(t.Context(), credential, newPassword, backend.KeepTokens))
	wantTokenDocument(t, database, token, "after a replacement that keeps it")
}

// wantTokenDocument checks the only token that is stored, field by field.
func wantTokenDocument(t *testing.T, database *driver.Database, token backend.Token, when string) {
	t.Helper()
	documents := stored(t, database, "web_backend_tokens")
	if len(documents) != 1 {
		t.Fatalf("tokens %s: got %d, want 1", when, len(documents))
	}
	document := documents[0]
	const fields = "_id:binary user_id:string password_tags:array created_at:UTC_datetime expires_at:UTC_datetime"
	if got := fieldsOf(t, document); got != fields {
		t.Errorf("token %s:\n got %s\nwant %s", when, got, fields)
	}
	if subtype, hash := document.Lookup("_id").Binary(); subtype != bson.TypeBinaryGeneric || !bytes.Equal(hash, token.Hash[:]) {
		t.Errorf("token %s: got _id %x of subtype %d, want the hash %x", when, hash, subtype, token.Hash)
	}
	if got := document.Lookup("user_id").StringValue(); got != token.UserID {
		t.Errorf("token %s: got user id %q, want %q", when, got, token.UserID)
	}
	for field, want := range map[string]time.Time{"created_at": token.CreatedAt, "expires_at": token.ExpiresAt} {
		if got := document.Lookup(field).Time(); !got.Equal(want) {
			t.Errorf("token %s: got %s %s, want %s", when, field, got, want)
		}
	}
	tags, err := document.Lookup("password_tags").Array().Values()
	must(t, "read the tags", err)
	if len(tags) != 1 {
		t.Errorf("token %s: got %d tags, want 1", when, len(tags))
	}
	for _, tag := range tags {
		if _, bytes := tag.Binary(); len(bytes) != 32 {
			t.Errorf("token %s: got a tag of %d bytes, want 32", when, len(bytes))
		}
	}
}

// TestCredential_OfTheOriginal uses names that the original stored, in every
// form.
func TestCredential_OfTheOriginal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stored []string          // each user id is equal to its name
		found  map[string]string // by the requested name; other names are not found
	}{
		"composed":   {[]string{composed}, map[string]string{composed: composed, decomposed: composed, mixed: composed}},
		"decomposed": {[]string{decomposed}, map[string]string{composed: decomposed, decomposed: decomposed, mixed: decomposed}},
		"a mixture":  {[]string{mixed}, map[string]string{mixed: mixed}},
		"both": {[]string{decomposed, composed},
			map[string]string{composed: composed, decomposed: decomposed, mixed: composed}},
		"all": {[]string{decomposed, composed, mixed},
			map[string]string{composed: composed, decomposed: decomposed, mixed: mixed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, database := newAccountStore(t)
			for _, username := range test.stored {
				originalCredential(t, database, username, username)
			}
			for _, asked := range []string{composed, decomposed, mixed} {
				want, found := test.found[asked]
				got, err := store.Credential(t.Context(), asked)
				if found && (err != nil || got != storetest.Credential(want, want)) {
					t.Errorf("credential of %+q: got %+q of %+q, error %v, want %+q", asked, got.Username, got.UserID, err, want)
				}
				if !found && !errors.Is(err, backend.NotFound) {
					t.Errorf("credential of %+q: got error %v, want %q", asked, err, backend.NotFound)
				}
			}
			for asked := range test.found {
				err := store.CreateCredential(t.Context(), storetest.Credential(asked, "another"))
				if !errors.Is(err, backend.Exists) {
					t.Errorf("create credential for %+q: got error %v, want %q", asked, err, backend.Exists)
				}
			}
			credential := storetest.Credential(test.stored[0], test.stored[0])
			must(t, "create token", store.CreateToken(t.Context(), tokenOf(credential.UserID, "old"), credential))
			must(t, "replace password", store.ReplacePassword(t.Context(), credential, newPassword, backend.EndTokens))
			var users []backend.User
			for user, err := range store.Users(t.Context(), backend.AllUsers) {
				must(t, "list users", err)
				users = append(users, user)
			}
			if want := (backend.User{UserID: credential.UserID, Username: credential.Username}); !slices.Contains(users, want) {
				t.Errorf("users: got %+v, want %+v among them", users, want)
			}
		})
	}
}

// TestNameKey_OfTheOriginal uses credentials that the original stored before
// the start (more than one command changes) and after it. All of them keep
// their names and can log in. No name that people would confuse with one of
// them can be registered.
func TestNameKey_OfTheOriginal(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	database := server.Client(t).Database(o.Database)
	before := []string{"Anna", "anna", "\uff22ob", "e\u200bve", decomposed}
	for _, username := range before {
		originalCredential(t, database, username, username)
	}
	var crowd []bson.D
	for i := range 1100 {
		crowd = append(crowd, bson.D{{Key: "username", Value: fmt.Sprint("Crowd ", i)}, {Key: "user_id", Value: fmt.Sprint(i)}})
	}
	crowd = append(crowd, bson.D{{Key: "username", Value: 7}, {Key: "user_id", Value: "without a name"}})
	_, err := database.Collection("UserCredentials").InsertMany(t.Context(), crowd)
	must(t, "store a crowd", err)

	store := mongotest.OpenStore(t, o)
	want := stored(t, database, "UserCredentials")
	for i, document := range want {
		key, hasKey := document.Lookup("name_key").StringValueOK()
		name, hasName := document.Lookup("username").StringValueOK()
		if hasKey != hasName || hasKey && key != backend.NameKey(name) {
			t.Fatalf("credential %d: got %s, want the key of its name", i, document)
		}
	}
	mongotest.OpenStore(t, o) // the second start changes nothing
	if got := stored(t, database, "UserCredentials"); !slices.EqualFunc(got, want, func(a, b bson.Raw) bool { return bytes.Equal(a, b) }) {
		t.Error("the second start changed credentials")
	}

	since := []string{"Since", "\uff33ome", "n\u200bone"}
	for _, username := range since {
		originalCredential(t, database, username, username)
	}
	for _, username := range slices.Concat(before, since) {
		if got, err := store.Credential(t.Context(), username); err != nil || got.UserID != username {
			t.Errorf("credential of %+q: got that of %+q, error %v", username, got.UserID, err)
		}
	}
	for _, username := range []string{
		"ANNA", "Anna", "bob", "Eve", "ZO\u00cb NU\u00d1EZ", mixed, "crowd 0", "CROWD 1099", "since", "some", "None",
	} {
		if err := store.CreateCredential(t.Context(), storetest.Credential(username, "new")); !errors.Is(err, backend.Exists) {
			t.Errorf("create credential for %+q: got error %v, want %q", username, err, backend.Exists)
		}
	}
	must(t, "a free name", store.CreateCredential(t.Context(), storetest.Credential("Crowd 1100", "new")))
}

// TestToken_EndsWithWhatTheOriginalDoes changes credentials without the store,
// as the original does, which knows no tokens.
func TestToken_EndsWithWhatTheOriginalDoes(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(context.Context, *driver.Collection) error{
		"another password": func(ctx context.Context, credentials *driver.Collection) error {
			_, err := credentials.UpdateOne(ctx, bson.D{{Key: "username", Value: "Ada L."}},
				bson.D{{Key: "$set", Value: bson.D{{Key: "password", Value: "battery staple"}}}})
			return err
		},
		"no credential": func(ctx context.Context, credentials *driver.Collection) error {
			_, err := credentials.DeleteOne(ctx, bson.D{{Key: "username", Value: "Ada L."}})
			return err
		},
		"no password": func(ctx context.Context, credentials *driver.Collection) error {
			_, err := credentials.UpdateOne(ctx, bson.D{{Key: "username", Value: "Ada L."}},
				bson.D{{Key: "$unset", Value: bson.D{{Key: "password", Value: ""}}}})
			return err
		},
		"another user id": func(ctx context.Context, credentials *driver.Collection) error {
			_, err := credentials.UpdateOne(ctx, bson.D{{Key: "username", Value: "Ada L."}},
				bson.D{{Key: "$set", Value: bson.D{{Key: "user_id", Value: "carol"}}}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, database := newAccountStore(t)
			ada, bob := storetest.Credential("Ada L.", "ada"), storetest.Credential("Bob", "bob")
			for _, credential := range []backend.Credential{ada, bob} {
				must(t, "create credential", store.CreateCredential(t.Context(), credential))
				must(t, "create token", store.CreateToken(t.Context(), tokenOf(credential.UserID, "old"), credential))
			}
			must(t, "change the credential", change(t.Context(), database.Collection("UserCredentials")))
			if _, err := store.Token(t.Context(), tokenOf("ada", "old").Hash, storetest.TokenTime()); !errors.Is(err, backend.NotFound) {
				t.Errorf("token of the changed credential: got error %v, want %q", err, backend.NotFound)
			}
			if _, err := store.Token(t.Context(), tokenOf("bob", "old").Hash, storetest.TokenTime()); err != nil {
				t.Errorf("token of another user: got error %v, want none", err)
			}
			err := store.CreateToken(t.Context(), tokenOf("ada", "new"), ada)
			if !errors.Is(err, backend.NotFound) {
				t.Errorf("create token for the credential that was: got error %v, want %q", err, backend.NotFound)
			}
			err = store.ReplacePassword(t.Context(), ada, newPassword, backend.KeepTokens)
			if !errors.Is(err, backend.NotFound) {
				t.Errorf("replace the password that was: got error %v, want %q", err, backend.NotFound)
			}
		})
	}
}

// A token that was left behind when its account was disabled does not become
// valid when the account is enabled again. An enabled account has no field for
// this, like the accounts of the original.
func TestSetDisabled_TokenLeftBehind(t *testing.T) {
	t.Parallel()
	store, database := newAccountStore(t)
	ada := storetest.Credential("Ada L.", "ada")
	must(t, "create credential", store.CreateCredential(t.Context(), ada))
	token := tokenOf("ada", "token")
	must(t, "create token", store.CreateToken(t.Context(), token, ada))
	left := stored(t, database, "web_backend_tokens")[0]
	must(t, "disable", store.SetDisabled(t.Context(), "ada", true))
	enable := map[string]func() error{
		"enable": func() error { return store.SetDisabled(t.Context(), "ada", false) },
		"put":    func() error { return store.PutUsers(t.Context(), []backend.UserData{{Credential: &ada}}) },
	}
	for what, do := range enable {
		must(t, "disable", store.SetDisabled(t.Context(), "ada", true))
		_, err := database.Collection("web_backend_tokens").InsertOne(t.Context(), left)
		must(t, "leave a token behind", err)
		if _, err := store.Token(t.Context(), token.Hash, storetest.TokenTime()); !errors.Is(err, backend.NotFound) {
			t.Errorf("token of a disabled account: got error %v, want %v", err, backend.NotFound)
		}
		must(t, what, do())
		if _, err := store.Token(t.Context(), token.Hash, storetest.TokenTime()); !errors.Is(err, backend.NotFound) {
			t.Errorf("token after %s: got error %v, want %v", what, err, backend.NotFound)
		}
		if got := fieldsOf(t, stored(t, database, "UserCredentials")[0]); got != registeredFields {
			t.Errorf("credential after %s:\n got %s\nwant %s", what, got, registeredFields)
		}
	}
}

package cli_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"web-backend/internal/store/mongo/mongotest"
)

// original is a MongoDB database as the original program and others leave it.
type original struct {
	*driver.Database
	place *place
	uri   string
}

func newOriginal(t *testing.T) original {
	t.Helper()
	server := mongotest.Engine(t)
	name := server.Database(t)
	return original{server.Client(t).Database(name), &place{folder: t.TempDir(), env: map[string]string{
		"WEB_BACKEND_STORE": "embedded", "MONGODB_URI": server.URI(), "MONGODB_DATABASE": name,
	}}, server.URI()}
}

// insert stores a document and returns its _id in the form that messages use.
func (o original) insert(t *testing.T, collection string, fields bson.D) string {
	t.Helper()
	id := bson.NewObjectID()
	if fields[0].Key != "_id" {
		fields = append(bson.D{{Key: "_id", Value: id}}, fields...)
	}
	if _, err := o.Collection(collection).InsertOne(t.Context(), fields); err != nil {
		t.Fatal(err)
	}
	return id.Hex()
}

// withBadDocuments stores one good user, ada, and one document of each kind
// that cannot be read.
func (o original) withBadDocuments(t *testing.T) (bad []string) {
	t.Helper()
	credential := func(username, userID any) bson.D {
		return bson.D{{Key: "username", Value: username}, {Key: "password", Value: "plain-s3cret"}, {Key: "user_id", Value: userID}}
	}
	character := func(userID, id any) bson.D {
		return bson.D{{Key: "user_id", Value: userID}, {Key: "character_id", Value: id}, {Key: "character_name", Value: "Mira"}}
	}
	o.insert(t, "UserCredentials", credential("Ada", "ada"))
	o.insert(t, "UserConfigs", bson.D{{Key: "user_id", Value: "ada"}})
	o.insert(t, "CharacterConfigs", character("ada", "one"))
	o.insert(t, "UserConfigs", bson.D{{Key: "_id", Value: "text-id"}, {Key: "user_id", Value: "zoe"}})
	return []string{
		`"text-id"`,
		o.insert(t, "UserCredentials", credential("Bob", bson.NewObjectID())),
		o.insert(t, "UserCredentials", credential(5, "number")),
		o.insert(t, "UserCredentials", credential("Ada again", "ada")),
		o.insert(t, "UserConfigs", bson.D{{Key: "user_id", Value: 4711}}),
		o.insert(t, "UserConfigs", bson.D{{Key: "timezone", Value: "UTC"}}),
		o.insert(t, "UserConfigs", bson.D{{Key: "user_id", Value: "ada"}, {Key: "timezone", Value: "UTC"}}),
		o.insert(t, "UserConfigs", bson.D{{Key: "user_id", Value: "nul"}, {Key: "xai_api_key", Value: "s3cret\x00"}}),
		o.insert(t, "CharacterConfigs", character(nil, "two")),
		o.insert(t, "CharacterConfigs", character("ada", 3)),
		o.insert(t, "CharacterConfigs", character("ada", "one")),
		o.insert(t, "CharacterConfigs", append(character("ada", "four"), bson.E{Key: "voice_speed", Value: "s3cret"})),
	}
}

// One run names every document that cannot be read. A flag skips all of them,
// with any setting for conflicts.
func TestCopy_BadDocuments(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	bad := o.withBadDocuments(t)
	data := filepath.Join(o.place.folder, "copy")
	o.place.env["WEB_BACKEND_STORE"] = "mongodb"
	for _, args := range [][]string{
		{"copy", "--to", data, "--with-secrets"}, {"copy", "--to", data, "--on-conflict", "skip"}, {"copy", "--to", data, "--dry-run"},
		{"export", "--out", filepath.Join(o.place.folder, "e.jsonl")},
	} {
		got := o.place.run(t, "", args...)
		if got.status != 1 || strings.Contains(got.err, "s3cret") || !strings.Contains(got.err, "12 documents") || !strings.Contains(got.err, "--leave-out-bad") {
			t.Errorf("%q: got %+v", args, got)
		}
		for _, id := range bad {
			if !strings.Contains(got.err, id) {
				t.Errorf("%q: the error lacks _id %s:\n%s", args, id, got.err)
			}
		}
		for _, collection := range []string{"UserCredentials", "UserConfigs", "CharacterConfigs"} {
			if !strings.Contains(got.err, collection+", _id ") {
				t.Errorf("%q: the error lacks %s", args, collection)
			}
		}
	}
	var report struct {
		Users      int   `json:"users"`
		Added      int   `json:"added"`
		Characters int   `json:"characters"`
		LeftOut    int64 `json:"left_out"`
	}
	text := o.place.must(t, "", "copy", "--to", data, "--with-secrets", "--leave-out-bad", "--verify", "--json")
	if err := json.Unmarshal([]byte(text), &report); err != nil || report.Users != 1 || report.Added != 1 || report.Characters != 1 || report.LeftOut != 12 {
		t.Errorf("got %s, error %v, want one user with one character, and 12 documents left out", text, err)
	}
	o.place.must(t, "", "export", "--out", filepath.Join(o.place.folder, "e.jsonl"), "--leave-out-bad", "--quiet")
	o.place.env["WEB_BACKEND_STORE"], o.place.env["WEB_BACKEND_DATA_DIR"] = "embedded", filepath.Join(o.place.folder, "imported")
	o.place.must(t, "", "import", filepath.Join(o.place.folder, "e.jsonl")) // the file contains ada once
	o.place.env["WEB_BACKEND_DATA_DIR"] = data
	if users := o.place.list(t); len(users) != 1 || users[0].UserID != "ada" || users[0].Username != "Ada" {
		t.Errorf("copied were %+v", users)
	}
}

// The configured MongoDB can be the source even if the configured store is the
// embedded one. The error for a refused login says what is wrong, without the
// password.
func TestCopy_FromConfiguredMongoDB(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	o.insert(t, "UserConfigs", bson.D{{Key: "user_id", Value: "ada"}})
	o.place.env["WEB_BACKEND_STORE"] = "embedded"
	if text := o.place.must(t, "", "copy", "--from", "mongodb://"); !strings.Contains(text, "1 added") {
		t.Errorf("got %s", text)
	}
	if users := o.place.list(t); len(users) != 1 || users[0].UserID != "ada" {
		t.Errorf("copied were %+v", users)
	}
	delete(o.place.env, "MONGODB_URI")
	o.place.fails(t, "", []string{"copy", "--from", "mongodb://"}, "names no MongoDB", "mongodb_uri")

	wrong, err := url.Parse(o.uri)
	if err != nil {
		t.Fatal(err)
	}
	wrong.User, wrong.Path, wrong.RawQuery = url.UserPassword("somebody", "wrong-s3cret"), "/web", ""
	o.place.fails(t, "", []string{"copy", "--from", wrong.String()}, `user "somebody"`, `database "web"`, "authSource=admin")
	if got := o.place.printed(); strings.Contains(got, "s3cret") || strings.Contains(got, "try again") {
		t.Errorf("printed was %s", got)
	}
}

// The check reports what the first start would do and warn of, without doing
// it.
func TestBootstrap_CheckTellsOfIndexes(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	o.place.env["WEB_BACKEND_STORE"] = "mongodb"
	for range 2 {
		o.insert(t, "UserConfigs", bson.D{{Key: "user_id", Value: "twice"}})
	}
	for range 2 { // the first run changes nothing
		text := o.place.must(t, "", "bootstrap", "--check")
		for _, want := range []string{
			"collection UserCredentials: the index on username is missing; it would be made",
			"collection CharacterConfigs: the index on user_id, character_id is missing",
			"warning: collection UserConfigs has documents with the same user_id", "twice",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("bootstrap --check lacks %q:\n%s", want, text)
			}
		}
	}
	if _, err := o.Collection("UserConfigs").DeleteMany(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	o.place.must(t, "", "bootstrap")
	if text := o.place.must(t, "", "bootstrap", "--check"); !strings.Contains(text, "all indexes are there") || strings.Contains(text, "missing") {
		t.Errorf("after bootstrap, --check says\n%s", text)
	}
}

// For a credential whose user_id is not a string, the error does not suggest
// trying again.
func TestUser_CredentialOfNobody(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	o.insert(t, "UserCredentials", bson.D{
		{Key: "username", Value: "Bob"}, {Key: "password", Value: goodPassword}, {Key: "user_id", Value: bson.NewObjectID()}})
	o.place.env["WEB_BACKEND_STORE"] = "mongodb"
	o.place.fails(t, otherPassword, []string{"user", "set-password", "--username", "Bob"}, `user name "Bob"`, "user_id")
	host, port, stop := o.place.serve(t)
	api := "http://" + host + ":" + port + "/api/v1/"
	response, err := http.Post(api+"authenticate_user", "application/json",
		strings.NewReader(`{"username":"Bob","password":"`+goodPassword+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusInternalServerError || response.Header.Get("Retry-After") != "" {
		t.Errorf("the right password gets %d", response.StatusCode)
	}
	if body := post(t, api+"authenticate_user", map[string]string{"username": "Bob", "password": otherPassword}); !strings.Contains(body, `"auth_code":500`) {
		t.Errorf("a wrong password gets %s", body)
	}
	stop()
	if !strings.Contains(o.place.printed(), "has no user_id that is a text") {
		t.Errorf("the log does not say why:\n%s", o.place.printed())
	}
}

// An export of one user from MongoDB ends with a character of this user that
// cannot be read, and goes on with documents of others that cannot be read.
func TestExport_OneUserOfMongoDB(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	o.withBadDocuments(t)
	o.insert(t, "UserConfigs", bson.D{{Key: "user_id", Value: "grace"}})
	o.insert(t, "UserCredentials", bson.D{{Key: "username", Value: "Grace"}, {Key: "password", Value: "plain-s3cret"}, {Key: "user_id", Value: "grace"}})
	o.place.env["WEB_BACKEND_STORE"] = "mongodb"
	file := filepath.Join(o.place.folder, "grace.jsonl")
	o.place.fails(t, "", []string{"export", "--user", "Ada", "--out", file}, "character with _id", `"ada"`)
	o.place.fails(t, "", []string{"export", "--user", "eve", "--out", file}, `no user has the id or the user name "eve"`)
	o.place.must(t, "", "export", "--user", "Grace", "--out", file)
	if text := o.place.printed(); strings.Contains(text, "s3cret") {
		t.Errorf("it printed %s", text)
	}
	o.place.env["WEB_BACKEND_STORE"] = "embedded"
	o.place.must(t, "", "import", file)
	if users := o.place.list(t); len(users) != 1 || users[0].UserID != "grace" || users[0].Username != "Grace" {
		t.Errorf("imported were %+v", users)
	}
}

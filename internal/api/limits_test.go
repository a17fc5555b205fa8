package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// limitedTo sets the limits of what a server stores.
func limitedTo(limits backend.Limits) option {
	return func(c *config) { c.limits = limits }
}

var defaultLimits = backend.Limits{
	IDLength: 256, TextLength: 256, PromptBytes: 64 << 10, ProviderKeyBytes: 4 << 10, Characters: 200,
}

// tooLong returns the 422 response for a field that is too long.
func tooLong(field string, most int, unit string) string {
	return fmt.Sprintf(`{"message":"Validation Error","code":422,"detail":{"body":"<any>","errors":[`+
		`{"type":"string_too_long","loc":["body",%q],"msg":"String should have at most %d %s","input":"<any>"}]}}`, field, most, unit)
}

// Every text that a request can store has a limit, which its 422 response
// names. A text of exactly this length is stored.
func TestLimits_Texts(t *testing.T) {
	t.Parallel()
	s := newServer(t, limitedTo(defaultLimits)).withUser(t)
	tested := 0
	for _, o := range posts() {
		if o.Tags[0] == "accounts" || o.path == "/api/v1/delete_user" || o.path == "/api/v1/delete_character" || o.OperationID == "import_character" {
			continue // nothing is stored, or only names and passwords, which have their own rules; or see TestImportCharacter
		}
		properties, _ := o.request()["properties"].(map[string]any)
		for field, property := range properties {
			most, unit, text := 256, "characters", strings.Repeat("é", 256)
			switch {
			case field == "user_id" && o.path != "/api/v1/create_user", field == "character_id", field == "timezone",
				!strings.Contains(fmt.Sprint(property.(map[string]any)["type"]), "string"), field == "voice_speed":
				continue
			case field == "prompt":
				most, unit, text = 64<<10, "bytes", strings.Repeat("é", 32<<10)
			case slices.Contains(backend.ProviderKeys, field):
				most, unit, text = 4<<10, "bytes", strings.Repeat("k", 4<<10)
			}
			tested++
			for name, x := range map[string]exchange{
				"too long":          {body: text + ".", status: 422, want: tooLong(field, most, unit)},
				"as long as may be": {body: text, status: 200},
			} {
				body := o.example()
				body["user_id"], body[field] = "ada", x.body
				if _, ok := body["character_id"]; ok {
					body["character_id"] = s.names["own"]
				}
				x.name, x.request, x.body = strings.Join([]string{o.path, field, name}, " "), "POST "+o.path, encode(t, body)
				s.run(t, x)
			}
		}
	}
	if want := 1 + 1 + 15 + len(backend.ProviderKeys); tested != want { // ids, names of copies, texts of characters, keys
		t.Errorf("tested %d fields, want %d", tested, want)
	}
}

// A user can have exactly the maximum number of characters, on each store.
func TestLimits_Characters(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s *server) {
		s.exchange(t, exchange{request: "POST create_user", body: `{"user_id":"ada"}`, status: 200})
		ids := s.characterIDs(t, "ada")
		s.names["first"], s.names["last"] = ids[0], ids[len(ids)-1]
		duplicate := exchange{request: "POST duplicate_character", body: `{"user_id":"ada","character_id":"$first"}`, status: 200}
		for range 2 {
			s.exchange(t, duplicate)
		}
		full := duplicate
		full.status = 422
		full.want = `{"message":"Validation Error","code":422,"detail":{"body":{"user_id":"ada","character_id":"$first"},"errors":[` +
			`{"type":"too_long","loc":["body","user_id"],"msg":"The user should have at most 10 characters","input":"ada"}]}}`
		s.exchange(t, full)
		s.exchange(t, exchange{request: "POST delete_character", body: `{"user_id":"ada","character_id":"$last"}`, status: 200})
		s.exchange(t, duplicate)
		if got := len(s.characterIDs(t, "ada")); got != 10 {
			t.Errorf("got %d characters, want 10", got)
		}
	}, limitedTo(backend.Limits{Characters: 10}))
}

// With max_users, neither way of making a user exceeds the limit. Existing
// users stay.
func TestLimits_Users(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s *server) {
		const bob = `{"username":"bob","password":"a long password"}`
		s.run(t,
			exchange{name: "an operator's", request: "POST create_user", body: `{"user_id":"ada"}`, status: 200},
			exchange{name: "a person's", request: "POST register_user", body: bob, status: 200, contains: []string{`"auth_code":200`}},
			exchange{name: "one too many", request: "POST create_user", body: `{"user_id":"cyd"}`, status: 422,
				contains: []string{`"type":"too_long"`, "There should be at most 2 users"}},
			exchange{name: "one too many, registered", request: "POST register_user", status: 200,
				body:     `{"username":"dan","password":"a long password","language":"zh"}`,
				contains: []string{`"auth_code":500`, `"user_id":""`, "此服务器不再接受新账户。"}},
			exchange{name: "a first login", request: "POST authenticate_user", body: bob, status: 200, contains: []string{`"auth_code":200`}},
			exchange{name: "room", request: "POST delete_user", body: `{"user_id":"ada"}`, status: 200},
			exchange{name: "another", request: "POST create_user", body: `{"user_id":"cyd"}`, status: 200},
		)
	}, limitedTo(backend.Limits{Users: 2}))
}

// Data from before there were limits can be listed, read and copied. A list has
// at most one such name in memory at a time.
func TestLimits_OldDataStays(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s *server) {
		long := strings.Repeat("名", 5000)
		characters := []backend.Character{backend.NewCharacter(), backend.NewCharacter(), backend.NewCharacter()}
		for i := range characters {
			characters[i].UserID, characters[i].CharacterID, characters[i].CharacterName = "ada", fmt.Sprint(i), "short"
		}
		characters[1].CharacterName, characters[1].Prompt = long, long+long+long+long+long
		if err := s.store.CreateUser(t.Context(), backend.UserConfig{UserID: "ada"}, characters); err != nil {
			t.Fatal(err)
		}
		s.names["long"] = long
		s.run(t,
			exchange{name: "list", request: "GET list_characters/ada", status: 200,
				want: `{"character_id_list":["0","1","2"],"character_name_list":["short","$long","short"]}`},
			exchange{name: "list of summaries", request: "GET list_character_summaries/ada", status: 200, contains: []string{
				`{"characters":[{"character_id":"0","character_name":"short",`, `{"character_id":"1","character_name":"$long","read_only":false,`,
				`{"character_id":"2","character_name":"short",`,
			}},
			exchange{name: "read", request: "GET get_character_config/ada/1", status: 200, contains: []string{`"character_name":"$long"`}},
			exchange{name: "copy", request: "POST duplicate_character", body: `{"user_id":"ada","character_id":"1"}`, status: 200},
			exchange{name: "change a field", request: "POST update_character_scene", status: 200,
				body: `{"user_id":"ada","character_id":"1","scene_name":"Vast"}`},
		)
	}, limitedTo(defaultLimits))
}

// Changes by one user are limited. Changes by another user and reads are not
// affected.
func TestLimits_WriteRate(t *testing.T) {
	t.Parallel()
	s := newServer(t, withOptions(func(o *api.Options) { o.Access.UserWrites = auth.NewRateLimit(1, 3, 10, time.Now) }))
	for _, user := range []string{"ada", "bob"} {
		s.exchange(t, exchange{request: "POST create_user", body: `{"user_id":"` + user + `"}`, status: 200})
	}
	change := func(user string, status int) response {
		return s.exchange(t, exchange{request: "POST update_user_config", body: `{"user_id":"` + user + `"}`, status: status})
	}
	for range 3 {
		change("ada", 200)
	}
	refused := change("ada", 429)
	if !strings.Contains(refused.body, "too many tries to change the data of this user") || refused.header.Get("Retry-After") == "" {
		t.Errorf("got %s, Retry-After %q, want the reason and when to come back", refused.body, refused.header.Get("Retry-After"))
	}
	change("bob", 200)
	s.exchange(t, exchange{request: "GET list_characters/ada", status: 200})
}

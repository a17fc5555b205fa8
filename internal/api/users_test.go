package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// noSuchUser returns the response for a user that does not exist.
func noSuchUser(userID string) string {
	return failure(404, fmt.Sprintf("user %q does not exist", userID))
}

func TestUserLists(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s *server) {
		lists := func(name, all, names, credentials, configs string) []exchange {
			return []exchange{
				{
					name: "all " + name, request: "GET list_users", status: 200,
					want: `{"user_id_list":` + all + `,"user_name_list":` + names + `}`,
				},
				{
					name: "with a credential " + name, request: "GET list_user_credential_id", status: 200,
					want: `{"user_id_list":` + credentials + `,"user_name_list":null}`,
				},
				{
					name: "with a config " + name, request: "GET list_user_config_id", status: 200,
					want: `{"user_id_list":` + configs + `,"user_name_list":null}`,
				},
			}
		}
		s.run(t, lists("of none", `[]`, `[]`, `[]`, `[]`)...)
		s.createUser(t, "zoe")
		s.credential(t, "Registered <one>", "registered")
		s.createUser(t, "ada")
		s.credential(t, "Ada", "ada")
		s.run(t, lists("of three", `["zoe","registered","ada"]`, `["","Registered <one>","Ada"]`,
			`["registered","ada"]`, `["zoe","ada"]`)...)
		s.run(
			t,
			exchange{name: "delete one", request: "POST delete_user", body: `{"user_id":"zoe"}`, status: 200, want: noBody},
			exchange{name: "delete another", request: "POST delete_user", body: `{"user_id":"registered"}`, status: 200, want: noBody},
		)
		s.run(t, lists("of one", `["ada"]`, `["Ada"]`, `["ada"]`, `["ada"]`)...)
	})
}

// Users are found by name, then by id, page by page.
func TestFindUsers(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s *server) {
		s.createUser(t, "ann of ids")
		s.credential(t, "Anna", "registered")
		s.createUser(t, "bob")
		s.credential(t, "Ann & <Co>", "bob")
		s.exchange(t, exchange{request: "POST disable_user", body: `{"user_id": "registered"}`, status: 200})
		const (
			annID = `{"user_id":"ann of ids","username":"","disabled":false}`
			anna  = `{"user_id":"registered","username":"Anna","disabled":true}`
			annCo = `{"user_id":"bob","username":"Ann & <Co>","disabled":false}`
		)
		found := func(users ...string) string { return `{"users":[` + strings.Join(users, ",") + `]}` }
		fault := func(kind, name string, input any) string {
			return validation("null", faultOf(kind, "query", name, input))
		}
		s.run(
			t,
			exchange{name: "all", request: "GET find_users", status: 200, want: found(annID, anna, annCo)},
			exchange{name: "an empty text", request: "GET find_users?text=", status: 200, want: found(annID, anna, annCo)},
			exchange{name: "by name, then by id", request: "GET find_users?text=ANN", status: 200, want: found(annCo, anna)},
			exchange{name: "by both", request: "GET find_users?text=ann", status: 200, want: found(annCo, anna, annID)},
			exchange{name: "escaped", request: "GET find_users?text=ann%20%26", status: 200, want: found(annCo)},
			exchange{name: "none", request: "GET find_users?text=carl&limit=1000", status: 200, want: found()},
			exchange{name: "twice, and one more", request: "GET find_users?text=carl&other=1&text=anna", status: 200, want: found(anna)},

			exchange{name: "no number", request: "GET find_users?limit=many", status: 422, want: fault("int_parsing", "limit", "many")},
			exchange{name: "an empty number", request: "GET find_users?limit=", status: 422, want: fault("int_parsing", "limit", "")},
			exchange{name: "too small", request: "GET find_users?limit=0", status: 422, want: fault("greater_than_equal", "limit", "0")},
			exchange{name: "too large", request: "GET find_users?limit=1001", status: 422, want: fault("literal_error", "limit", "1001")},
			exchange{name: "no position", request: "GET find_users?after=x", status: 422, want: fault("literal_error", "after", "x")},
			exchange{name: "a position in another list", request: "GET find_users?after=bmFubg&text=bob", status: 422, want: fault("literal_error", "after", "bmFubg")},
			exchange{name: "two faults", request: "GET find_users?text=%ff&limit=-1", status: 422, want: validation(
				"null", faultOf("string_type", "query", "text", "\ufffd"), faultOf("greater_than_equal", "query", "limit", "-1"))},
			exchange{name: "a ; that is not encoded", request: "GET find_users?text=a;b", status: 422, want: validation(
				"null", `{"type":"string_type","loc":["query"],"msg":"<text>","input":null}`)},
			exchange{name: "a % that is not encoded", request: "GET find_users?text=100%", status: 422, contains: []string{`"loc":["query"]`, "percent-encoded"}},
		)
		var all []string
		request := "GET find_users?text=ann&limit=1"
		for range 10 {
			var page struct {
				Users []struct {
					UserID string `json:"user_id"`
				} `json:"users"`
				Next string `json:"next"`
			}
			got := s.exchange(t, exchange{request: request, status: 200})
			if err := json.Unmarshal([]byte(got.body), &page); err != nil || len(page.Users) > 1 {
				t.Fatalf("%s: got %s, %v", request, got.body, err)
			}
			for _, user := range page.Users {
				all = append(all, user.UserID)
			}
			if page.Next == "" {
				break
			}
			request = "GET find_users?text=ann&limit=1&after=" + page.Next
		}
		if want := []string{"bob", "registered", "ann of ids"}; !slices.Equal(all, want) {
			t.Errorf("the pages have %q, want %q", all, want)
		}
	})
}

// credential stores a credential so that a user can log in, as register_user
// does.
func (s *server) credential(t *testing.T, username, userID string) {
	t.Helper()
	err := s.store.CreateCredential(t.Context(), backend.Credential{
		Username: username, Password: backend.NewSecret("correct horse"), UserID: userID,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A list that is longer than one chunk is sent completely, and an error in it
// is never hidden.
func TestListUsers_Long(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ids := s.manyUsers(t, 1300)
	names := make([]string, len(ids))
	for path, wanted := range map[string]any{"list_users": names, "list_user_config_id": nil} {
		got := s.exchange(t, exchange{
			request: "GET " + path, status: 200,
			want: object("user_id_list", encode(t, ids), "user_name_list", encode(t, wanted)),
		})
		if length := got.header.Get("Content-Length"); length != "" {
			t.Errorf("%s: got Content-Length %s, want none: the list is to be sent while it is read", path, length)
		}
		if contentType := got.header.Get("Content-Type"); contentType != "application/json" {
			t.Errorf("%s: got Content-Type %s", path, contentType)
		}
	}
}

// manyUsers makes users and returns their ids in creation order.
func (s *server) manyUsers(t *testing.T, count int) []string {
	t.Helper()
	var wanted, ids []string
	var group sync.WaitGroup
	gate := make(chan struct{}, 64) // writes that wait together share one commit
	for i := range count {
		config := backend.UserConfig{UserID: fmt.Sprintf("user %04d %s", i, strings.Repeat("\"长\"", 10)), Timezone: "UTC"}
		wanted = append(wanted, config.UserID)
		gate <- struct{}{}
		group.Go(func() {
			defer func() { <-gate }()
			if err := s.store.CreateUser(t.Context(), config, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for user, err := range s.store.Users(t.Context(), backend.AllUsers) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, user.UserID)
	}
	if got := slices.Sorted(slices.Values(ids)); !slices.Equal(got, wanted) {
		t.Fatalf("the store has %d users, want %d", len(got), len(wanted))
	}
	return ids
}

// brokenList is a store whose list of users ends with an error after count
// users.
type brokenList struct {
	backend.Store

	count int
}

func (b brokenList) Users(context.Context, backend.UserFilter) iter.Seq2[backend.User, error] {
	return func(yield func(backend.User, error) bool) {
		for i := range b.count {
			if !yield(backend.User{UserID: fmt.Sprintf("%0100d", i)}, nil) {
				return
			}
		}
		yield(backend.User{}, &backend.Error{
			Kind: backend.Unavailable, Message: "the store is away", Cause: errors.New("disk of the list"),
		})
	}
}

func TestListUsers_ErrorBeforeTheResponse(t *testing.T) {
	t.Parallel()
	for _, count := range []int{0, 1, 500} {
		s := newServer(t, wrapped(func(store backend.Store) backend.Store { return brokenList{store, count} }))
		s.run(t, exchange{
			name: fmt.Sprintf("after %d users", count), request: "GET list_users", status: 503,
			want: failure(503, "the store is away"),
		})
	}
}

func TestListUsers_ErrorWithinTheResponse(t *testing.T) {
	t.Parallel()
	s := newServer(t, wrapped(func(store backend.Store) backend.Store { return brokenList{store, 2000} }))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.http.URL+"/api/v1/list_users", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := noRedirect.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK || err == nil {
		t.Errorf("GET list_users\ngot  %d, %d bytes, error %v\nwant 200 and a connection that breaks off",
			response.StatusCode, len(body), err)
	}
	if json.Valid(body) {
		t.Errorf("GET list_users: a part of the list could be taken for the whole: %s", brief(string(body)))
	}
	log := s.stop(t)
	for _, want := range []string{"level=ERROR", "route=/api/v1/list_users", "disk of the list", response.Header.Get("X-Request-ID")} {
		if !strings.Contains(log, want) {
			t.Errorf("GET list_users broke off\ngot the log %s\nwant %s in it", log, want)
		}
	}
}

// slowList is a store whose list of users takes longer than the write timeout.
type slowList struct{ backend.Store }

const (
	slowTimeout = 600 * time.Millisecond
	slowCount   = 4000
)

func (slowList) Users(context.Context, backend.UserFilter) iter.Seq2[backend.User, error] {
	return func(yield func(backend.User, error) bool) {
		for i := range slowCount {
			if i%(slowCount/8) == 0 {
				time.Sleep(slowTimeout / 4)
			}
			if !yield(backend.User{UserID: fmt.Sprintf("%0200d", i)}, nil) {
				return
			}
		}
	}
}

// The write timeout limits each write of a long list, not the whole list.
func TestListUsers_Slow(t *testing.T) {
	t.Parallel()
	s := newServer(t, wrapped(func(store backend.Store) backend.Store { return slowList{store} }),
		withOptions(func(o *api.Options) { o.WriteTimeout = slowTimeout }))
	var reply struct {
		IDs []string `json:"user_id_list"`
	}
	s.decode(t, exchange{request: "GET list_users", status: 200}, &reply)
	if len(reply.IDs) != slowCount {
		t.Errorf("got %d users, want %d", len(reply.IDs), slowCount)
	}
}

func TestCreateUser(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.run(
		t,
		exchange{name: "new", request: "POST create_user", body: `{"user_id":"ada"}`, status: 200, want: `{"user_id":"ada"}`},
		exchange{
			name: "exists", request: "POST create_user", body: `{"user_id":"ada"}`, status: 400,
			want: failure(400, `user "ada" exists already`),
		},
		exchange{
			name: "other fields are ignored", request: "POST create_user", status: 200, want: `{"user_id":"bob"}`,
			body: `{"user_id":"bob","character_name":5,"openai_api_key":5,"user_ID":"x"}`,
		},
		exchange{name: "without an id", request: "POST create_user", body: `{}`, status: 200, want: `{"user_id":"<uuid>"}`},
		exchange{name: "null", request: "POST create_user", body: `{"user_id":null}`, status: 200, want: `{"user_id":"<uuid>"}`},
		exchange{
			name: "empty id", request: "POST create_user", body: `{"user_id":""}`, status: 422,
			want: validation(`{"user_id":""}`, faultOf("string_too_short", "body", "user_id", "")),
		},
		exchange{
			name: "id that no URL can name", request: "POST create_user", body: `{"user_id":".."}`, status: 422,
			contains: []string{`"literal_error"`, `URL`},
		},
		exchange{name: "three dots", request: "POST create_user", body: `{"user_id":"..."}`, status: 200, want: `{"user_id":"..."}`},
		exchange{
			name: "number", request: "POST create_user", body: `{"user_id":5}`, status: 422,
			want: validation(`{"user_id":5}`, faultOf("string_type", "body", "user_id", 5)),
		},
		exchange{name: "case counts", request: "POST create_user", body: `{"user_id":"Ada"}`, status: 200, want: `{"user_id":"Ada"}`},
		exchange{name: "space counts", request: "POST create_user", body: `{"user_id":" ada"}`, status: 200, want: `{"user_id":" ada"}`},
	)
	if got, want := len(s.characterIDs(t, "ada")), len(defaultCharacters(t)); got != want {
		t.Errorf("a new user has %d characters, want %d", got, want)
	}
	s.credential(t, "Carol", "carol")
	s.run(t, exchange{
		name: "has a credential", request: "POST create_user", body: `{"user_id":"carol"}`, status: 400,
		want: failure(400, `user "carol" exists already`),
	})
}

// If a deleted user is made again, it has the same characters.
func TestCreateUser_Again(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.createUser(t, "ada")
	before := s.characterIDs(t, "ada")
	s.exchange(t, exchange{request: "POST delete_user", body: `{"user_id":"ada"}`, status: 200, want: noBody})
	s.createUser(t, "ada")
	if after := s.characterIDs(t, "ada"); !slices.Equal(after, before) {
		t.Errorf("character ids of a user made again\ngot  %q\nwant %q", after, before)
	}
	s.createUser(t, "bob")
	if other := s.characterIDs(t, "bob"); slices.Equal(other, before) {
		t.Errorf("two users have the same character ids %q", other)
	}
}

func TestDeleteUser(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.withUser(t).credential(t, "Carol", "carol")
	s.run(
		t,
		exchange{
			name: "with a password", request: "POST delete_user", status: 200, want: refusal(wrongCredentials, "user_id"),
			body: `{"user_id":"ada","username":"Ada","password":"correct horse"}`,
		},
		exchange{
			name: "with a password alone", request: "POST delete_user", status: 422,
			want: validation(`{"user_id":"ada","password":"***"}`, faultOf("missing", "body", "username", map[string]string{"user_id": "ada", "password": "***"})),
			body: `{"user_id":"ada","password":""}`,
		},
		exchange{
			name: "with a name alone", request: "POST delete_user", status: 422,
			want: validation(`{"user_id":"ada","username":"Ada"}`, faultOf("missing", "body", "password", map[string]string{"user_id": "ada", "username": "Ada"})),
			body: `{"user_id":"ada","username":"Ada"}`,
		},
		exchange{
			name: "password is no text", request: "POST delete_user", body: `{"user_id":"ada","password":5}`, status: 422,
			want: validation(`{"user_id":"ada","password":"***"}`, faultOf("string_type", "body", "password", "***")),
		},
		exchange{name: "it is still there", request: "GET get_character_config/ada/$own", status: 200},
		exchange{name: "empty id", request: "POST delete_user", body: `{"user_id":""}`, status: 404, want: noSuchUser("")},
		exchange{name: "unknown", request: "POST delete_user", body: `{"user_id":"nobody"}`, status: 404, want: noSuchUser("nobody")},
		exchange{
			name: "null for the rest", request: "POST delete_user", status: 200, want: noBody,
			body: `{"user_id":"ada","username":null,"password":null,"language":"zh"}`,
		},
		exchange{name: "twice", request: "POST delete_user", body: `{"user_id":"ada"}`, status: 404, want: noSuchUser("ada")},
		exchange{name: "its characters are gone", request: "GET get_character_config/ada/$own", status: 404},
		exchange{
			name: "its list is empty", request: "GET list_characters/ada", status: 200,
			want: `{"character_id_list":[],"character_name_list":[]}`,
		},
		exchange{name: "its config is gone", request: "GET get_available_llm/ada", status: 404, want: noSuchUser("ada")},
		exchange{name: "a credential alone", request: "POST delete_user", body: `{"user_id":"carol"}`, status: 200, want: noBody},
		exchange{name: "nobody is left", request: "GET list_users", status: 200, want: `{"user_id_list":[],"user_name_list":[]}`},
	)
}

func TestUpdateUserConfig(t *testing.T) {
	t.Parallel()
	type keys = map[string]string
	s := newServer(t)
	s.createUser(t, "ada")
	everyKey := keys{}
	for i, name := range backend.ProviderKeys {
		everyKey[name] = fmt.Sprintf("secret %d é😀", i)
	}
	for _, test := range []struct {
		name, body string
		timezone   string
		keys       keys
	}{
		{"set", `{"user_id":"ada","openai_api_key":"a","xai_api_key":"b"}`, "", keys{"openai_api_key": "a", "xai_api_key": "b"}},
		{"absent keeps", `{"user_id":"ada"}`, "", keys{"openai_api_key": "a", "xai_api_key": "b"}},
		{"null keeps", `{"user_id":"ada","openai_api_key":null,"timezone":null}`, "", keys{"openai_api_key": "a", "xai_api_key": "b"}},
		{"empty clears", `{"user_id":"ada","openai_api_key":""}`, "", keys{"xai_api_key": "b"}},
		{"empty clears what is not set", `{"user_id":"ada","gemini_api_key":""}`, "", keys{"xai_api_key": "b"}},
		{"a new value", `{"user_id":"ada","xai_api_key":" c "}`, "", keys{"xai_api_key": " c "}},
		{
			"unknown keys are ignored", `{"user_id":"ada","sensechat_api_key":"x","XAI_API_KEY":"x","character_id":5}`, "",
			keys{"xai_api_key": " c "},
		},
		{"every key", encode(t, withMember(everyKey, "user_id", "ada")), "", everyKey},
		{"time zone", `{"user_id":"ada","timezone":"America/Argentina/Ushuaia"}`, "America/Argentina/Ushuaia", everyKey},
		{"time zone UTC", `{"user_id":"ada","timezone":"UTC"}`, "UTC", everyKey},
		{"time zone kept", `{"user_id":"ada","timezone":null}`, "UTC", everyKey},
		{"time zone cleared", `{"user_id":"ada","timezone":""}`, "", everyKey},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.exchange(t, exchange{request: "POST update_user_config", body: test.body, status: 200, want: noBody})
			want := test.timezone
			if want == "" {
				want = "Asia/Shanghai"
			}
			s.wantConfig(t, "ada", want, test.keys)
		})
	}
	s.run(
		t,
		exchange{
			name: "unknown user", request: "POST update_user_config", body: `{"user_id":"nobody","xai_api_key":"b"}`,
			status: 404, want: noSuchUser("nobody"),
		},
		exchange{
			name: "all faults at once, nothing is stored", request: "POST update_user_config", status: 422,
			body: `{"user_id":"ada","xai_api_key":"lost","openai_api_key":5,"minimax_api_key":{"a":"b"},"timezone":7}`,
			want: validation(
				`{"user_id":"ada","xai_api_key":"***","openai_api_key":"***","minimax_api_key":"***","timezone":7}`,
				faultOf("string_type", "body", "timezone", 7),
				faultOf("string_type", "body", "openai_api_key", "***"),
				faultOf("string_type", "body", "minimax_api_key", "***"),
			),
		},
	)
	s.wantConfig(t, "ada", "Asia/Shanghai", everyKey)
}

// Users that are set up have a config, on both stores. Other users do not.
func TestGetUserConfig(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s *server) {
		s.createUser(t, "ada")
		s.createUser(t, "a/b")
		s.credential(t, "Carol", "carol")
		s.wantConfig(t, "ada", "Asia/Shanghai", map[string]string{})
		s.run(
			t,
			exchange{name: "set", request: "POST update_user_config", status: 200,
				body: `{"user_id":"a/b","timezone":"Europe/Rome","huoshan_token":"h","openai_api_key":"` + strings.Repeat("o", 100) + `"}`},
			exchange{name: "unknown user", request: "GET get_user_config/nobody", status: 404, want: noSuchUser("nobody")},
			exchange{name: "never logged in", request: "GET get_user_config/carol", status: 404, want: noSuchUser("carol")},
			exchange{name: "NUL in the id", request: "GET get_user_config/a%00b", status: 422, want: invalidPath("user_id", "a\x00b")},
		)
		s.wantConfig(t, "a/b", "Europe/Rome", map[string]string{"huoshan_token": "h", "openai_api_key": strings.Repeat("o", 100)})
		s.wantConfig(t, "ada", "Asia/Shanghai", map[string]string{})
	})
}

// withMember returns a copy of object with one more member.
func withMember(object map[string]string, name, value string) map[string]string {
	object = maps.Clone(object)
	object[name] = value
	return object
}

// wantConfig checks the stored config of a user and the config that is shown,
// which contains only whether each key is set.
func (s *server) wantConfig(t *testing.T, userID, timezone string, keys map[string]string) {
	t.Helper()
	config, err := s.store.UserConfig(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, key := range config.Keys {
		if key.IsSet() {
			got[name] = key.Reveal()
		}
	}
	if !maps.Equal(got, keys) || config.Timezone != timezone {
		t.Errorf("config of %s\ngot  %s %q\nwant %s %q", userID, config.Timezone, got, timezone, keys)
	}
	set := map[string]bool{}
	for _, name := range backend.ProviderKeys {
		set[name] = keys[name] != ""
	}
	s.exchange(t, exchange{
		request: "GET get_user_config/" + segment(userID), status: 200,
		want: object("user_id", quote(userID), "timezone", quote(timezone), "provider_keys", encode(t, set)),
	})
}

// An unknown time zone does not change the stored one, but the other fields of
// the request take effect. The log shows the time zone in a form that cannot
// look like another part of the line.
func TestUpdateUserConfig_UnknownTimezone(t *testing.T) {
	t.Parallel()
	token := auth.NewToken().Reveal()
	for name, logged := range map[string]string{
		"Etc/Unknown": "Etc/Unknown", "Local": "Local", "asia/shanghai ": "asia/shanghai_", " ": "_", "+08:00": "+08:00",
		"../../etc/passwd": "../../etc/passwd", "/etc/localtime": "/etc/localtime", "Asia": "Asia", "Asia/": "Asia/",
		"Asia\\Shanghai": "Asia_Shanghai", "é": "é", "x\" client=192.0.2.1\nlevel=ERROR": "x__client_192.0.2.1_level_ERROR",
		strings.Repeat("x", 10_000): strings.Repeat("x", 64) + "…", token: "***", operatorToken.Reveal(): "***",
	} {
		t.Run(brief(name[:min(len(name), 20)]), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.createUser(t, "ada")
			s.run(
				t,
				exchange{name: "a known one", request: "POST update_user_config", body: `{"user_id":"ada","timezone":"Europe/Rome"}`, status: 200, want: noBody},
				exchange{name: "an unknown one", request: "POST update_user_config", status: 200, want: noBody,
					body: object("user_id", `"ada"`, "timezone", quote(name), "xai_api_key", `"kept"`)},
				exchange{name: "of nobody", request: "POST update_user_config", body: object("user_id", `"nobody"`, "timezone", quote(name)), status: 404},
			)
			s.wantConfig(t, "ada", "Europe/Rome", map[string]string{"xai_api_key": "kept"})
			lines := linesWith(s.stop(t), "time zone is not known")
			if len(lines) != 1 || !strings.HasSuffix(lines[0], " timezone="+logged+"\n") || !strings.Contains(lines[0], "level=INFO") {
				t.Errorf("got the lines %q, want one that ends in timezone=%s", lines, logged)
			}
		})
	}
}

// An unknown time zone from a browser does not prevent account operations.
func TestAccounts_UnknownTimezone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, request := range []string{"POST register_user", "POST authenticate_user"} {
		s.exchange(t, exchange{request: request, body: account("ada", testPassword, "timezone", `"Etc/Unknown"`), status: 200, contains: []string{`"auth_code":200`}})
	}
}

// Creation dates of new characters use the time zone of the user.
func TestUpdateUserConfig_TimezoneOfDuplicates(t *testing.T) {
	t.Parallel()
	s := newServer(t, at(september))
	s.createUser(t, "ada")
	source := s.characterIDs(t, "ada")[0]
	for _, test := range []struct{ timezone, want string }{
		{"Asia/Shanghai", "2025-09-26 14:49:13,123"},
		{"America/Los_Angeles", "2025-09-25 23:49:13,123"},
		{"Asia/Kathmandu", "2025-09-26 12:34:13,123"},
		{"UTC", "2025-09-26 06:49:13,123"},
		{"", "2025-09-26 14:49:13,123"},
	} {
		s.exchange(t, exchange{
			request: "POST update_user_config", body: object("user_id", `"ada"`, "timezone", quote(test.timezone)), status: 200,
		})
		if got := s.character(t, s.duplicate(t, "ada", source))["create_datatime"]; got != test.want {
			t.Errorf("a copy made in %q\ngot  %q\nwant %q", test.timezone, got, test.want)
		}
	}
}

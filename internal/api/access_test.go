package api_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// accessTable lists which callers have access at each level; "ok" means that
// the route handles the request.
//
// The caller "nobody" comes through a proxy and has no token; "loopback" is a
// program on the machine of the server. "owner" and "other" have tokens of the
// user that the request names and of another user. "expired" and "revoked" have
// tokens of the owner that have expired or were revoked. A "forged" token was
// never issued.
const accessTable = `
mode     level           nobody loopback owner  other  expired revoked operator forged
open     public          ok     ok       ok     ok     ok      ok      ok       ok
open     owner           ok     ok       ok     ok     ok      ok      ok       ok
open     local-operator  ok     ok       ok     ok     ok      ok      ok       ok
open     operator        401    401      403    403    401     401     ok       401
open     any-user        ok     ok       ok     ok     ok      ok      ok       ok
open     session         401    401      ok     ok     401     401     401      401
guarded  public          ok     ok       ok     ok     ok      ok      ok       ok
guarded  owner           ok     ok       ok     ok     ok      ok      ok       ok
guarded  local-operator  401    ok       403    403    401     401     ok       401
guarded  operator        401    401      403    403    401     401     ok       401
guarded  any-user        ok     ok       ok     ok     ok      ok      ok       ok
guarded  session         401    401      ok     ok     401     401     401      401
strict   public          ok     ok       ok     ok     ok      ok      ok       ok
strict   owner           401    401      ok     403    401     401     ok       401
strict   local-operator  401    401      403    403    401     401     ok       401
strict   operator        401    401      403    403    401     401     ok       401
strict   any-user        401    401      ok     ok     401     401     ok       401
strict   session         401    401      ok     ok     401     401     401      401
`

// routeAccess lists the access level of each route according to docs/contract.md
// and docs/security.md, with a request that changes nothing and the status with
// which the route itself responds. The status is 404 if a success would remove
// something.
var routeAccess = []struct {
	level, request, body string
	ok                   int
}{
	{"public", "POST register_user", `{"username": "taken", "password": "$password"}`, 200},
	{"public", "POST authenticate_user", `{"username": "nobody", "password": "$password"}`, 200},
	{"public", "POST update_user_password", `{"username": "nobody", "password": "$password", "new_password": "$password"}`, 200},
	{"public", "POST delete_user", `{"username": "nobody", "password": "$password", "user_id": "$owner"}`, 200},
	{"session", "POST logout", ``, 200},
	{"session", "GET sessions", ``, 200},
	{"session", "POST end_sessions", `{}`, 200},

	{"local-operator", "GET list_users", ``, 200},
	{"local-operator", "GET list_user_credential_id", ``, 200},
	{"local-operator", "GET list_user_config_id", ``, 200},
	{"local-operator", "POST create_user", `{"user_id": "$owner"}`, 400},
	{"local-operator", "POST delete_user", `{"user_id": "gone"}`, 404},
	{"operator", "GET find_users", ``, 200},
	{"operator", "POST set_user_password", `{"user_id": "gone", "new_password": "$password"}`, 404},
	{"operator", "POST disable_user", `{"user_id": "gone"}`, 404},
	{"operator", "POST enable_user", `{"user_id": "gone"}`, 404},
	{"operator", "POST end_user_sessions", `{"user_id": "gone"}`, 404},
	{"local-operator", "GET /tail_log/1", ``, 200},
	{"local-operator", "GET /dowload_log_file", ``, 200},
	{"operator", "GET /metrics", ``, 200},

	{"owner", "POST update_user_config", `{"user_id": "$owner"}`, 200},
	{"owner", "GET get_user_config/$owner", ``, 200},
	{"owner", "GET list_characters/$owner", ``, 200},
	{"owner", "GET list_character_summaries/$owner", ``, 200},
	{"owner", "GET get_character_config/$owner/$character", ``, 200},
	{"owner", "POST duplicate_character", `{"user_id": "$owner", "character_id": "gone"}`, 404},
	{"owner", "POST import_character/$owner", characterJSON, 200},
	{"owner", "POST delete_character", `{"user_id": "$owner", "character_id": "gone"}`, 404},
	{"owner", "POST update_character_name", `{"user_id": "$owner", "character_id": "$character", "character_name": "n"}`, 200},
	{"owner", "POST update_character_avatar", `{"user_id": "$owner", "character_id": "$character", "avatar": "a"}`, 200},
	{"owner", "POST update_character_scene", `{"user_id": "$owner", "character_id": "$character", "scene_name": "s"}`, 200},
	{"owner", "POST update_character_prompt", `{"user_id": "$owner", "character_id": "$character", "prompt": "p"}`, 200},
	{"owner", "POST update_character_asr", `{"user_id": "$owner", "character_id": "$character", "asr_adapter": "a"}`, 200},
	{"owner", "POST update_character_tts", `{"user_id": "$owner", "character_id": "$character", "tts_adapter": "a", "voice": "v"}`, 200},
	{"owner", "POST update_character_classification", `{"user_id": "$owner", "character_id": "$character", "classification_adapter": "a"}`, 200},
	{"owner", "POST update_character_conversation", `{"user_id": "$owner", "character_id": "$character", "conversation_adapter": "a"}`, 200},
	{"owner", "POST update_character_reaction", `{"user_id": "$owner", "character_id": "$character", "reaction_adapter": "a"}`, 200},
	{"owner", "POST update_character_memory", `{"user_id": "$owner", "character_id": "$character", "memory_adapter": "a"}`, 200},
	{"owner", "GET get_available_llm/$owner", ``, 200},
	{"owner", "GET get_available_asr/$owner", ``, 200},
	{"owner", "GET get_available_tts/$owner", ``, 200},
	{"owner", "GET get_missing_secrets/$owner/$character", ``, 200},

	{"public", "GET list_providers", ``, 200},

	// These servers do not have motion files.
	{"any-user", "GET motion_file_download", ``, 404},
	{"public", "GET motion_keywords", ``, 404},

	{"public", "GET /health", ``, 200},
	{"public", "GET /health/ready", ``, 200},
	{"public", "GET /", ``, 307},
	{"public", "GET /docs", ``, 200},
	{"public", "GET /redoc", ``, 200},
	{"public", "GET /openapi.json", ``, 200},
}

const testPassword = "correct horse battery"

// accessMode sets the access mode of a server.
func accessMode(mode auth.Mode) option {
	return withOptions(func(o *api.Options) { o.Access.Mode = mode })
}

// operatorToken is the operator token of every server in these tests.
var operatorToken = auth.NewOperatorToken()

// bearer returns a header with token, or an empty header if token is empty.
func bearer(token string) http.Header {
	if token == "" {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

// viaProxy marks a request as forwarded by a proxy, so that it does not count
// as local. It modifies header.
func viaProxy(header http.Header) http.Header {
	header.Set("X-Forwarded-For", "203.0.113.7")
	return header
}

// register registers an account and returns its user id.
func (s *server) register(t testing.TB, username, password string) string {
	t.Helper()
	got := s.exchange(t, exchange{
		request: "POST register_user", body: encode(t, map[string]string{"username": username, "password": password}), status: 200,
		contains: []string{`"auth_code":200`, `"auth_msg":""`, `"confirmation_required":false`},
	})
	return field(t, got.body, "user_id")
}

// registered registers an account with a random name and returns the name.
func (s *server) registered(t testing.TB) (username string) {
	t.Helper()
	username = "person " + rand.Text()
	s.register(t, username, testPassword)
	return username
}

// login logs in and returns the user id and the token.
func (s *server) login(t testing.TB, username, password string) (userID, token string) {
	t.Helper()
	got := s.exchange(t, exchange{
		request: "POST authenticate_user", body: encode(t, map[string]string{"username": username, "password": password}), status: 200,
		contains: []string{`"auth_code":200`, `"auth_msg":""`, `"token_type":"bearer"`, `"expires_in":604800`},
	})
	return field(t, got.body, "user_id"), field(t, got.body, "access_token")
}

// field returns a text member of a JSON object.
func field(t testing.TB, body, name string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatalf("%s is no JSON object: %v", brief(body), err)
	}
	text, ok := members[name].(string)
	if !ok || text == "" {
		t.Fatalf("%s has no text %q", brief(body), name)
	}
	return text
}

// callers returns the header of each caller in the access table. It moves the
// clock to make an expired token.
func (s *server) callers(t testing.TB, clock *movedClock) map[string]func() http.Header {
	t.Helper()
	for _, name := range []string{"owner", "other", "taken"} {
		s.register(t, name, testPassword)
	}
	token := func(username string) string {
		_, token := s.login(t, username, testPassword)
		return token
	}
	clock.move(-8 * 24 * time.Hour)
	expired := token("owner")
	clock.move(0)
	revoked := token("owner")
	s.exchange(t, exchange{request: "POST logout", header: bearer(revoked), status: 200, want: noBody})
	s.names["owner"], s.names["ownerToken"] = s.login(t, "owner", testPassword)
	otherToken := token("other")
	s.names["password"] = testPassword

	fixed := func(token string) func() http.Header {
		return func() http.Header { return viaProxy(bearer(token)) }
	}
	return map[string]func() http.Header{
		"nobody":   fixed(""),
		"loopback": func() http.Header { return http.Header{} },
		"owner":    fixed(s.names["ownerToken"]),
		"other":    fixed(otherToken),
		"expired":  fixed(expired),
		"revoked":  fixed(revoked),
		"operator": fixed(operatorToken.Reveal()),
		"forged":   fixed(auth.NewToken().Reveal()),
	}
}

// movedClock is a clock that tests can move.
type movedClock struct{ offset atomic.Int64 }

func (c *movedClock) move(by time.Duration) { c.offset.Store(int64(by)) }
func (c *movedClock) now() time.Time        { return time.Now().Add(time.Duration(c.offset.Load())) }

// onMovedClock returns a server on a store, and its clock.
func onMovedClock(t *testing.T, mode auth.Mode, store storeOpener) (*server, *movedClock) {
	t.Helper()
	clock := &movedClock{}
	return newServer(t, onStore(store), accessMode(mode), func(c *config) { c.now = clock.now }), clock
}

// In strict mode every route uses the store, so this mode runs on each store.
func TestAccess_EveryRouteEveryCallerEveryMode(t *testing.T) {
	t.Parallel()
	rows := strings.Split(strings.TrimSpace(accessTable), "\n")
	columns := strings.Fields(rows[0])[2:]
	for _, test := range []struct {
		mode  auth.Mode
		store storeOpener
	}{
		{auth.Open, embedded}, {auth.Guarded, embedded}, {auth.Strict, embedded}, {auth.Strict, mongoDB},
	} {
		t.Run(test.mode.String()+"/"+test.store.name, func(t *testing.T) {
			t.Parallel()
			s, clock := onMovedClock(t, test.mode, test.store)
			headers := s.callers(t, clock)
			s.ownCharacter(t)
			for _, row := range rows[1:] {
				cells := strings.Fields(row)
				if cells[0] != test.mode.String() {
					continue
				}
				for i, caller := range columns {
					s.tryRoutes(t, cells[1], cells[2+i], caller, headers[caller])
				}
			}
		})
	}
}

// ownCharacter makes a character of the owner that can be changed, named
// $character.
func (s *server) ownCharacter(t testing.TB) {
	t.Helper()
	list := s.exchange(t, exchange{request: "GET list_characters/$owner", header: bearer(s.names["ownerToken"]), status: 200})
	var ids struct {
		CharacterIDList []string `json:"character_id_list"`
	}
	if err := json.Unmarshal([]byte(list.body), &ids); err != nil || len(ids.CharacterIDList) == 0 {
		t.Fatalf("the owner has no characters: %s", brief(list.body))
	}
	s.names["original"] = ids.CharacterIDList[0]
	got := s.exchange(t, exchange{
		request: "POST duplicate_character", body: `{"user_id": "$owner", "character_id": "$original"}`,
		header: bearer(s.names["ownerToken"]), status: 200,
	})
	s.names["character"] = field(t, got.body, "character_id")
}

// tryRoutes calls every route of a level as a caller and checks whether the
// caller has access, as want says.
func (s *server) tryRoutes(t *testing.T, level, want, caller string, header func() http.Header) {
	t.Helper()
	for _, route := range routeAccess {
		if route.level != level {
			continue
		}
		x := exchange{request: route.request, body: route.body, header: header()}
		switch {
		case want == "ok" && level == "session":
			// The request ends this token, so it needs its own.
			_, token := s.login(t, caller, testPassword)
			x.header, x.status = viaProxy(bearer(token)), route.ok
		case want == "ok":
			x.status = route.ok
		default:
			if _, err := fmt.Sscan(want, &x.status); err != nil {
				t.Fatalf("cell %q of the access table: %v", want, err)
			}
		}
		got := s.exchange(t, x)
		if t.Failed() {
			t.Fatalf("%s as %s", route.request, caller)
		}
		challenge := got.header.Get("Www-Authenticate")
		switch tokenSent := x.header.Get("Authorization") != ""; {
		case got.status != http.StatusUnauthorized && challenge == "",
			got.status == http.StatusUnauthorized && !tokenSent && challenge == `Bearer realm="web-backend"`,
			got.status == http.StatusUnauthorized && tokenSent && challenge == `Bearer realm="web-backend", error="invalid_token"`:
		default:
			t.Errorf("%s as %s: status %d with the challenge %q", route.request, caller, got.status, challenge)
		}
	}
}

// Every route has a row in the table of this test and is served with the level
// of that row.
func TestAccess_TheTableIsComplete(t *testing.T) {
	t.Parallel()
	levels := api.New(backend.New(nil, backend.Options{}), slog.New(slog.DiscardHandler), api.Options{}).Levels()
	for _, row := range routeAccess {
		method, path, _ := strings.Cut(row.request, " ")
		if !strings.HasPrefix(path, "/") {
			path = "/api/v1/" + path
		}
		index := slices.IndexFunc(levels, func(l api.RouteLevel) bool {
			prefix, _, _ := strings.Cut(l.Path, "{")
			return l.Method == method && (path == l.Path || prefix != l.Path && strings.HasPrefix(path, prefix))
		})
		if index < 0 {
			t.Errorf("%s: is no route, or stands here more often than there are forms of it", row.request)
			continue
		}
		want := row.level
		if path == "/api/v1/delete_user" {
			continue // it checks the request itself, see accessTable
		}
		if want == "session" {
			want = "public" // they check the token themselves, see accessTable
		}
		if levels[index].Level.String() != want {
			t.Errorf("%s: is served for %s, want %s", row.request, levels[index].Level, want)
		}
		levels = slices.Delete(levels, index, index+1)
	}
	for _, l := range levels {
		if strings.HasPrefix(l.Path, "/docs/") || strings.HasPrefix(l.Path, "/redoc/") ||
			l.Path == "/api/v1/delete_user" {
			continue
		}
		t.Errorf("%s %s has no row in this test", l.Method, l.Path)
	}
}

// A 403 response is the same for a user that exists, a user that does not
// exist, and a character that does not exist.
func TestAccess_ForbiddenTellsNothing(t *testing.T) {
	t.Parallel()
	s, clock := onMovedClock(t, auth.Strict, embedded)
	headers := s.callers(t, clock)
	s.ownCharacter(t)
	var first response
	for i, request := range []string{
		"GET get_character_config/$owner/$character", "GET get_character_config/$owner/gone", "GET get_character_config/gone/gone",
	} {
		got := s.exchange(t, exchange{request: request, header: headers["other"](), status: 403})
		if i == 0 {
			first = got
		}
		if got.body != first.body {
			t.Errorf("%s: got %s, want %s as for a user that exists", request, got.body, first.body)
		}
	}
}

// A token is accepted in only one header. The case of the scheme does not
// matter.
func TestAccess_CarriersOfTheToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, accessMode(auth.Strict))
	s.register(t, "ada", testPassword)
	id, token := s.login(t, "ada", testPassword)
	s.names["ada"], s.names["token"] = id, token
	tests := []struct {
		name, query string
		values      []string
		status      int
	}{
		{"bearer", "", []string{"Bearer " + token}, 200},
		{"lower case", "", []string{"bearer " + token}, 200},
		{"upper case and spaces", "", []string{" BEARER   " + token + " "}, 200},
		{"none", "", nil, 401},
		{"query", "?access_token=" + token, nil, 401},
		{"query of another name", "?token=" + token, nil, 401},
		{"twice", "", []string{"Bearer " + token, "Bearer " + token}, 401},
		{"beside another scheme", "", []string{"Basic YTpi", "Bearer " + token}, 401},
		{"in a list", "", []string{"Bearer " + token + ", Bearer " + token}, 401},
		{"another scheme", "", []string{"Basic " + token}, 401},
		{"no scheme", "", []string{token}, 401},
		{"scheme alone", "", []string{"Bearer"}, 401},
		{"scheme and a space", "", []string{"Bearer "}, 401},
		{"a part", "", []string{"Bearer " + token[:len(token)-1]}, 401},
		{"more", "", []string{"Bearer " + token + "x"}, 401},
		{"another case", "", []string{"Bearer " + strings.ToUpper(token)}, 401},
		{"two words", "", []string{"Bearer " + token + " x"}, 401},
		{"very long", "", []string{"Bearer " + strings.Repeat("x", 100_000)}, 401},
		{"cookie", "", nil, 401},
	}
	for _, tt := range tests {
		header := http.Header{"Cookie": {"access_token=" + token}}
		if tt.values != nil {
			header["Authorization"] = tt.values
		}
		s.run(t, exchange{name: tt.name, request: "GET list_characters/$ada" + tt.query, header: header, status: tt.status, absent: []string{"$token"}})
	}
	if log := s.stop(t); strings.Contains(log, token) {
		t.Errorf("the log holds the token:\n%s", log)
	}
}

// If access is guarded, requests from this machine need no operator token for
// the operator routes of the contract. This test checks which requests count as
// local. Operator routes that are not in the contract always need a token.
func TestAccess_DirectLoopback(t *testing.T) {
	t.Parallel()
	proxies, err := auth.ParseProxies([]string{"127.0.0.2", "10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	s := newHandler(t, withOptions(func(o *api.Options) { o.Access.Proxies, o.EnableCORS = proxies, true }))
	off := newHandler(t, withOptions(func(o *api.Options) { o.Access.LocalOperator = false }))
	tests := []struct {
		name, peer, host string
		header           http.Header
		status           int
	}{
		{"IPv4", "127.0.0.1:1", "127.0.0.1:18080", nil, 200},
		{"IPv4 of a range", "127.8.8.8:1", "localhost", nil, 200},
		{"IPv6", "[::1]:1", "[::1]:18080", nil, 200},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:1", "localhost:18080", nil, 200},
		{"another machine", "192.168.0.7:1", "localhost", nil, 401},
		{"another machine over IPv6", "[2001:db8::7]:1", "[::1]", nil, 401},
		{"name bound to loopback", "127.0.0.1:1", "evil.example", nil, 401},
		{"name that begins alike", "127.0.0.1:1", "localhost.evil.example", nil, 401},
		{"address that begins alike", "127.0.0.1:1", "127.0.0.1.evil.example", nil, 401},
		{"no name", "127.0.0.1:1", "", nil, 401},
		{"no address", "@", "localhost", nil, 401},
		{"forwarded", "127.0.0.1:1", "localhost", http.Header{"Forwarded": {"for=203.0.113.7"}}, 401},
		{"forwarded for", "127.0.0.1:1", "localhost", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, 401},
		{"forwarded for nobody", "127.0.0.1:1", "localhost", http.Header{"X-Forwarded-For": {""}}, 401},
		{"real address", "127.0.0.1:1", "localhost", http.Header{"X-Real-Ip": {"127.0.0.1"}}, 401},
		{"via", "127.0.0.1:1", "localhost", http.Header{"Via": {"1.1 proxy"}}, 401},
		{"forwarded port alone", "127.0.0.1:1", "localhost", http.Header{"X-Forwarded-Port": {"443"}}, 401},
		{"forwarded server alone", "127.0.0.1:1", "localhost", http.Header{"X-Forwarded-Server": {"proxy.example"}}, 401},
		{"client address", "127.0.0.1:1", "localhost", http.Header{"X-Client-Ip": {"203.0.113.7"}}, 401},
		{"cluster client address", "127.0.0.1:1", "localhost", http.Header{"X-Cluster-Client-Ip": {"203.0.113.7"}}, 401},
		{"a trusted proxy itself", "127.0.0.2:1", "localhost", nil, 401},
		{"page of the server", "127.0.0.1:1", "localhost:18080", http.Header{"Origin": {"http://localhost:18080"}, "Sec-Fetch-Site": {"same-origin"}}, 200},
		{"page of the server that reloads itself", "127.0.0.1:1", "localhost:18080", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		{"page of another port", "127.0.0.1:1", "localhost:18080", http.Header{"Origin": {"http://localhost:3000"}}, 401},
		{"page of another name", "127.0.0.1:1", "localhost:18080", http.Header{"Origin": {"http://127.0.0.1:18080"}}, 401},
		{"page of another scheme", "127.0.0.1:1", "localhost:18080", http.Header{"Origin": {"https://localhost:18080"}}, 401},
		{"page without the port", "127.0.0.1:1", "localhost:18080", http.Header{"Origin": {"http://localhost"}}, 401},
		{"image of another port", "127.0.0.1:1", "localhost:18080", http.Header{"Sec-Fetch-Site": {"same-site"}}, 401},
		{"page of another site", "127.0.0.1:1", "localhost:18080", http.Header{"Origin": {"https://evil.example"}}, 401},
		{"page without an origin", "127.0.0.1:1", "localhost:18080", http.Header{"Origin": {"null"}}, 401},
		{"image of another site", "127.0.0.1:1", "localhost:18080", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 401},
		{"typed by a person", "127.0.0.1:1", "localhost:18080", http.Header{"Sec-Fetch-Site": {"none"}}, 200},
		{"wrong token", "127.0.0.1:1", "localhost", bearer("wbo_wrong"), 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, request := range []string{"/api/v1/list_users", "/tail_log/1", "/dowload_log_file"} {
				r := httpRequest(t, http.MethodGet, request, "")
				r.RemoteAddr, r.Host = tt.peer, tt.host
				maps.Copy(r.Header, tt.header)
				if got := s.serve(r); got.status != tt.status {
					t.Errorf("%s from %s to %q with %v: got %d, want %d", request, tt.peer, tt.host, tt.header, got.status, tt.status)
				}
				if got := off.serve(r.Clone(t.Context())); got.status != 401 {
					t.Errorf("%s without the exemption: got %d, want 401", request, got.status)
				}
			}
			for request, body := range map[string]string{
				"GET /metrics": "", "GET /api/v1/find_users": "", "POST /api/v1/set_user_password": `{"user_id": "gone", "new_password": "a good password"}`,
				"POST /api/v1/disable_user": `{"user_id": "gone"}`, "POST /api/v1/enable_user": `{"user_id": "gone"}`,
				"POST /api/v1/end_user_sessions": `{"user_id": "gone"}`,
			} {
				method, path, _ := strings.Cut(request, " ")
				r := httpRequest(t, method, path, body)
				r.RemoteAddr, r.Host = tt.peer, tt.host
				maps.Copy(r.Header, tt.header)
				if got := s.serve(r); got.status != 401 {
					t.Errorf("%s from %s to %q with %v: got %d, want 401", request, tt.peer, tt.host, tt.header, got.status)
				}
			}
		})
	}
}

// Several operator tokens can be valid at the same time. If none is configured,
// no token is valid.
func TestAccess_OperatorTokens(t *testing.T) {
	t.Parallel()
	old, next := auth.NewOperatorToken(), backend.NewSecret("a token of the operator's own")
	s := newServer(t, withOptions(func(o *api.Options) { o.Access.OperatorTokens = auth.NewOperatorTokens([]backend.Secret{old, next}) }))
	for token, status := range map[string]int{old.Reveal(): 200, next.Reveal(): 200, "x": 401, operatorToken.Reveal(): 401} {
		s.exchange(t, exchange{request: "GET list_users", header: viaProxy(bearer(token)), status: status})
	}
	none := newServer(t, withOptions(func(o *api.Options) { o.Access.OperatorTokens = auth.NewOperatorTokens(nil) }))
	none.exchange(t, exchange{request: "GET list_users", header: viaProxy(http.Header{"Authorization": {"Bearer "}}), status: 401})
	none.exchange(t, exchange{request: "GET list_users", header: viaProxy(bearer("x")), status: 401})
}

// Wrong operator tokens use up the attempts of their address. After that, no
// token from the address is checked, not even the right one. This does not
// affect other addresses, and right tokens and user tokens use up no attempts.
func TestAccess_TokenTries(t *testing.T) {
	t.Parallel()
	const burst = 3
	clock := &movedClock{}
	s := newHandler(t, accessMode(auth.Strict), withOptions(func(o *api.Options) {
		o.Access.AddressTries = auth.NewRateLimit(1, burst, 10, clock.now)
	}))
	send := func(path, peer, token string) response {
		r := httpRequest(t, http.MethodGet, path, "")
		r.RemoteAddr = peer + ":1"
		maps.Copy(r.Header, bearer(token))
		return s.serve(r)
	}
	const users, guesser, household = "/api/v1/list_users", "192.0.2.1", "192.0.2.2"
	right := operatorToken.Reveal()
	for range 3 * burst {
		send(users, guesser, right).with(t, 200)
		send(users, household, auth.NewToken().Reveal()).with(t, 401)
	}
	for i := range burst {
		// All routes that need a token share one count.
		send([]string{users, "/metrics", "/api/v1/list_characters/ada"}[i], guesser, fmt.Sprint("guess ", i)).with(t, 401)
	}
	first := send(users, guesser, "guess")
	for _, got := range []response{first, send(users, guesser, right), send("/metrics", guesser, right), send("/api/v1/list_characters/ada", guesser, "guess")} {
		if got.status != 429 || got.header.Get("Retry-After") != "60" || got.body != first.body {
			t.Errorf("without a try left: got %d %v %s, want 429 that is the same for all", got.status, got.header, got.body)
		}
	}
	send(users, guesser, auth.NewToken().Reveal()).with(t, 401)
	send(users, guesser, "").with(t, 401)
	send("/health", guesser, right).with(t, 200)
	send(users, household, right).with(t, 200)
	clock.move(time.Minute)
	send(users, guesser, right).with(t, 200)
	log := s.logLines()
	if lines := linesWith(log, "status=429"); len(lines) != 4 || !strings.Contains(lines[0], " client="+guesser) {
		t.Errorf("got the lines %q, want the address in each", lines)
	}
}

// The log shows what operators do: the caller, the affected user and the
// result. Log lines of users' own requests contain no id.
func TestAudit(t *testing.T) {
	t.Parallel()
	first, second := backend.NewSecret("the first operator's token"), auth.NewOperatorToken()
	s := newServer(t, withOptions(func(o *api.Options) {
		o.Access.OperatorTokens = auth.NewOperatorTokens([]backend.Secret{first, second})
	}))
	s.names["Zoe"] = s.register(t, "Zoe", testPassword)
	_, user := s.login(t, "Zoe", testPassword)
	setPassword := `{"username": "Zoe", "new_password": "` + testPassword + `"}`
	for _, c := range []struct {
		request, body string
		header        http.Header
		status        int
		want          string // text after bytes=…, without client=…
	}{
		{"GET list_users", "", nil, 200, "caller=loopback"},
		{"GET list_users", "", bearer(second.Reveal()), 200, "caller=operator#2"},
		{"GET list_users", "", viaProxy(bearer("")), 401, "caller=nobody"},
		{"GET list_users", "", bearer(user), 403, "caller=user"},
		{"GET list_users", "", bearer("a guess"), 401, "caller=bad_token"},
		{"POST create_user", `{"user_id": "ada"}`, nil, 200, "caller=loopback user_id=ada"},
		{"POST create_user", `{"user_id": "ada"}`, bearer(first.Reveal()), 400, "caller=operator#1"},
		{"POST create_user", `{"user_id": "` + first.Reveal() + `"}`, nil, 200, "caller=loopback user_id=***"},
		{"POST create_user", `{"user_id": "é msg=forged\" 1"}`, nil, 200, "caller=loopback user_id=é_msg_forged__1"},
		{"POST set_user_password", setPassword, bearer(first.Reveal()), 200, "caller=operator#1 user_id=$Zoe"},
		{"POST set_user_password", `{"user_id": "gone", "new_password": "` + testPassword + `"}`, bearer(first.Reveal()), 404, "caller=operator#1"},
		{"POST end_user_sessions", `{"user_id": "$Zoe"}`, bearer(first.Reveal()), 200, "caller=operator#1 user_id=$Zoe"},
		{"POST disable_user", `{"user_id": "gone"}`, bearer(first.Reveal()), 404, "caller=operator#1"},
		{"POST delete_user", `{"user_id": "ada"}`, bearer(first.Reveal()), 200, "caller=operator#1 user_id=ada"},
		{"POST delete_user", `{"user_id": "$Zoe", "username": "Zoe", "password": "a wrong one"}`, nil, 200, "caller=password refused=true"},
		{"GET list_characters/$Zoe", "", bearer(second.Reveal()), 200, "caller=operator#2"},
		{"GET list_characters/a-secret-in-the-wrong-place", "", bearer(second.Reveal()), 200, "caller=operator#2"},
		{"POST update_user_config", `{"user_id": "$Zoe", "timezone": "UTC"}`, bearer(second.Reveal()), 200, "caller=operator#2 user_id=$Zoe"},
		{"GET list_characters/$Zoe", "", nil, 200, ""},
		{"GET list_characters/$Zoe", "", bearer(user), 200, ""},
		{"GET /health", "", bearer(first.Reveal()), 200, ""},
	} {
		id := rand.Text()
		header := c.header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set("X-Request-Id", id)
		s.exchange(t, exchange{request: c.request, body: c.body, header: header, status: c.status})
		lines := linesWith(s.logLines(), "request_id="+id)
		if len(lines) != 1 {
			t.Fatalf("%s: got the lines %q, want one", c.request, lines)
		}
		_, got, _ := strings.Cut(lines[0], " bytes=")
		_, got, _ = strings.Cut(strings.TrimSpace(got), " ")
		got, _, _ = strings.Cut(got, " client=")
		got, _, _ = strings.Cut(got, "client=")
		got, _, _ = strings.Cut(got, "error=")
		if want := s.expander()(c.want); strings.TrimSpace(got) != want {
			t.Errorf("%s %s: the log says %q, want %q", c.request, c.body, got, want)
		}
	}
}

//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// none is the example request of an operation that has no body.
const none = ""

// requests contains a valid request for every operation of the API, by
// operation id. {user} and {copy} stand for a separate user and a character
// that this user may change. {other} stands for a user that does not exist.
// {account} and {id} stand for the name and the id of a user that has logged
// in.
var requests = map[string]string{
	"register_user":        `{"username": "new {user}", "password": "a good password", "language": "en"}`,
	"authenticate_user":    `{"username": "{account}", "password": "a good password", "language": "zh"}`,
	"update_user_password": `{"username": "{account}", "password": "a good password", "new_password": "a better password"}`,
	"logout":               `{}`,
	"list_sessions":        none,
	"end_sessions":         `{}`,

	"set_user_password":       `{"user_id": "{user}", "username": "{account} the second", "new_password": "a good password"}`,
	"disable_user":            `{"user_id": "{id}"}`,
	"enable_user":             `{"user_id": "{id}"}`,
	"end_user_sessions":       `{"user_id": "{id}"}`,
	"find_users":              none,
	"list_users":              none,
	"list_user_credential_id": none,
	"list_user_config_id":     none,
	"create_user":             `{"user_id": "{other}"}`,
	"delete_user":             `{"user_id": "{id}", "username": "{account}", "password": "a good password"}`,
	"update_user_config":      `{"user_id": "{user}", "openai_api_key": "k", "sensechat_ak": "", "timezone": "Europe/Berlin", "xai_api_key": null}`,
	"get_user_config":         none,

	"list_characters":          none,
	"list_character_summaries": none,
	"get_character_config":     none,
	"duplicate_character":      `{"user_id": "{user}", "character_id": "{copy}", "character_name": "My Mira"}`,
	"import_character": `{"character_name": "Mira", "scene_name": "vast", "tts_adapter": "elevenlabs", "voice": "", "voice_speed": 1.5, "avatar": "a",
		"asr_adapter": "a", "classification_adapter": "a", "conversation_adapter": "a", "prompt": "p", "reaction_adapter": "a", "memory_adapter": "a"}`,
	"delete_character": `{"user_id": "{user}", "character_id": "{copy}"}`,

	"update_character_name":           `{"user_id": "{user}", "character_id": "{copy}", "character_name": "Mira", "new_name": "ignored"}`,
	"update_character_avatar":         `{"user_id": "{user}", "character_id": "{copy}", "avatar": "HT-default"}`,
	"update_character_scene":          `{"user_id": "{user}", "character_id": "{copy}", "scene_name": "seabed"}`,
	"update_character_prompt":         `{"user_id": "{user}", "character_id": "{copy}", "prompt": "You are Mira."}`,
	"update_character_asr":            `{"user_id": "{user}", "character_id": "{copy}", "asr_adapter": "huoshan"}`,
	"update_character_tts":            `{"user_id": "{user}", "character_id": "{copy}", "tts_adapter": "elevenlabs", "voice": "v", "voice_speed": "1.2"}`,
	"update_character_classification": `{"user_id": "{user}", "character_id": "{copy}", "classification_adapter": "xai_classification", "classification_model_override": "m"}`,
	"update_character_conversation":   `{"user_id": "{user}", "character_id": "{copy}", "conversation_adapter": "xai_agent", "conversation_model_override": null}`,
	"update_character_reaction":       `{"user_id": "{user}", "character_id": "{copy}", "reaction_adapter": "xai_reaction"}`,
	"update_character_memory":         `{"user_id": "{user}", "character_id": "{copy}", "memory_adapter": "xai_memory"}`,

	"list_providers":      none,
	"get_available_llm":   none,
	"get_available_asr":   none,
	"get_available_tts":   none,
	"get_missing_secrets": none,

	"motion_keywords": none,

	"tail_log":             none,
	"download_log_file":    none,
	"health":               none,
	"health_ready":         none,
	"metrics":              none,
	"redirect_to_docs":     none,
	"get_openapi_document": none,
}

// needToken are the operations that need the token of a user in every mode.
var needToken = []string{"logout", "list_sessions", "end_sessions"}

// needOperator are the operations that need an operator token in every mode.
var needOperator = []string{"metrics", "find_users", "set_user_password", "disable_user", "enable_user", "end_user_sessions"}

// contractPaths are the rows of contract §2, and logout, which this server
// adds.
var contractPaths = []string{
	"POST /api/v1/register_user", "POST /api/v1/authenticate_user", "POST /api/v1/update_user_password", "POST /api/v1/logout",
	"GET /api/v1/list_users", "GET /api/v1/list_user_credential_id", "GET /api/v1/list_user_config_id",
	"POST /api/v1/create_user", "POST /api/v1/delete_user",
	"GET /api/v1/list_characters/{user_id}", "GET /api/v1/get_character_config/{user_id}/{character_id}",
	"POST /api/v1/duplicate_character", "POST /api/v1/delete_character",
	"POST /api/v1/update_character_name", "POST /api/v1/update_character_avatar", "POST /api/v1/update_character_scene",
	"POST /api/v1/update_character_prompt", "POST /api/v1/update_character_asr", "POST /api/v1/update_character_tts",
	"POST /api/v1/update_character_classification", "POST /api/v1/update_character_conversation",
	"POST /api/v1/update_character_reaction", "POST /api/v1/update_character_memory", "POST /api/v1/update_user_config",
	"GET /api/v1/get_available_llm/{user_id}", "GET /api/v1/get_available_asr/{user_id}", "GET /api/v1/get_available_tts/{user_id}",
	"GET /api/v1/get_missing_secrets/{user_id}/{character_id}",
	"GET /tail_log/{n_lines}", "GET /dowload_log_file", "GET /health", "GET /", "GET /openapi.json",
}

// operation is the description of one operation in the OpenAPI document.
type operation struct {
	ID        string `json:"operationId"`
	Responses map[string]struct {
		Content map[string]any `json:"content"`
	} `json:"responses"`
}

// operations reads the document that the program serves. The keys have the form
// of contractPaths.
func operations(t *testing.T, p *process) map[string]operation {
	t.Helper()
	var document struct {
		OpenAPI string                          `json:"openapi"`
		Paths   map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal([]byte(p.must(t, "/openapi.json", "")), &document); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1.") {
		t.Errorf("the document has the version %q", document.OpenAPI)
	}
	all := map[string]operation{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			all[strings.ToUpper(method)+" "+path] = operation
		}
	}
	return all
}

// TestContract calls the whole API of the real program, as its own document
// describes it. A valid request to every path succeeds, and the response has
// the documented form.
func TestContract(t *testing.T) {
	t.Parallel()
	p := serveWith(t, t.TempDir(), append([]string{motionFolder(t)}, manyTries...))
	all := operations(t, p)
	for _, path := range contractPaths {
		if _, ok := all[path]; !ok {
			t.Errorf("the document lacks %s", path)
		}
	}
	left := maps.Clone(requests)
	t.Run("operations", func(t *testing.T) {
		for route, operation := range all {
			body, ok := left[operation.ID]
			if !ok {
				t.Errorf("requests has no example for %s %s, or two operations have this id", route, operation.ID)
				continue
			}
			delete(left, operation.ID)
			t.Run(operation.ID, func(t *testing.T) {
				t.Parallel()
				checkOperation(t, p, route, body, operation)
			})
		}
	})
	for id := range left {
		t.Errorf("requests has %s, which is no operation", id)
	}
	t.Run("pages", func(t *testing.T) { checkPages(t, p) })
	t.Run("errors", func(t *testing.T) { checkErrors(t, p) })
}

// checkOperation sends a request that uses a separate user and character.
func checkOperation(t *testing.T, p *process, route, body string, operation operation) {
	t.Helper()
	user := "user of " + operation.ID
	p.must(t, "/api/v1/create_user", `{"user_id": "`+user+`"}`)
	escaped := strings.ReplaceAll(user, " ", "%20")
	character := p.duplicate(t, user, p.characterIDs(t, escaped)[0])

	method, path, _ := strings.Cut(route, " ")
	if (method == http.MethodPost) != (body != none) {
		t.Fatalf("%s has the example %q", route, body)
	}
	path = strings.NewReplacer("{user_id}", escaped, "{character_id}", character, "{n_lines}", "5").Replace(path)
	var id, token string
	if strings.Contains(body, "{account}") || strings.Contains(body, "{id}") || slices.Contains(needToken, operation.ID) { // needs two password hashes
		id, token = p.account(t, "account of "+user)
	}
	body = strings.NewReplacer("{user}", user, "{copy}", character, "{other}", "other than "+user,
		"{account}", "account of "+user, "{id}", id).Replace(body)
	switch {
	case slices.Contains(needOperator, operation.ID):
		token = p.operatorToken(t)
	case !slices.Contains(needToken, operation.ID):
		token = "" // on the machine of the server, all other operations need no token
	}
	got, err := p.sendAs(t.Context(), token, path, body)
	if err != nil {
		t.Fatal(err)
	}
	want := http.StatusOK
	if path == "/" {
		want = http.StatusTemporaryRedirect
	}
	if got.status != want {
		t.Fatalf("%s %s: %d %s, want %d", path, body, got.status, got.body, want)
	}
	if got.header.Get("X-Request-ID") == "" {
		t.Error("the response has no X-Request-ID")
	}
	if want == http.StatusTemporaryRedirect && got.header.Get("Location") != "docs" {
		t.Errorf("it leads to %q", got.header.Get("Location"))
	}
	documented, ok := operation.Responses[strconv.Itoa(want)]
	if !ok {
		t.Fatalf("status %d is not documented", want)
	}
	checkForm(t, got, slices.Sorted(maps.Keys(documented.Content)))
}

// account registers a user, logs it in, and returns its id and token.
func (p *process) account(t *testing.T, username string) (id, token string) {
	t.Helper()
	credential := `{"username": "` + username + `", "password": "a good password"}`
	p.must(t, "/api/v1/register_user", credential)
	var login struct {
		UserID      string `json:"user_id"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(p.must(t, "/api/v1/authenticate_user", credential)), &login); err != nil || login.AccessToken == "" {
		t.Fatalf("%s logged in as %+v, %v", username, login, err)
	}
	return login.UserID, login.AccessToken
}

// checkForm checks that a response has one of the documented content types, or
// is empty if there are none.
func checkForm(t *testing.T, got received, types []string) {
	t.Helper()
	if len(types) == 0 {
		if got.body != "" {
			t.Errorf("the response is %q, and none is documented", got.body)
		}
		return
	}
	mediaType, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err != nil || !slices.Contains(types, mediaType) {
		t.Errorf("the response is of type %q, documented is %q", got.header.Get("Content-Type"), types)
	}
	if mediaType == "application/json" && !json.Valid([]byte(got.body)) {
		t.Errorf("the response is not JSON: %.300q", got.body)
	}
	if got.body == "" {
		t.Errorf("the response is empty, documented is %q", types)
	}
}

func checkPages(t *testing.T, p *process) {
	t.Helper()
	for _, path := range []string{"/docs", "/redoc"} {
		got, err := p.send(t.Context(), path, "")
		if err != nil {
			t.Fatal(err)
		}
		if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(got.body, "<html") {
			t.Errorf("%s: %d %s %.300q", path, got.status, got.header.Get("Content-Type"), got.body)
		}
	}
}

// checkErrors checks that errors have the same form, whichever layer of the
// real server finds them.
func checkErrors(t *testing.T, p *process) {
	t.Helper()
	p.must(t, "/api/v1/create_user", `{"user_id": "ada"}`)
	readOnly := p.characterIDs(t, "ada")[0]
	for _, tt := range []struct {
		path, body string
		status     int
	}{
		{"/api/v1/create_user", `{"user_id": "ada"}`, http.StatusBadRequest},
		{"/api/v1/update_character_scene", `{"user_id": "ada", "character_id": "` + readOnly + `", "scene_name": "vast"}`, http.StatusForbidden},
		{"/api/v1/get_character_config/ada/nobody", none, http.StatusNotFound},
		{"/no/such/path", none, http.StatusNotFound},
		{"/api/v1/create_user", none, http.StatusMethodNotAllowed},
		{"/api/v1/create_user", `{"user_id": "` + strings.Repeat("x", 1<<20) + `"}`, http.StatusRequestEntityTooLarge},
		{"/api/v1/create_user", `{"user_id": 5}`, http.StatusUnprocessableEntity},
		{"/api/v1/create_user", `{`, http.StatusUnprocessableEntity},
		{"/tail_log/many", none, http.StatusUnprocessableEntity},
	} {
		got, err := p.send(t.Context(), tt.path, tt.body)
		if err != nil {
			t.Fatal(err)
		}
		var shape struct {
			Message string
			Code    int
			Detail  map[string]any
		}
		if err := json.Unmarshal([]byte(got.body), &shape); err != nil || got.status != tt.status || shape.Code != tt.status ||
			shape.Message == "" || len(shape.Detail) == 0 || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %.80s: want %d, got %s", tt.path, tt.body, tt.status, fmt.Sprintf("%d %.300s, %v", got.status, got.body, err))
		}
	}
}

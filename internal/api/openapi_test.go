package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

var update = flag.Bool("update", false, "write the golden files anew")

const goldenFile = "openapi.json"

// document is the part of the OpenAPI document that the tests use.
type document struct {
	raw   string
	Paths map[string]map[string]*operation

	Components struct{ Schemas map[string]schema }
}

type operation struct {
	method, path string

	OperationID string
	Summary     string
	Description *string
	Tags        []string
	Parameters  []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	}
	RequestBody *struct {
		Required bool
		Content  map[string]media
	}
	Responses map[string]struct {
		Description string
		Content     map[string]media
		Headers     map[string]any
	}
}

type media struct {
	Schema  schema
	Example any
}

type schema map[string]any

// apiDocument returns the document that every server serves.
var apiDocument = sync.OnceValue(func() *document {
	a := api.New(backend.New(nil, backend.Options{}), slog.New(slog.DiscardHandler), api.Options{Access: api.AccessOptions{Mode: auth.Open}})
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", http.NoBody))
	doc := &document{raw: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), doc); err != nil {
		panic(fmt.Sprintf("the OpenAPI document: %v: %s", err, w.Body))
	}
	for path, operations := range doc.Paths {
		for method, operation := range operations {
			operation.method, operation.path = strings.ToUpper(method), path
		}
	}
	return doc
})

// operations returns all operations in the order of their paths.
func (d *document) operations() []*operation {
	var all []*operation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			all = append(all, d.Paths[path][method])
		}
	}
	return all
}

func (o *operation) name() string { return o.method + " " + o.path }

// request returns the schema of the request body, or nil if there is none.
func (o *operation) request() schema {
	if o.RequestBody == nil {
		return nil
	}
	return apiDocument().resolve(o.RequestBody.Content["application/json"].Schema)
}

// example returns the example of the request body in the document.
func (o *operation) example() map[string]any {
	body, _ := o.RequestBody.Content["application/json"].Example.(map[string]any)
	return maps.Clone(body)
}

// examplePath returns the path with the examples of its parameters.
func (o *operation) examplePath() string {
	path := o.path
	for _, parameter := range o.Parameters {
		example := fmt.Sprint(parameter.Schema.list("examples")[0])
		path = strings.Replace(path, "{"+parameter.Name+"}", segment(example), 1)
	}
	return path
}

// exampleQuery returns the query with the examples of its parameters.
func (o *operation) exampleQuery() string {
	query := url.Values{}
	for _, parameter := range o.Parameters {
		if parameter.In == "query" {
			query.Set(parameter.Name, fmt.Sprint(parameter.Schema.list("examples")[0]))
		}
	}
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// find returns the operation of a request, or nil if the document does not have
// one.
func (d *document) find(method, path string) *operation {
	path, _, _ = strings.Cut(path, "?")
	segments := strings.Split(path, "/")
	for template, operations := range d.Paths {
		fits := func(wanted, given string) bool {
			return wanted == given || wanted != "" && wanted[0] == '{' && given != ""
		}
		if !slices.EqualFunc(strings.Split(template, "/"), segments, fits) {
			continue
		}
		for _, o := range operations {
			if o.method == method {
				return o
			}
		}
	}
	return nil
}

// fault returns what in the response to a request does not match the document:
// the status, the content type, or the JSON.
func (d *document) fault(method, path string, a response) string {
	o := d.find(method, path)
	if o == nil {
		return ""
	}
	response, ok := o.Responses[strconv.Itoa(a.status)]
	if !ok {
		return fmt.Sprintf("the document of %s has no status %d", o.name(), a.status)
	}
	if len(response.Content) == 0 {
		if a.body != "" {
			return fmt.Sprintf("the document of %s has no body for status %d", o.name(), a.status)
		}
		return ""
	}
	if o.OperationID == "delete_user" && a.status == http.StatusOK && a.body == "" {
		return "" // a deletion without a password, as its description says
	}
	contentType, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	content, ok := response.Content[contentType]
	if !ok {
		return fmt.Sprintf("the document of %s has no %s for status %d", o.name(), contentType, a.status)
	}
	if contentType != "application/json" {
		return ""
	}
	value, err := parse(a.body)
	if err != nil {
		return fmt.Sprintf("the body is no JSON: %v", err)
	}
	return d.mismatch(content.Schema, value, "the body")
}

// resolve follows a reference.
func (d *document) resolve(s schema) schema {
	if reference, ok := s["$ref"].(string); ok {
		return d.Components.Schemas[strings.TrimPrefix(reference, "#/components/schemas/")]
	}
	return s
}

func (s schema) member(name string) schema {
	member, _ := s[name].(map[string]any)
	return member
}

func (s schema) list(name string) []any {
	list, _ := s[name].([]any)
	return list
}

// properties returns the properties of an object.
func (s schema) properties() map[string]schema {
	all := map[string]schema{}
	for name := range s.member("properties") {
		all[name] = s.member("properties").member(name)
	}
	return all
}

// types returns the types that a value may have, or an empty list for any type.
func (s schema) types() []any {
	if list := s.list("type"); list != nil {
		return list
	}
	if s["type"] == nil {
		return nil
	}
	return []any{s["type"]}
}

// mismatch returns how a value does not match a schema. It supports the part of
// JSON Schema that the document uses. A member that is not in the schema is a
// mismatch.
func (d *document) mismatch(s schema, value any, place string) string {
	s = d.resolve(s)
	if types := s.types(); types != nil && !slices.ContainsFunc(types, func(name any) bool { return isOf(name, value) }) {
		return fmt.Sprintf("%s is %s, want %v", place, brief(fmt.Sprintf("%#v", value)), types)
	}
	if values := s.list("enum"); values != nil && !slices.Contains(values, value) {
		return fmt.Sprintf("%s is %v, want one of %v", place, value, values)
	}
	switch v := value.(type) {
	case map[string]any:
		if s["properties"] == nil {
			break // any members are allowed
		}
		for _, name := range s.list("required") {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Sprintf("%s lacks %s", place, name)
			}
		}
		properties := s.properties()
		for name, member := range v {
			property, ok := properties[name]
			if !ok {
				return fmt.Sprintf("%s has %s, which the document does not know", place, name)
			}
			if fault := d.mismatch(property, member, place+"."+name); fault != "" {
				return fault
			}
		}
	case []any:
		for i, element := range v {
			if len(s.member("items")) == 0 {
				break // any type is allowed
			}
			if fault := d.mismatch(s.member("items"), element, fmt.Sprintf("%s[%d]", place, i)); fault != "" {
				return fault
			}
		}
	case string:
		if pattern, ok := s["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
			return fmt.Sprintf("%s is %q, want %s", place, brief(v), pattern)
		}
	}
	return ""
}

// isOf reports whether a value has a JSON Schema type.
func isOf(name, value any) bool {
	number, isNumber := value.(float64)
	switch name {
	case "integer":
		return isNumber && number == float64(int64(number))
	case "number":
		return isNumber
	}
	is := map[bool]any{}
	switch value.(type) {
	case nil:
		is[true] = "null"
	case bool:
		is[true] = "boolean"
	case string:
		is[true] = "string"
	case []any:
		is[true] = "array"
	case map[string]any:
		is[true] = "object"
	}
	return is[true] == name
}

// The embedded document is the one that the route table makes, and the server
// serves it.
func TestGoldenOpenAPI(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/a/b"} {
		a := api.New(backend.New(nil, backend.Options{}), slog.New(slog.DiscardHandler), api.Options{BasePath: base})
		built, err := a.BuildDocument()
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(goldenFile, built, 0o600); err != nil {
				t.Fatal(err)
			}
			return // the program still contains the old document
		}
		if line := firstDifference(string(api.Document(base)), string(built)); line != "" {
			t.Errorf("base path %q: the document differs from the table of routes; run `make golden`, and read the diff:\n%s", base, line)
		}
		served := newServer(t, below(base)).exchange(t, exchange{request: "GET " + base + "/openapi.json", status: 200}).body
		if line := firstDifference(served, string(api.Document(base))); line != "" {
			t.Errorf("GET %s/openapi.json differs:\n%s", base, line)
		}
	}
}

// firstDifference returns the first line that differs.
func firstDifference(want, got string) string {
	wanted, gotten := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(wanted), len(gotten)) {
		line := func(lines []string) string {
			if i < len(lines) {
				return lines[i]
			}
			return "(the end)"
		}
		if line(wanted) != line(gotten) {
			return fmt.Sprintf("line %d\ngot  %s\nwant %s", i+1, line(gotten), line(wanted))
		}
	}
	return ""
}

// The document and the route table have the same operations.
func TestOpenAPI_Complete(t *testing.T) {
	t.Parallel()
	a := api.New(backend.New(nil, backend.Options{}), slog.New(slog.DiscardHandler), api.Options{Access: api.AccessOptions{Mode: auth.Open}})
	want, pages := a.Routes()
	var got []string
	for _, o := range apiDocument().operations() {
		got = append(got, o.name())
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("operations of the document\ngot  %q\nwant %q", got, want)
	}
	for _, page := range pages {
		if strings.HasPrefix(page, "GET /api/") {
			t.Errorf("%s is not in the document", page)
		}
	}
}

// The document describes everything that the author of a client needs.
func TestOpenAPI_Described(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	snakeCase := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, o := range apiDocument().operations() {
		t.Run(o.name(), func(t *testing.T) {
			if other := seen[o.OperationID]; other != "" || !snakeCase.MatchString(o.OperationID) {
				t.Errorf("operationId %q: want a name in snake_case that no other operation has, as %q has", o.OperationID, other)
			}
			seen[o.OperationID] = o.name()
			if o.Summary == "" || len(o.Tags) != 1 || o.Description != nil && *o.Description == "" {
				t.Errorf("got summary %q, tags %q; want both, and no empty description", o.Summary, o.Tags)
			}
			for _, parameter := range o.Parameters {
				if parameter.Description == "" || parameter.Required != (parameter.In == "path") || len(parameter.Schema.list("examples")) == 0 {
					t.Errorf("parameter %s: want a description, an example, and required only in the path: %v", parameter.Name, parameter)
				}
			}
			for status, response := range o.Responses {
				if response.Description == "" {
					t.Errorf("status %s has no description", status)
				}
				if content, ok := response.Content["application/json"]; ok {
					checkExample(t, "status "+status, content)
				}
			}
			if o.method == http.MethodPost && o.OperationID != "logout" { // logout has no body
				if o.RequestBody == nil || !o.RequestBody.Required {
					t.Fatal("the body of the request is not required")
				}
				checkExample(t, "request", o.RequestBody.Content["application/json"])
			}
		})
	}
}

// checkExample checks that the schema allows the example.
func checkExample(t *testing.T, what string, content media) {
	t.Helper()
	if content.Example == nil {
		t.Errorf("%s has no example", what)
		return
	}
	if fault := apiDocument().mismatch(content.Schema, content.Example, "the example"); fault != "" {
		t.Errorf("%s: %s", what, fault)
	}
}

// Every field has a description, and its example matches its schema.
func TestOpenAPI_Schemas(t *testing.T) {
	t.Parallel()
	doc := apiDocument()
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		if !regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`).MatchString(name) || strings.Contains(name, "Api") {
			t.Errorf("schema %s: want a name in PascalCase without a package", name)
		}
		for field, property := range doc.Components.Schemas[name].properties() {
			if property["description"] == nil {
				t.Errorf("%s.%s has no description", name, field)
			}
			if types := property.types(); len(types) > 0 && types[0] == "null" {
				t.Errorf("%s.%s: tools show the first type, and it is null", name, field)
			}
			if values := property.list("enum"); field == "auth_code" && !slices.Equal(values, []any{200.0, 500.0}) {
				t.Errorf("%s.%s: got the values %v, want 200 and 500", name, field, values)
			}
			for _, example := range property.list("examples") {
				if fault := doc.mismatch(property, example, "the example"); fault != "" {
					t.Errorf("%s.%s: %s", name, field, fault)
				}
			}
			if value, ok := property["default"]; ok {
				if fault := doc.mismatch(property, value, "the default"); fault != "" {
					t.Errorf("%s.%s: %s", name, field, fault)
				}
			}
		}
	}
}

// Clients of the original server, and the code that was generated for them, use
// the names of its schemas.
func TestOpenAPI_Names(t *testing.T) {
	t.Parallel()
	known := map[string]string{
		"register_user": "RegisterUserResponse", "authenticate_user": "AuthenticateUserResponse",
		"update_user_password": "UpdateUserPasswordResponse", "delete_user": "DeleteUserResponse",
		"create_user": "CreateUserResponse", "list_users": "ListUsersResponse",
		"list_user_credential_id": "ListUsersResponse", "list_user_config_id": "ListUsersResponse",
		"list_characters": "GetCharacterListResponse", "get_character_config": "GetCharacterConfigResponse",
		"duplicate_character": "DuplicateCharacterResponse", "get_missing_secrets": "GetMissingSecretsResponse",
		"get_available_llm": "GetAvailableLLMResponse", "get_available_asr": "GetAvailableASRResponse",
		"get_available_tts": "GetAvailableTTSResponse", "motion_keywords": "MotionKeywordsV1Response",
	}
	for _, o := range apiDocument().operations() {
		want, ok := known[o.OperationID]
		if got := o.Responses["200"].Content["application/json"].Schema["$ref"]; ok && got != "#/components/schemas/"+want {
			t.Errorf("%s responds with %v, want %s", o.name(), got, want)
		}
		delete(known, o.OperationID)
	}
	if len(known) > 0 {
		t.Errorf("the document lacks the operations of %v", known)
	}
}

// Fields are in the order of declaration, not in alphabetical order, and fields
// that are always present come first.
func TestOpenAPI_Order(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct{ Example json.RawMessage }
			}
		}
		Components struct {
			Schemas map[string]struct {
				Properties json.RawMessage
				Required   []string
			}
		}
	}
	if err := json.Unmarshal([]byte(apiDocument().raw), &doc); err != nil {
		t.Fatal(err)
	}
	for name, s := range doc.Components.Schemas {
		if name == "ImportCharacterRequest" {
			continue // has the order of GetCharacterConfigResponse
		}
		if got := namesOf(t, s.Properties); !slices.Equal(got[:len(s.Required)], s.Required) {
			t.Errorf("%s\ngot  %q\nwant first %q", name, got, s.Required)
		}
	}
	for name, want := range map[string][]string{
		"GetCharacterConfigResponse": namesOf(t, []byte(encode(t, backend.NewCharacter()))),
		"DeleteUserRequest":          {"user_id", "username", "password", "language"},
		"AuthenticateUserResponse":   {"user_id", "auth_code", "auth_msg", "access_token", "token_type", "expires_in"},
		"UpdateUserConfigRequest":    append([]string{"user_id", "timezone"}, backend.ProviderKeys...),
	} {
		if got := namesOf(t, doc.Components.Schemas[name].Properties); !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %q\nwant %q", name, got, want)
		}
	}
	if got, want := namesOf(t, doc.Paths["/api/v1/authenticate_user"]["post"].RequestBody.Content["application/json"].Example), []string{"username", "password", "language"}; !slices.Equal(got, want) {
		t.Errorf("the example of a request\ngot  %q\nwant %q", got, want)
	}
}

// namesOf returns the member names of an object in order.
func namesOf(t *testing.T, object []byte) []string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(object))
	if _, err := decoder.Token(); err != nil { // the opening brace
		t.Fatal(err)
	}
	var names []string
	for decoder.More() {
		var value json.RawMessage
		name, err := decoder.Token()
		if err == nil {
			err = decoder.Decode(&value)
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
	}
	return names
}

// Misspelt names in the document have a note that the spelling is intended.
func TestOpenAPI_Misspelt(t *testing.T) {
	t.Parallel()
	created := apiDocument().Components.Schemas["GetCharacterConfigResponse"].properties()["create_datatime"]
	for name, description := range map[string]any{
		"create_datatime": created["description"], "/dowload_log_file": *apiDocument().find("GET", "/dowload_log_file").Description,
	} {
		if text, _ := description.(string); !strings.Contains(text, "Existing clients use this spelling") {
			t.Errorf("%s: got %v, want a description that says that clients use this spelling", name, description)
		}
	}
}

// "Execute" in Swagger UI sends the example, which must not name an existing
// user of the server.
func TestOpenAPI_NeutralUser(t *testing.T) {
	t.Parallel()
	found := 0
	for _, o := range apiDocument().operations() {
		if o.RequestBody != nil {
			for field, value := range o.example() {
				if field != "user_id" && field != "username" {
					continue
				}
				found++
				if want := map[string]string{"user_id": exampleUser, "username": exampleUser + "@example.org"}[field]; value != want {
					t.Errorf("%s: the example has the %s %v, want %s", o.name(), field, value, want)
				}
			}
		}
		for _, parameter := range o.Parameters {
			if parameter.Name == "user_id" && !slices.Equal(parameter.Schema.list("examples"), []any{exampleUser}) {
				t.Errorf("%s: the example of the path has another user than %s", o.name(), exampleUser)
			}
		}
	}
	if found == 0 {
		t.Error("no example has a user")
	}
}

// exampleUser is the user in the examples of the document. It does not exist on
// any server.
const exampleUser = "example-user"

// secretFields are the request fields that contain secrets.
var secretFields = append([]string{"password", "new_password"}, backend.ProviderKeys...)

// The document marks the fields that must not be shown, and no response
// contains them.
func TestOpenAPI_Secrets(t *testing.T) {
	t.Parallel()
	found := 0
	for name, s := range apiDocument().Components.Schemas {
		for field, property := range s.properties() {
			if !slices.Contains(secretFields, field) {
				continue
			}
			found++
			if !strings.HasSuffix(name, "Request") || property["format"] != "password" || property["writeOnly"] != true {
				t.Errorf("%s.%s: got %v, want a field of a request with format password and writeOnly", name, field, property)
			}
		}
	}
	if found < len(backend.ProviderKeys) {
		t.Errorf("got %d secret fields, want each of %q", found, backend.ProviderKeys)
	}
}

// The examples in the document are requests that work.
func TestOpenAPI_ExamplesWork(t *testing.T) {
	t.Parallel()
	const exampleCharacter = "9a4b5f6e-6f3c-5a57-9d0b-6d8d0c6b8a11"
	s := newServer(t, withMotion(t)).withUser(t)
	character := backend.NewCharacter()
	for _, o := range apiDocument().operations() {
		x := o.exampleExchange(t)
		x.name, x.status = o.name(), http.StatusOK
		switch {
		case o.path == "/":
			x.status = http.StatusTemporaryRedirect
		case o.path == "/openapi.json":
			continue // see TestGoldenOpenAPI
		case slices.Contains(sessionOperations, o.OperationID):
			_, token := s.login(t, s.registered(t), testPassword)
			x.header = bearer(token)
		case o.OperationID == "create_user": // needs no change
		case o.method == http.MethodPost: // each uses its own user, so that they do not affect each other
			x.body = strings.Replace(x.body, quote(exampleUser), quote("user of "+o.OperationID), 1)
			character.UserID, character.CharacterID = "user of "+o.OperationID, exampleCharacter
			config := backend.UserConfig{UserID: character.UserID, Timezone: backend.DefaultTimezone}
			if err := s.store.CreateUser(t.Context(), config, []backend.Character{character}); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(accountOperations, o.OperationID) {
				credential := backend.Credential{Username: o.OperationID, Password: backend.NewSecret(testPassword), UserID: character.UserID}
				if err := s.store.CreateCredential(t.Context(), credential); err != nil {
					t.Fatal(err)
				}
			}
		default:
			x.request = strings.NewReplacer(exampleUser, "ada", exampleCharacter, "$own").Replace(x.request)
		}
		x.request += o.exampleQuery()
		s.run(t, x)
	}
}

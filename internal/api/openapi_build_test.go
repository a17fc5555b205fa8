package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// This file makes openapi.json; see [Document]. It is a test file so that its
// dependencies are not part of the program.

// BuildDocument makes the document that [Document] must return.
func (a *API) BuildDocument() ([]byte, error) {
	document, err := buildDocument(a.routes(), a.options.BasePath)
	return append(document, '\n'), err
}

// apiVersion is the version of the API, not of the program. It changes with the
// document.
const apiVersion = "1.0.0"

// buildDocument makes the OpenAPI document from the route table and the request
// and response types. Without a base path, the document names no server and
// applies to the host that served it.
func buildDocument(routes []route, basePath string) ([]byte, error) {
	reflector := openapi31.NewReflector()
	if basePath != "" {
		reflector.Spec.WithServers(openapi31.Server{URL: basePath})
	}
	reflector.Spec.Info.WithTitle("Web Backend API").WithVersion(apiVersion).WithDescription(
		"Users, their AI characters and their provider keys. Every error has the shape APIErrorMessage; " +
			"the log line of a request has the X-Request-ID of its response.")
	reflector.JSONSchemaReflector().AddTypeMapping(backend.Secret{}, "") // a string in JSON
	describeSecuritySchemes(reflector.Spec)
	reflector.Spec.Info.WithLicense(openapi31.License{Name: "MIT"})
	for _, tag := range tags {
		reflector.Spec.Tags = append(reflector.Spec.Tags, openapi31.Tag{Name: tag.name, Description: &tag.description})
	}
	types := map[string]reflect.Type{} // by schema name
	named := func(t reflect.Type, fallback string) string {
		name := schemaName(t, fallback)
		types[name] = t
		return name
	}
	reflector.DefaultOptions = append(reflector.DefaultOptions,
		jsonschema.InterceptDefName(named), jsonschema.InterceptProp(describeProperty))
	for _, route := range routes {
		if route.endpoint.request == nil {
			continue // a documentation page
		}
		if err := addOperation(reflector, route); err != nil {
			return nil, fmt.Errorf("document %s %s: %w", route.method, route.path, err)
		}
	}
	for name, schema := range reflector.Spec.Components.Schemas {
		properties, ok := schema["properties"].(map[string]any)
		if !ok {
			continue
		}
		schema["properties"] = inOrder(properties, fieldsOf(types[name]))
	}
	return json.MarshalIndent(reflector.Spec, "", "  ")
}

// object is a JSON object that keeps the order of its members, because readers
// of the document see this order. A map does not keep it: its members are
// written in alphabetical order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			text = append(text, ',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		text = append(append(append(text, quoted(m.name)...), ':'), value...)
	}
	return append(text, '}'), nil
}

// inOrder returns the members of an object in the order of names. names must
// contain all names of members.
func inOrder(members map[string]any, names []string) object {
	var ordered object
	for _, name := range names {
		if value, ok := members[name]; ok {
			ordered = append(ordered, member{name, value})
		}
	}
	if len(ordered) != len(members) {
		panic(fmt.Sprintf("api: the fields %q are not those of %v", names, members))
	}
	return ordered
}

// fieldsOf returns the names of the JSON fields of a type in the order of
// declaration. Fields that are always present come before the others.
func fieldsOf(t reflect.Type) []string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var always, others []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "":
		case name == "-":
			others = append(others, backend.ProviderKeys...)
		case f.Tag.Get("required") == "true":
			always = append(always, name)
		default:
			others = append(others, name)
		}
	}
	return append(always, others...)
}

var tags = []struct{ name, description string }{
	{tagAccounts, "Registration, login, passwords. The result is in the body of a 200: auth_code is 200 for success and 500 for a refusal."},
	{tagUsers, "Users and their configuration."},
	{tagCharacters, "The characters of a user."},
	{tagProviders, "Known providers, those that a user can use, and missing provider keys."},
	{tagMotion, "Motion files, with which characters move."},
	{tagLogs, "The server's own log."},
	{tagSystem, "Health and documentation."},
}

func addOperation(reflector *openapi31.Reflector, route route) error {
	operation, err := reflector.NewOperationContext(route.method, route.path)
	if err != nil {
		return err
	}
	operation.SetID(route.operationID)
	operation.SetTags(route.tag)
	operation.SetSummary(route.summary)
	if route.description != "" {
		operation.SetDescription(route.description)
	}
	if request := route.endpoint.request; request != reflect.TypeFor[none]() {
		var example any = exampleOf(request)
		if request == reflect.TypeFor[importCharacterRequest]() {
			example = characterDocument(nil).documented()
		}
		operation.AddReqStructure(reflect.New(request).Interface(), openapi.WithCustomize(completeBody(example)))
	}
	if exposed, ok := operation.(openapi31.OperationExposer); ok {
		exposed.Operation().Security = route.security()
	}
	addSuccess(operation, route)
	for _, status := range route.errorStatuses() {
		addError(operation, route, status)
	}
	return reflector.AddOperation(operation)
}

// completeBody marks a request body as required and adds an example to it.
func completeBody(example any) func(openapi.ContentOrReference) {
	return func(content openapi.ContentOrReference) {
		if body, ok := content.(*openapi31.RequestBodyOrReference); ok {
			body.RequestBody.WithRequired(true)
			setExample(body.RequestBody.Content, example)
		}
	}
}

// withExample adds an example to the body of a response.
func withExample(example any) openapi.ContentOption {
	return openapi.WithCustomize(func(content openapi.ContentOrReference) {
		if response, ok := content.(*openapi31.ResponseOrReference); ok {
			setExample(response.Response.Content, example)
		}
	})
}

func setExample(content map[string]openapi31.MediaType, example any) {
	for name, media := range content {
		content[name] = *media.WithExample(example)
	}
}

// exampleOf returns a value of a request or response type, made from the
// examples of its fields. It omits fields without an example.
func exampleOf(t reflect.Type) object {
	example := map[string]any{}
	for _, f := range reflect.VisibleFields(t) {
		text, ok := f.Tag.Lookup("example")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		kind := f.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		var value any = text
		if kind.Kind() != reflect.String && kind != reflect.TypeFor[backend.Secret]() {
			value = json.RawMessage(text)
		}
		switch {
		case name == "-": // a map of provider keys; its members are added
			_ = json.Unmarshal([]byte(text), &example) // the golden file shows the result
		case name != "":
			example[name] = value
		}
	}
	return inOrder(example, fieldsOf(t))
}

// addSuccess documents the response to a successful request.
func addSuccess(operation openapi.OperationContext, route route) {
	response := reflect.Zero(route.endpoint.response).Interface()
	ofType := openapi.WithContentType(route.responseType)
	switch response := response.(type) {
	case redirect:
		operation.AddRespStructure(struct {
			Location string `header:"Location" description:"Where the documentation is." example:"/docs"`
		}{}, openapi.WithHTTPStatus(http.StatusTemporaryRedirect), describe("The documentation is elsewhere."))
	case empty:
		operation.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusOK), describe("Done; the body is empty."))
	case deleteUserReply:
		operation.AddRespStructure(deleteUserResponse{}, openapi.WithHTTPStatus(http.StatusOK),
			describe("The result of a deletion with a password; after one without, the body is empty."),
			withExample(exampleOf(reflect.TypeFor[deleteUserResponse]())))
	case logTail:
		operation.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusOK), ofType, describe("The page."))
	case metricsPage:
		operation.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusOK), ofType, describe("The metrics."))
	case logDownload:
		operation.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusOK), ofType, describe("The log file."))
		operation.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusPartialContent), ofType, describe("The part that was asked for."))
	case documentedResponse:
		value := response.documented()
		operation.AddRespStructure(value, openapi.WithHTTPStatus(http.StatusOK), describe("Success."), withExample(value))
	default:
		operation.AddRespStructure(response, openapi.WithHTTPStatus(http.StatusOK), describe("Success."),
			withExample(exampleOf(route.endpoint.response)))
	}
}

// errorStatuses returns the statuses of the errors of this route and of those
// that all similar routes have.
func (r route) errorStatuses() []int {
	statuses := append(slices.Clone(r.errors), r.refusals()...)
	if r.tag != tagSystem {
		statuses = append(statuses, http.StatusInternalServerError)
	}
	if strings.HasPrefix(r.path, v1) {
		statuses = append(statuses, http.StatusServiceUnavailable)
	}
	if r.method == http.MethodPost {
		statuses = append(statuses, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if r.endpoint.request != reflect.TypeFor[none]() {
		statuses = append(statuses, http.StatusUnprocessableEntity)
	}
	slices.Sort(statuses)
	return slices.Compact(statuses)
}

// errorTexts describe the errors in the document.
var errorTexts = map[int]string{
	http.StatusBadRequest:                   "The request cannot be carried out, or its body could not be read to its end.",
	http.StatusUnauthorized:                 "An access token is needed, or the one that came is worth nothing.",
	http.StatusForbidden:                    "The access token does not allow it, or the character is read-only.",
	http.StatusTooManyRequests:              "Too many tries; the header Retry-After says in how many seconds to come back.",
	http.StatusNotFound:                     "The user or the character does not exist.",
	http.StatusRequestEntityTooLarge:        "The body is too large.",
	http.StatusRequestedRangeNotSatisfiable: "There is no such part.",
	http.StatusUnsupportedMediaType:         "The Content-Type is not JSON.",
	http.StatusUnprocessableEntity:          "Parts of the request do not have the right shape; all faults are listed.",
	http.StatusInternalServerError:          "An unexpected error; the server's log has its cause.",
	http.StatusServiceUnavailable:           "The server cannot respond now; a later try may succeed.",
}

// exampleCharacter is the character in the examples.
var exampleCharacter = backend.CharacterKey{UserID: "example-user", CharacterID: "9a4b5f6e-6f3c-5a57-9d0b-6d8d0c6b8a11"}

// ownWords are the texts of errors that are the same for all routes.
var ownWords = map[int]string{
	http.StatusUnauthorized: needsTokenText, http.StatusUnsupportedMediaType: notJSONText, http.StatusInternalServerError: internalErrorText,
}

// errorExample returns an example text of an error of a route.
func (r route) errorExample(status int) string {
	ofCharacter := slices.Contains(fieldsOf(r.endpoint.request), "character_id")
	switch {
	case status == http.StatusBadRequest && r.path == v1+"create_user":
		return backend.UserExists(exampleCharacter.UserID).Error()
	case status == http.StatusBadRequest:
		return unreadableText
	case status == http.StatusForbidden && !slices.Contains(r.errors, http.StatusForbidden):
		return forbiddenText
	case status == http.StatusForbidden:
		return backend.CharacterReadOnly(exampleCharacter).Error()
	case status == http.StatusNotFound && (ofCharacter || strings.Contains(r.path, "{character_id}")):
		return backend.CharacterNotFound(exampleCharacter).Error()
	case status == http.StatusNotFound:
		return backend.UserNotFound(exampleCharacter.UserID).Error()
	case status == http.StatusServiceUnavailable && r.tag == tagLogs:
		return noLogText
	}
	return cmp.Or(ownWords[status], errorTexts[status])
}

// addError documents one error, with an example of its text.
func addError(operation openapi.OperationContext, route route, status int) {
	var body, example any = errorMessage[errorDetail]{}, errorMessage[errorDetail]{
		messageOf(status), status, errorDetail{route.errorExample(status)}}
	if status == http.StatusUnprocessableEntity {
		body, example = errorMessage[validationDetail]{}, validationExample(route)
	}
	operation.AddRespStructure(body, openapi.WithHTTPStatus(status), describe(errorTexts[status]), withExample(example))
}

// validationExample returns an example of a 422 response of the route.
func validationExample(route route) any {
	plan := newPlan(route.endpoint.request)
	example := fault{"string_type", nil, "Input should be a valid string", json.RawMessage("5")}
	detail := validationDetail{Body: json.RawMessage("null")}
	if len(plan.body) > 0 {
		name := plan.body[0].name
		example.Loc, detail.Body = []any{"body", name}, json.RawMessage(`{"`+name+`":5}`)
		if _, bad := plan.body[0].parse(example.Input); bad != nil {
			example.Type, example.Msg = bad.Type, bad.Msg
		}
	} else {
		example.Msg = invalidTextMessage
		if len(plan.path) > 0 {
			example.Loc = []any{"path", plan.path[0].name}
		} else {
			example.Loc = []any{"query", plan.query[0].name}
		}
		example.Input = json.RawMessage(`"\u0000"`)
	}
	if route.tag == tagLogs {
		example = fault{"int_parsing", example.Loc, "Input should be a valid integer, unable to parse it as one",
			json.RawMessage(`"many"`)}
	}
	detail.Errors = []fault{example}
	return errorMessage[validationDetail]{"Validation Error", http.StatusUnprocessableEntity, detail}
}

func describe(text string) openapi.ContentOption {
	return func(unit *openapi.ContentUnit) { unit.Description = text }
}

// schemaNames contains the schema names of types whose own name does not fit.
// Schemas of the original server keep their names, because clients know them.
var schemaNames = map[reflect.Type]string{
	reflect.TypeFor[backend.Character]():              "GetCharacterConfigResponse",
	reflect.TypeFor[errorMessage[errorDetail]]():      "APIErrorMessage",
	reflect.TypeFor[errorMessage[validationDetail]](): "APIValidationErrorMessage",
	reflect.TypeFor[fault]():                          "ValidationFault",
}

// schemaName returns the name of the schema for a type, without the package
// name.
func schemaName(t reflect.Type, fallback string) string {
	if name, ok := schemaNames[t]; ok {
		return name
	}
	for _, prefix := range []string{"Api", "Backend"} {
		fallback = strings.TrimPrefix(fallback, prefix)
	}
	if what, isUpdate := strings.CutPrefix(fallback, "Update"); isUpdate && t.Implements(reflect.TypeFor[characterUpdate]()) {
		return "UpdateCharacter" + what + "Request"
	}
	return fallback
}

// nullLast moves null behind the type that a client should send, because tools
// show the first type.
func nullLast(schema *jsonschema.Schema) {
	types := schema.Type.SliceOfSimpleTypeValues
	if i := slices.Index(types, jsonschema.Null); i >= 0 {
		schema.Type.SliceOfSimpleTypeValues = append(slices.Delete(types, i, i+1), jsonschema.Null)
	}
}

// describeProperty adds the facts about a property that the tags do not
// contain: optional fields of a request accept null, numbers may also be sent
// as strings (contract §1), and a response contains all fields of a character.
func describeProperty(params jsonschema.InterceptPropParams) error {
	if !params.Processed {
		return nil
	}
	operation, ok := openapi.OperationCtx(params.Context)
	if !ok {
		return nil
	}
	required := slices.Contains(params.ParentSchema.Required, params.Name)
	if operation.IsProcessingResponse() {
		if !required && !strings.Contains(params.Field.Tag.Get("json"), ",omitempty") {
			params.ParentSchema.Required = append(params.ParentSchema.Required, params.Name)
		}
		return nil
	}
	if operation.ProcessingIn() != openapi.InBody {
		return nil
	}
	if params.Field.Type.Kind() == reflect.Float64 {
		params.PropertySchema.AddType(jsonschema.String)
		params.PropertySchema.WithPattern(`^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?\s*$`)
	}
	if params.Field.Tag.Get("required") != "true" {
		params.PropertySchema.AddType(jsonschema.Null)
		nullLast(params.PropertySchema)
	}
	if isSecret(params.Name) {
		params.PropertySchema.WithFormat("password").WithWriteOnly(true)
	}
	return nil
}

// documentedResponse is a response whose type does not show its JSON form.
type documentedResponse interface {
	documented() any // a value that it may write: the type and the example in the document
}

// documented implements [documentedResponse].
func (characterListResponse) documented() any {
	return getCharacterListResponse{[]string{exampleCharacter.CharacterID}, []string{"Mira"}}
}

// documented implements [documentedResponse].
func (getAvailableLLMResponse) documented() any {
	return getAvailableLLMResponse{[]string{"anthropic", "openai"}}
}

// documented implements [documentedResponse].
func (getAvailableASRResponse) documented() any {
	return getAvailableASRResponse{[]string{"openai", "zoetrope"}}
}

// documented implements [documentedResponse].
func (getAvailableTTSResponse) documented() any {
	return getAvailableTTSResponse{[]string{"elevenlabs", "zoetrope"}}
}

// documented implements [documentedResponse].
func (characterSummariesResponse) documented() any {
	return listCharacterSummariesResponse{[]characterSummary{{exampleCharacter.CharacterID, "Mira", true, "KQ-default", "Vast"}}}
}

// documented implements [documentedResponse].
func (characterDocument) documented() any {
	c := backend.NewCharacter()
	c.UserID, c.CharacterID, c.CharacterName = exampleCharacter.UserID, exampleCharacter.CharacterID, "Mira"
	c.CreateDatatime, c.ReadOnly = "2025-09-26 14:49:13,123", true
	c.SceneName, c.Avatar, c.Prompt = "Vast", "KQ-default", "You are Mira, who keeps the lights of a harbour."
	c.TTSAdapter, c.Voice, c.ASRAdapter = "elevenlabs", "Rachel", "openai_realtime"
	c.ClassificationAdapter, c.ConversationAdapter = "openai_classification", "openai_agent"
	c.ReactionAdapter, c.MemoryAdapter = "openai_reaction", "openai_memory"
	return c
}

// documented implements [documentedResponse].
func (ok) documented() any { return "OK" }

// documented implements [documentedResponse].
func (userListResponse) documented() any {
	return listUsersResponse{[]string{"example-user", "8f2c1c9e-52d5-4c1e-9b7c-0c1c39f3b6aa"}, []string{"", "example-user@example.org"}}
}

// documented implements [documentedResponse].
func (userIDListResponse) documented() any {
	return listUsersResponse{UserIDList: []string{"example-user", "8f2c1c9e-52d5-4c1e-9b7c-0c1c39f3b6aa"}}
}

// listUsersResponse is the response that a userListResponse writes.
type listUsersResponse struct {
	UserIDList   []string `json:"user_id_list" required:"true" nullable:"false" description:"User ids in creation order."`
	UserNameList []string `json:"user_name_list" required:"true" description:"User names in the same order, empty for a user without a credential; null if the list has only ids."`
}

// documented implements [documentedResponse].
func (openAPIDocument) documented() any {
	return map[string]json.RawMessage{"openapi": json.RawMessage(`"3.1.0"`)}
}

// PrepareJSONSchema documents the provider keys, which are a single map in the
// Go type.
func (updateUserConfigRequest) PrepareJSONSchema(schema *jsonschema.Schema) error {
	for _, name := range backend.ProviderKeys {
		property := jsonschema.Schema{}
		property.WithType(*(&jsonschema.Type{}).WithSliceOfSimpleTypeValues(jsonschema.String, jsonschema.Null)).
			WithDescription("Provider key; absent or null keeps it, an empty text clears it.").
			WithFormat("password").WithWriteOnly(true)
		schema.WithPropertiesItem(name, property.ToSchemaOrBool())
	}
	return nil
}

// PrepareJSONSchema documents that a character in a request is stricter than
// other requests: fields without a default are required and not null, and the
// speed is not a text.
func (importCharacterRequest) PrepareJSONSchema(schema *jsonschema.Schema) error {
	if schema.Properties["voice_speed"].TypeObject == nil {
		return nil // the parameters of the path
	}
	schema.Required = backend.RequiredCharacterFields()
	for _, name := range schema.Required {
		schema.Properties[name].TypeObject.Type = (&jsonschema.Type{}).WithSimpleTypes(jsonschema.String)
	}
	speed := schema.Properties["voice_speed"].TypeObject
	speed.Pattern = nil
	speed.Type = (&jsonschema.Type{}).WithSliceOfSimpleTypeValues(jsonschema.Number, jsonschema.Null)
	schema.WithAdditionalProperties(*(&jsonschema.SchemaOrBool{}).WithTypeBoolean(false))
	return nil
}

// PrepareJSONSchema documents the elements of loc.
func (fault) PrepareJSONSchema(schema *jsonschema.Schema) error {
	element := jsonschema.Schema{}
	element.AddType(jsonschema.String)
	element.AddType(jsonschema.Integer)
	schema.Properties["loc"].TypeObject.ItemsEns().WithSchemaOrBool(element.ToSchemaOrBool())
	return nil
}

// Names of the security schemes in the OpenAPI document.
const (
	userTokenScheme     = "userToken"
	operatorTokenScheme = "operatorToken"
)

// describeSecuritySchemes adds the schemes. The Authorize button of Swagger UI
// asks for their values.
func describeSecuritySchemes(spec *openapi31.Spec) {
	for name, description := range map[string]string{
		userTokenScheme:     "access_token of POST /api/v1/authenticate_user. If access is strict, a user's routes need it.",
		operatorTokenScheme: "Operator token of the server, which every route accepts. Routes that accept nothing else need it in every access mode. The other routes for operators need no token if access is open, or if it is guarded and the request comes from the server's own machine (unless local_operator is false).",
	} {
		scheme := openapi31.SecurityScheme{Description: &description, HTTPBearer: &openapi31.SecuritySchemeHTTPBearer{Scheme: "bearer"}}
		spec.ComponentsEns().WithSecuritySchemesItem(name, openapi31.SecuritySchemeOrReference{SecurityScheme: &scheme})
	}
}

// security returns the schemes that a route accepts. The document is the same
// for all access modes, so the token is optional for each route that needs no
// token in some mode.
func (r route) security() []map[string][]string {
	user, operator := map[string][]string{userTokenScheme: {}}, map[string][]string{operatorTokenScheme: {}}
	none := map[string][]string{}
	switch {
	case r.session:
		return []map[string][]string{user}
	case r.endpoint.level == auth.Owner:
		return []map[string][]string{user, operator, none}
	case r.endpoint.level == auth.LocalOperator:
		return []map[string][]string{operator, none}
	case r.endpoint.level == auth.Operator:
		return []map[string][]string{operator}
	}
	return nil
}

// refusals returns the statuses with which a route refuses a caller in some
// access mode.
func (r route) refusals() []int {
	if r.endpoint.level == auth.Public {
		return nil
	}
	return []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}
}

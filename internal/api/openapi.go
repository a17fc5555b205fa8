package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"
)

// apiVersion is the version of the API, not of the program: it changes with
// the document.
const apiVersion = "1.0.0"

// openAPI answers with the OpenAPI document, made at its first use.
func (a *API) openAPI(context.Context, *none) (openAPIDocument, error) {
	return a.document()
}

// openAPIDocument is the encoded document.
type openAPIDocument []byte

func (d openAPIDocument) write(_ *API, w http.ResponseWriter, _ *http.Request) error {
	writeBytes(w, http.StatusOK, "application/json", d)
	return nil
}

// operationID turns a path into a name that makes a good method:
// /api/v1/list_characters/{user_id} is list_characters.
func operationID(path string) string {
	path, _, _ = strings.Cut(strings.TrimPrefix(path, v1), "{")
	id := strings.NewReplacer("/", "_", ".", "_").Replace(strings.Trim(path, "/"))
	if id == "" {
		return "root"
	}
	return id
}

// buildDocument makes the OpenAPI document from the route table and the types
// of its requests and answers.
func buildDocument(routes []route) ([]byte, error) {
	reflector := openapi31.NewReflector()
	reflector.Spec.Info.WithTitle("Web Backend API").WithVersion(apiVersion).WithDescription(
		"Users, their AI characters and their provider keys. Every error has the shape APIErrorMessage; " +
			"the answer's X-Request-ID finds its line in the server's log.")
	reflector.Spec.Info.WithLicense(openapi31.License{Name: "MIT"})
	for _, tag := range tags {
		reflector.Spec.Tags = append(reflector.Spec.Tags, openapi31.Tag{Name: tag.name, Description: &tag.description})
	}
	reflector.DefaultOptions = append(reflector.DefaultOptions,
		jsonschema.InterceptDefName(schemaName), jsonschema.InterceptProp(describeProperty))
	for _, route := range routes {
		if route.endpoint.request == nil {
			continue // a page of the documentation
		}
		if err := addOperation(reflector, route); err != nil {
			return nil, fmt.Errorf("document %s %s: %w", route.method, route.path, err)
		}
	}
	return json.MarshalIndent(reflector.Spec, "", "  ")
}

var tags = []struct{ name, description string }{
	{tagUsers, "Users and their configuration."},
	{tagCharacters, "The characters of a user."},
	{tagProviders, "What a user can use, and what is missing."},
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
	operation.SetDescription(route.description)
	if route.endpoint.request != reflect.TypeFor[none]() {
		operation.AddReqStructure(reflect.New(route.endpoint.request).Interface())
	}
	addSuccess(operation, route)
	for _, status := range route.errorStatuses() {
		addError(operation, route, status)
	}
	return reflector.AddOperation(operation)
}

// addSuccess documents the answer of success.
func addSuccess(operation openapi.OperationContext, route route) {
	response := reflect.Zero(route.endpoint.response).Interface()
	if documented, ok := response.(documentedReply); ok {
		response = documented.documented()
	}
	switch {
	case route.responseType == "-":
		operation.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusTemporaryRedirect), describe("Redirect."))
	case route.responseType != "":
		operation.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusOK),
			openapi.WithContentType(route.responseType), describe("Success."))
	case response == empty{}:
		operation.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusOK), describe("Done; the body is empty."))
	default:
		operation.AddRespStructure(response, openapi.WithHTTPStatus(http.StatusOK), describe("Success."))
	}
}

// errorStatuses are the statuses of a route's own errors and of those that
// every route of its form has.
func (r route) errorStatuses() []int {
	statuses := slices.Clone(r.errors)
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
	http.StatusBadRequest:            "The request cannot be carried out, or its body could not be read to its end.",
	http.StatusForbidden:             "The character is read-only.",
	http.StatusNotFound:              "The user or the character does not exist.",
	http.StatusRequestEntityTooLarge: "The body is too large.",
	http.StatusUnsupportedMediaType:  "The Content-Type is not JSON.",
	http.StatusUnprocessableEntity:   "Parts of the request do not have the right shape; all faults are listed.",
	http.StatusInternalServerError:   "An unexpected error; the server's log has its cause.",
	http.StatusServiceUnavailable:    "The server cannot answer now; a later try may succeed.",
}

// addError documents one error, with an example in its own words.
func addError(operation openapi.OperationContext, route route, status int) {
	var body, example any = errorMessage[errorDetail]{}, errorMessage[errorDetail]{
		messageOf(status), status, errorDetail{errorTexts[status]}}
	if status == http.StatusUnprocessableEntity {
		body, example = errorMessage[validationDetail]{}, validationExample(route)
	}
	operation.AddRespStructure(body, openapi.WithHTTPStatus(status), describe(errorTexts[status]),
		openapi.WithCustomize(func(content openapi.ContentOrReference) {
			response, ok := content.(*openapi31.ResponseOrReference)
			if !ok {
				return
			}
			for name, media := range response.Response.Content {
				response.Response.Content[name] = *media.WithExample(example)
			}
		}))
}

// validationExample is a 422 that the route can give.
func validationExample(route route) any {
	plan := newPlan(route.endpoint.request)
	example := fault{"string_type", nil, "Input should be a valid string", json.RawMessage("5")}
	detail := validationDetail{Body: json.RawMessage("null")}
	if len(plan.body) > 0 {
		name := plan.body[0].name
		example.Loc, detail.Body = []any{"body", name}, json.RawMessage(`{"`+name+`":5}`)
	} else {
		example.Loc, example.Msg = []any{"path", plan.path[0].name}, invalidTextMessage
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

// schemaNames names the schemas whose types have no fitting name of their own.
var schemaNames = map[reflect.Type]string{
	reflect.TypeFor[errorMessage[errorDetail]]():      "APIErrorMessage",
	reflect.TypeFor[errorMessage[validationDetail]](): "APIValidationErrorMessage",
	reflect.TypeFor[fault]():                          "ValidationFault",
}

// schemaName names the schema of a type, without the package's prefix.
func schemaName(t reflect.Type, fallback string) string {
	if name, ok := schemaNames[t]; ok {
		return name
	}
	for _, prefix := range []string{"Api", "Backend"} {
		fallback = strings.TrimPrefix(fallback, prefix)
	}
	return fallback
}

// describeProperty says of a property what the tags do not: optional fields of
// a request take null, numbers are also taken as text (contract §1), and an
// answer leaves no field of a character out.
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
		if !required {
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
	}
	return nil
}

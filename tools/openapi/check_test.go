package openapi

import (
	"os"
	"strings"
	"testing"
)

// golden is the document that the server serves at /openapi.json.
const golden = "../../internal/api/openapi.json"

func TestServedDocumentIsValid(t *testing.T) {
	document, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("the document to check is missing, `make golden` writes it: %v", err)
	}
	if err := Check(document); err != nil {
		t.Errorf("%s is not a correct OpenAPI 3.1 document:\n%v", golden, err)
	}
}

// sound is a correct document. Each row of the table below breaks it in one
// place.
const sound = `{
  "openapi": "3.1.0",
  "info": {"title": "Sample", "version": "1"},
  "paths": {
    "/users/{user_id}": {
      "get": {
        "operationId": "getUser",
        "parameters": [
          {"name": "user_id", "in": "path", "required": true, "schema": {"type": "string"}}
        ],
        "responses": {
          "200": {
            "description": "the user",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}
          }
        }
      }
    },
    "/users": {
      "post": {
        "operationId": "createUser",
        "requestBody": {
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}
        },
        "responses": {"200": {"description": "made"}}
      }
    }
  },
  "components": {
    "schemas": {
      "User": {
        "type": "object",
        "required": ["user_id"],
        "properties": {
          "user_id": {"type": "string", "examples": ["a"]},
          "speed": {"type": ["number", "null"], "minimum": 0}
        }
      }
    }
  }
}`

func TestCheckAcceptsASoundDocument(t *testing.T) {
	if err := Check([]byte(sound)); err != nil {
		t.Fatalf("a sound document is refused:\n%v", err)
	}
}

func TestCheckRefusesBrokenDocuments(t *testing.T) {
	tests := []struct {
		name     string
		old, new string // old is replaced with new in sound
		want     string // text that the error contains
	}{
		{"not JSON", `"info": {`, `"info": [`, "not a JSON document"},
		{"no version", `"openapi": "3.1.0",`, ``, "openapi"},
		{"older version", `"3.1.0"`, `"3.0.3"`, "openapi"},
		{"no info", `"info": {"title": "Sample", "version": "1"},`, ``, "info"},
		{"no title", `"title": "Sample", `, ``, "title"},
		{"neither paths nor components", sound, `{"openapi":"3.1.0","info":{"title":"a","version":"1"}}`, "paths"},
		{"path without slash", `"/users":`, `"users":`, "users"},
		{"unknown method", `"post":`, `"send":`, "send"},
		{"unknown field", `"operationId": "createUser"`, `"operation_id": "createUser"`, "operation_id"},
		{"response without description", `"description": "made"`, `"headers": {}`, "description"},
		{"response under no status", `"200": {"description": "made"}`, `"ok": {"description": "made"}`, "ok"},
		{"request body without content", `"content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}
        },`, `"description": "none"},`, "content"},
		{"parameter in the wrong place", `"in": "path"`, `"in": "body"`, "in"},
		{"parameter without a place", `"in": "path", `, ``, "in"},
		{"path parameter not required", `"required": true, `, ``, "required"},
		{"parameter without schema", `"required": true, "schema": {"type": "string"}`, `"required": true`, "schema"},
		{"parameter of another name", `"name": "user_id"`, `"name": "id"`, "{user_id}"},
		{"duplicate operationId", `"createUser"`, `"getUser"`, "operationId"},
		{"reference in a response to nothing", `#/components/schemas/User`, `#/components/schemas/Usr`, "Usr"},
		{"reference in a property to nothing", `{"type": "string", "examples": ["a"]}`, `{"$ref": "#/components/schemas/Id"}`, "Id"},
		{"reference to a parameter that is none", `{"name": "user_id", "in": "path", "required": true, "schema": {"type": "string"}}`, `{"$ref": "#/components/parameters/Id"}`, "Id"},
		{"schema of an unknown type", `"type": "object"`, `"type": "objekt"`, "type"},
		{"type list with an unknown one", `["number", "null"]`, `["number", "nil"]`, "type"},
		{"property schema of an unknown type", `{"type": "string", "examples"`, `{"type": "text", "examples"`, "type"},
		{"parameter schema of an unknown type", `"schema": {"type": "string"}`, `"schema": {"type": "str"}`, "type"},
		{"required is no list", `"required": ["user_id"]`, `"required": true`, "required"},
		{"minimum is no number", `"minimum": 0`, `"minimum": "0"`, "minimum"},
		{"reference to another document", `#/components/schemas/User`, `user.json`, "user.json"},
		{"bad component name", `"User": {`, `"the user": {`, "the user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			broken := strings.ReplaceAll(sound, tt.old, tt.new)
			if broken == sound {
				t.Fatal("the table row changes nothing")
			}
			err := Check([]byte(broken))
			if err == nil {
				t.Fatal("the broken document is accepted")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error does not speak of %q:\n%v", tt.want, err)
			}
		})
	}
}

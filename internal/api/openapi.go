package api

import (
	"bytes"
	"context"
	_ "embed"
	"net/http"
	"strconv"
	"strings"
)

// openAPIFile is the OpenAPI document without a base path. `make golden`
// generates it from the route table and the request and response types, so a
// running server does not need to. A test fails if the file is out of date.
//
//go:embed openapi.json
var openAPIFile []byte

// Document returns the OpenAPI document for a server with this base path, as
// served at /openapi.json. The caller must not modify it. Without a base path,
// the document names no server and applies to the host that served it.
func Document(basePath string) []byte {
	if basePath == "" {
		return openAPIFile
	}
	paths := []byte("\n  \"paths\": {")
	servers := "\n  \"servers\": [\n    {\n      \"url\": " + strconv.Quote(basePath) + "\n    }\n  ],"
	return bytes.Replace(openAPIFile, paths, append([]byte(servers), paths...), 1)
}

// openAPI returns the OpenAPI document.
func (a *API) openAPI(context.Context, *none) (openAPIDocument, error) {
	return Document(a.options.BasePath), nil
}

// openAPIDocument is the encoded document.
type openAPIDocument []byte

func (d openAPIDocument) write(_ *API, w http.ResponseWriter, _ *http.Request) error {
	writeBytes(w, http.StatusOK, "application/json", d)
	return nil
}

// operationID converts a path to a name that suits a generated method:
// /api/v1/list_characters/{user_id} becomes list_characters.
func operationID(path string) string {
	path, _, _ = strings.Cut(strings.TrimPrefix(path, v1), "{")
	id := strings.NewReplacer("/", "_", ".", "_").Replace(strings.Trim(path, "/"))
	if id == "" {
		return "root"
	}
	return id
}

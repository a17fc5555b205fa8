package api

import (
	"bytes"
	"context"
	_ "embed"
	"net/http"
	"strconv"
	"strings"
)

// openAPIFile is the OpenAPI document without a base path. `make golden` makes
// it from the route table and the types of requests and answers, and a test
// fails while it is another than these make; so no server has to.
//
//go:embed openapi.json
var openAPIFile []byte

// Document returns the OpenAPI document of a server with this base path, which
// /openapi.json answers with; the caller must not change it. Without a base path
// it names no server: then it stands for the host it came from.
func Document(basePath string) []byte {
	if basePath == "" {
		return openAPIFile
	}
	paths := []byte("\n  \"paths\": {")
	servers := "\n  \"servers\": [\n    {\n      \"url\": " + strconv.Quote(basePath) + "\n    }\n  ],"
	return bytes.Replace(openAPIFile, paths, append([]byte(servers), paths...), 1)
}

// openAPI answers with the OpenAPI document.
func (a *API) openAPI(context.Context, *none) (openAPIDocument, error) {
	return Document(a.options.BasePath), nil
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

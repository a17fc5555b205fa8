// Package openapi checks that a document is a correct OpenAPI 3.1 document. It
// is in the tools module, so that the server does not depend on a validator.
package openapi

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pb33f/libopenapi/datamodel"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The official schema of OpenAPI 3.1 allows any dialect for schema objects. The
// strict schema also requires that each of them is a JSON Schema of draft
// 2020-12.
const (
	officialURL = "https://spec.openapis.org/oas/3.1/schema/2022-10-07"
	strictURL   = "urn:web-backend:openapi-3.1-strict"
	strict      = `{
  "$id": "` + strictURL + `",
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$ref": "` + officialURL + `",
  "$defs": {
    "schema": {
      "$dynamicAnchor": "meta",
      "$ref": "https://json-schema.org/draft/2020-12/schema"
    }
  }
}`
)

// Check returns all faults of an OpenAPI 3.1 document in JSON, joined into one
// error, or nil. It checks the document against the official schema, and then
// against rules that the specification states only in text. The target of each
// reference must exist, operation ids must be unique, and the parameters of a
// path must be those that its template names.
func Check(document []byte) error {
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("not a JSON document: %w", err)
	}
	schema, err := compile()
	if err != nil {
		return fmt.Errorf("the schema of OpenAPI 3.1 itself: %w", err)
	}
	if err := schema.Validate(root); err != nil {
		return err // the other checks need a document of the right shape
	}
	c := checker{root: root}
	c.references("#", root)
	c.operations()
	return errors.Join(c.faults...)
}

func compile() (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for url, text := range map[string]string{officialURL: datamodel.OpenAPI31SchemaData, strictURL: strict} {
		parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return nil, err
		}
		if err := compiler.AddResource(url, parsed); err != nil {
			return nil, err
		}
	}
	return compiler.Compile(strictURL)
}

// checker checks a document of the right shape, as encoding/json decodes it,
// and collects its faults.
type checker struct {
	root   any
	faults []error
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

// references checks every $ref in value, which is at place in the document.
func (c *checker) references(place string, value any) {
	switch value := value.(type) {
	case map[string]any:
		if ref, is := value["$ref"].(string); is && c.resolve(ref) == nil {
			c.fault("%s: $ref %q leads nowhere in this document", place, ref)
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			c.references(place+"/"+key, value[key])
		}
	case []any:
		for i, item := range value {
			c.references(place+"/"+strconv.Itoa(i), item)
		}
	}
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// resolve returns the target of a reference within the document. It returns nil
// for any other reference, because the document is served alone, from one
// address.
func (c *checker) resolve(ref string) any {
	pointer, local := strings.CutPrefix(ref, "#/")
	if !local {
		return nil
	}
	value := c.root
	for token := range strings.SplitSeq(pointer, "/") {
		value = member(value, unescape.Replace(token))
	}
	return value
}

// member returns the value of key in an object. It returns nil if the key is
// missing or value is not an object.
func member(value any, key string) any {
	object, _ := value.(map[string]any)
	return object[key]
}

func (c *checker) operations() {
	methods := []string{"delete", "get", "head", "options", "patch", "post", "put", "trace"}
	owner := map[string]string{} // operationId → the operation that has it
	paths, _ := member(c.root, "paths").(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range methods {
			operation, is := member(paths[path], method).(map[string]any)
			if !is {
				continue
			}
			name := strings.ToUpper(method) + " " + path
			if id, has := operation["operationId"].(string); has {
				if first, taken := owner[id]; taken {
					c.fault("%s: operationId %q is already that of %s", name, id, first)
				}
				owner[id] = name
			}
			c.pathParameters(name, path, member(paths[path], "parameters"), operation["parameters"])
		}
	}
}

var templated = regexp.MustCompile(`\{([^}]+)\}`)

func (c *checker) pathParameters(name, path string, lists ...any) {
	declared := map[string]bool{}
	for _, list := range lists {
		parameters, _ := list.([]any)
		for _, parameter := range parameters {
			if ref, is := member(parameter, "$ref").(string); is {
				parameter = c.resolve(ref)
			}
			if member(parameter, "in") == "path" {
				declared[fmt.Sprint(member(parameter, "name"))] = true
			}
		}
	}
	for _, match := range templated.FindAllStringSubmatch(path, -1) {
		if !declared[match[1]] {
			c.fault("%s: no parameter describes {%s}", name, match[1])
		}
		delete(declared, match[1])
	}
	for _, left := range slices.Sorted(maps.Keys(declared)) {
		c.fault("%s: the path has no {%s}, which a parameter describes", name, left)
	}
}

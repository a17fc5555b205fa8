package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"unicode/utf8"

	"web-backend/internal/backend"
)

// plan describes how to decode a request type. It is made once per type from
// the fields of the type:
//
//	UserID string  `json:"user_id" required:"true"`  from the body
//	Speed  float64 `json:"speed" default:"1.0"`      absent or null: the default
//	Name   *string `json:"name"`                     absent or null: nil
//	UserID string  `path:"user_id"`                  from the path
//	Limit  int     `query:"limit" default:"50"`      from the query; absent: the default
//	IDs    []string `json:"ids"`                     a list of short texts; absent or null: nil
//	Key    backend.Secret  `json:"key"`              a text that is never shown
//	Keys   map[string]backend.Secret `json:"-"`      the provider keys in the body
//	backend.Character                                the whole body is a character
//
// The OpenAPI document is made from the same tags; see openapi_build_test.go.
type plan struct {
	path, query, body []field
	names             map[string]bool // names of the fields in body
	character         []int           // index of the struct field if the whole body is a character
}

// field is one value of a request.
type field struct {
	name      string
	required  bool
	minLength int
	minimum   *int   // for a number; nil for no minimum
	fallback  string // the default as JSON; "" for the zero value
	parse     func(raw json.RawMessage) (value any, fault *fault)
	set       func(in reflect.Value, value any)
	text      []int // index of the struct field if it is a string; a value from the path is stored there directly
}

// fault is one error of a 422 response, in the terms that clients of the
// original server know.
type fault struct {
	Type  string          `json:"type" required:"true" description:"Kind of fault, such as missing, string_type, float_parsing, int_parsing, literal_error or json_invalid." example:"missing"`
	Loc   []any           `json:"loc" required:"true" nullable:"false" description:"Where the fault is: body, path or query, then the field, or for a JSON error its offset in bytes."`
	Msg   string          `json:"msg" required:"true" description:"What was expected." example:"Field required"`
	Input json.RawMessage `json:"input" required:"true" description:"The value at fault, without secrets."`
}

// newPlan makes the plan for a request type. It panics if it cannot decode a
// field. That is a bug in the program. It is detected as soon as the routes are
// made.
func newPlan(t reflect.Type) *plan {
	p := &plan{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Type == reflect.TypeFor[backend.Character]() {
			p.character = f.Index
		}
		if f.Anonymous || p.character != nil && len(f.Index) > len(p.character) {
			continue // the fields of an embedded struct are in the list as well; those of a character are decoded together
		}
		if f.Type == reflect.TypeFor[map[string]backend.Secret]() {
			p.body = append(p.body, providerKeyFields(f)...)
			continue
		}
		parse := parserOf(f.Type)
		if parse == nil {
			panic(fmt.Sprintf("api: field %s.%s has type %s, which no request can hold", t, f.Name, f.Type))
		}
		minLength, _ := strconv.Atoi(f.Tag.Get("minLength"))
		var minimum *int
		if value, err := strconv.Atoi(f.Tag.Get("minimum")); err == nil {
			minimum = &value
		}
		planned := field{
			name: f.Tag.Get("json"), required: f.Tag.Get("required") == "true", minLength: minLength,
			minimum: minimum, fallback: f.Tag.Get("default"), parse: parse, set: setter(f),
		}
		switch inPath, inQuery := f.Tag.Get("path"), f.Tag.Get("query"); {
		case inPath != "":
			planned.name = inPath
			if f.Type.Kind() == reflect.String {
				planned.text = f.Index
			}
			p.path = append(p.path, planned)
		case inQuery != "":
			planned.name = inQuery
			p.query = append(p.query, planned)
		default:
			p.body = append(p.body, planned)
		}
	}
	p.names = make(map[string]bool, len(p.body))
	for _, f := range p.body {
		p.names[f.name] = true
	}
	if p.character != nil {
		for _, f := range backend.CharacterFields() {
			p.names[f.Name] = true
		}
	}
	return p
}

// parserOf returns the function that parses a value of type t, or nil.
func parserOf(t reflect.Type) func(json.RawMessage) (any, *fault) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[[]string]():
		return parseTexts
	case reflect.TypeFor[backend.Secret]():
		return parseSecret
	}
	return parsers[t.Kind()]
}

// providerKeyFields returns the fields for the map f: one optional text per
// provider key.
func providerKeyFields(f reflect.StructField) []field {
	fields := make([]field, len(backend.ProviderKeys))
	for i, name := range backend.ProviderKeys {
		fields[i] = field{name: name, parse: parseText, set: func(in reflect.Value, value any) {
			keys := in.FieldByIndex(f.Index)
			if keys.IsNil() {
				keys.Set(reflect.MakeMap(f.Type))
			}
			keys.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(backend.NewSecret(value.(string)))) //nolint:forcetypeassert // parseText gives a string
		}}
	}
	return fields
}

// setter returns a function that stores a parsed value, or a pointer to it, in
// the field f.
func setter(f reflect.StructField) func(in reflect.Value, value any) {
	return func(in reflect.Value, value any) {
		target := in.FieldByIndex(f.Index)
		if target.Kind() == reflect.Pointer {
			target.Set(reflect.New(target.Type().Elem()))
			target = target.Elem()
		}
		target.Set(reflect.ValueOf(value))
	}
}

// decode fills in, a pointer to the type of the plan, from the path, the query
// and the body. The body is nil for a request without one. It reports all
// faults at once.
func (p *plan) decode(r *http.Request, received *body, in any) error {
	target := reflect.ValueOf(in).Elem()
	var faults []fault
	for _, f := range p.path {
		if fault := f.decodeText(pathValue(r, f.name), target, "path"); fault != nil {
			faults = append(faults, *fault)
		}
	}
	if len(p.query) > 0 {
		faults = append(faults, p.decodeQuery(r, target)...)
	}
	if len(p.body) > 0 || p.character != nil {
		faults = append(faults, p.decodeBody(received, target)...)
	}
	if len(faults) > 0 {
		return &validationError{faults: faults, body: received}
	}
	return nil
}

// decodeQuery decodes the parameters of the query.
func (p *plan) decodeQuery(r *http.Request, target reflect.Value) (faults []fault) {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return []fault{{"string_type", []any{"query"}, unreadableQueryText, jsonNull}}
	}
	for _, f := range p.query {
		var fault *fault
		if value, ok := queryValue(given, f.name); ok {
			fault = f.decodeText(value, target, "query")
		} else {
			fault = f.decode(nil, target, "query")
		}
		if fault != nil {
			faults = append(faults, *fault)
		}
	}
	return faults
}

// queryValue returns the value of a parameter of the query, and whether it was
// sent. If it was sent twice, the last one counts, as in a body.
func queryValue(query url.Values, name string) (value string, ok bool) {
	values := query[name]
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

const unreadableQueryText = "The query cannot be read: % and ; in a value must be percent-encoded"

// decodeText parses a value of the path or the query and stores it.
func (f *field) decodeText(value string, target reflect.Value, place string) *fault {
	switch {
	case !backend.ValidText(value):
		return &fault{"string_type", []any{place, f.name}, invalidTextMessage, shown(quoted(value))}
	case f.text != nil:
		target.FieldByIndex(f.text).SetString(value)
		return nil
	}
	return f.decode(quoted(value), target, place)
}

// quoted returns text as a JSON string.
func quoted(text string) json.RawMessage {
	quoted, _ := json.Marshal(text) // any text can be encoded
	return quoted
}

// decode parses one value and stores it. If raw is nil, the value is absent.
func (f *field) decode(raw json.RawMessage, target reflect.Value, place string) *fault {
	absent := raw == nil || !f.required && string(raw) == "null"
	switch {
	case absent && f.required:
		return &fault{Type: "missing", Loc: []any{place, f.name}, Msg: "Field required"}
	case absent && f.fallback == "":
		return nil
	case absent:
		raw = json.RawMessage(f.fallback)
	}
	value, bad := f.parse(raw)
	if bad == nil {
		bad = f.checkBounds(value)
	}
	if bad != nil {
		bad.Loc, bad.Input = []any{place, f.name}, shown(raw)
		return bad
	}
	f.set(target, value)
	return nil
}

// checkBounds returns a fault if the value is too short or too small.
func (f *field) checkBounds(value any) *fault {
	if text, ok := value.(string); ok && utf8.RuneCountInString(text) < f.minLength {
		return &fault{Type: "string_too_short", Msg: fmt.Sprintf("String should have at least %d characters", f.minLength)}
	}
	if number, ok := value.(int); ok && f.minimum != nil && number < *f.minimum {
		return &fault{Type: "greater_than_equal", Msg: fmt.Sprintf("Input should be greater than or equal to %d", *f.minimum)}
	}
	return nil
}

package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"unicode/utf8"

	"web-backend/internal/backend"
)

// plan is how a request type is decoded, made once per type from its fields:
//
//	UserID string  `json:"user_id" required:"true"`  from the body
//	Speed  float64 `json:"speed" default:"1.0"`      absent or null: the default
//	Name   *string `json:"name"`                     absent or null: nil
//	UserID string  `path:"user_id"`                  from the path
//	IDs    []string `json:"ids"`                     a list of short texts; absent or null: nil
//	Key    backend.Secret  `json:"key"`              a text that is never shown
//	Keys   map[string]backend.Secret `json:"-"`      the provider keys in the body
//
// The same tags make the OpenAPI document; see openapi_build_test.go.
type plan struct {
	path, body []field
	names      map[string]bool // of the fields in body
}

// field is one value of a request.
type field struct {
	name      string
	required  bool
	minLength int
	minimum   *int   // of a number, nil for none
	fallback  string // the default, as its JSON text; "" for the zero value
	parse     func(raw json.RawMessage) (value any, fault *fault)
	set       func(in reflect.Value, value any)
	text      []int // index of the struct's field if it is a string; then a path's value goes there as it is
}

// fault is one error of a 422 answer, in the terms that clients of the
// original know.
type fault struct {
	Type  string          `json:"type" required:"true" description:"Kind of fault, such as missing, string_type, float_parsing, int_parsing, literal_error or json_invalid." example:"missing"`
	Loc   []any           `json:"loc" required:"true" nullable:"false" description:"Where it is: body or path, then the field, or the offset of a JSON error in bytes."`
	Msg   string          `json:"msg" required:"true" description:"What was expected." example:"Field required"`
	Input json.RawMessage `json:"input" required:"true" description:"The offending value, without secrets."`
}

// newPlan reads the fields of a request type. A field that it cannot decode is
// a mistake in this program, found when the routes are made.
func newPlan(t reflect.Type) *plan {
	p := &plan{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue // its own fields are visible, too
		}
		if f.Type == reflect.TypeFor[map[string]backend.Secret]() {
			p.body = append(p.body, providerKeyFields(f)...)
			continue
		}
		kind := f.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		parse, ok := parsers[kind.Kind()]
		if kind == reflect.TypeFor[[]string]() {
			parse, ok = parseTexts, true
		}
		if kind == reflect.TypeFor[backend.Secret]() {
			parse, ok = parseSecret, true
		}
		if !ok {
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
		if name := f.Tag.Get("path"); name != "" {
			planned.name = name
			if f.Type.Kind() == reflect.String {
				planned.text = f.Index
			}
			p.path = append(p.path, planned)
		} else {
			p.body = append(p.body, planned)
		}
	}
	p.names = make(map[string]bool, len(p.body))
	for _, f := range p.body {
		p.names[f.name] = true
	}
	return p
}

// providerKeyFields are the fields of the map f: one optional text for each
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

// setter stores a parsed value in f, or a pointer to it.
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

// decode fills in, a pointer to the plan's type, from the path and the body,
// which is nil for a request without one. It reports all faults at once.
func (p *plan) decode(r *http.Request, received *body, in any) error {
	target := reflect.ValueOf(in).Elem()
	var faults []fault
	for _, f := range p.path {
		value := pathValue(r, f.name)
		switch {
		case !backend.ValidText(value):
			faults = append(faults, fault{"string_type", []any{"path", f.name}, invalidTextMessage, shown(quoted(value))})
		case f.text != nil:
			target.FieldByIndex(f.text).SetString(value)
		default:
			if fault := f.decode(quoted(value), target, "path"); fault != nil {
				faults = append(faults, *fault)
			}
		}
	}
	if len(p.body) > 0 {
		faults = append(faults, p.decodeBody(received, target)...)
	}
	if len(faults) > 0 {
		return &validationError{faults: faults, body: received}
	}
	return nil
}

// quoted gives a text as JSON.
func quoted(text string) json.RawMessage {
	quoted, _ := json.Marshal(text) // any text can be encoded
	return quoted
}

// decode parses one value and stores it; a nil raw is an absent one.
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

// checkBounds gives the fault of a value that is too short or too small.
func (f *field) checkBounds(value any) *fault {
	if text, ok := value.(string); ok && utf8.RuneCountInString(text) < f.minLength {
		return &fault{Type: "string_too_short", Msg: fmt.Sprintf("String should have at least %d characters", f.minLength)}
	}
	if number, ok := value.(int); ok && f.minimum != nil && number < *f.minimum {
		return &fault{Type: "greater_than_equal", Msg: fmt.Sprintf("Input should be greater than or equal to %d", *f.minimum)}
	}
	return nil
}

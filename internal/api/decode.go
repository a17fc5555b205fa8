package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/swaggest/jsonschema-go"

	"web-backend/internal/backend"
)

// plan is how a request type is decoded, made once per type from its fields:
//
//	UserID string  `json:"user_id" required:"true"`  from the body
//	Speed  float64 `json:"speed" default:"1.0"`      absent or null: the default
//	Name   *string `json:"name"`                     absent or null: nil
//	UserID string  `path:"user_id"`                  from the path
//	Keys   map[string]backend.Secret `json:"-"`      the provider keys in the body
//
// The same tags make the OpenAPI document; see openapi.go.
type plan struct {
	path, body []field
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
}

// fault is one error of a 422 answer, in the terms that clients of the
// original know.
type fault struct {
	Type  string          `json:"type" required:"true" description:"Kind of fault, such as missing, string_type, float_parsing, int_parsing, literal_error or json_invalid." example:"missing"`
	Loc   []any           `json:"loc" required:"true" nullable:"false" description:"Where it is: body or path, then the field, or the offset of a JSON error in bytes."`
	Msg   string          `json:"msg" required:"true" description:"What was expected." example:"Field required"`
	Input json.RawMessage `json:"input" required:"true" description:"The offending value, without secrets."`
}

// PrepareJSONSchema documents what loc holds.
func (fault) PrepareJSONSchema(schema *jsonschema.Schema) error {
	element := jsonschema.Schema{}
	element.AddType(jsonschema.String)
	element.AddType(jsonschema.Integer)
	schema.Properties["loc"].TypeObject.ItemsEns().WithSchemaOrBool(element.ToSchemaOrBool())
	return nil
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
			p.path = append(p.path, planned)
		} else {
			p.body = append(p.body, planned)
		}
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

// decode fills in, a pointer to the plan's type, from the request. It returns
// the body, for a later error to show, and reports all faults at once.
func (a *API) decode(p *plan, r *http.Request, in any) (body []byte, err error) {
	target := reflect.ValueOf(in).Elem()
	var faults []fault
	for _, f := range p.path {
		value := pathValue(r, f.name)
		if !backend.ValidText(value) {
			faults = append(faults, fault{"string_type", []any{"path", f.name}, invalidTextMessage, quoted(value)})
			continue
		}
		if fault := f.decode(quoted(value), target, "path"); fault != nil {
			faults = append(faults, *fault)
		}
	}
	if len(p.body) > 0 {
		if body, err = a.readBody(r); err != nil {
			return nil, err
		}
		faults = append(faults, p.decodeBody(body, target)...)
	}
	if len(faults) > 0 {
		return body, &validationError{faults: faults, body: body}
	}
	return body, nil
}

// quoted gives a text as JSON.
func quoted(text string) json.RawMessage {
	quoted, _ := json.Marshal(text) // any text can be encoded
	return quoted
}

// maxDrain is how much of a body that is too large is read and thrown away
// before the answer, in bytes: a client that is still sending would otherwise
// see a broken connection in place of the 413.
const maxDrain = 16 << 20

// Texts of errors of a body.
const (
	unreadableText = "the request body could not be read to its end"
	notJSONText    = "the Content-Type must be application/json"
)

// readBody reads a JSON body of at most MaxBodyBytes.
func (a *API) readBody(r *http.Request) ([]byte, error) {
	limit := a.options.MaxBodyBytes
	buf := bytes.NewBuffer(make([]byte, 0, max(0, min(r.ContentLength, limit))+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
		return nil, &httpError{status: http.StatusBadRequest, text: unreadableText, cause: err}
	}
	if int64(buf.Len()) > limit {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
		return nil, &httpError{status: http.StatusRequestEntityTooLarge,
			text: fmt.Sprintf("the request body is larger than %d bytes", limit)}
	}
	if err := checkContentType(r.Header, buf.Len()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// checkContentType gives a 415 unless the body is declared as plain JSON. An
// absent declaration is accepted only of an empty body, which is answered as
// missing.
func checkContentType(header http.Header, length int) error {
	declared := header.Get("Content-Type")
	mediaType, _, err := mime.ParseMediaType(declared)
	isJSON := err == nil && (mediaType == "application/json" ||
		strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json"))
	encoding := header.Get("Content-Encoding")
	switch {
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return &httpError{status: http.StatusUnsupportedMediaType, text: "the request body must not be compressed"}
	case !isJSON && (declared != "" || length > 0):
		return &httpError{status: http.StatusUnsupportedMediaType, text: notJSONText}
	}
	return nil
}

// decodeBody fills target from a JSON object. Unknown fields are ignored; of
// fields that stand twice the last one counts.
func (p *plan) decodeBody(body []byte, target reflect.Value) []fault {
	if len(bytes.TrimSpace(body)) == 0 {
		return []fault{missingBody}
	}
	if offset := invalidUTF8(body); offset >= 0 {
		return []fault{invalidJSON(offset, "invalid UTF-8")}
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal(body, &members)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return []fault{invalidJSON(syntaxOffset(syntax, body), syntax.Error())}
	}
	if err != nil {
		return []fault{{"model_attributes_type", []any{"body"},
			"Input should be a valid dictionary or object to extract fields from", redact(body)}}
	}
	if members == nil {
		return []fault{missingBody}
	}
	var faults []fault
	for _, f := range p.body {
		fault := f.decode(members[f.name], target, "body")
		if fault == nil {
			continue
		}
		switch {
		case fault.Type == "missing":
			fault.Input = redact(body)
		case secretNames[f.name]:
			fault.Input = redactedJSON
		}
		faults = append(faults, *fault)
	}
	return faults
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
		bad.Loc, bad.Input = []any{place, f.name}, redact(raw)
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

// parsers parse a JSON value leniently, as contract §1 says, into the kinds
// that request fields have.
var parsers = map[reflect.Kind]func(json.RawMessage) (any, *fault){
	reflect.String:  parseText,
	reflect.Float64: parseNumber,
	reflect.Int:     parseInteger,
}

const invalidTextMessage = "Input should be a valid string: NUL characters and unpaired surrogates are not allowed"

// parseText takes a JSON string and nothing else.
func parseText(raw json.RawMessage) (any, *fault) {
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", &fault{Type: "string_type", Msg: "Input should be a valid string"}
	}
	if !backend.ValidText(*text) || hasLoneSurrogate(raw) {
		return "", &fault{Type: "string_type", Msg: invalidTextMessage}
	}
	return *text, nil
}

// parseNumber takes a finite JSON number, or a JSON string that holds one.
func parseNumber(raw json.RawMessage) (any, *fault) {
	text := string(raw)
	switch {
	case raw[0] == '"':
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0.0, &fault{Type: "float_type", Msg: "Input should be a valid number"}
		}
		text = strings.TrimSpace(text)
	case raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return 0.0, &fault{Type: "float_type", Msg: "Input should be a valid number"}
	}
	number, err := strconv.ParseFloat(text, 64)
	// ParseFloat takes hexadecimal, underscores, "inf" and "nan" beside the
	// decimal numbers of JSON.
	if err != nil || strings.Trim(text, "0123456789+-.eE") != "" || math.IsInf(number, 0) {
		return 0.0, &fault{Type: "float_parsing", Msg: "Input should be a valid, finite number, unable to parse it as one"}
	}
	return number, nil
}

// parseInteger takes a number without a fraction. One that is larger than an
// int is the largest int.
func parseInteger(raw json.RawMessage) (any, *fault) {
	value, bad := parseNumber(raw)
	number, _ := value.(float64)
	if bad != nil || number != math.Trunc(number) {
		return 0, &fault{Type: "int_parsing", Msg: "Input should be a valid integer, unable to parse it as one"}
	}
	return int(max(math.MinInt32, min(math.MaxInt32, number))), nil
}

// hasLoneSurrogate reports whether the JSON string raw holds an escaped
// surrogate without its partner: no text, though JSON's grammar allows it.
// Package encoding/json would replace it silently.
func hasLoneSurrogate(raw []byte) bool {
	if !bytes.Contains(raw, []byte(`\u`)) {
		return false
	}
	unit := func(i int) uint64 { // the UTF-16 unit escaped at i, or 0
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0
		}
		value, _ := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
		return value
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		switch value := unit(i); {
		case value >= 0xD800 && value <= 0xDBFF:
			if low := unit(i + 6); low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 11
		case value >= 0xDC00 && value <= 0xDFFF:
			return true
		default:
			i++ // the escaped character, so that \\u is not taken for \u
		}
	}
	return false
}

// missingBody is the fault of an empty body and of null.
var missingBody = fault{"missing", []any{"body"}, "Field required", json.RawMessage("null")}

// invalidJSON is the fault of a body that is not JSON; nothing of it is shown.
func invalidJSON(offset int, reason string) fault {
	return fault{"json_invalid", []any{"body", offset}, "JSON decode error: " + reason, json.RawMessage("{}")}
}

// syntaxOffset is where the error lies, counted in bytes from 0. The decoder
// counts the bytes that it has read, the offending one included.
func syntaxOffset(err *json.SyntaxError, body []byte) int {
	if offset := int(err.Offset); offset < len(body) || !strings.Contains(err.Error(), "unexpected end") {
		return max(0, offset-1)
	}
	return len(body)
}

// invalidUTF8 is the offset of the first byte that is no UTF-8, or -1.
func invalidUTF8(body []byte) int {
	if utf8.Valid(body) {
		return -1
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
}

package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"web-backend/internal/backend"
)

// parsers parse a JSON value for each kind of request field, as leniently as
// contract §1 requires.
var parsers = map[reflect.Kind]func(json.RawMessage) (any, *fault){
	reflect.String:  parseText,
	reflect.Float64: parseNumber,
	reflect.Int:     parseInteger,
}

const invalidTextMessage = "Input should be a valid string: invalid UTF-8, NUL characters and unpaired surrogates are not allowed"

// parseSecret parses a string that must not be shown.
func parseSecret(raw json.RawMessage) (any, *fault) {
	text, bad := parseText(raw)
	value, _ := text.(string)
	return backend.NewSecret(value), bad
}

// parseText accepts only a JSON string.
func parseText(raw json.RawMessage) (any, *fault) {
	// raw is valid JSON, so without escapes it contains the text unchanged.
	if last := len(raw) - 1; raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		text := string(raw[1:last])
		if !backend.ValidText(text) {
			return "", &fault{Type: "string_type", Msg: invalidTextMessage}
		}
		return text, nil
	}
	if raw[0] != '"' {
		return "", &fault{Type: "string_type", Msg: "Input should be a valid string"}
	}
	text, err := jsontext.AppendUnquote(make([]byte, 0, len(raw)), raw)
	if err != nil || bytes.IndexByte(text, 0) >= 0 { // an error means an unpaired surrogate
		return "", &fault{Type: "string_type", Msg: invalidTextMessage}
	}
	return string(text), nil
}

// Limits of a list of texts. The tags of its field document them.
const (
	maxListLength     = 100
	maxListTextLength = 64 // characters
)

// parseTexts parses a JSON array of short strings.
func parseTexts(raw json.RawMessage) (any, *fault) {
	var elements []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &elements) != nil {
		return nil, &fault{Type: "list_type", Msg: "Input should be a valid list"}
	}
	if len(elements) > maxListLength {
		return nil, &fault{Type: "too_long", Msg: fmt.Sprintf("List should have at most %d items", maxListLength)}
	}
	texts := make([]string, len(elements)) // not nil if empty, because the list was sent
	for i, element := range elements {
		value, bad := parseText(element)
		if bad != nil {
			return nil, bad
		}
		texts[i], _ = value.(string)
		if utf8.RuneCountInString(texts[i]) > maxListTextLength {
			return nil, &fault{Type: "string_too_long", Msg: fmt.Sprintf("String should have at most %d characters", maxListTextLength)}
		}
	}
	return texts, nil
}

// parseNumber parses a finite JSON number, or a JSON string that contains one.
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
	// ParseFloat also accepts hexadecimal numbers, underscores, "inf" and
	// "nan", which JSON does not have.
	if err != nil || strings.Trim(text, "0123456789+-.eE") != "" || math.IsInf(number, 0) {
		return 0.0, &fault{Type: "float_parsing", Msg: "Input should be a valid, finite number, unable to parse it as one"}
	}
	return number, nil
}

// parseInteger parses a number without a fraction. A number outside the range
// of int32 becomes the nearest int32.
func parseInteger(raw json.RawMessage) (any, *fault) {
	value, bad := parseNumber(raw)
	number, _ := value.(float64)
	if bad != nil || number != math.Trunc(number) {
		return 0, &fault{Type: "int_parsing", Msg: "Input should be a valid integer, unable to parse it as one"}
	}
	return int(max(math.MinInt32, min(math.MaxInt32, number))), nil
}

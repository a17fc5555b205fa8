package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// requiredDefaultFields are the fields of contract §4 without a default value.
// A default character must set all of them.
var requiredDefaultFields = []string{
	"character_name", "scene_name", "tts_adapter", "voice", "avatar", "asr_adapter", "classification_adapter",
	"conversation_adapter", "prompt", "reaction_adapter", "memory_adapter",
}

// ParseDefaultCharacter parses one JSON file of default_character_config_paths.
// It is like [ParseCharacter], but most fields without a default value must not
// be empty. An error names the field.
func ParseDefaultCharacter(data []byte) (Character, error) {
	c, err := ParseCharacter(data)
	if err != nil {
		return c, err
	}
	fields := reflect.ValueOf(c)
	for _, field := range reflect.VisibleFields(fields.Type()) {
		name := field.Tag.Get("json")
		if name != "voice" && slices.Contains(requiredDefaultFields, name) && fields.FieldByIndex(field.Index).IsZero() {
			return c, fmt.Errorf("field %q: must not be empty", name)
		}
	}
	return c, nil
}

// CharacterFault is what is wrong in the JSON form of a character. Its text
// shows no value.
type CharacterFault struct {
	Kind  CharacterFaultKind
	Field string       // "" with NoCharacterJSON
	Want  reflect.Kind // of the value, with FieldOfWrongType: String, Bool, Float64 or Int32
	text  string
}

// CharacterFaultKind says what is wrong, for messages in other languages.
type CharacterFaultKind uint8

// The kinds.
const (
	NoCharacterJSON CharacterFaultKind = iota // not a JSON object
	FieldMissing
	FieldUnknown
	FieldOfWrongType
	FieldNotText // holds what a store may not keep
)

func (f *CharacterFault) Error() string {
	if f.Field == "" {
		return f.text
	}
	return fmt.Sprintf("field %q: %s", f.Field, f.text)
}

// ParseCharacter parses the JSON form of a character: the fields of
// [Character]. Owner, id and creation time are allowed but not used, so that an
// API response can serve as input. A field with a default value may be missing.
// The error is a [*CharacterFault].
func ParseCharacter(data []byte) (Character, error) {
	c := NewCharacter()
	if err := json.Unmarshal(data, &c); err != nil {
		return c, describeJSONError(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return c, notAnObject()
	}
	for _, name := range requiredDefaultFields {
		if raw, ok := fields[name]; !ok || string(raw) == "null" {
			return c, &CharacterFault{Kind: FieldMissing, Field: name, text: "missing; required are " + strings.Join(requiredDefaultFields, ", ")}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		raw := fields[name]
		if !isCharacterField(name) {
			const most = 64 // characters of a name in a message
			if runes := []rune(name); len(runes) > most {
				name = string(runes[:most]) + "…"
			}
			return c, &CharacterFault{Kind: FieldUnknown, Field: name, text: "unknown; names are in lower case"}
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			continue // a number or a bool; decoding above has checked its type
		}
		if !validJSONText(raw, text) {
			return c, &CharacterFault{Kind: FieldNotText, Field: name, text: invalidTextProblem}
		}
	}
	return c, nil
}

// isCharacterField reports whether name is exactly a JSON field of a character.
// Package json ignores case, and the last field wins.
func isCharacterField(name string) bool {
	return slices.ContainsFunc(CharacterFields(), func(field CharacterField) bool { return field.Name == name })
}

func notAnObject() *CharacterFault {
	return &CharacterFault{text: "want a JSON object with the fields"}
}

// describeJSONError describes a decoding error in words for the author of the
// text.
func describeJSONError(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field == "" {
		return notAnObject()
	} else if ok {
		want := e.Type.Kind()
		return &CharacterFault{Kind: FieldOfWrongType, Field: e.Field, Want: want, text: "is a JSON " + e.Value + ", want " + jsonKinds[want]}
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &CharacterFault{text: fmt.Sprintf("not JSON at byte %d: %v", e.Offset, err)}
	}
	return &CharacterFault{text: err.Error()}
}

// jsonKinds describes the types of a character's fields.
var jsonKinds = map[reflect.Kind]string{
	reflect.String: "a string", reflect.Bool: "true or false",
	reflect.Float64: "a number", reflect.Int32: "a whole number",
}

const invalidTextProblem = "holds a NUL character or is not UTF-8"

// validJSONText reports whether raw is a text that a store may keep. text is
// the decoded form of raw. The check is needed because package json silently
// replaces invalid text.
func validJSONText(raw json.RawMessage, text string) bool {
	return ValidText(text) && ValidJSONText(raw)
}

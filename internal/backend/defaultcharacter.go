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

func (f CharacterFault) Error() string {
	if f.Field == "" {
		return f.text
	}
	return fmt.Sprintf("field %q: %s", f.Field, f.text)
}

// CharacterFaults are all faults of the JSON form of a character.
type CharacterFaults []CharacterFault

func (f CharacterFaults) Error() string {
	texts := make([]string, len(f))
	for i, fault := range f {
		texts[i] = fault.Error()
	}
	return strings.Join(texts, "; ")
}

// RequiredCharacterFields returns the fields that the JSON form of a character
// must have; see [ParseCharacter].
func RequiredCharacterFields() []string { return slices.Clone(requiredDefaultFields) }

// ParseCharacter parses the JSON form of a character: the fields of
// [Character]. Owner, id and creation time are allowed but not used, so that an
// API response can serve as input. A field with a default value may be missing.
// The error is [CharacterFaults].
func ParseCharacter(data []byte) (Character, error) {
	c := NewCharacter()
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(data, &sent); err != nil {
		return c, CharacterFaults{notAnObject(err)}
	}
	var faults CharacterFaults
	target := reflect.ValueOf(&c).Elem()
	for _, field := range reflect.VisibleFields(target.Type()) {
		name := field.Tag.Get("json")
		raw, ok := sent[name]
		delete(sent, name)
		if !ok || string(raw) == "null" {
			if slices.Contains(requiredDefaultFields, name) {
				faults = append(faults, CharacterFault{Kind: FieldMissing, Field: name, text: "missing; required are " + strings.Join(requiredDefaultFields, ", ")})
			}
			continue
		}
		if fault := parseCharacterField(raw, target.FieldByIndex(field.Index)); fault != nil {
			fault.Field = name
			faults = append(faults, *fault)
		}
	}
	unknown := 0
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		const mostNames, mostName = 5, 64 // in a message: the sender controls how many there are, and how long
		if unknown++; unknown > mostNames {
			break
		}
		if runes := []rune(name); len(runes) > mostName {
			name = string(runes[:mostName]) + "…"
		}
		faults = append(faults, CharacterFault{Kind: FieldUnknown, Field: name, text: "unknown; names are in lower case"})
	}
	if len(faults) > 0 {
		return c, faults
	}
	return c, nil
}

// parseCharacterField sets a field of a character.
func parseCharacterField(raw json.RawMessage, field reflect.Value) *CharacterFault {
	if field.Kind() == reflect.Int32 {
		var number float64 // in JSON, 30.0 is a whole number, too
		if json.Unmarshal(raw, &number) == nil && number == float64(int32(number)) {
			field.SetInt(int64(number))
			return nil
		}
	}
	if err := json.Unmarshal(raw, field.Addr().Interface()); err != nil {
		text := err.Error()
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			text = "is a JSON " + e.Value + ", want " + jsonKinds[field.Kind()]
		}
		return &CharacterFault{Kind: FieldOfWrongType, Want: field.Kind(), text: text}
	}
	if field.Kind() == reflect.String && !validJSONText(raw, field.String()) {
		return &CharacterFault{Kind: FieldNotText, text: invalidTextProblem}
	}
	return nil
}

// notAnObject describes a decoding error in words for the author of the text.
func notAnObject(err error) CharacterFault {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return CharacterFault{text: fmt.Sprintf("not JSON at byte %d: %v", e.Offset, err)}
	}
	return CharacterFault{text: "want a JSON object that contains the fields"}
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

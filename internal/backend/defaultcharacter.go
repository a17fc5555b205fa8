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
// The file holds the fields of [Character]. Owner, id and creation time are
// allowed but not used, so that an API response can serve as such a file. An
// error names the field.
func ParseDefaultCharacter(data []byte) (Character, error) {
	c := NewCharacter()
	if err := json.Unmarshal(data, &c); err != nil {
		return c, describeJSONError(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return c, describeJSONError(err)
	}
	for _, name := range requiredDefaultFields {
		if raw, ok := fields[name]; !ok || string(raw) == "null" {
			return c, fmt.Errorf("field %q: missing; required are %s", name, strings.Join(requiredDefaultFields, ", "))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		raw := fields[name]
		if !isCharacterField(name) {
			return c, fmt.Errorf("field %q: unknown; names are in lower case", name)
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			continue // a number or a bool; decoding above has checked its type
		}
		switch {
		case !validJSONText(raw, text):
			return c, fmt.Errorf("field %q: %s", name, invalidTextProblem)
		case text == "" && name != "voice" && slices.Contains(requiredDefaultFields, name):
			return c, fmt.Errorf("field %q: must not be empty", name)
		}
	}
	return c, nil
}

// isCharacterField reports whether name is exactly a JSON field of a character.
// Package json ignores case, and the last field wins.
func isCharacterField(name string) bool {
	return slices.ContainsFunc(CharacterFields(), func(field CharacterField) bool { return field.Name == name })
}

// describeJSONError describes a decoding error in words for the author of the
// file.
func describeJSONError(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field == "" {
		return errors.New("want a JSON object with the fields")
	} else if ok {
		return fmt.Errorf("field %q: is a JSON %s, want %s", e.Field, e.Value, jsonKinds[e.Type.Kind()])
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not JSON at byte %d: %w", e.Offset, err)
	}
	return err
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

package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"web-backend/internal/backend"
)

// headerLine, userLine, characterLine and footerLine are the lines of a file,
// with their fields in the written order.
type headerLine struct {
	Kind       string    `json:"kind"`
	Format     string    `json:"format"`
	Version    int       `json:"version"`
	CreatedAt  time.Time `json:"created_at"`
	Secrets    bool      `json:"secrets"`
	Users      int64     `json:"users"`
	Characters int64     `json:"characters"`
}

type userLine struct {
	Kind     string     `json:"kind"`
	UserID   *string    `json:"user_id"`
	Username *string    `json:"username,omitempty"` // absent if the user does not have a credential
	Password *string    `json:"password,omitempty"` // absent if the file does not contain secrets
	Disabled bool       `json:"disabled,omitempty"` // only on a disabled account, because an older program does not know the field
	Config   configLine `json:"config"`             // null if the user has not been set up
}

// configLine holds timezone and provider keys by name. null counts as absent.
type configLine map[string]*string

type characterLine struct {
	Kind        string  `json:"kind"`
	UserID      *string `json:"user_id"` // hides the field of Character, to detect whether it is present
	CharacterID *string `json:"character_id"`
	backend.Character
}

type footerLine struct {
	Kind       string  `json:"kind"`
	Users      int64   `json:"users"`
	Characters int64   `json:"characters"`
	SHA256     *string `json:"sha256"`
}

// configFields are the fields of a config in their order in a file: the time
// zone, then the provider keys in the order of contract §5.
var configFields = append([]string{"timezone"}, backend.ProviderKeys...)

// MarshalJSON writes the fields in the order of configFields.
func (c configLine) MarshalJSON() ([]byte, error) {
	if c == nil {
		return []byte("null"), nil
	}
	var text bytes.Buffer
	text.WriteByte('{')
	for _, name := range configFields {
		value := c[name]
		if value == nil {
			continue
		}
		if text.Len() > 1 {
			text.WriteByte(',')
		}
		encoded, err := json.Marshal(*value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "%q:%s", name, encoded)
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// encodeLine encodes a value as one line, including the line end.
func encodeLine(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return text.Bytes(), err
}

// splitLine splits the line of a character into a line with the fields of a
// document's head, and the rest of the document, like [backend.SplitCharacter].
// The rest is empty if the line does not have the expected form.
func splitLine(line []byte) (head, rest []byte) {
	start := bytes.Index(line, []byte(`,"read_only":`))
	if start < 0 {
		return line, nil
	}
	return append(bytes.Clone(line[:start]), '}'), bytes.TrimSuffix(line[start:], []byte("\n"))
}

// tags are the fields that identify the kind of a line and the format of a
// file.
type tags struct {
	Kind    *string `json:"kind"`
	Format  string  `json:"format"`
	Version int     `json:"version"`
}

// tagsOf parses the tags of a line. If there is no error, Kind is set. The
// other tags may be missing or, if the line is not a header, may have another
// type.
func tagsOf(line []byte) (tags, error) {
	var t tags
	err := json.Unmarshal(line, &t)
	switch {
	case t.Kind != nil:
		return t, nil
	case err != nil:
		return t, describe(err)
	}
	return t, errors.New(`field "kind" is missing`)
}

// kindOf returns the kind of a line. If the line begins like a line of the
// Writer, it reads only the first field.
func kindOf(line []byte) (string, error) {
	for _, kind := range []string{kindCharacter, kindUser} {
		if bytes.HasPrefix(line, []byte(`{"kind":"`+kind+`",`)) {
			return kind, nil
		}
	}
	t, err := tagsOf(line)
	if err != nil {
		return "", err
	}
	return *t.Kind, nil
}

// decodeLine decodes a line. The line may have only the fields of target, and
// only one kind, which it stores in the field of target at kind. An error names
// the field but never its value.
func decodeLine(line []byte, target any, kind *string) error {
	want, err := kindOf(line)
	if err != nil {
		return err
	}
	if !utf8.Valid(line) {
		return errors.New("the line is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(target); err != nil {
		return describe(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the line has more than one JSON value")
	}
	if *kind != want {
		return errors.New(`field "kind" is there twice`)
	}
	if !backend.ValidJSONText(line) {
		return errors.New("a text holds half of a surrogate pair (\\ud800 to \\udfff)")
	}
	if bytes.Contains(line, []byte(`\u0000`)) { // otherwise no text can contain one
		if name, found := fieldWithNUL(reflect.ValueOf(target).Elem()); found {
			return fmt.Errorf("field %q holds a NUL character", name)
		}
	}
	return nil
}

// fieldWithNUL returns the name of the first text field of a line that contains
// a NUL character.
func fieldWithNUL(value reflect.Value) (name string, found bool) {
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			return "", false
		}
		return fieldWithNUL(value.Elem())
	case reflect.String:
		return "", !backend.ValidText(value.String())
	case reflect.Map:
		for _, key := range value.MapKeys() {
			if _, found := fieldWithNUL(value.MapIndex(key)); found {
				return key.String(), true
			}
		}
	case reflect.Struct:
		for i := range value.NumField() {
			inner, found := fieldWithNUL(value.Field(i))
			if !found {
				continue
			}
			if inner != "" {
				return inner, true
			}
			name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
			return name, true
		}
	}
	return "", false
}

// describe describes an error in a line's JSON without showing any part of the
// line. This is necessary because errors of package json quote numbers and
// characters.
func describe(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := strings.TrimPrefix(wrong.Field, "Character.") // not a field of the file
		if field == "" {
			return errors.New("the line is not a JSON object")
		}
		return fmt.Errorf("field %q: want %s", shorten(field), wanted(wrong.Type))
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not valid JSON at byte %d", wrong.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("not valid JSON: the line ends too early")
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("field %s is unknown", shorten(field))
	}
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		return errors.New(`field "created_at": want a time such as 2026-01-31T12:00:00Z`)
	}
	return err
}

// wanted returns the JSON name of a type.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number in the range of " + t.Kind().String()
	}
	return "an object"
}

// shorten limits the length of text from the file in a message.
func shorten(text string) string {
	const most = 64 // runes
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// credential and config check a user line and convert it to the types of the
// domain.
func (l userLine) credential(secrets bool) (*backend.Credential, error) {
	if l.Username == nil {
		if l.Password != nil {
			return nil, errors.New(`field "password": a user without "username" has none`)
		}
		if l.Disabled {
			return nil, errors.New(`field "disabled": a user without "username" has no account`)
		}
		return nil, nil //nolint:nilnil // no credential is as good as one
	}
	c := &backend.Credential{UserID: *l.UserID, Username: *l.Username, Disabled: l.Disabled}
	if l.Password == nil {
		return c, nil
	}
	if !secrets {
		return nil, errors.New(`field "password": the header says that there are no secrets`)
	}
	c.Password = backend.NewSecret(*l.Password)
	return c, nil
}

func (l userLine) config(secrets bool) (*backend.UserConfig, error) {
	if l.Config == nil {
		return nil, nil //nolint:nilnil // nil means that the user is not set up
	}
	config := &backend.UserConfig{UserID: *l.UserID, Timezone: backend.DefaultTimezone, Keys: map[string]backend.Secret{}}
	for name, value := range l.Config {
		switch {
		case !slices.Contains(configFields, name):
			return nil, fmt.Errorf("field %q is unknown in a config", shorten(name))
		case value == nil:
		case name == "timezone":
			config.Timezone = *value
		case *value == "":
		case !secrets:
			return nil, fmt.Errorf("field %q: the header says that there are no secrets", name)
		default:
			config.Keys[name] = backend.NewSecret(*value)
		}
	}
	return config, nil
}

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

// headerLine, userLine, characterLine and footerLine are the lines as they are
// written, field by field.
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
	Username *string    `json:"username,omitempty"` // absent without a credential
	Password *string    `json:"password,omitempty"` // absent without secrets
	Config   configLine `json:"config"`             // null for a user that was not set up
}

// configLine holds timezone and provider keys by name. What is null counts as
// absent.
type configLine map[string]*string

type characterLine struct {
	Kind        string  `json:"kind"`
	UserID      *string `json:"user_id"` // hides that of Character, to see whether it is there
	CharacterID *string `json:"character_id"`
	backend.Character
}

type footerLine struct {
	Kind       string  `json:"kind"`
	Users      int64   `json:"users"`
	Characters int64   `json:"characters"`
	SHA256     *string `json:"sha256"`
}

// configFields is the order of the fields of a config (contract §5).
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

// encodeLine gives a value as one line, its end included.
func encodeLine(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return text.Bytes(), err
}

// splitLine cuts the line of a character into a line of what a document's head
// has, and the rest of the document, as [backend.SplitCharacter] does. The rest
// is empty if the line looks otherwise.
func splitLine(line []byte) (head, rest []byte) {
	start := bytes.Index(line, []byte(`,"read_only":`))
	if start < 0 {
		return line, nil
	}
	return append(bytes.Clone(line[:start]), '}'), bytes.TrimSuffix(line[start:], []byte("\n"))
}

// tags are what tells lines apart, and files that can be read.
type tags struct {
	Kind    *string `json:"kind"`
	Format  string  `json:"format"`
	Version int     `json:"version"`
}

// tagsOf reads the tags of a line. Without an error Kind is there; others may
// be missing or, in a line that is no header, of another type.
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

// kindOf gives the kind of a line. It looks no further than the first field if
// the line begins as the Writer's do.
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

// decodeLine reads a line that may hold no other fields than target has, and
// only one kind, which is the field of target at kind. An error names the field
// and never its value.
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
	if bytes.Contains(line, []byte(`\u0000`)) { // else no text can hold one
		if name, found := fieldWithNUL(reflect.ValueOf(target).Elem()); found {
			return fmt.Errorf("field %q holds a NUL character", name)
		}
	}
	return nil
}

// fieldWithNUL finds the first text with a NUL character in a line.
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

// describe says what is wrong with a line's JSON without showing any of it:
// the errors of package json quote numbers and characters.
func describe(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := strings.TrimPrefix(wrong.Field, "Character.") // which is no field of the file
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

// wanted names a type as JSON does.
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

// shorten bounds a text of the file that goes into a message.
func shorten(text string) string {
	const most = 64 // runes
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// credential and config put a user line in the terms of the domain, and judge
// it.
func (l userLine) credential(secrets bool) (*backend.Credential, error) {
	if l.Username == nil {
		if l.Password != nil {
			return nil, errors.New(`field "password": a user without "username" has none`)
		}
		return nil, nil //nolint:nilnil // no credential is as good as one
	}
	c := &backend.Credential{UserID: *l.UserID, Username: *l.Username}
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
		return nil, nil //nolint:nilnil // not set up is as good
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

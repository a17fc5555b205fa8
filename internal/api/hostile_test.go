package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/store/storetest"
)

// posts returns the operations that take a body. New operations in the document
// are included.
func posts() []*operation {
	return slices.DeleteFunc(apiDocument().operations(), func(o *operation) bool { return o.RequestBody == nil })
}

// hostileBodies are bodies that no operation accepts, with the responses to
// them.
var hostileBodies = []struct{ name, body, want string }{
	{"empty", "", missing},
	{"null", "null", missing},
	{"list", "[]", notAnObject("[]")},
	{"list of null", "[null]", notAnObject("[null]")},
	{"text", `"x"`, notAnObject(`"x"`)},
	{"number", "5", notAnObject("5")},
	{"huge number", "1e999", ""},
	{"true", "true", notAnObject("true")},
	{"open object", "{", invalidJSON(1)},
	{"two objects", "{}{}", invalidJSON(2)},
	{"nested deep", strings.Repeat("[", 12_000), invalidJSON(10_000)},
	{"NUL", "\x00", invalidJSON(0)},
	{"invalid UTF-8", "{\"\xff\":1}", invalidJSON(2)},
	{"NaN", `{"user_id":NaN}`, invalidJSON(11)},
	{"XML", `<?xml version="1.0"?>`, invalidJSON(0)},
}

// hostileValues are raw JSON values that no text field accepts.
var hostileValues = map[string]string{
	"number": `5`, "huge number": `1e999`, "true": `true`, "list": `[]`, "list of text": `["x"]`, "object": `{}`,
	"operator": `{"$ne":""}`, "NUL": `"a\u0000b"`, "only NUL": `"\u0000"`,
	"high surrogate": `"\ud800"`, "low surrogate": `"\uDC00"`, "surrogates in the wrong order": `"\udc00\ud800"`,
	"two high surrogates": `"\ud800\ud800"`, "high surrogate and text": `"\ud83dx"`, "high surrogate at an escape": `"\ud83d\n"`,
	"pair and a half": `"\ud83d\ude00\ud83d"`, "half and a pair": `"\ude00\ud83d\ude00"`, "surrogate after backslashes": `"\\\\\ud800"`,
	"nested": strings.Repeat("[", 100) + strings.Repeat("]", 100),
}

// brokenValues are not JSON, so a body that contains one is not JSON either.
var brokenValues = map[string]string{
	"invalid UTF-8": "\"\xff\"", "overlong NUL": "\"\xc0\x80\"", "surrogate as UTF-8": "\"\xed\xa0\x80\"", "bare NUL": "\"\x00\"",
	"bare line end": "\"\n\"", "NaN": "NaN", "Infinity": "Infinity", "undefined": "undefined", "bare word": "x", "nothing": " ",
	"half an escape": `"\u00"`, "unknown escape": `"\x41"`, "single quotes": "'x'", "comment": `"x"/**/`,
}

// escapedTexts are JSON strings and the texts that they encode.
var escapedTexts = map[string]string{
	`"\ud83d\ude00"`: "😀", `"\\ud800"`: `\ud800`, `"\\\\ud800"`: `\\ud800`, `"\uD83D\uDE00x\ud83d\udE01"`: "😀x😁",
	`"\u0041\/\b\f\n\r\t\""`: "A/\b\f\n\r\t\"", `"\ufffd"`: "\ufffd", `"\uffff"`: "\uffff", `"\u007f\u0080\u2028"`: "\u007f\u0080\u2028",
	`"\udbff\udfff"`: "\U0010ffff", `"$where"`: "$where", `"{\"$ne\":\"\"}"`: `{"$ne":""}`,
}

func TestHostileBodies(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, o := range posts() {
		t.Run(o.OperationID, func(t *testing.T) {
			t.Parallel()
			for _, test := range hostileBodies {
				s.run(t, exchange{name: test.name, request: o.name(), body: test.body, status: 422, want: test.want})
			}
			s.run(
				t,
				exchange{name: "too large", request: o.name(), body: strings.Repeat(" ", testBodyLimit+1), status: 413},
				exchange{name: "the server lives", request: "GET /health", status: 200, want: `"OK"`},
			)
		})
	}
}

// Every text field of every operation either refuses a value with the 422 of
// the contract or keeps it byte for byte.
func TestHostileFields(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, o := range posts() {
		if o.OperationID == "import_character" {
			continue // takes no other field and no other type; see TestImportCharacter
		}
		user := "user of " + o.OperationID
		s.createUser(t, user)
		source := s.characterIDs(t, user)[0]
		for field, property := range o.request().properties() {
			if slices.Contains(property.types(), any("number")) || slices.Contains(property.types(), any("array")) {
				continue // see TestVoiceSpeed, TestEndSessions_Bounds
			}
			t.Run(o.OperationID+"."+field, func(t *testing.T) {
				t.Parallel()
				h := hostileField{s, o, field, user, s.duplicate(t, user, source)}
				if h.thorough() {
					h.triesAll(t)
				} else {
					h.triesSome(t)
				}
				s.exchange(t, exchange{request: "GET /health", status: 200, want: `"OK"`})
			})
		}
	}
}

// hostileField is one field of one operation under test. Other fields of the
// operation are tested with the same user, but not with the same character.
type hostileField struct {
	*server

	operation        *operation
	field, user, own string
}

func (h hostileField) required(name string) bool {
	return slices.Contains(h.operation.request().list("required"), any(name))
}

// request returns a request in which the field has the value raw and all other
// required fields are valid.
func (h hostileField) request(t *testing.T, raw string) exchange {
	t.Helper()
	example := h.operation.example()
	var members []string
	for _, name := range slices.Sorted(maps.Keys(example)) {
		value := encode(t, example[name])
		switch {
		case name == "user_id" && h.operation.OperationID == "set_user_password" && name != h.field:
			value = quote(h.user) // either this or the user name is required
		case name == h.field || !h.required(name):
			value = ""
		case name == "user_id" && h.operation.OperationID == "delete_user":
			value = quote("nobody")
		case name == "user_id":
			value = quote(h.user)
		case name == "character_id":
			value = quote(h.own)
		}
		members = append(members, name, value)
	}
	return exchange{request: h.operation.name(), body: object(append(members, h.field, raw)...)}
}

// thorough reports whether the field is tested with every value. All fields
// share their code, so some values are enough for the others.
func (h hostileField) thorough() bool {
	return slices.Contains([]string{
		"create_user.user_id", "update_character_prompt.prompt", "update_user_config.openai_api_key",
	}, h.operation.OperationID+"."+h.field)
}

func (h hostileField) triesAll(t *testing.T) {
	t.Helper()
	for _, raw := range hostileValues {
		h.refuses(t, raw)
	}
	for _, raw := range brokenValues {
		h.refusesBody(t, raw)
	}
	for raw, text := range escapedTexts {
		h.keeps(t, raw, text)
	}
	for _, text := range storetest.Texts() {
		h.keeps(t, quote(text.Value), text.Value)
	}
}

func (h hostileField) triesSome(t *testing.T) {
	t.Helper()
	for _, name := range []string{"number", "operator", "NUL", "high surrogate"} {
		h.refuses(t, hostileValues[name])
	}
	if h.required(h.field) {
		h.refuses(t, "null")
	}
	h.refusesBody(t, brokenValues["invalid UTF-8"])
	raw, all := "", ""
	for part, text := range escapedTexts {
		raw, all = raw+part[1:len(part)-1], all+text
	}
	for _, text := range storetest.Texts() {
		if len(text.Value) < 1000 {
			raw, all = raw+quote(text.Value)[1:len(quote(text.Value))-1], all+text.Value
		}
	}
	h.keeps(t, `"`+raw+`"`, all)
}

// refuses checks that the field refuses a value that is not a text.
func (h hostileField) refuses(t *testing.T, raw string) {
	t.Helper()
	x := h.request(t, raw)
	x.status = 422
	x.contains = []string{`{"errors":[{"type":"string_type","loc":["body","` + h.field + `"],"msg":"Input should be a valid string`}
	if got := h.exchange(t, x); strings.Count(got.body, `"loc"`) != 1 {
		t.Errorf("%s: got %s, want one fault", raw, brief(got.body))
	}
}

// refusesBody checks that a body is refused if it contains a value that is not
// JSON.
func (h hostileField) refusesBody(t *testing.T, raw string) {
	t.Helper()
	x := h.request(t, raw)
	x.status, x.contains = 422, []string{`{"errors":[{"type":"json_invalid","loc":["body",`, `"body":null`}
	h.exchange(t, x)
}

// keeps checks that a text is received unchanged. It reads the text back if
// there is a way to read it. If the field is an id, it checks that nothing with
// this id exists.
func (h hostileField) keeps(t *testing.T, raw, text string) {
	t.Helper()
	x := h.request(t, raw)
	x.status = 200
	switch {
	case h.operation.OperationID == "create_user":
		x.want = object("user_id", raw)
		h.exchange(t, x)
		h.exchange(t, exchange{request: "GET list_characters/" + segment(text), status: 200, absent: []string{"[]"}})
		h.exchange(t, exchange{request: "POST delete_user", body: x.body, status: 200, want: noBody})
	case h.field == "user_id" || h.field == "character_id":
		x.status = 404
		h.exchange(t, x)
	case h.field == "timezone":
		x.want = noBody // the time zone is unknown, so the stored one stays
		h.exchange(t, x)
	case h.operation.OperationID == "delete_user" && h.field != "language":
		x.status, x.contains = 422, []string{`{"type":"missing","loc":["body",`} // the other one of name and password
		h.exchange(t, x)
	case h.operation.OperationID == "delete_user":
		x.status = 404
		h.exchange(t, x)
	case h.operation.OperationID == "set_user_password" && h.field != "username":
		x.status = 422
		x.contains = []string{`{"type":"literal_error","loc":["body","username"]`} // the user has no user name
		h.exchange(t, x)
	case slices.Contains(h.operation.Tags, "accounts"):
		x.contains = []string{`"auth_code":`} // TestAccounts checks what is kept
		h.exchange(t, x)
	case slices.Contains(backend.ProviderKeys, h.field):
		h.exchange(t, x)
		config, err := h.store.UserConfig(t.Context(), h.user)
		if got := config.Keys[h.field].Reveal(); err != nil || got != text {
			t.Errorf("%s\ngot  %q, error %v\nwant %q", x.request, brief(got), err, brief(text))
		}
	default:
		got := h.exchange(t, x)
		id := h.own
		if reply := (map[string]string{}); json.Unmarshal([]byte(got.body), &reply) == nil {
			id = reply["character_id"] // of the copy
		}
		var character map[string]any
		h.decode(t, exchange{request: "GET get_character_config/" + segment(h.user) + "/" + id, status: 200}, &character)
		if character[h.field] != text {
			t.Errorf("%s\ngot  %s %q\nwant %q", x.request, h.field, brief(fmt.Sprint(character[h.field])), brief(text))
		}
	}
}

// storedIDs returns ids that a client may have stored.
func storedIDs() []storetest.Text {
	return append(storetest.IDs(),
		storetest.Text{Name: "parent folders", Value: "../.."},
		storetest.Text{Name: "slashes", Value: "//"},
		storetest.Text{Name: "percent", Value: "%"},
		storetest.Text{Name: "percent and letters", Value: "%zz%00"},
		storetest.Text{Name: "semicolon", Value: "a;b=c"},
		storetest.Text{Name: "backslashes", Value: `..\..\x`},
		storetest.Text{Name: "braces", Value: "{user_id}"},
		storetest.Text{Name: "star", Value: "*"},
		storetest.Text{Name: "dollar and brace", Value: "{$}"},
	)
}

// A user id can be any text. An id that cannot occur in a URL, from an import
// or an older version, still works.
func TestUser_IDs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, id := range storedIDs() {
		t.Run(id.Name, func(t *testing.T) {
			t.Parallel()
			body, path := object("user_id", quote(id.Value)), segment(id.Value)
			again := http.StatusBadRequest
			if backend.Reachable(id.Value) {
				s.createUser(t, id.Value)
			} else {
				again = http.StatusUnprocessableEntity
				if err := s.store.CreateUser(t.Context(), backend.UserConfig{UserID: id.Value}, storetest.Characters(id.Value, 1)); err != nil {
					t.Fatal(err)
				}
			}
			ids := s.characterIDs(t, id.Value)
			if len(ids) == 0 {
				t.Fatal("the user has no characters")
			}
			character := ids[0]
			s.run(
				t,
				exchange{name: "exists", request: "POST create_user", body: body, status: again},
				exchange{
					name: "character", request: "GET get_character_config/" + path + "/" + character, status: 200,
					contains: []string{`{"user_id":` + quote(id.Value) + `,`},
				},
				exchange{name: "config", request: "POST update_user_config", body: body, status: 200, want: noBody},
				exchange{name: "providers", request: "GET get_available_llm/" + path, status: 200, want: `{"options":[]}`},
				exchange{name: "missing secrets", request: "GET get_missing_secrets/" + path + "/" + character, status: 200},
				exchange{name: "list", request: "GET list_users", status: 200, contains: []string{quote(id.Value)}},
				exchange{name: "delete", request: "POST delete_user", body: body, status: 200, want: noBody},
				exchange{name: "it is gone", request: "GET get_available_llm/" + path, status: 404},
			)
		})
	}
}

// Texts that no store can contain are refused in every path and query.
func TestHostilePaths(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, o := range apiDocument().operations() {
		inPath := strings.Count(o.path, "{")
		for i, parameter := range o.Parameters {
			for _, hostile := range []string{"%00", "a%00b", "%ff", "%c0%80", "%ed%a0%80", "%f5%80%80%80", "a%80"} {
				values := strings.Split(strings.TrimPrefix(o.path, "/"), "/")
				last := len(values) - inPath
				for j := range inPath {
					values[last+j] = "x"
				}
				query := "?" + parameter.Name + "=" + hostile
				if parameter.In == "path" {
					values[last+i], query = hostile, ""
				}
				s.run(t, exchange{
					name: o.OperationID + " " + parameter.Name + " " + hostile, request: o.method + " /" + strings.Join(values, "/") + query,
					status: 422, contains: []string{`"loc":["` + parameter.In + `","` + parameter.Name + `"]`},
				})
			}
		}
	}
}

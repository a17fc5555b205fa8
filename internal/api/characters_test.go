package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
)

// defaultCharacters returns the files of the default characters as JSON
// objects.
func defaultCharacters(t *testing.T) []map[string]any {
	t.Helper()
	paths, err := filepath.Glob("../../configs/characters/*.json") // sorted
	if err != nil || len(paths) == 0 {
		t.Fatalf("no default characters: %v", err)
	}
	all := make([]map[string]any, len(paths))
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &all[i]); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return all
}

// noSuchCharacter returns the response for a character that does not exist.
func noSuchCharacter(userID, characterID string) string {
	return failure(404, fmt.Sprintf("character %q of user %q does not exist", characterID, userID))
}

func TestListCharacters(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	defaults := defaultCharacters(t)
	s.createUser(t, "ada")
	ids := s.characterIDs(t, "ada")
	copied := s.duplicate(t, "ada", ids[1])
	names := make([]string, 0, len(defaults)+1)
	for _, character := range defaults {
		names = append(names, character["character_name"].(string))
	}
	want := func(ids, names []string) string {
		return object("character_id_list", encode(t, ids), "character_name_list", encode(t, names))
	}
	all, allNames := append(slices.Clone(ids), copied), append(slices.Clone(names), names[1])
	s.run(
		t,
		exchange{
			name: "creation order, a copy last", request: "GET list_characters/ada", status: 200, want: want(all, allNames),
		},
		exchange{
			name: "unknown user", request: "GET list_characters/nobody", status: 200,
			want: `{"character_id_list":[],"character_name_list":[]}`,
		},
		exchange{
			name: "other case is another user", request: "GET list_characters/Ada", status: 200,
			want: `{"character_id_list":[],"character_name_list":[]}`,
		},
		exchange{
			name: "delete the first", request: "POST delete_character",
			body: object("user_id", `"ada"`, "character_id", quote(ids[0])), status: 200, want: noBody,
		},
		exchange{
			name: "order stays", request: "GET list_characters/ada", status: 200, want: want(all[1:], allNames[1:]),
		},
		exchange{
			name: "rename", request: "POST update_character_name",
			body:   object("user_id", `"ada"`, "character_id", quote(copied), "character_name", `"凌星"`),
			status: 200, want: noBody,
		},
		exchange{
			name: "new name", request: "GET list_characters/ada", status: 200,
			want: want(all[1:], append(slices.Clone(names[1:]), "凌星")),
		},
	)
	uuid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	for _, id := range all {
		if !uuid.MatchString(id) {
			t.Errorf("got character id %q, want a UUID", id)
		}
	}
}

func TestListCharacterSummaries(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s *server) {
		s.createUser(t, "ada")
		ids := s.characterIDs(t, "ada")
		s.names["copy"] = s.duplicate(t, "ada", ids[1])
		s.run(
			t,
			exchange{name: "avatar", request: "POST update_character_avatar", status: 200,
				body: `{"user_id":"ada","character_id":"$copy","avatar":"HT-default"}`},
			exchange{name: "scene", request: "POST update_character_scene", status: 200,
				body: `{"user_id":"ada","character_id":"$copy","scene_name":"<海>"}`},
		)
		want := []string{}
		summary := func(id, name, readOnly, avatar, scene string) {
			want = append(want, object("character_id", quote(id), "character_name", quote(name), "read_only", readOnly, "avatar", quote(avatar), "scene_name", quote(scene)))
		}
		all := defaultCharacters(t)
		for i, c := range all {
			summary(ids[i], c["character_name"].(string), "true", c["avatar"].(string), c["scene_name"].(string))
		}
		summary(s.names["copy"], all[1]["character_name"].(string), "false", "HT-default", "<海>")
		s.run(
			t,
			exchange{name: "creation order, a copy last", request: "GET list_character_summaries/ada", status: 200,
				want: `{"characters":[` + strings.Join(want, ",") + `]}`},
			exchange{name: "unknown user", request: "GET list_character_summaries/nobody", status: 200, want: `{"characters":[]}`},
		)
	})
}

func TestGetCharacterConfig(t *testing.T) {
	t.Parallel()
	s := newServer(t, at(september))
	s.createUser(t, "ada")
	var fields []string
	for _, field := range backend.CharacterFields() {
		fields = append(fields, field.Name)
	}
	for i, id := range s.characterIDs(t, "ada") {
		want := defaultCharacters(t)[i]
		maps.Copy(want, map[string]any{
			"user_id": "ada", "character_id": id, "create_datatime": "2025-09-26 14:49:13,123", "read_only": true,
		})
		got := s.exchange(t, exchange{
			request: "GET get_character_config/ada/" + id, status: 200, want: encode(t, want),
		})
		if keys := keysOf(t, got.body); !slices.Equal(keys, fields) {
			t.Errorf("order of the fields\ngot  %q\nwant %q", keys, fields)
		}
	}
	s.withCopy(t)
	s.run(
		t,
		exchange{
			name: "unknown character", request: "GET get_character_config/ada/nothing", status: 404,
			want: noSuchCharacter("ada", "nothing"),
		},
		exchange{
			name: "unknown user", request: "GET get_character_config/nobody/$own", status: 404,
			want: noSuchCharacter("nobody", s.names["own"]),
		},
		exchange{
			name: "NUL in an id", request: "GET get_character_config/ada/a%00b", status: 422,
			want: invalidPath("character_id", "a\x00b"),
		},
		exchange{
			name: "no UTF-8 in both ids", request: "GET get_character_config/%ff/%fe", status: 422,
			contains: []string{`"loc":["path","user_id"]`, `"loc":["path","character_id"]`},
		},
	)
}

// september is the time that contract §4 shows in the time zone of Shanghai.
var september = time.Date(2025, time.September, 26, 6, 49, 13, 123e6, time.UTC)

// withCopy copies the first character of ada and names the copy $own.
func (s *server) withCopy(t *testing.T) {
	t.Helper()
	s.names["own"] = s.duplicate(t, "ada", s.characterIDs(t, "ada")[0])
}

// keysOf returns the member names of a JSON object in order.
func keysOf(t *testing.T, body string) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	var keys []string
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return keys
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		default:
			if depth == 1 {
				keys = append(keys, token.(string))
				var value json.RawMessage
				if err := decoder.Decode(&value); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// invalidPath returns the response to a path parameter that is not valid text.
func invalidPath(name, input string) string {
	return validation("null", faultOf("string_type", "path", name, input))
}

func TestDuplicateCharacter(t *testing.T) {
	t.Parallel()
	s := newServer(t, at(september))
	s.createUser(t, "ada")
	source := s.characterIDs(t, "ada")[0]
	s.names["source"] = source
	s.exchange(t, exchange{
		request: "POST update_user_config", body: `{"user_id":"ada","timezone":"Europe/Berlin"}`, status: 200, want: noBody,
	})
	original := s.character(t, source)
	for _, test := range []struct{ name, given, want string }{
		{"name kept", "", original["character_name"].(string)},
		{"null keeps the name", "null", original["character_name"].(string)},
		{"name given", `"My \"Thea\" <b>"`, `My "Thea" <b>`},
		{"empty name given", `""`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var reply map[string]string
			s.decode(t, exchange{
				request: "POST duplicate_character", status: 200, want: `{"character_id":"<uuid>"}`,
				body: object("user_id", `"ada"`, "character_id", `"$source"`, "character_name", test.given),
			}, &reply)
			want := maps.Clone(original)
			maps.Copy(want, map[string]any{
				"character_id": reply["character_id"], "character_name": test.want, "read_only": false,
				"create_datatime": "2025-09-26 08:49:13,123", // in the time zone of the user
			})
			s.exchange(t, exchange{
				request: "GET get_character_config/ada/" + reply["character_id"], status: 200, want: encode(t, want),
			})
			if ids := s.characterIDs(t, "ada"); ids[len(ids)-1] != reply["character_id"] {
				t.Errorf("got the list %q, want the copy %s last", ids, reply["character_id"])
			}
		})
	}
	s.run(
		t,
		exchange{
			name: "the source stays", request: "GET get_character_config/ada/$source", status: 200,
			want: encode(t, original),
		},
		exchange{
			name: "new_name is ignored", request: "POST duplicate_character",
			body:   `{"user_id":"ada","character_id":"$source","new_name":"Mira","sensechat_api_key":"x","a":{"b":[1]}}`,
			status: 200, want: `{"character_id":"<uuid>"}`,
		},
		exchange{
			name: "unknown character", request: "POST duplicate_character",
			body: `{"user_id":"ada","character_id":"nothing"}`, status: 404, want: noSuchCharacter("ada", "nothing"),
		},
		exchange{
			name: "another user's character", request: "POST duplicate_character",
			body: `{"user_id":"nobody","character_id":"$source"}`, status: 404, want: noSuchCharacter("nobody", source),
		},
		exchange{
			name: "name is no text", request: "POST duplicate_character",
			body: `{"user_id":"ada","character_id":"$source","character_name":5}`, status: 422,
			want: validation(`{"user_id":"ada","character_id":"$source","character_name":5}`,
				faultOf("string_type", "body", "character_name", 5)),
		},
	)
	s.exchange(t, exchange{request: "GET list_characters/ada", status: 200, absent: []string{"Mira"}})
}

// A copy can be copied and changed, and the original can be deleted.
func TestDuplicateCharacter_OfACopy(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.withUser(t)
	second := s.duplicate(t, "ada", s.names["own"])
	s.run(
		t,
		exchange{
			name: "delete the original", request: "POST delete_character",
			body: `{"user_id":"ada","character_id":"$readonly"}`, status: 200, want: noBody,
		},
		exchange{
			name: "change the copy", request: "POST update_character_prompt",
			body: `{"user_id":"ada","character_id":"$own","prompt":"new"}`, status: 200, want: noBody,
		},
	)
	copied := s.character(t, second)
	if copied["prompt"] == "new" || copied["prompt"] == "" {
		t.Errorf("the copy of the copy changed with it: prompt %q", copied["prompt"])
	}
	if created := copied["create_datatime"].(string); !placeholders["<time>"].MatchString(created) {
		t.Errorf("got create_datatime %q, want it like 2025-09-26 14:49:13,123", created)
	}
}

func TestDeleteCharacter(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.withUser(t)
	before := len(s.characterIDs(t, "ada"))
	s.run(
		t,
		exchange{
			name: "read-only", request: "POST delete_character",
			body: `{"user_id":"ada","character_id":"$readonly"}`, status: 200, want: noBody,
		},
		exchange{
			name: "it is gone", request: "GET get_character_config/ada/$readonly", status: 404,
			want: noSuchCharacter("ada", s.names["readonly"]),
		},
		exchange{
			name: "twice", request: "POST delete_character",
			body: `{"user_id":"ada","character_id":"$readonly"}`, status: 404,
			want: noSuchCharacter("ada", s.names["readonly"]),
		},
		exchange{
			name: "another user's", request: "POST delete_character",
			body: `{"user_id":"nobody","character_id":"$own"}`, status: 404, want: noSuchCharacter("nobody", s.names["own"]),
		},
		exchange{
			name: "own", request: "POST delete_character",
			body: `{"user_id":"ada","character_id":"$own"}`, status: 200, want: noBody,
		},
	)
	if after := len(s.characterIDs(t, "ada")); after != before-2 {
		t.Errorf("got %d characters after two deletions of %d, want %d", after, before, before-2)
	}
}

// characterUpdate is a call of an update_character_ endpoint: the fields in the
// request, and the changes to the character that it should make.
type characterUpdate struct {
	name, request string
	fields        string
	changed       map[string]any
}

var characterUpdates = []characterUpdate{
	{"name", "name", `"character_name":"Mira"`, map[string]any{"character_name": "Mira"}},
	{"empty name", "name", `"character_name":""`, map[string]any{"character_name": ""}},
	{"avatar", "avatar", `"avatar":"HT-default"`, map[string]any{"avatar": "HT-default"}},
	{"scene", "scene", `"scene_name":"seabed"`, map[string]any{"scene_name": "seabed"}},
	{
		"prompt", "prompt", `"prompt":"You keep \"lights\".\n<b>&\u4f60\ud83d\ude00"`,
		map[string]any{"prompt": "You keep \"lights\".\n<b>&你😀"},
	},
	{"asr", "asr", `"asr_adapter":"softsugar"`, map[string]any{"asr_adapter": "softsugar"}},
	{
		"tts", "tts", `"tts_adapter":"huoshan","voice":"zh","voice_speed":1.25`,
		map[string]any{"tts_adapter": "huoshan", "voice": "zh", "voice_speed": 1.25},
	},
	{
		"tts without a speed", "tts", `"tts_adapter":"elevenlabs","voice":""`,
		map[string]any{"tts_adapter": "elevenlabs", "voice": "", "voice_speed": 1.0},
	},
	{
		"classification", "classification", `"classification_adapter":"a","classification_model_override":"m"`,
		map[string]any{"classification_adapter": "a", "classification_model_override": "m"},
	},
	{
		"classification without a model", "classification", `"classification_adapter":"b"`,
		map[string]any{"classification_adapter": "b", "classification_model_override": ""},
	},
	{
		"conversation", "conversation", `"conversation_adapter":"a","conversation_model_override":"m"`,
		map[string]any{"conversation_adapter": "a", "conversation_model_override": "m"},
	},
	{
		"conversation without a model", "conversation", `"conversation_adapter":"b"`,
		map[string]any{"conversation_adapter": "b", "conversation_model_override": ""},
	},
	{
		"reaction", "reaction", `"reaction_adapter":"a","reaction_model_override":"m"`,
		map[string]any{"reaction_adapter": "a", "reaction_model_override": "m"},
	},
	{
		"reaction with null for the model", "reaction", `"reaction_adapter":"b","reaction_model_override":null`,
		map[string]any{"reaction_adapter": "b", "reaction_model_override": ""},
	},
	{
		"memory", "memory", `"memory_adapter":"a","memory_model_override":"m"`,
		map[string]any{"memory_adapter": "a", "memory_model_override": "m"},
	},
	{
		"memory without a model", "memory", `"memory_adapter":"b"`,
		map[string]any{"memory_adapter": "b", "memory_model_override": ""},
	},
	{
		"fields of other endpoints and generations", "name",
		`"character_name":"M","new_name":"x","sensechat_api_key":"x","avatar":"x","read_only":true,"prompt":5,"Character_Name":"x"`,
		map[string]any{"character_name": "M"},
	},
}

// An update changes only its fields. It is refused for a read-only character,
// but only after the character is known to exist.
func TestUpdateCharacter(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.withUser(t)
	want, readOnly := s.character(t, s.names["own"]), s.character(t, s.names["readonly"])
	for _, test := range characterUpdates {
		request := "POST update_character_" + test.request
		body := func(userID, characterID string) string {
			return fmt.Sprintf(`{"user_id":%q,"character_id":%q,%s}`, userID, characterID, test.fields)
		}
		maps.Copy(want, test.changed)
		s.run(
			t,
			exchange{name: test.name, request: request, body: body("ada", "$own"), status: 200, want: noBody},
			exchange{
				name: test.name + " read back", request: "GET get_character_config/ada/$own", status: 200,
				want: encode(t, want),
			},
			exchange{
				name: test.name + " of nobody", request: request, body: body("nobody", "$own"), status: 404,
				want: noSuchCharacter("nobody", s.names["own"]),
			},
			exchange{
				name: test.name + " of nothing", request: request, body: body("ada", "nothing"), status: 404,
				want: noSuchCharacter("ada", "nothing"),
			},
			exchange{
				name: test.name + " of a read-only character", request: request, body: body("ada", "$readonly"), status: 403,
				want: failure(403, fmt.Sprintf("character %q is read-only; duplicate it and change the copy", s.names["readonly"])),
			},
			exchange{
				name: test.name + " of nobody's read-only character", request: request,
				body: body("nobody", "$readonly"), status: 404,
			},
		)
	}
	s.exchange(t, exchange{
		request: "GET get_character_config/ada/$readonly", status: 200, want: encode(t, readOnly),
	})
}

// The required fields of each endpoint are those of the contract.
func TestUpdateCharacter_RequiredFields(t *testing.T) {
	t.Parallel()
	required := map[string][]string{
		"name": {"character_name"}, "avatar": {"avatar"}, "scene": {"scene_name"}, "prompt": {"prompt"},
		"asr": {"asr_adapter"}, "tts": {"tts_adapter", "voice"}, "classification": {"classification_adapter"},
		"conversation": {"conversation_adapter"}, "reaction": {"reaction_adapter"}, "memory": {"memory_adapter"},
	}
	s := newServer(t)
	for what, fields := range required {
		var faults []string
		for _, name := range append([]string{"user_id", "character_id"}, fields...) {
			faults = append(faults, faultOf("missing", "body", name, map[string]any{}))
		}
		s.run(t, exchange{
			name: what, request: "POST update_character_" + what, body: `{}`, status: 422, want: validation(`{}`, faults...),
		})
	}
}

func TestVoiceSpeed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, given string
		want        float64
		fault       string // type of the fault; "" for none
	}{
		{"integer", `1`, 1, ""},
		{"float", `1.0`, 1, ""},
		{"text", `"1.0"`, 1, ""},
		{"text of an integer", `"2"`, 2, ""},
		{"text with spaces", `" 1.5 "`, 1.5, ""},
		{"text with a plus", `"+1.5"`, 1.5, ""},
		{"exponent", `15e-1`, 1.5, ""},
		{"text with an exponent", `"15E-1"`, 1.5, ""},
		{"negative", `-0.25`, -0.25, ""},
		{"zero", `0`, 0, ""},
		{"many digits", `1.1000000000000001`, 1.1, ""},
		{"too small for a number", `1e-999`, 0, ""},
		{"null", `null`, 1, ""},
		{"absent", ``, 1, ""},
		{"the largest", `1.7976931348623157e308`, 1.7976931348623157e308, ""},
		{"true", `true`, 0, "float_type"},
		{"false", `false`, 0, "float_type"},
		{"list", `[]`, 0, "float_type"},
		{"list of a number", `[1]`, 0, "float_type"},
		{"object", `{}`, 0, "float_type"},
		{"operator", `{"$gt":0}`, 0, "float_type"},
		{"empty text", `""`, 0, "float_parsing"},
		{"spaces", `"  "`, 0, "float_parsing"},
		{"word", `"fast"`, 0, "float_parsing"},
		{"text NaN", `"NaN"`, 0, "float_parsing"},
		{"text nan", `"nan"`, 0, "float_parsing"},
		{"text inf", `"inf"`, 0, "float_parsing"},
		{"text -Infinity", `"-Infinity"`, 0, "float_parsing"},
		{"too large", `1e999`, 0, "float_parsing"},
		{"text too large", `"1e999"`, 0, "float_parsing"},
		{"hexadecimal", `"0x10"`, 0, "float_parsing"},
		{"hexadecimal exponent", `"0x1p4"`, 0, "float_parsing"},
		{"underscore", `"1_0"`, 0, "float_parsing"},
		{"comma", `"1,5"`, 0, "float_parsing"},
		{"two numbers", `"1 2"`, 0, "float_parsing"},
		{"other digits", `"１"`, 0, "float_parsing"},
		{"NUL", `"1\u0000"`, 0, "float_parsing"},
	}
	s := newServer(t)
	s.withUser(t)
	stored := any(1.0)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := exchange{request: "POST update_character_tts", status: 200, want: noBody, body: object("user_id", `"ada"`,
				"character_id", `"$own"`, "tts_adapter", `"zoetrope"`, "voice", `"v"`, "voice_speed", test.given)}
			if test.fault == "" {
				stored = test.want
			} else {
				x.status, x.want = 422, ""
				x.contains = []string{`"type":"` + test.fault + `"`, `"loc":["body","voice_speed"]`, `"input":` + test.given}
			}
			s.exchange(t, x)
			if got := s.character(t, s.names["own"])["voice_speed"]; got != stored {
				t.Errorf("voice_speed %s\ngot  %v\nwant %v", test.given, got, stored)
			}
		})
	}
	s.run(t, exchange{
		name: "NaN that is no JSON", request: "POST update_character_tts", body: `{"voice_speed":NaN}`, status: 422,
		want: invalidJSON(15),
	})
}

// Characters that an older client stored can be read and changed unchanged,
// whatever their ids are.
func TestCharacter_IDs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for i, id := range storedIDs() {
		t.Run(id.Name, func(t *testing.T) {
			t.Parallel()
			userID := fmt.Sprintf("%s user %d", id.Value, i)
			character := backend.NewCharacter()
			character.UserID, character.CharacterID, character.CharacterName = userID, id.Value, id.Value
			config := backend.UserConfig{UserID: userID, Timezone: backend.DefaultTimezone}
			if err := s.store.CreateUser(t.Context(), config, []backend.Character{character}); err != nil {
				t.Fatal(err)
			}
			get := "GET get_character_config/" + segment(userID) + "/" + segment(id.Value)
			key := []string{"user_id", quote(userID), "character_id", quote(id.Value)}
			s.run(
				t,
				exchange{
					name: "list", request: "GET list_characters/" + segment(userID), status: 200,
					want: object("character_id_list", encode(t, []string{id.Value}),
						"character_name_list", encode(t, []string{id.Value})),
				},
				exchange{name: "get", request: get, status: 200, want: encode(t, character)},
				exchange{
					name: "update", request: "POST update_character_prompt",
					body: object(append(key, "prompt", `"new"`)...), status: 200, want: noBody,
				},
				exchange{name: "get the update", request: get, status: 200, contains: []string{`"prompt":"new"`}},
				exchange{name: "duplicate", request: "POST duplicate_character", body: object(key...), status: 200},
				exchange{name: "delete", request: "POST delete_character", body: object(key...), status: 200, want: noBody},
				exchange{name: "it is gone", request: get, status: 404},
			)
		})
	}
}

// characterJSON is a character with only the fields that must be there.
const characterJSON = `{"character_name":"Mira","scene_name":"Vast","tts_adapter":"elevenlabs","voice":"","avatar":"KQ-default","asr_adapter":"openai_realtime",` +
	`"classification_adapter":"openai_classification","conversation_adapter":"openai_agent","prompt":"p","reaction_adapter":"openai_reaction","memory_adapter":"openai_memory"}`

// The response of get_character_config makes the same character again, for
// another user, on both stores. A body that is not a character makes none.
func TestImportCharacter(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s *server) {
		t.Helper()
		s.withUser(t)
		s.createUser(t, "bob")
		const post = "POST import_character/bob"
		source := s.exchange(t, exchange{request: "GET get_character_config/ada/$readonly", status: 200}).body
		before := len(s.characterIDs(t, "bob"))
		id := field(t, s.exchange(t, exchange{name: "import", request: post, body: source, status: 200, want: `{"character_id":"<uuid>"}`}).body, "character_id")
		ids := s.characterIDs(t, "bob")
		if len(ids) != before+1 || ids[len(ids)-1] != id {
			t.Errorf("the list is %q, want %s last", ids, id)
		}
		var want, got map[string]any
		made := s.exchange(t, exchange{request: "GET get_character_config/bob/" + id, status: 200}).body
		if json.Unmarshal([]byte(source), &want) != nil || json.Unmarshal([]byte(made), &got) != nil {
			t.Fatal(source, made)
		}
		for _, own := range []string{"user_id", "character_id", "create_datatime", "read_only"} {
			if got[own] == want[own] {
				t.Errorf("%s is that of the source, %v", own, got[own])
			}
			delete(got, own)
			delete(want, own)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %v\nwant %v", got, want)
		}
		with := func(name, value string) string {
			return strings.TrimSuffix(characterJSON, "}") + `,"` + name + `":` + value + "}"
		}
		for _, x := range []struct{ name, body, want string }{
			{"unknown field", with("temper", `"hot"`), `{"type":"extra_forbidden","loc":["body"],"msg":"Extra inputs are not permitted: \"temper\""`},
			{"text for a number", with("voice_speed", `"1.5"`), `{"type":"float_type","loc":["body","voice_speed"],"msg":"Input should be a valid number","input":"1.5"}`},
			{"number for a text", with("voice", `5`), `{"type":"string_type","loc":["body","voice"],"msg":"Input should be a valid string","input":5}`},
			{"fraction", with("fear_threshold", `0.5`), `{"type":"int_type","loc":["body","fear_threshold"]`},
			{"text for a bool", with("read_only", `"true"`), `{"type":"bool_type","loc":["body","read_only"]`},
			{"NUL", with("prompt", `"\u0000"`), `{"type":"string_type","loc":["body","prompt"]`},
			{"missing", strings.Replace(characterJSON, `"voice":"",`, "", 1), `{"type":"missing","loc":["body","voice"],"msg":"Field required"`},
			{"two faults", with("voice", `null,"temper":1`), `"loc":["body","voice"]`},
			{"a list", "[" + characterJSON + "]", "model_attributes_type"},
			{"nothing", "", `"loc":["body"]`},
		} {
			s.run(t, exchange{name: x.name, request: post, body: x.body, status: 422, contains: []string{x.want}})
		}
		s.run(t, exchange{name: "unknown user", request: "POST import_character/gone", body: characterJSON, status: 404})
		if after := s.characterIDs(t, "bob"); !slices.Equal(after, ids) {
			t.Errorf("refused requests changed the list from %q to %q", ids, after)
		}
	})
}

// The limits of requests hold for a character that is imported.
func TestImportCharacter_Limits(t *testing.T) {
	t.Parallel()
	s := newServer(t, limitedTo(defaultLimits)).withUser(t)
	var example map[string]any
	if err := json.Unmarshal([]byte(characterJSON), &example); err != nil {
		t.Fatal(err)
	}
	for name := range example {
		most, unit, text := 256, "characters", strings.Repeat("é", 256)
		if name == "prompt" {
			most, unit, text = 64<<10, "bytes", strings.Repeat("é", 32<<10)
		}
		body := maps.Clone(example)
		body[name] = text
		s.run(t, exchange{name: name, request: "POST import_character/ada", body: encode(t, body), status: 200})
		body[name] = text + "."
		s.run(t, exchange{name: name + ", too long", request: "POST import_character/ada", body: encode(t, body), status: 422, want: tooLong(name, most, unit)})
	}
}

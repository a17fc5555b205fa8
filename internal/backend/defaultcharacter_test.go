package backend_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/store/storetest"
)

// requiredFields are the fields of contract §4 without a default. A file must
// contain all of them.
var requiredFields = []string{
	"character_name", "scene_name", "tts_adapter", "voice", "avatar", "asr_adapter", "classification_adapter",
	"conversation_adapter", "prompt", "reaction_adapter", "memory_adapter",
}

// defaultFile returns a minimal file with some fields changed; nil removes a
// field.
func defaultFile(t testing.TB, changes map[string]any) []byte {
	t.Helper()
	fields := make(map[string]any)
	for _, name := range requiredFields {
		fields[name] = "the " + name
	}
	maps.Copy(fields, changes)
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == nil })
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseDefaultCharacter_Minimal(t *testing.T) {
	t.Parallel()
	want := backend.NewCharacter()
	want.CharacterName, want.SceneName, want.TTSAdapter = "the character_name", "the scene_name", "the tts_adapter"
	want.Voice, want.Avatar, want.ASRAdapter = "the voice", "the avatar", "the asr_adapter"
	want.ClassificationAdapter, want.ConversationAdapter = "the classification_adapter", "the conversation_adapter"
	want.Prompt, want.ReactionAdapter, want.MemoryAdapter = "the prompt", "the reaction_adapter", "the memory_adapter"
	got, err := backend.ParseDefaultCharacter(defaultFile(t, nil))
	if err != nil || got != want {
		t.Errorf("minimal file:\n got %+v, error %v\nwant %+v", got, err, want)
	}
}

func TestParseDefaultCharacter_ResponseOfTheAPI(t *testing.T) {
	t.Parallel()
	want := storetest.Character("ada", 3)
	want.ReadOnly = true
	if got, err := backend.ParseDefaultCharacter(mustEncode(t, want)); err != nil || got != want {
		t.Errorf("the response of the API:\n got %+v, error %v\nwant %+v", got, err, want)
	}
}

func TestParseDefaultCharacter_OptionalFields(t *testing.T) {
	t.Parallel()
	got, err := backend.ParseDefaultCharacter(defaultFile(t, map[string]any{
		"voice": "", "voice_speed": 0.5, "memory_model_override": "", "lover_threshold": 99, "fear_threshold": json.RawMessage("-3.0e1"), "prompt": "two\nlines 凌星",
	}))
	if err != nil || got.Voice != "" || got.VoiceSpeed != 0.5 || got.LoverThreshold != 99 || got.FearThreshold != -30 || got.Prompt != "two\nlines 凌星" {
		t.Errorf("got %+v, error %v, want the values of the file", got, err)
	}
}

func TestParseDefaultCharacter_RequiredFields(t *testing.T) {
	t.Parallel()
	for _, name := range requiredFields {
		for what, file := range map[string][]byte{
			"missing":         defaultFile(t, map[string]any{name: nil}),
			"null":            defaultFile(t, map[string]any{name: json.RawMessage("null")}),
			"empty":           defaultFile(t, map[string]any{name: ""}),
			"in another case": defaultFile(t, map[string]any{name: nil, strings.ToUpper(name): "given"}),
		} {
			_, err := backend.ParseDefaultCharacter(file)
			if what == "empty" && name == "voice" { // empty means the default voice of the adapter
				if err != nil {
					t.Errorf("field %s %s: got error %v, want none", name, what, err)
				}
				continue
			}
			wantErrorNaming(t, name+" "+what, err, name)
		}
	}
}

func TestParseDefaultCharacter_Faults(t *testing.T) {
	t.Parallel()
	valid := string(defaultFile(t, nil))
	for _, c := range []struct{ name, file, want string }{
		{"unknown field", string(defaultFile(t, map[string]any{"promt": "x"})), "promt"},
		{"number for a text", string(defaultFile(t, map[string]any{"prompt": 1})), "prompt"},
		{"list for a text", string(defaultFile(t, map[string]any{"avatar": []int{}})), "avatar"},
		{"text for a number", string(defaultFile(t, map[string]any{"voice_speed": "1.0"})), "voice_speed"},
		{"text for a bool", string(defaultFile(t, map[string]any{"read_only": "true"})), "read_only"},
		{"fraction for a whole number", string(defaultFile(t, map[string]any{"fear_threshold": 0.5})), "fear_threshold"},
		{"too large a number", string(defaultFile(t, map[string]any{"fear_threshold": int64(1 << 40)})), "fear_threshold"},
		{"NUL", string(defaultFile(t, map[string]any{"prompt": "a\x00b"})), "prompt"},
		{"NUL in an optional field", string(defaultFile(t, map[string]any{"memory_model_override": "\x00"})), "memory_model_override"},
		{"a field twice, in two cases", strings.TrimSuffix(valid, "}") + `,"PROMPT":""}`, "prompt"},
		{"empty file", "", "not JSON"},
		{"cut off", valid[:len(valid)-5], "not JSON"},
		{"not JSON", "character_name: Mira", "byte 1"},
		{"trailing comma", strings.TrimSuffix(valid, "}") + ",}", "byte"},
		{"list", "[" + valid + "]", "object"},
		{"null", "null", "character_name"},
		{"two characters", valid + valid, "not JSON at byte"},
		{"text after it", valid + "x", "not JSON at byte"},
		{"another encoding", strings.Replace(valid, `"prompt":"`, "\"prompt\":\"\xcd\xf5", 1), "prompt"},
		{"half a surrogate pair", strings.Replace(valid, `"prompt":"`, `"prompt":"\ud800`, 1), "prompt"},
	} {
		_, err := backend.ParseDefaultCharacter([]byte(c.file))
		wantErrorNaming(t, c.name, err, c.want)
	}
}

// wantErrorNaming checks that err contains word, which is usually the name of a
// field.
func wantErrorNaming(t *testing.T, what string, err error, word string) {
	t.Helper()
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(word)) {
		t.Errorf("%s: got error %v, want one that says %q", what, err, word)
	}
}

// FuzzParseDefaultCharacter checks that every store may keep the character of
// an accepted file, and that the character's JSON form is also an accepted
// file.
func FuzzParseDefaultCharacter(f *testing.F) {
	f.Add(defaultFile(f, nil))
	f.Add(mustEncode(f, storetest.Character("ada", 1)))
	f.Add([]byte(storetest.OldCharacterDocument))
	f.Add(defaultFile(f, map[string]any{"voice_speed": 1e300, "prompt": "\ufffd\u2028"}))
	f.Add(append(bytes.TrimSuffix(defaultFile(f, nil), []byte("}")), `,"PROMPT":""}`...))
	f.Add(defaultFile(f, map[string]any{"prompt": json.RawMessage(`"\ud800"`)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := backend.ParseDefaultCharacter(data)
		if err != nil {
			return
		}
		document := mustEncode(t, c)
		var fields map[string]any
		if err := json.Unmarshal(document, &fields); err != nil {
			t.Fatalf("file %q: its document %s does not decode: %v", data, document, err)
		}
		for name, value := range fields {
			text, isText := value.(string)
			if isText && !backend.ValidText(text) {
				t.Errorf("file %q: got %s %q, want text that a store may keep", data, name, text)
			}
			if isText && text == "" && name != "voice" && slices.Contains(requiredFields, name) {
				t.Errorf("file %q: got an empty %s, want an error", data, name)
			}
		}
		if again, err := backend.ParseDefaultCharacter(document); err != nil || again != c {
			t.Errorf("file %q: its document %s parses to %+v, error %v, want %+v", data, document, again, err, c)
		}
	})
}

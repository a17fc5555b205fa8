package backend_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"web-backend/internal/backend"
	"web-backend/internal/store/storetest"
)

// characterFields returns the names of the fields of a character, in their
// order. That these are the names and the order of contract §4 is checked by
// the golden OpenAPI document.
func characterFields() (names []string) {
	for _, field := range backend.CharacterFields() {
		names = append(names, field.Name)
	}
	return names
}

// fieldsOf returns the field names of a flat JSON object, in order.
func fieldsOf(t *testing.T, document []byte) (names []string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(document))
	for i := -1; dec.More() || i < 0; i++ { // the brace, then alternating names and values
		token, err := dec.Token()
		if err != nil {
			t.Fatalf("document %s: %v", document, err)
		}
		if i >= 0 && i%2 == 0 {
			names = append(names, token.(string))
		}
	}
	return names
}

func mustEncode(t testing.TB, c backend.Character) []byte {
	t.Helper()
	document, err := backend.EncodeCharacter(c)
	if err != nil {
		t.Fatalf("encode %+v: %v", c, err)
	}
	return document
}

func TestEncodeCharacter_FieldOrder(t *testing.T) {
	t.Parallel()
	want := characterFields()
	for name, c := range map[string]backend.Character{
		"full": storetest.Character("ada", 1), "zero": {}, "defaults": backend.NewCharacter(),
	} {
		if got := fieldsOf(t, mustEncode(t, c)); !slices.Equal(got, want) {
			t.Errorf("fields of a %s character:\n got %q\nwant %q", name, got, want)
		}
	}
}

func TestEncodeCharacter_Form(t *testing.T) {
	t.Parallel()
	c := backend.NewCharacter()
	c.UserID, c.CharacterName = "a/b", `<b> & 'c' > "d" 凌星 🌙`
	const start = `{"user_id":"a/b","character_id":"","character_name":"<b> & 'c' > \"d\" 凌星 🌙","create_datatime":"",` +
		`"read_only":false,"scene_name":"","tts_adapter":"","voice":"","voice_speed":1,`
	document := string(mustEncode(t, c))
	if !strings.HasPrefix(document, start) || !strings.HasSuffix(document, "}") || !strings.Contains(document, `,"surprise_threshold":20,"shyness_threshold":20`) {
		t.Errorf("document: got %s, want it to start with %s", document, start)
	}
}

func TestEncodeCharacter_RoundTrip(t *testing.T) {
	t.Parallel()
	for n, text := range storetest.Texts() {
		want := storetest.Character(text.Value, n)
		want.Prompt, want.ReadOnly, want.VoiceSpeed = text.Value, n%2 == 0, math.Pow(10, float64(n-9))
		if got, err := backend.DecodeCharacter(mustEncode(t, want)); err != nil || got != want {
			t.Errorf("%s: got %+v, error %v, want %+v", text.Name, got, err, want)
		}
	}
}

// Splitting and joining a document must restore the same document, whatever its
// texts contain.
func TestSplitCharacter(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "Mira", `,"read_only":`, `","read_only":true`, `\",\"read_only\":`, "\\", `x,`, "<b>&'\u2028\u2029\x00\n\x7f", "凌星 🌙",
	} {
		c := storetest.Character(text, 1)
		c.CharacterID, c.CharacterName, c.CreateDatatime, c.Prompt = text, text, text, text
		document := mustEncode(t, c)
		head, rest, ok := backend.SplitCharacter(document)
		if !ok || !bytes.HasPrefix(rest, []byte(`,"read_only":`)) {
			t.Fatalf("split %s: got ok %t, rest %s", document, ok, rest)
		}
		if got, err := backend.JoinCharacter(head, rest); err != nil || !bytes.Equal(got, document) {
			t.Errorf("join: got %s, error %v, want %s", got, err, document)
		}
		c.UserID, c.CharacterID, c.CharacterName, c.CreateDatatime = "other", "other", "other", "other"
		if _, got, _ := backend.SplitCharacter(mustEncode(t, c)); !bytes.Equal(got, rest) {
			t.Errorf("rest of another one's copy: got %s, want %s", got, rest)
		}
	}
	for _, document := range []string{
		"", "{}", string(mustEncode(t, storetest.Character("\xff", 1))), storetest.OldCharacterDocument, `,"read_only":`, `{"user_id":1,"read_only":true}`,
		`{"character_id":"1","user_id":"ada","character_name":"","create_datatime":"","read_only":true}`,
	} {
		if _, _, ok := backend.SplitCharacter([]byte(document)); ok {
			t.Errorf("split %s: got ok, want not", document)
		}
	}
}

func TestEncodeCharacter_RefusesSpeedsThatAreNoNumbers(t *testing.T) {
	t.Parallel()
	for _, speed := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		c := backend.NewCharacter()
		c.VoiceSpeed = speed
		if document, err := backend.EncodeCharacter(c); err == nil {
			t.Errorf("voice speed %v: got %s, want an error", speed, document)
		}
	}
}

func TestDecodeCharacter_OldDocument(t *testing.T) {
	t.Parallel()
	want := backend.Character{
		UserID: "7d2c…/ada", CharacterID: "c-1", CharacterName: "凌星", CreateDatatime: "2025-06-30 09:05:00,007",
		SceneName: "vast", TTSAdapter: "huoshan", Voice: "zh_female", VoiceSpeed: 1, Avatar: "KQ-default",
		ASRAdapter: "openai_realtime", ClassificationAdapter: "openai_classification",
		ConversationAdapter: "openai_agent", Prompt: "You keep a lighthouse.", ReactionAdapter: "openai_reaction",
		MemoryAdapter:         "sensenova_memory",
		AcquaintanceThreshold: 5, FriendThreshold: 10, SituationshipThreshold: 15, LoverThreshold: 20,
		NeutralThreshold: 50, HappinessThreshold: 20, SadnessThreshold: 20, FearThreshold: 20, AngerThreshold: 20,
		DisgustThreshold: 20, SurpriseThreshold: 20, ShynessThreshold: 20,
	}
	got, err := backend.DecodeCharacter([]byte(storetest.OldCharacterDocument))
	if err != nil || got != want {
		t.Errorf("old document:\n got %+v, error %v\nwant %+v", got, err, want)
	}
}

func TestDecodeCharacter_KeepsZeroesThatAreStated(t *testing.T) {
	t.Parallel()
	got, err := backend.DecodeCharacter([]byte(`{"voice_speed":0,"friend_threshold":0,"fear_threshold":null}`))
	if err != nil || got.VoiceSpeed != 0 || got.FriendThreshold != 0 || got.FearThreshold != 20 {
		t.Errorf("got speed %v, friend %d, fear %d, error %v, want 0, 0 and the default 20",
			got.VoiceSpeed, got.FriendThreshold, got.FearThreshold, err)
	}
}

func TestDecodeCharacter_RefusesWhatIsNoCharacter(t *testing.T) {
	t.Parallel()
	for _, document := range []string{``, `[]`, `"x"`, `{"prompt":1}`, `{"read_only":"yes"}`, `{"prompt":"cut`} {
		if got, err := backend.DecodeCharacter([]byte(document)); err == nil {
			t.Errorf("document %s: got %+v, want an error", document, got)
		}
	}
}

// TestCharacterPatch_Apply sets each field of a patch alone and checks that
// only the field with the same name changed.
func TestCharacterPatch_Apply(t *testing.T) {
	t.Parallel()
	values := map[reflect.Kind]any{reflect.String: "changed", reflect.Float64: 0.75, reflect.Bool: true}
	fields := reflect.TypeFor[backend.CharacterPatch]()
	for n := range fields.NumField() {
		field := fields.Field(n)
		value, ok := values[field.Type.Elem().Kind()]
		if !ok {
			t.Fatalf("field %s is a %s: teach this test a value of that kind", field.Name, field.Type)
		}
		pointer := reflect.New(field.Type.Elem())
		pointer.Elem().Set(reflect.ValueOf(value))
		var patch backend.CharacterPatch
		reflect.ValueOf(&patch).Elem().Field(n).Set(pointer)

		got, want := storetest.Character("ada", 1), storetest.Character("ada", 1)
		patch.Apply(&got)
		reflect.ValueOf(&want).Elem().FieldByName(field.Name).Set(reflect.ValueOf(value))
		if got != want {
			t.Errorf("patch of %s:\n got %+v\nwant %+v", field.Name, got, want)
		}
	}
	got := storetest.Character("ada", 1)
	backend.CharacterPatch{}.Apply(&got)
	if want := storetest.Character("ada", 1); got != want {
		t.Errorf("empty patch: got %+v, want it unchanged: %+v", got, want)
	}
}

// TestFixture_SetsEveryField checks that the fixture sets every field, so that
// tests notice a store that drops or swaps a field.
func TestFixture_SetsEveryField(t *testing.T) {
	t.Parallel()
	c, defaults := reflect.ValueOf(storetest.Character("ada", 1)), reflect.ValueOf(backend.NewCharacter())
	seen := make(map[any]string)
	for n := range c.NumField() {
		name, value := c.Type().Field(n).Name, c.Field(n).Interface()
		if name == "ReadOnly" {
			continue // false, so that tests can change a fixture
		}
		if c.Field(n).IsZero() || value == defaults.Field(n).Interface() || seen[value] != "" {
			t.Errorf("field %s of the fixture: got %v as in %q, want a value of its own", name, value, seen[value])
		}
		seen[value] = name
	}
}

func TestTimestamp(t *testing.T) {
	t.Parallel()
	shanghai, newYork := zone(t, "Asia/Shanghai"), zone(t, "America/New_York")
	moment := time.Date(2025, 9, 26, 6, 49, 13, 123_999_999, time.UTC)
	for _, c := range []struct {
		moment time.Time
		zone   *time.Location
		want   string
	}{
		{moment, shanghai, "2025-09-26 14:49:13,123"}, // the example of the contract; truncated, not rounded
		{moment, time.UTC, "2025-09-26 06:49:13,123"},
		{moment.In(shanghai), newYork, "2025-09-26 02:49:13,123"},
		{time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC), shanghai, "2026-01-01 07:59:59,000"},
		{time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC), time.UTC, "2026-01-02 03:04:05,006"},
		{time.Date(2025, 7, 1, 12, 0, 0, 70_000_000, time.UTC), zone(t, "Asia/Kathmandu"), "2025-07-01 17:45:00,070"},
	} {
		if got := backend.Timestamp(c.moment, c.zone); got != c.want {
			t.Errorf("%v in %v: got %q, want %q", c.moment, c.zone, got, c.want)
		}
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// A patched document must equal the result of decoding, changing and encoding,
// whatever its texts contain.
func FuzzPatchDocument(f *testing.F) {
	f.Add("Mira", "You are Mira.", "Vast", "new", "", byte(0))
	f.Add(`","prompt":"`, `","reaction_adapter":"`, `\","prompt":"`, `"`, `\`, byte(1))
	f.Add("\\", "\\\"", "\u2028", "\x00", "\"prompt\":\"", byte(2))
	f.Add("a", "", "", ",\"prompt\":\"", "", byte(7))
	f.Fuzz(func(t *testing.T, name, prompt, scene, newName, newPrompt string, which byte) {
		for _, text := range []string{name, prompt, scene, newName, newPrompt} {
			if !utf8.ValidString(text) {
				t.Skip("no character holds it")
			}
		}
		c := backend.NewCharacter()
		c.CharacterName, c.Prompt, c.SceneName, c.ReactionAdapter = name, prompt, scene, newName
		document := mustEncode(t, c)
		var patch backend.CharacterPatch
		if which&1 != 0 {
			patch.CharacterName = &newName
		}
		if which&2 != 0 {
			patch.Prompt = &newPrompt
		}
		if which&4 != 0 {
			patch.ReactionAdapter, patch.VoiceSpeed = &prompt, new(0.5)
		}
		want, err := backend.DecodeCharacter(document)
		if err != nil {
			t.Fatal(err)
		}
		patch.Apply(&want)
		got, after, err := backend.PatchDocument(document, patch)
		if err != nil || !bytes.Equal(got, mustEncode(t, want)) {
			t.Errorf("%s patched:\ngot  %s, %v\nwant %s", document, got, err, mustEncode(t, want))
		}
		if after.CharacterName != want.CharacterName || after.ReadOnly != want.ReadOnly {
			t.Errorf("got name %q, read-only %v, want %q, %v", after.CharacterName, after.ReadOnly, want.CharacterName, want.ReadOnly)
		}
	})
}

func TestPatchDocument_OtherDocument(t *testing.T) {
	t.Parallel()
	altered := func(prompt string) string {
		return strings.Replace(string(mustEncode(t, backend.NewCharacter())), `,"prompt":""`, prompt, 1)
	}
	for _, document := range []string{
		`{"user_id":"ada","character_id":"m","prompt":"Hi \"you\""}`,
		`{"prompt":"Hi","user_id":"ada","character_id":"m","reaction_adapter":"r"}`,
		`{"user_id":"ada","character_id":"m"}`,
		altered(`,"prompt":"Hi","reaction_adapter":"","prompt":"Bye"`),                                 // a duplicate field
		altered(`,"extra":{"x":1,"prompt":"no","reaction_adapter":"r"},"prompt":"Hi"`),                 // an unknown field
		strings.Replace(altered(`,"prompt":"Hi","memory_adapter":"m"`), `,"memory_adapter":""`, "", 1), // another order
		altered(`,"prompt":"Hi","scene_name":"Vast"`),
	} {
		want, err := backend.DecodeCharacter([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		want.Avatar = "KQ-default"
		got, _, err := backend.PatchDocument([]byte(document), backend.CharacterPatch{Avatar: new("KQ-default")})
		if err != nil || !bytes.Equal(got, mustEncode(t, want)) {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", document, got, err, mustEncode(t, want))
		}
	}
	_, _, err := backend.PatchDocument([]byte(`{"user_id":"ada","character_id":"m","read_only":true}`), backend.CharacterPatch{})
	if backend.KindOf(err) != backend.ReadOnly {
		t.Errorf("read-only: got %v, want ReadOnly", err)
	}
}

func TestRestCache(t *testing.T) {
	t.Parallel()
	var cache backend.RestCache
	mine := storetest.Character("ada", 1)
	cache.Keep(mine)
	mine.ReadOnly = true
	_, rest, ok := backend.SplitCharacter(mustEncode(t, mine))
	if !ok {
		t.Fatal("the document cannot be split")
	}
	if _, found := cache.Find(rest); found {
		t.Error("a character that can change was kept")
	}
	cache.Keep(mine)
	got, found := cache.Find(rest)
	got.UserID, got.CharacterID, got.CharacterName, got.CreateDatatime = mine.UserID, mine.CharacterID, mine.CharacterName, mine.CreateDatatime
	if !found || got != mine {
		t.Errorf("got %+v, %v, want %+v", got, found, mine)
	}
	for n := range 64 {
		other := mine
		other.Voice = strings.Repeat("x", n+1)
		cache.Keep(other)
	}
	if _, found := cache.Find(rest); found {
		t.Error("the cache grows without bound")
	}
}

// The patch between two characters contains the fields that differ, and only
// those.
func TestNewCharacterPatch(t *testing.T) {
	t.Parallel()
	from := backend.NewCharacter()
	from.Prompt, from.Voice = "kept", "old"
	to := from
	to.Voice, to.VoiceSpeed, to.ReadOnly, to.LoverThreshold = "new", 2, true, 1
	patch := backend.NewCharacterPatch(from, to)
	if patch.Prompt != nil || patch.CharacterName != nil || patch.Voice == nil || patch.VoiceSpeed == nil || patch.ReadOnly == nil {
		t.Errorf("the patch is %+v", patch)
	}
	got := from
	patch.Apply(&got)
	to.LoverThreshold = from.LoverThreshold // a patch cannot change it
	if got != to {
		t.Errorf("applying the patch gives %+v, want %+v", got, to)
	}
	if patch := backend.NewCharacterPatch(from, from); patch != (backend.CharacterPatch{}) {
		t.Errorf("without a change: %+v", patch)
	}
}

package console_test

import (
	"bytes"
	"context"
	"html"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"web-backend/internal/backend"
)

// newCharacter gives the user a character that can be changed. Its scene name
// and its prompt are also name.
func (s *site) newCharacter(t *testing.T, name string) backend.Character {
	t.Helper()
	if _, err := s.service.Authenticate(t.Context(), username, backend.NewSecret(password)); err != nil { // the first login makes the characters
		t.Fatal(err)
	}
	defaults, err := s.service.CharacterNames(t.Context(), s.userID)
	if err != nil || len(defaults) == 0 {
		t.Fatal("the user has no characters", err)
	}
	key := backend.CharacterKey{UserID: s.userID, CharacterID: defaults[0].CharacterID}
	character, err := s.service.DuplicateCharacter(t.Context(), key, &name)
	if err != nil {
		t.Fatal(err)
	}
	patch := backend.CharacterPatch{SceneName: &name, Prompt: &name}
	if err := s.service.UpdateCharacter(t.Context(), character.Key(), patch); err != nil {
		t.Fatal(err)
	}
	patch.Apply(&character)
	return character
}

// character returns what is stored.
func (s *site) character(t *testing.T, key backend.CharacterKey) backend.Character {
	t.Helper()
	document, err := s.service.CharacterDocument(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	character, err := backend.DecodeCharacter(document)
	if err != nil {
		t.Fatal(err)
	}
	return character
}

// characterPath returns the path of the page of a character.
func (s *site) characterPath(c backend.Character) string {
	return "/console/users/" + url.PathEscape(c.UserID) + "/characters/" + url.PathEscape(c.CharacterID)
}

// postLong sends a form as multipart/form-data, as the browser does for long
// texts.
func (b *browser) postLong(t *testing.T, path string, fields ...string) received {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		if err := form.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return b.sendBody(t, http.MethodPost, path, form.FormDataContentType(), body.String())
}

var (
	hiddenHash = regexp.MustCompile(`name="hash" value="([0-9a-f]*)"`)
	input      = regexp.MustCompile(`<input id="([a-z_]+)" name="[a-z_]+" value="([^"]*)"`)
	textArea   = regexp.MustCompile(`(?s)<textarea id="prompt"[^>]*>\n(.*)</textarea>`)
)

// formOf returns the fields of the form on the page of a character as a browser
// sends them, with some of them changed.
func formOf(page string, changes ...string) (fields []string) {
	values := map[string]string{}
	for _, match := range input.FindAllStringSubmatch(page, -1) {
		values[match[1]] = html.UnescapeString(match[2])
	}
	if match := hiddenHash.FindStringSubmatch(page); match != nil {
		values["hash"] = match[1]
	}
	if match := textArea.FindStringSubmatch(page); match != nil {
		values["prompt"] = html.UnescapeString(match[1])
	}
	for i := 0; i < len(changes); i += 2 {
		values[changes[i]] = changes[i+1]
	}
	values["prompt"] = strings.ReplaceAll(values["prompt"], "\n", "\r\n")
	for name, value := range values {
		fields = append(fields, name, value)
	}
	return fields
}

func TestCharacter_IsSaved(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]settings{
		"embedded": {names: []string{"Mira"}}, "below a path": {names: []string{"Mira"}, basePath: "/stack"}, "mongodb": {names: []string{"Mira"}, mongoDB: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, s)
			character := site.newCharacter(t, "Mira")
			b := site.browser(t)
			b.signInUser(t)
			path := site.characterPath(character)

			page := b.get(t, path)
			if got := b.postLong(t, path, formOf(page.body)...); got.to != path+"?done=character_saved" {
				t.Fatalf("saving without a change: %d, to %q: %s", got.status, got.to, got.body)
			}
			if got := site.character(t, character.Key()); got != character {
				t.Errorf("saving without a change changed it to %+v, want %+v", got, character)
			}

			prompt := "\nYou are <Mira>.\n" + strings.Repeat("光", 20_000)
			changes := []string{
				"character_name", "Mira & co", "avatar", "a1", "scene_name", "Seabed", "prompt", prompt, "asr_adapter", "a2", "tts_adapter", "a3",
				"voice", "a4", "voice_speed", " 1.25 ", "conversation_adapter", "a5", "conversation_model_override", "a6",
				"classification_adapter", "a7", "classification_model_override", "a8", "reaction_adapter", "a9", "reaction_model_override", "a10",
				"memory_adapter", "a11", "memory_model_override", "a12",
			}
			if got := b.postLong(t, path, formOf(b.get(t, path).body, changes...)...); got.status != http.StatusSeeOther {
				t.Fatalf("saving: %d: %s", got.status, got.body)
			}
			want := character
			want.CharacterName, want.Avatar, want.SceneName, want.Prompt, want.ASRAdapter, want.TTSAdapter = "Mira & co", "a1", "Seabed", prompt, "a2", "a3"
			want.Voice, want.VoiceSpeed, want.ConversationAdapter, want.ConversationModelOverride = "a4", 1.25, "a5", "a6"
			want.ClassificationAdapter, want.ClassificationModelOverride, want.ReactionAdapter, want.ReactionModelOverride = "a7", "a8", "a9", "a10"
			want.MemoryAdapter, want.MemoryModelOverride = "a11", "a12"
			if got := site.character(t, character.Key()); got != want {
				t.Errorf("stored is %+v, want %+v", got, want)
			}
			page = b.get(t, path+"?done=character_saved")
			for _, want := range []string{"The character is saved.", `value="1.25"`, ">20017</span>", `<option value="Seabed">`, "This name is not known here."} {
				if !strings.Contains(page.body, want) {
					t.Errorf("the page lacks %s", want)
				}
			}
		})
	}
}

// A text that a browser changes when it sends the form is stored as before if
// the person does not change it.
func TestCharacter_LineEndsStay(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	character := site.newCharacter(t, "Mi\nra")
	prompt := "one\r\ntwo\nthree\r"
	if err := site.service.UpdateCharacter(t.Context(), character.Key(), backend.CharacterPatch{Prompt: &prompt}); err != nil {
		t.Fatal(err)
	}
	b := site.browser(t)
	b.signInUser(t)
	path := site.characterPath(character)
	form := formOf(b.get(t, path).body, "character_name", "Mira", "prompt", "one\ntwo\nthree\n", "avatar", "KQ-default")
	if got := b.postLong(t, path, form...); got.status != http.StatusSeeOther {
		t.Fatalf("saving: %d: %s", got.status, got.body)
	}
	if got := site.character(t, character.Key()); got.CharacterName != "Mi\nra" || got.Prompt != prompt || got.Avatar != "KQ-default" {
		t.Errorf("stored is %+v", got)
	}
}

func TestCharacter_BadInputComesBack(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}, limits: backend.Limits{TextLength: 20, PromptBytes: 50}})
	character := site.newCharacter(t, "Mira")
	b := site.browser(t)
	b.signInUser(t)
	path := site.characterPath(character)
	page := b.get(t, path).body
	for _, x := range []struct{ field, value, want string }{
		{"voice_speed", "fast", "Enter a number, such as 1.0."},
		{"voice_speed", "inf", "Enter a number, such as 1.0."},
		{"voice_speed", "1e999", "Enter a number, such as 1.0."},
		{"voice", "a\x00b", "This contains characters that cannot be stored."},
		{"avatar", strings.Repeat("x", 21), "This is too long: at most 20 characters."},
		{"prompt", strings.Repeat("光", 17), "This is too long: at most 50 bytes."},
	} {
		got := b.postLong(t, path, formOf(page, "scene_name", "Typed", x.field, x.value)...)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `id="`+x.field+`-problem">`+x.want) ||
			!strings.Contains(got.body, `value="Typed"`) || strings.Count(got.body, `aria-invalid="true"`) != 1 {
			t.Errorf("%s %q: %d: %s", x.field, x.value, got.status, got.body)
		}
	}
	if got := b.postLong(t, path, formOf(page, "prompt", strings.Repeat("x", maxForm))...); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large form: %d", got.status)
	}
	if got := site.character(t, character.Key()); got != character {
		t.Errorf("stored is %+v, want %+v", got, character)
	}
	if got := b.get(t, site.characterPath(backend.Character{UserID: site.userID, CharacterID: "a/b"})); got.status != http.StatusNotFound ||
		!strings.Contains(got.body, "no such character") || !strings.Contains(got.body, `href="../../../overview"`) {
		t.Errorf("an unknown character: %d: %s", got.status, got.body)
	}
}

// If two people edit a character, the second one sees what the first one has
// saved before it is replaced.
func TestCharacter_TwoPeople(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	character := site.newCharacter(t, "Mira")
	first, second := site.browser(t), site.browser(t)
	first.signInUser(t)
	second.signInOperator(t)
	path := site.characterPath(character)
	page := second.get(t, path).body
	if got := first.postLong(t, path, formOf(first.get(t, path).body, "prompt", "of the first", "voice", "first")...); got.status != http.StatusSeeOther {
		t.Fatalf("the first: %d", got.status)
	}
	got := second.postLong(t, path, formOf(page, "prompt", "of the second")...)
	if got.status != http.StatusConflict || site.character(t, character.Key()).Prompt != "of the first" {
		t.Fatalf("the second: %d; stored is %+v", got.status, site.character(t, character.Key()))
	}
	for _, want := range []string{"Somebody else changed this character", ">\nof the second</textarea>", "<del>− of the first</del>", "<ins>+ of the second</ins>", "<samp>first</samp>", "Save and replace"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the page lacks %s: %s", want, got.body)
		}
	}
	if strings.Contains(got.body, `id="avatar-stored"`) {
		t.Error("a field that does not differ is marked")
	}
	if got := second.postLong(t, path, formOf(got.body)...); got.status != http.StatusSeeOther {
		t.Fatalf("the second, again: %d: %s", got.status, got.body)
	}
	if got := site.character(t, character.Key()); got.Prompt != "of the second" {
		t.Errorf("stored is %+v", got)
	}
}

func TestCharacter_StoreIsAway(t *testing.T) {
	t.Parallel()
	away := &awayCharacters{}
	site := newSite(t, settings{names: []string{"Mira"}, wrap: func(store backend.Store) backend.Store {
		away.Store = store
		return away
	}})
	character := site.newCharacter(t, "Mira")
	b := site.browser(t)
	b.signInUser(t)
	path := site.characterPath(character)
	page := b.get(t, path).body
	away.away.Store(true)
	form := formOf(page, "prompt", "typed")
	got := b.postLong(t, path, form...)
	if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "The store does not respond.") || !strings.Contains(got.body, ">\ntyped</textarea>") {
		t.Errorf("while it is away: %d: %s", got.status, got.body)
	}
	away.away.Store(false)
	if got := b.postLong(t, path, formOf(got.body)...); got.status != http.StatusSeeOther {
		t.Errorf("the same form later: %d: %s", got.status, got.body)
	}
	if got := site.character(t, character.Key()); got.Prompt != "typed" {
		t.Errorf("stored is %+v", got)
	}
}

// awayCharacters is a store that does not return characters while it is away.
type awayCharacters struct {
	backend.Store

	away atomic.Bool
}

func (s *awayCharacters) CharacterDocument(ctx context.Context, key backend.CharacterKey) ([]byte, error) {
	if s.away.Load() {
		return nil, &backend.Error{Kind: backend.Unavailable, Message: "the store is away"}
	}
	return s.Store.CharacterDocument(ctx, key)
}

func TestCharacter_ReadOnlyIsDuplicated(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}, limits: backend.Limits{Characters: 2}})
	character := site.newCharacter(t, "Mira")
	readOnly := true
	if err := site.service.UpdateCharacter(t.Context(), character.Key(), backend.CharacterPatch{ReadOnly: &readOnly}); err != nil {
		t.Fatal(err)
	}
	b := site.browser(t)
	b.signInUser(t)
	path := site.characterPath(character)
	page := b.get(t, path).body
	if strings.Contains(page, ">Save<") || !strings.Contains(page, "Duplicate to edit") || strings.Count(page, " readonly") != 16 {
		t.Errorf("the page: %s", page)
	}
	if got := b.postLong(t, path, formOf(page, "prompt", "typed")...); got.status != http.StatusForbidden || !strings.Contains(got.body, "This character is read-only") {
		t.Errorf("saving: %d: %s", got.status, got.body)
	}
	if got := b.post(t, path+"/duplicate"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "at most 2") {
		t.Errorf("duplicating when there is no room: %d: %s", got.status, got.body)
	}
	names, err := site.service.CharacterNames(t.Context(), site.userID)
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	if got := b.post(t, site.characterPath(backend.Character{UserID: site.userID, CharacterID: names[0].CharacterID})+"/delete"); got.to != "/console/users/"+site.userID+"?done=character_deleted" {
		t.Errorf("deleting: %d, to %q", got.status, got.to)
	}
	got := b.post(t, path+"/duplicate")
	copied := b.get(t, got.to)
	if copied.status != http.StatusOK || !strings.Contains(copied.body, "This is the copy.") || !strings.Contains(copied.body, ">Save<") {
		t.Errorf("the copy at %q: %d: %s", got.to, copied.status, copied.body)
	}
	if names, err = site.service.CharacterNames(t.Context(), site.userID); err != nil || len(names) != 2 || names[1].CharacterName != "Mira (2)" {
		t.Errorf("after the copy: got %+v, %v, want the last to be Mira (2)", names, err)
	}
	for _, action := range []string{"/duplicate", "/delete"} {
		if got := b.post(t, path+"x"+action); got.status != http.StatusNotFound {
			t.Errorf("%s of an unknown character: %d", action, got.status)
		}
	}
}

// A copy has a name that no other character of the user has, unless there is no
// room for the number.
func TestCharacter_CopiesHaveOtherNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"Mira": {"Mira", "Mira (2)", "Mira (3)", "Mira (4)"}, "Mira (12)": {"Mira (12)", "Mira (2)", "Mira (3)", "Mira (4)"},
		"": {"", " (2)", " (3)", " (4)"}, "lang (er)": {"lang (er)", "lang (er) (2)", "lang (er) (3)", "lang (er) (4)"},
		"ten letter": {"ten letter", "ten letter", "ten letter", "ten letter"},
	} {
		site := newSite(t, settings{names: []string{"Default"}, limits: backend.Limits{TextLength: 13}})
		last := site.newCharacter(t, name)
		b := site.browser(t)
		b.signInUser(t)
		for range 3 {
			got := b.post(t, site.characterPath(last)+"/duplicate")
			id, _, _ := strings.Cut(path.Base(got.to), "?")
			if last.CharacterID = id; got.status != http.StatusSeeOther {
				t.Fatalf("%q: %d: %s", name, got.status, got.body)
			}
		}
		names, err := site.service.CharacterNames(t.Context(), site.userID)
		var got []string
		for _, n := range names[1:] {
			got = append(got, n.CharacterName)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

// A copy keeps a name that is so long that lists omit it.
func TestCharacter_CopyKeepsALongName(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Default"}})
	long := site.newCharacter(t, strings.Repeat("n", backend.MaxListedName+1))
	b := site.browser(t)
	b.signInUser(t)
	got := b.post(t, site.characterPath(long)+"/duplicate")
	id, _, _ := strings.Cut(path.Base(got.to), "?")
	name, err := site.service.LongCharacterName(t.Context(), backend.CharacterKey{UserID: site.userID, CharacterID: id})
	if got.status != http.StatusSeeOther || err != nil || name != long.CharacterName {
		t.Errorf("%d, to %q: the copy has the name %.20q, %v", got.status, got.to, name, err)
	}
}

func TestCharacter_Download(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	b := site.browser(t)
	b.signInUser(t)
	for name, want := range map[string]string{
		"Mira":            `attachment; filename=Mira.json`,
		"../../etc/x\"\r": `attachment; filename=etc-x.json`,
		"":                `attachment; filename=character.json`,
		"美 拉":             `attachment; filename*=utf-8''%E7%BE%8E-%E6%8B%89.json`,
	} {
		character := site.newCharacter(t, name)
		document, err := site.service.CharacterDocument(t.Context(), character.Key())
		if err != nil {
			t.Fatal(err)
		}
		got := b.get(t, site.characterPath(character)+"/download")
		if got.status != http.StatusOK || got.body != string(document) || got.header.Get("Content-Type") != "application/json" ||
			got.header.Get("Content-Disposition") != want || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %d %v: %s", name, got.status, got.header, got.body)
		}
	}
	if got := b.get(t, "/console/users/"+site.userID+"/characters/unknown/download"); got.status != http.StatusNotFound {
		t.Errorf("an unknown character: %d", got.status)
	}
}

// The page says which provider keys the character needs, and never their
// values.
func TestCharacter_MissingKeys(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	character := site.newCharacter(t, "Mira")
	adapter, speech := "openai_agent", "elevenlabs"
	if err := site.service.UpdateCharacter(t.Context(), character.Key(), backend.CharacterPatch{ConversationAdapter: &adapter, TTSAdapter: &speech}); err != nil {
		t.Fatal(err)
	}
	const key = "sk-the-key-of-the-test"
	if err := site.service.UpdateUserConfig(t.Context(), site.userID, backend.UserConfigPatch{Keys: map[string]backend.Secret{"elevenlabs_api_key": backend.NewSecret(key)}}); err != nil {
		t.Fatal(err)
	}
	b := site.browser(t)
	b.signInUser(t)
	page := b.get(t, site.characterPath(character)).body
	if !strings.Contains(page, "<code>openai_api_key</code>") || strings.Contains(page, "elevenlabs_api_key") || strings.Contains(page, key) ||
		!strings.Contains(page, `<a href="../../../users/`+site.userID+`#keys">Enter them</a>`) {
		t.Errorf("the page: %s", page)
	}
}

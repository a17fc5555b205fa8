package console_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/store/storetest"
)

// upload sends the file of a character from the page of a user.
func (b *browser) upload(t *testing.T, userPath, file string) received {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("character", "mira.json")
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.sendBody(t, http.MethodPost, userPath+"/characters", form.FormDataContentType(), body.String())
}

// A character that was downloaded can be uploaded, even a read-only one of
// another user. The new character can be changed.
func TestUpload_OfADownload(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]settings{"embedded": {names: []string{"Mira"}}, "mongodb": {mongoDB: true, names: []string{"Mira"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, s)
			user, other := site.browser(t), site.browser(t)
			user.signInUser(t)
			other.signInOther(t)
			own := site.character(t, site.newCharacter(t, "凌星 <3").Key())
			file := user.get(t, site.characterPath(own)+"/download").body
			login, err := site.service.Authenticate(t.Context(), otherUsername, backend.NewSecret(password))
			if err != nil {
				t.Fatal(err)
			}
			otherPath := "/console/users/" + login.UserID
			for _, content := range []string{file, strings.Replace(file, `"read_only":false`, `"read_only":true`, 1)} {
				got := other.upload(t, otherPath, content)
				if got.status != http.StatusSeeOther || !strings.HasSuffix(got.to, "?done=character_uploaded") {
					t.Fatalf("upload: %d, to %q: %s", got.status, got.to, got.body)
				}
				if page := other.get(t, got.to).body; !strings.Contains(page, "The character is uploaded.") || !strings.Contains(page, "凌星 &lt;3") {
					t.Errorf("the page of the new character: %s", page)
				}
				names, err := site.service.CharacterNames(t.Context(), login.UserID)
				if err != nil {
					t.Fatal(err)
				}
				stored := site.character(t, backend.CharacterKey{UserID: login.UserID, CharacterID: names[len(names)-1].CharacterID})
				want := own
				want.UserID, want.CharacterID, want.CreateDatatime = stored.UserID, stored.CharacterID, stored.CreateDatatime
				if stored != want || stored.CharacterID == own.CharacterID {
					t.Errorf("stored\n got %+v\nwant %+v", stored, want)
				}
			}
		})
	}
}

// A file that is not a character is refused with the reason beside the field,
// in the language of the person, and nothing is created.
func TestUpload_IsRefused(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}, limits: backend.Limits{TextLength: 40, PromptBytes: 50_000, Characters: 2}})
	b := site.browser(t)
	b.signInUser(t)
	character := storetest.Character("ada", 1)
	character.ClassificationAdapter, character.MemoryModelOverride, character.Voice, character.Prompt = "c", "m", "v", "p"
	document, err := backend.EncodeCharacter(character)
	if err != nil {
		t.Fatal(err)
	}
	valid := string(document)
	with := func(field, value string) string {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(document, &fields); err != nil {
			t.Fatal(err)
		}
		delete(fields, field)
		if value != "" {
			fields[field] = json.RawMessage(value)
		}
		changed, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return string(changed)
	}
	for _, x := range []struct{ name, file, language, want string }{
		{"empty", "", "en", "The file is not a character as JSON."},
		{"not JSON", "Mira", "en", "The file is not a character as JSON."},
		{"a list", "[" + valid + "]", "en", "The file is not a character as JSON."},
		{"two", valid + valid, "en", "The file is not a character as JSON."},
		{"unknown", with("temper", `"hot"`), "en", "The file has the field temper, which a character does not have."},
		{"unknown, in Chinese", with("temper", `"hot"`), "zh", "文件中的字段 temper 不属于角色。"},
		{"missing", with("prompt", ""), "en", "The field prompt is missing in the file."},
		{"null", with("avatar", "null"), "en", "The field avatar is missing in the file."},
		{"a text", with("voice_speed", `"fast"`), "en", "The value of voice_speed in the file has the wrong type: it must be a number."},
		{"a number", with("prompt", `5`), "en", "The value of prompt in the file has the wrong type: it must be a text"},
		{"a fraction", with("fear_threshold", `0.5`), "zh", "文件中 fear_threshold 的值类型错误：应为整数。"},
		{"NUL", with("prompt", `"a\u0000b"`), "en", "The text of prompt in the file has characters that are not text."},
		{"half a pair", with("voice", `"\ud800"`), "en", "The text of voice in the file has characters that are not text."},
		{"long", with("character_name", `"`+strings.Repeat("n", 41)+`"`), "en", "The text of character_name in the file is too long: at most 40 characters."},
		{"a long prompt", with("prompt", `"`+strings.Repeat("n", 50_001)+`"`), "en", "The text of prompt in the file is too long: at most 50000 bytes."},
		{"large", with("prompt", `"`+strings.Repeat("n", 1<<20)+`"`), "en", "The file is too large: at most 1 MB."},
		{"much too large", with("prompt", `"`+strings.Repeat("n", 8<<20)+`"`), "en", "The file is too large: at most 1 MB."},
	} {
		b.header.Set("Accept-Language", x.language)
		got := b.upload(t, site.userPath(), x.file)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `<small id="character-problem">`+x.want) ||
			!strings.Contains(got.body, `aria-invalid="true" autofocus aria-describedby="character-problem character-hint"`) {
			t.Errorf("%s: %d: %.3000s", x.name, got.status, got.body)
		}
	}
	b.header.Set("Accept-Language", "en")
	if got := b.post(t, site.userPath()+"/characters"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "Choose a file.") {
		t.Errorf("no file: %d: %s", got.status, got.body)
	}
	if names, err := site.service.CharacterNames(t.Context(), site.userID); err != nil || len(names) != 1 {
		t.Errorf("the user has %d characters, error %v, want those from before", len(names), err)
	}
	if got := b.upload(t, site.userPath(), valid); got.status != http.StatusSeeOther {
		t.Errorf("a valid file: %d: %s", got.status, got.body)
	}
	if got := b.upload(t, site.userPath(), valid); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "a user may have at most 2") {
		t.Errorf("one too many: %d: %s", got.status, got.body)
	}
}

// If the store does not respond, the page of the user says so, and nothing is
// created.
func TestUpload_StoreIsAway(t *testing.T) {
	t.Parallel()
	away := &awayStore{}
	site := newSite(t, settings{away: away})
	site.browser(t).signInUser(t)
	b := site.browser(t)
	b.signInOperator(t)
	document, err := backend.EncodeCharacter(storetest.Character("ada", 1))
	if err != nil {
		t.Fatal(err)
	}
	away.away.Store(true)
	got := b.upload(t, site.userPath(), string(document))
	if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "The store does not respond.") || !strings.Contains(got.body, `name="timezone"`) {
		t.Errorf("while it is away: %d: %s", got.status, got.body)
	}
	away.away.Store(false)
	if names, err := site.service.CharacterNames(t.Context(), site.userID); err != nil || len(names) != 0 {
		t.Errorf("the user has %d characters, error %v", len(names), err)
	}
	if got := b.upload(t, site.userPath(), string(document)); got.status != http.StatusSeeOther {
		t.Errorf("when it is back: %d: %s", got.status, got.body)
	}
}

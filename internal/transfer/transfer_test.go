package transfer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/transfer"
)

const (
	plantedPassword = "$argon2id$planted-password"
	plantedKey      = "sk-planted-key"
)

// users returns ada with all data, bea with only a credential, and cy with only
// a config.
func users() []backend.UserData {
	character := func(id, prompt string) backend.Character {
		c := backend.NewCharacter()
		c.UserID, c.CharacterID, c.CharacterName, c.Prompt = "ada/ü", id, "Mira & <Thea>", prompt
		c.CreateDatatime, c.ReadOnly, c.VoiceSpeed, c.ShynessThreshold = "2025-09-26 14:49:13,123", true, 1.25, -7
		return c
	}
	return []backend.UserData{
		{
			Credential: &backend.Credential{UserID: "ada/ü", Username: "ada", Password: backend.NewSecret(plantedPassword)},
			Config: &backend.UserConfig{UserID: "ada/ü", Timezone: "Europe/Rome", Keys: map[string]backend.Secret{
				"openai_api_key": backend.NewSecret(plantedKey), "elevenlabs_api_key": backend.NewSecret(plantedKey + "-2")}},
			Characters: []backend.Character{character("c1", "You sing.\n\u2028\U0001F600 \\u0000 \"quoted\""), character("", strings.Repeat("long ", 50_000))},
		},
		{Credential: &backend.Credential{UserID: "bea", Username: "", Password: backend.NewSecret("plain"), Disabled: true}},
		{Config: &backend.UserConfig{UserID: "cy", Timezone: "UTC", Keys: map[string]backend.Secret{}}},
	}
}

func sequence(users []backend.UserData) iter.Seq2[backend.UserData, error] {
	return func(yield func(backend.UserData, error) bool) {
		for _, user := range users {
			if !yield(user, nil) {
				return
			}
		}
	}
}

var created = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func write(t testing.TB, secrets bool, users []backend.UserData) (string, transfer.Totals) {
	t.Helper()
	var file strings.Builder
	totals, err := transfer.Write(&file, transfer.Header{CreatedAt: created, Secrets: secrets, Users: 3, Characters: 2}, sequence(users), nil)
	if err != nil {
		t.Fatal(err)
	}
	return file.String(), totals
}

// read reads a whole file. The reader is nil if the header is not valid.
func read(file io.Reader) (r *transfer.Reader, users []backend.UserData, err error) {
	if r, err = transfer.NewReader(file); err != nil {
		return nil, nil, err
	}
	for user, err := range r.Users() {
		if err != nil {
			return r, users, err
		}
		users = append(users, user)
	}
	return r, users, nil
}

func TestFile_GivesBackWhatWentIn(t *testing.T) {
	t.Parallel()
	file, wrote := write(t, true, users())
	r, got, err := read(strings.NewReader(file))
	if err != nil || !reflect.DeepEqual(got, users()) {
		t.Fatalf("got %+v, %v", got, err)
	}
	header, totals := r.Header(), r.Totals()
	if want := (transfer.Header{CreatedAt: created, Secrets: true, Users: 3, Characters: 2}); header != want {
		t.Errorf("header: got %+v, want %+v", header, want)
	}
	want := transfer.Totals{Users: 3, Credentials: 2, Characters: 2, Passwords: 2, ProviderKeys: 2, Checksum: wrote.Checksum}
	if totals != want || wrote != want || want.Checksum == "" {
		t.Errorf("totals: read %+v, wrote %+v, want %+v", totals, wrote, want)
	}
	if again, _ := write(t, true, got); again != file {
		t.Error("written again it is another file")
	}
}

func TestFile_WithoutSecrets(t *testing.T) {
	t.Parallel()
	file, _ := write(t, false, users())
	for _, secret := range []string{plantedPassword, plantedKey, "plain", "api_key", `"password"`} {
		if strings.Contains(file, secret) {
			t.Errorf("it holds %q", secret)
		}
	}
	r, got, err := read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if totals := r.Totals(); totals.Passwords != 0 || totals.ProviderKeys != 0 || totals.Credentials != 2 {
		t.Errorf("got %+v", totals)
	}
	want := users()
	want[0].Credential.Password, want[0].Config.Keys = backend.Secret{}, map[string]backend.Secret{}
	want[1].Credential.Password = backend.Secret{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// The lines must match docs/moving-data.md exactly, byte by byte.
func TestFile_Lines(t *testing.T) {
	t.Parallel()
	data := users()
	data[0].Characters = data[0].Characters[:1]
	file, _ := write(t, true, data)
	if got, want := file, `"prompt":"You sing.\n\u2028😀 \\u0000 \"quoted\"",`; !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant the text %s in it", got, want)
	}
	body := `{"kind":"header","format":"web-backend-export","version":1,"created_at":"2026-01-31T12:00:00Z","secrets":true,"users":3,"characters":2}
{"kind":"user","user_id":"ada/ü","username":"ada","password":"$argon2id$planted-password","config":{"timezone":"Europe/Rome","openai_api_key":"sk-planted-key","elevenlabs_api_key":"sk-planted-key-2"}}
` + characterLine(t, data[0].Characters[0]) + `
{"kind":"user","user_id":"bea","username":"","password":"plain","disabled":true,"config":null}
{"kind":"user","user_id":"cy","config":{"timezone":"UTC"}}
`
	if want := footed(body, 3, 1); file != want {
		t.Errorf("got\n%s\nwant\n%s", file, want)
	}
}

// characterLine returns the line of a character: its kind, and then the document
// that the API sends.
func characterLine(t *testing.T, character backend.Character) string {
	t.Helper()
	document, err := backend.EncodeCharacter(character)
	if err != nil {
		t.Fatal(err)
	}
	return `{"kind":"character",` + string(document[1:])
}

// footed appends the footer that matches the lines before it.
func footed(body string, users, characters int) string {
	sum := sha256.Sum256([]byte(body))
	return fmt.Sprintf(`%s{"kind":"footer","users":%d,"characters":%d,"sha256":"%s"}`+"\n", body, users, characters, hex.EncodeToString(sum[:]))
}

const (
	headLine      = `{"kind":"header","format":"web-backend-export","version":1,"created_at":"2026-01-31T12:00:00Z","secrets":true,"users":0,"characters":0}` + "\n"
	plainHeadLine = `{"kind":"header","format":"web-backend-export","version":1,"created_at":"2026-01-31T12:00:00Z","secrets":false,"users":0,"characters":0}` + "\n"
	userLine      = `{"kind":"user","user_id":"ada","config":{}}` + "\n"
	credLine      = `{"kind":"user","user_id":"bea","username":"B","config":null}` + "\n"
)

func TestReader_MissingFieldsHaveDefaults(t *testing.T) {
	t.Parallel()
	file := footed(headLine+userLine+`{"character_id":"c","user_id":"ada","prompt":null,"kind":"character"}`+"\n", 1, 1)
	_, got, err := read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	want := backend.NewCharacter()
	want.UserID, want.CharacterID = "ada", "c"
	if got[0].Config.Timezone != backend.DefaultTimezone || got[0].Characters[0] != want {
		t.Errorf("got %+v", got[0])
	}
}

func TestReader_Refuses(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-s3cret"
	character := func(fields string) string {
		return headLine + userLine + `{"kind":"character","user_id":"ada","character_id":"c"` + fields + "}\n"
	}
	whole := footed(headLine+userLine, 1, 0)
	for _, tt := range []struct{ name, file, want string }{
		{"nothing", "", "the file is empty"},
		{"other text", "hello\n", "line 1: no header"},
		{"other JSON", "[1]\n", "line 1: no header"},
		{"another format", strings.Replace(whole, "-export", "-import", 1), "line 1: no header"},
		{"no header", userLine, "line 1: no header"},
		{"a newer version", `{"kind":"header","format":"web-backend-export","version":2,"new":1}` + "\n", "line 1: version 2 is newer than version 1"},
		{"version 0", strings.Replace(whole, `"version":1`, `"version":0`, 1), `line 1: field "version"`},
		{"a bad time", strings.Replace(whole, `2026-01-31T12`, secret, 1), `line 1: field "created_at"`},
		{"negative counts", strings.Replace(whole, `"users":0`, `"users":-1`, 1), "line 1: a count is negative"},
		{"two headers", headLine + headLine, "line 2: a second header"},
		{"gzip", "\x1f\x8b\x08\x00\x00", "zcat"},
		{"gzip without a line end", "\x1f\x8b\x08" + strings.Repeat("x", transfer.MaxLine+10), "zcat"},
		{"zstd", "\x28\xb5\x2f\xfd\n", "zstdcat"},
		{"database", "SQLite format 3\x00\x10\n", "restore"},
		{"UTF-16", "\xff\xfe{\x00", "UTF-16"},
		{"byte order mark", "\ufeff" + headLine, "byte order mark"},
		{"CRLF", strings.ReplaceAll(headLine+userLine, "\n", "\r\n"), "CR LF"},
		{"footer without its line end", strings.TrimSuffix(whole, "\n"), "line 3: the footer is there, but not the line end"},
		{"half a footer", whole[:len(whole)-3], "cut off: it ends without a footer"},
		{"no footer", headLine + userLine, "cut off"},
		{"a changed text", strings.Replace(whole, `"ada"`, `"eve"`, 1), `line 3: field "sha256" is not the checksum`},
		{"wrong users", strings.Replace(whole, `"users":1`, `"users":2`, 1), `line 3: field "users" is 2, and the file holds 1`},
		{"wrong characters", strings.Replace(whole, `"characters":0,"sha`, `"characters":1,"sha`, 1), `line 3: field "characters" is 1`},
		{"no checksum", headLine + `{"kind":"footer","users":0,"characters":0}` + "\n", `line 2: field "sha256" is missing`},
		{"trailing data", whole + "\n", "after the footer in line 3"},
		{"two files", whole + whole, "after the footer in line 3"},
		{"a disabled user without an account", headLine + `{"kind":"user","user_id":"a","disabled":true,"config":{}}` + "\n", `line 2: field "disabled"`},
		{"an unknown kind", headLine + `{"kind":"token"}` + "\n", `line 2: unknown kind "token"`},
		{"no kind", headLine + `{"user_id":"ada"}` + "\n", `line 2: field "kind" is missing`},
		{"two kinds", headLine + `{"kind":"user","kind":"footer","user_id":"a","config":{}}` + "\n", `line 2: field "kind" is there twice`},
		{"an empty line", headLine + "\n" + userLine, "line 2: not valid JSON"},
		{"two values", headLine + `{"kind":"user","user_id":"ada","config":{}} {}` + "\n", "line 2: "},
		{"no object", headLine + `"` + secret + "\"\n", "line 2: the line is not a JSON object"},
		{"broken JSON", headLine + `{"kind":"user","user_id":` + secret + "}\n", "line 2: not valid JSON at byte"},
		{"invalid UTF-8", headLine + "{\"kind\":\"user\",\"user_id\":\"\xff\",\"config\":{}}\n", "line 2: the line is not valid UTF-8"},

		{"a character first", headLine + `{"kind":"character","user_id":"ada","character_id":"c"}` + "\n", "line 2: a character before any user"},
		{"a character of another", strings.Replace(character(""), `"user_id":"ada","ch`, `"user_id":"eve","ch`, 1), `line 3: field "user_id" is not`},
		{"a character without id", headLine + userLine + `{"kind":"character","user_id":"ada"}` + "\n", `line 3: field "character_id" is missing`},
		{"a character twice", character("") + `{"kind":"character","user_id":"ada","character_id":"c"}` + "\n", `line 4: field "character_id"`},
		{"a character of a user without config", headLine + credLine + `{"kind":"character","user_id":"bea","character_id":"c"}` + "\n", `line 3: a character of a user without a "config"`},
		{"an unknown field", character(`,"promt":"` + secret + `"`), `line 3: field "promt" is unknown`},
		{"a wrong type", character(`,"prompt":["` + secret + `"]`), `line 3: field "prompt": want a string`},
		{"a number too large", character(`,"friend_threshold":3000000000`), `line 3: field "friend_threshold": want a whole number`},
		{"a number without bounds", character(`,"voice_speed":1e999`), `line 3: field "voice_speed": want a number`},
		{"a NUL", character(`,"prompt":"` + secret + `\u0000"`), `line 3: field "prompt" holds a NUL`},
		{"a lone surrogate", character(`,"prompt":"` + secret + `\ud800"`), "line 3: a text holds half of a surrogate pair"},

		{"no user id", headLine + `{"kind":"user","config":{}}` + "\n", `line 2: field "user_id" is missing`},
		{"an empty user id", headLine + `{"kind":"user","user_id":"","config":{}}` + "\n", `line 2: field "user_id" is missing`},
		{"nothing of a user", headLine + `{"kind":"user","user_id":"a"}` + "\n", "line 2: a user has the field"},
		{"a user twice", headLine + userLine + userLine, `line 3: field "user_id": a user before has it`},
		{"a name twice", headLine + credLine + strings.Replace(credLine, "bea", "cy", 1), `line 3: field "username": a user before has it`},
		{"a password without a name", headLine + `{"kind":"user","user_id":"a","config":{},"password":"` + secret + `"}` + "\n", `line 2: field "password"`},
		{"a password without secrets", plainHeadLine + `{"kind":"user","user_id":"a","username":"b","password":"` + secret + `"}` + "\n", `line 2: field "password": the header says`},
		{"a key without secrets", plainHeadLine + `{"kind":"user","user_id":"a","config":{"xai_api_key":"` + secret + `"}}` + "\n", `line 2: field "xai_api_key": the header says`},
		{"an unknown key", headLine + `{"kind":"user","user_id":"a","config":{"new_api_key":"` + secret + `"}}` + "\n", `line 2: field "new_api_key" is unknown`},
		{"a key that is a number", headLine + `{"kind":"user","user_id":"a","config":{"xai_api_key":4711}}` + "\n", `line 2: field "config`},
		{"a NUL in a key", headLine + `{"kind":"user","user_id":"a","config":{"xai_api_key":"` + secret + `\u0000"}}` + "\n", `line 2: field "xai_api_key" holds a NUL`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := read(strings.NewReader(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that says %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "4711")) {
				t.Errorf("the error shows a value: %v", err)
			}
		})
	}
}

// A truncated file is refused, wherever it was cut.
func TestReader_EveryPrefixIsRefused(t *testing.T) {
	t.Parallel()
	data := users()
	data[0].Characters = data[0].Characters[:1]
	file, _ := write(t, true, data)
	for size := range len(file) {
		if _, _, err := read(strings.NewReader(file[:size])); err == nil {
			t.Fatalf("the first %d bytes of %d are taken for a whole file", size, len(file))
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	long := users()
	long[0].Characters[0].Prompt = strings.Repeat("x", transfer.MaxLine)
	if _, err := transfer.Write(io.Discard, transfer.Header{}, sequence(long), nil); err == nil || !strings.Contains(err.Error(), `character "c1" of user "ada/ü"`) {
		t.Errorf("a long line: %v", err)
	}
	many := users()[:1]
	one := many[0].Characters[0]
	one.Prompt = strings.Repeat("x", transfer.MaxLine-2000)
	many[0].Characters = nil
	for i := range transfer.MaxUser/transfer.MaxLine + 1 {
		one.CharacterID = fmt.Sprint(i)
		many[0].Characters = append(many[0].Characters, one)
	}
	if _, err := transfer.Write(io.Discard, transfer.Header{}, sequence(many), nil); err == nil || !strings.Contains(err.Error(), `character "8" of user`) {
		t.Errorf("a large user: %v", err)
	}
	countless := users()[:1]
	countless[0].Characters = make([]backend.Character, transfer.MaxCharacters+1)
	if _, err := transfer.Write(io.Discard, transfer.Header{}, sequence(countless), nil); err == nil || !strings.Contains(err.Error(), `user "ada/ü" has 10001 characters`) {
		t.Errorf("many characters: %v", err)
	}
	endless := io.MultiReader(strings.NewReader(headLine), repeat('x'))
	if _, _, err := read(endless); err == nil || !strings.Contains(err.Error(), "line 2: the line is longer than") {
		t.Errorf("an endless line: %v", err)
	}
}

// The number of characters of one user that are kept is limited, even if the
// file has more.
func TestReader_BoundsCharacters(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString(headLine + userLine)
	for i := range transfer.MaxCharacters {
		fmt.Fprintf(&file, `{"kind":"character","user_id":"ada","character_id":"%d"}`+"\n", i)
	}
	_, got, err := read(strings.NewReader(footed(file.String(), 1, transfer.MaxCharacters)))
	if err != nil || len(got) != 1 || len(got[0].Characters) != transfer.MaxCharacters {
		t.Fatalf("as many as are allowed: %d users, %v", len(got), err)
	}
	file.WriteString(`{"kind":"character","user_id":"ada","character_id":"more"}` + "\n")
	_, _, err = read(strings.NewReader(footed(file.String(), 1, transfer.MaxCharacters+1)))
	if err == nil || !strings.Contains(err.Error(), "line 10003: the user has more than 10000 characters") {
		t.Errorf("one more: %v", err)
	}
}

// repeat is an endless text of one byte.
type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

func TestWrite_EndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var file bytes.Buffer
	seen := 0
	_, err := transfer.Write(&file, transfer.Header{}, func(yield func(backend.UserData, error) bool) {
		_ = yield(users()[2], nil) && yield(backend.UserData{}, broken)
	}, func(transfer.Totals) { seen++ })
	if !errors.Is(err, broken) || seen != 1 || strings.Contains(file.String(), "footer") {
		t.Errorf("got %v after %d users: %s", err, seen, file.String())
	}
}

// Most characters of a file differ only in the head of their line, so the rest
// is decoded once. This must not change the result: neither for fields before
// or after the head, nor for an invalid head.
func TestReader_CharactersThatDifferInTheHead(t *testing.T) {
	t.Parallel()
	c := backend.NewCharacter()
	c.ReadOnly, c.Prompt = true, "You sing."
	document, err := backend.EncodeCharacter(c)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := backend.SplitCharacter(document)
	if !ok {
		t.Fatal("the document cannot be split")
	}
	line := func(head string, rest []byte) string {
		return `{"kind":"character","user_id":"ada",` + head + string(rest) + "\n"
	}
	first := line(`"character_id":"c0"`, rest)
	for _, tt := range []struct {
		head, behind string
		want         func(*backend.Character)
		fault        string
	}{
		{head: `"character_id":"c1","character_name":"Mira \"M\"","create_datatime":"2025"`, want: func(c *backend.Character) {
			c.CharacterName, c.CreateDatatime = `Mira "M"`, "2025"
		}},
		{head: `"character_id":"c1","prompt":"other","voice_speed":2`, want: func(*backend.Character) {}},
		{head: `"character_id":"c1"`, behind: `,"prompt":"other","character_name":"late"`, want: func(c *backend.Character) {
			c.Prompt, c.CharacterName = "other", "late"
		}},
		{head: `"character_id":"c1","color":"red"`, fault: `field "color" is unknown`},
		{head: `"character_id":"c0"`, fault: `a character of this user before has it`},
		{head: `"character_id":"c1","character_name":5`, fault: `field "character_name": want a string`},
		{head: `"character_id":"c1","character_name":"\ud800"`, fault: "half of a surrogate pair"},
		{head: `"character_id":"c1","character_name":"\u0000"`, fault: `field "character_name" holds a NUL character`},
	} {
		changed := append(bytes.TrimSuffix(bytes.Clone(rest), []byte("}")), tt.behind+"}"...)
		_, got, err := read(strings.NewReader(footed(headLine+userLine+first+line(tt.head, changed), 1, 2)))
		if tt.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fault) || !strings.HasPrefix(err.Error(), "line 4: ") {
				t.Errorf("%s: got error %v, want line 4: … %s", tt.head, err, tt.fault)
			}
			continue
		}
		want := c
		want.UserID, want.CharacterID = "ada", "c1"
		tt.want(&want)
		if err != nil || got[0].Characters[1] != want {
			t.Errorf("%s: got %+v, %v\nwant %+v", tt.head, got, err, want)
		}
	}
}

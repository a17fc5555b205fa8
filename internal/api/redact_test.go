package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// planted is part of every secret that a test sends.
const planted = "PLANTED-SECRET-"

// secretPlaces are the ways in which a body can contain a secret: %[1]s is the
// name of its field, %[2]s the secret.
var secretPlaces = map[string]string{
	"text":               `%[1]q:"%[2]s"`,
	"list":               `%[1]q:["%[2]s",{"a":"%[2]s"}]`,
	"object":             `%[1]q:{"a":{"b":"%[2]s"}}`,
	"name of a member":   `%[1]q:{"%[2]s":1}`,
	"with a NUL":         `%[1]q:"\u0000%[2]s"`,
	"with a surrogate":   `%[1]q:"%[2]s\ud800"`,
	"number":             `%[1]q:7071067811865475`,
	"first of two":       `%[1]q:"%[2]s",%[1]q:5`,
	"last of two":        `%[1]q:5,%[1]q:"%[2]s"`,
	"first of two texts": `%[1]q:"%[2]s",%[1]q:"%[2]s-last"`,
	"nested":             `"other":{%[1]q:"%[2]s"}`,
	"nested in a list":   `"other":[1,[{"a":[{%[1]q:"%[2]s"}]}]]`,
	"nested deep":        `"other":` + strings.Repeat(`{"a":`, 50) + `{%[1]q:"%[2]s"}` + strings.Repeat("}", 50),
	"under a secret":     `"password":{"a":{%[1]q:"%[2]s"}}`,
	"beside others":      `"a":"b",%[1]q:"%[2]s","c":{"d":1e999}`,
}

// otherSpellings returns spellings of a field name that a client might use by
// mistake.
func otherSpellings(name string) []string {
	return []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:], " " + name + "\t"}
}

// No response returns a secret from a body, whatever is wrong with the body,
// and the log does not contain it.
func TestRedaction(t *testing.T) {
	t.Parallel()
	s := newServer(t).withUser(t)
	for j, field := range secretFields {
		t.Run(field, func(t *testing.T) {
			for i, place := range slices.Sorted(maps.Keys(secretPlaces)) {
				spellings := otherSpellings(field)
				name := spellings[(i+j)%len(spellings)] // all spellings, distributed over all fields
				secret := planted + field + "-" + strings.ReplaceAll(place, " ", "-")
				member := fmt.Sprintf(secretPlaces[place], name, secret)
				// If a field is missing, the response shows the whole body
				// twice.
				x := exchange{
					request: "POST update_character_prompt", body: "{" + member + "}", status: 422,
					contains: []string{`"***"`, `"type":"missing"`}, absent: []string{planted, "7071067811865475"},
				}
				s.exchange(t, x)
				switch (i + j/len(spellings)) % 4 {
				case 0: // with another fault, the body is shown once
					x.body, x.contains = `{"user_id":"ada","character_id":"x","prompt":5,`+member+"}", []string{`"***"`, `"type":"string_type"`}
				case 1: // within the field with the fault
					x.body, x.contains = `{"user_id":{`+member+`},"character_id":"x","prompt":""}`, []string{`"***"`, `"type":"string_type"`}
				case 2: // a body that is not an object
					x.body, x.contains = "[{"+member+"}]", []string{`"***"`, `"model_attributes_type"`}
				case 3: // not JSON
					x.body, x.contains = "{"+member, []string{`"json_invalid"`, `"body":null`}
				}
				s.exchange(t, x)
			}
		})
	}
	if log := s.stop(t); strings.Contains(log, planted) || len(linesWith(log, "status=422")) != 2*len(secretFields)*len(secretPlaces) {
		t.Errorf("the log has %d lines and holds secrets: %s", strings.Count(log, "\n"), brief(strings.Join(linesWith(log, planted), "")))
	}
}

// Operations with secrets do not show them, whether the secrets are accepted,
// refused or missing.
func TestRedaction_OfOperations(t *testing.T) {
	t.Parallel()
	s := newServer(t).withUser(t)
	absent := []string{planted}
	prompt := `"prompt":"` + planted + `prompt"`
	for _, o := range posts() {
		for field := range o.request().properties() {
			if !slices.Contains(secretFields, field) {
				continue
			}
			secret := fmt.Sprintf("%q:\"%s%s\"", field, planted, field)
			accepted, unknown := 200, 404
			if field == "password" || field == "new_password" {
				// The body contains only one of the names and passwords that an
				// account operation needs.
				accepted, unknown = 422, 422
			}
			if o.OperationID == "set_user_password" {
				unknown = 404 // ada has no user name; the unknown user does not exist
			}
			name := o.OperationID + "." + field
			s.run(
				t,
				exchange{name: name, request: o.name(), body: `{"user_id":"ada",` + secret + `}`, status: accepted, absent: absent},
				exchange{name: name + " of nobody", request: o.name(), body: `{"user_id":"nobody",` + secret + `}`, status: unknown, absent: absent},
				exchange{name: name + " of the wrong type", request: o.name(), body: `{"user_id":"ada","` + field + `":["` + planted + `"]}`, status: 422, absent: absent, contains: []string{`"input":"***"`}},
				exchange{name: name + " of no text", request: o.name(), body: `{"user_id":"ada","` + field + `":"` + planted + `\u0000"}`, status: 422, absent: absent, contains: []string{`"input":"***"`}},
				exchange{name: name + " without a user", request: o.name(), body: `{` + secret + `}`, status: 422, absent: absent},
				exchange{name: name + " and no time zone", request: "POST update_user_config", body: `{"user_id":"ada","timezone":5,` + secret + `}`, status: 422, absent: absent},
			)
		}
	}
	s.run(
		t,
		exchange{name: "an object for the time zone", request: "POST update_user_config", body: `{"user_id":"ada","timezone":{"password":"` + planted + `"}}`, status: 422, absent: absent},
		exchange{name: "a prompt", request: "POST update_character_prompt", body: `{"user_id":"ada","character_id":"$own",` + prompt + `}`, status: 200},
		exchange{name: "a prompt that is not taken", request: "POST update_character_prompt", body: `{"user_id":"ada","character_id":"$readonly",` + prompt + `}`, status: 403, absent: absent},
		exchange{name: "a prompt without a character", request: "POST update_character_prompt", body: `{"user_id":"ada",` + prompt + `}`, status: 422},
		exchange{name: "a prompt read", request: "GET get_character_config/ada/$own", status: 200, contains: absent},
		exchange{name: "no endpoint gives a key: providers", request: "GET get_available_llm/ada", status: 200, absent: absent},
		exchange{name: "no endpoint gives a key: config", request: "GET get_user_config/ada", status: 200, absent: absent},
		exchange{name: "no endpoint gives a key: missing", request: "GET get_missing_secrets/ada/$own", status: 200, absent: absent},
		exchange{name: "no endpoint gives a key: character", request: "GET get_character_config/ada/$readonly", status: 200, absent: absent},
		exchange{name: "nor the log", request: "GET /tail_log/10000", status: 200, absent: absent},
	)
	if log := s.stop(t); strings.Contains(log, planted) {
		t.Errorf("the log holds secrets: %s", brief(strings.Join(linesWith(log, planted), "")))
	}
}

// Values that are not secret are shown as they were sent: numbers keep all
// digits, and strings have no unnecessary escapes.
func TestRedaction_KeepsTheRest(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.run(t, exchange{
		name: "body", request: "POST delete_user", status: 422, contains: []string{
			`"n":12345678901234567890.10`, `"e":1e999`, `"t":"<b>&é😀"`, `"passwords":"x"`, `"password_hint":"x"`, `"openai":"x"`,
			`"compass":"x"`, `"bypass":"x"`, `"passage":"x"`, `"Compass":"x"`, `"cwd":"x"`,
		},
		body: `{"n":12345678901234567890.10,"e":1e999,"t":"<b>&é\ud83d\ude00","passwords":"x","password_hint":"x","openai":"x",` +
			`"compass":"x","bypass":"x","passage":"x","Compass":"x","cwd":"x"}`,
	})
}

// Fields that real clients send, and misspelt fields, may also contain a
// secret.
func TestRedaction_OtherNames(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, name := range []string{"sensechat_api_key", "openai-api-key", "OpenAI API key", "passwd", "access_token", "client_secret", "Authorization",
		"pass", "PASS", "user_pass", "user-pass ", "dbPass", "db2Pass", "PWD", "userPwd", "pwd", "passphrase", "keyPassphrase",
		"credential", "Credentials", "user_credential"} {
		s.exchange(t, exchange{
			request: "POST update_user_config", body: fmt.Sprintf(`{"user_id":1,%q:"%s"}`, name, planted), status: 422,
			contains: []string{`"***"`}, absent: []string{planted},
		})
	}
	s.exchange(t, exchange{
		request: "POST update_user_config", body: `{"user_id":1,"character_name":"Mira"}`, status: 422, contains: []string{"Mira"},
	})
}

// Secrets are hidden even if a client encodes its body twice or sends a body
// inside a string.
func TestRedaction_WithinTexts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := object("user_id", "1", "password", quote(planted), "other", `[{"openai_api_key":"`+planted+`"}]`)
	for name, test := range map[string]struct{ body, want string }{
		"a text":                  {quote(body), `"***"`},
		"a text in a text":        {quote(quote(body)), `"***"`},
		"a text in an object":     {object("body", quote(" "+body)), `{"body":"***"}`},
		"a text in a list":        {"[" + quote("["+body+"]") + "]", `["***"]`},
		"a text that is cut off":  {quote(body[:len(body)-2]), `"***"`},
		"an object and more text": {object("body", quote(body+"x")), `{"body":"***"}`},
		"a form":                  {quote("user_id=1&huoshan_app_id=" + planted), `"***"`},
		"a header":                {quote("Authorization: Bearer " + planted), `"***"`},
		"words":                   {quote("my OpenAI API key = " + planted), `"***"`},
		"a dictionary of Python":  {quote("{'sensechat_ak' : '" + planted + "'}"), `"***"`},
		"a short name":            {quote("pwd=" + planted), `"***"`},
		"a shorter one":           {quote(`{"user_pass": "` + planted + `"}`), `"***"`},
		"a name with a hump":      {quote("dbPass: " + planted), `"***"`},
		"alone":                   {quote("pass = " + planted), `"***"`},
		"a passphrase":            {quote("Passphrase: " + planted), `"***"`},
		"a credential":            {quote("credentials=" + planted), `"***"`},
		"no secret": {
			object("prompt", quote(`{mood: "more"} is: the password`), "b", `":="`, "c", `"compass: north, bypass=1, passage: 2"`),
			object("prompt", quote(`{mood: "more"} is: the password`), "b", `":="`, "c", `"compass: north, bypass=1, passage: 2"`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.exchange(t, exchange{request: "POST update_user_config", body: test.body, status: 422, absent: []string{planted}})
			var response struct {
				Detail struct{ Body any }
			}
			if err := json.Unmarshal([]byte(got.body), &response); err != nil {
				t.Fatal(err)
			}
			if difference := differ(test.want, encode(t, response.Detail.Body)); difference != "" {
				t.Errorf("%s: %s", brief(test.body), difference)
			}
		})
	}
}

package api

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"web-backend/internal/backend"
)

// redactedJSON stands where a secret stood.
var redactedJSON = json.RawMessage(`"***"`)

// secretNames are the fields whose values no answer shows (contract §1), as
// plainName gives them.
var secretNames = func() map[string]bool {
	names := map[string]bool{"password": true, "newpassword": true}
	for _, name := range backend.ProviderKeys {
		names[plainName(name)] = true
	}
	return names
}()

// secretEndings are those of further fields that real clients send, such as
// sensechat_api_key, and of misspelt ones.
var secretEndings = []string{
	"apikey", "appkey", "password", "passwd", "pwd", "passphrase", "credential", "credentials", "token", "secret", "authorization",
}

// endsWithPass matches a name whose last word is "pass", as in user_pass and
// dbPass. A compass is no secret.
var endsWithPass = regexp.MustCompile(`(^|[^\pL\pN])(?i:pass)[^\pL\pN]*$|[\p{Ll}\pN]Pass[^\pL\pN]*$`)

// plainName gives a name without what misspellings differ in: its letters and
// digits, in lower case.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// isSecret reports whether the field of this name may hold a secret.
func isSecret(name string) bool {
	if endsWithPass.MatchString(name) {
		return true
	}
	name = plainName(name)
	return secretNames[name] || slices.ContainsFunc(secretEndings, func(ending string) bool {
		return strings.HasSuffix(name, ending)
	})
}

// redact gives a JSON value with the value of every secret field, at any
// depth, replaced, and with every text replaced that names a secret and its
// value: a client may have encoded its body twice.
func redact(raw json.RawMessage) json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // a number is shown as it came
	var value any
	if dec.Decode(&value) != nil {
		return json.RawMessage("null")
	}
	var buf bytes.Buffer
	if encodeJSON(&buf, redactValue(value)) != nil {
		return json.RawMessage("null")
	}
	return buf.Bytes()
}

func redactValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if isSecret(name) {
				v[name] = redactedJSON
			} else {
				v[name] = redactValue(member)
			}
		}
	case []any:
		for i, element := range v {
			v[i] = redactValue(element)
		}
	case string:
		if assignsSecret.MatchString(v) {
			return redactedJSON
		}
	}
	return value
}

// assignsSecret matches a text that holds the name of a secret field and then
// ":" or "=", as JSON, a form, a header or a person writes it. Its time grows
// with the text alone.
var assignsSecret = regexp.MustCompile(
	`(?i)(api[ _-]?key|app[ _-]?key|app[ _-]?id|_ak|_sk|passw(or)?d|pwd|passphrase|credentials?|\bpass|_pass|(?-i:[a-z0-9]Pass)|token|secret|authorization)["'` + "`" + `\\\s]*[:=]`)

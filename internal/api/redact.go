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

// redactedJSON replaces a secret.
var redactedJSON = json.RawMessage(`"***"`)

// secretNames are the fields whose values must not appear in a response
// (contract §1), in the form that plainName returns.
var secretNames = func() map[string]bool {
	names := map[string]bool{"password": true, "newpassword": true}
	for _, name := range backend.ProviderKeys {
		names[plainName(name)] = true
	}
	return names
}()

// secretEndings are the endings of other names that indicate a secret: names
// that real clients send, such as sensechat_api_key, and misspelt names.
var secretEndings = []string{
	"apikey", "appkey", "password", "passwd", "pwd", "passphrase", "credential", "credentials", "token", "secret", "authorization",
}

// endsWithPass matches a name whose last word is "pass", such as user_pass and
// dbPass, but not a name such as compass.
var endsWithPass = regexp.MustCompile(`(^|[^\pL\pN])(?i:pass)[^\pL\pN]*$|[\p{Ll}\pN]Pass[^\pL\pN]*$`)

// plainName returns the letters and digits of a name in lower case, so that it
// ignores the usual differences of misspelt names.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// isSecret reports whether a field with this name may contain a secret.
func isSecret(name string) bool {
	if endsWithPass.MatchString(name) {
		return true
	}
	name = plainName(name)
	return secretNames[name] || slices.ContainsFunc(secretEndings, func(ending string) bool {
		return strings.HasSuffix(name, ending)
	})
}

// redact returns a JSON value in which the values of all secret fields, at any
// depth, are replaced. It also replaces every string that contains the name of
// a secret and its value, because a client may have encoded its body twice.
func redact(raw json.RawMessage) json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // show numbers as they were sent
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

// assignsSecret matches a text that contains the name of a secret field
// followed by ":" or "=", as in JSON, a form, a header or free text. Matching
// takes time proportional to the length of the text.
var assignsSecret = regexp.MustCompile(
	`(?i)(api[ _-]?key|app[ _-]?key|app[ _-]?id|_ak|_sk|passw(or)?d|pwd|passphrase|credentials?|\bpass|_pass|(?-i:[a-z0-9]Pass)|token|secret|authorization)["'` + "`" + `\\\s]*[:=]`)

package api

import (
	"bytes"
	"encoding/json"
	"strings"

	"web-backend/internal/backend"
)

// redactedJSON stands where a secret stood.
var redactedJSON = json.RawMessage(`"***"`)

// secretNames are the fields whose values no answer shows (contract §1).
var secretNames = func() map[string]bool {
	names := map[string]bool{"password": true, "new_password": true}
	for _, name := range backend.ProviderKeys {
		names[name] = true
	}
	return names
}()

// redact gives a JSON value with the value of every secret field, at any
// depth, replaced. Names are compared without regard to case: a misspelt field
// may hold a secret all the same.
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
			if secretNames[strings.ToLower(strings.TrimSpace(name))] {
				v[name] = redactedJSON
			} else {
				v[name] = redactValue(member)
			}
		}
	case []any:
		for i, element := range v {
			v[i] = redactValue(element)
		}
	}
	return value
}

package backend_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

const secretText = "sk-proj-Zq81"

// showsSecret reports whether text contains the secret in any form that
// printing might produce.
func showsSecret(text string) bool {
	bytesOf := strings.Trim(fmt.Sprintf("%d", []byte(secretText)), "[]")
	for _, form := range []string{secretText, hex.EncodeToString([]byte(secretText)), bytesOf} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return true
		}
	}
	return false
}

// holders returns values with a secret that code might print by mistake.
func holders() map[string]any {
	s := backend.NewSecret(secretText)
	keys := map[string]backend.Secret{"openai_api_key": s}
	return map[string]any{
		"secret": s, "pointer": &s, "slice": []backend.Secret{s}, "array": [1]backend.Secret{s}, "map": keys,
		"map key":          map[backend.Secret]int{s: 1},
		"exported field":   struct{ S backend.Secret }{s},
		"unexported field": struct{ s backend.Secret }{s},
		"deep field":       struct{ a []struct{ s backend.Secret } }{[]struct{ s backend.Secret }{{s}}},
		"user config":      backend.UserConfig{Keys: keys},
		"credential":       &backend.Credential{Username: "ada", Password: s},
		"patch":            backend.UserConfigPatch{Keys: keys},
		"channel element":  []any{s, &s, keys},
	}
}

func TestSecret_NeverPrints(t *testing.T) {
	t.Parallel()
	for name, value := range holders() {
		for _, verb := range "vsqxXdobcUeEfFgGtpTzw" {
			for _, flags := range []string{"", "+", "#", "-40", "040", " ", "# ", ".3", "[1]"} {
				format := "%" + flags + string(verb)
				if got := fmt.Sprintf(format, value); showsSecret(got) {
					t.Errorf("%s printed with %s: got %s, want no secret", name, format, got)
				}
			}
		}
		if got := fmt.Sprintln(value) + fmt.Errorf("wrapped: %v", value).Error(); showsSecret(got) {
			t.Errorf("%s printed: got %s, want no secret", name, got)
		}
	}
}

func TestSecret_IsNeverEncoded(t *testing.T) {
	t.Parallel()
	for name, value := range holders() {
		asJSON, jsonErr := json.Marshal(value)
		asXML, xmlErr := xml.Marshal(value)
		errorText := fmt.Sprint(jsonErr, xmlErr)
		if got := string(asJSON) + string(asXML) + errorText; showsSecret(got) {
			t.Errorf("%s encoded: got %s, want no secret", name, got)
		}
	}
}

func TestSecret_IsNeverLogged(t *testing.T) {
	t.Parallel()
	for name, value := range holders() {
		var log bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			logger := slog.New(handler).With("with", value)
			logger.Info("value", "value", value, slog.Group("group", "value", value))
			logger.Error("error", "error", errors.Join(fmt.Errorf("cause: %v", value)))
		}
		if got := log.String(); showsSecret(got) || !strings.Contains(got, "group") {
			t.Errorf("%s logged: got %s, want no secret", name, got)
		}
	}
}

func TestSecret_PrintsThatItIsSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		secret backend.Secret
		want   string
	}{
		{backend.NewSecret(secretText), "***"},
		{backend.NewSecret(" "), "***"},
		{backend.NewSecret(""), ""},
		{backend.Secret{}, ""},
	} {
		encoded, err := json.Marshal(c.secret)
		got := []string{c.secret.String(), fmt.Sprint(c.secret), fmt.Sprintf("%#v", c.secret), strings.Trim(string(encoded), `"`)}
		for _, text := range got {
			if text != c.want || err != nil {
				t.Errorf("secret %q: got %q, error %v, want %q everywhere", c.secret.Reveal(), got, err, c.want)
				break
			}
		}
		if got, want := c.secret.IsSet(), c.want != ""; got != want {
			t.Errorf("secret %q is set: got %v, want %v", c.secret.Reveal(), got, want)
		}
	}
}

func TestSecret_KeepsItsText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", secretText, "***", " ", "密钥 🔑\n"} {
		if got := backend.NewSecret(text).Reveal(); got != text {
			t.Errorf("revealed: got %q, want %q", got, text)
		}
		if backend.NewSecret(text) != backend.NewSecret(text+"") {
			t.Errorf("secrets of the same text %q: got them different, want them equal", text)
		}
	}
	if (backend.Secret{}) != backend.NewSecret("") || backend.NewSecret("a") == backend.NewSecret("b") {
		t.Error("equality of secrets: want that of their texts")
	}
}

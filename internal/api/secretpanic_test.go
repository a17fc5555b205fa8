package api_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// hidden contains a secret in the ways in which values of the program do: in a
// field, behind a pointer, in a list, and as the key and the value of a map.
type hidden struct {
	Field   backend.Secret
	field   backend.Secret
	Pointer *backend.Secret
	List    []backend.Secret
	Keys    map[string]backend.Secret
	Names   map[backend.Secret]int
	Any     any
}

// If a panic value contains secrets, and the request does too, neither the
// response nor the log, including the stack, shows them.
func TestPanic_ShowsNoSecret(t *testing.T) {
	t.Parallel()
	secret := backend.NewSecret(planted + "value")
	value := hidden{
		secret, secret, &secret, []backend.Secret{secret}, map[string]backend.Secret{"openai_api_key": secret},
		map[backend.Secret]int{secret: 1}, backend.Credential{Username: "ada", Password: secret, UserID: "ada"},
	}
	wrongVerbs := strings.Repeat("%d %t %z", 1) // not a constant, because vet would report it
	for name, panicked := range map[string]any{
		"secret": secret, "pointer": &secret, "struct": value, "pointer to a struct": &value,
		"credential": backend.Credential{Password: secret}, "login": backend.Login{Token: secret},
		"user config": backend.UserConfig{Keys: map[string]backend.Secret{"openai_api_key": secret}},
		"error":       fmt.Errorf("store %v: %w", value, &backend.Error{Message: fmt.Sprintf("%+v %#v %x %q", value, value, secret, secret)}),
		"text":        fmt.Sprint(value, &value, secret),
		"wrong verb":  fmt.Sprintf(wrongVerbs, value, secret, &value),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, panicking(panicked))
			for _, o := range needStore() {
				got := s.exchange(t, o.plantedExchange(t))
				if text := fmt.Sprint(got.header, got.body); holdsPlanted(text) {
					t.Errorf("%s: the response holds a secret: %s", o.name(), brief(text))
				}
			}
			log := s.stop(t)
			if lines := linesWith(log, "panic: "); len(lines) != len(needStore()) || !strings.Contains(log, "stack=") {
				t.Errorf("the log has %d lines of panics, want %d", len(lines), len(needStore()))
			}
			if holdsPlanted(log) {
				t.Errorf("the log holds a secret: %s", brief(log))
			}
		})
	}
}

// plantedExchange returns the example of an operation in the document, with
// secrets wherever a client may send them.
func (o *operation) plantedExchange(t *testing.T) exchange {
	t.Helper()
	x := o.exampleExchange(t)
	x.name, x.status = o.name(), http.StatusInternalServerError
	x.request += "?access_token=" + planted + "query"
	header := http.Header{
		"Cookie": {"token=" + planted + "cookie"}, "User-Agent": {planted + "agent"}, "X-Api-Key": {planted + "key"},
		"Proxy-Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("ada:"+planted+"basic"))},
		"Authorization":       {"Basic " + base64.StdEncoding.EncodeToString([]byte("ada:"+planted+"basic"))},
	}
	if slices.Contains(operatorOperations, o.OperationID) {
		header.Set("Authorization", "Bearer "+operatorToken.Reveal()) // otherwise access is refused
	}
	if slices.Contains(sessionOperations, o.OperationID) {
		header["Authorization"] = []string{"Bearer " + planted + "token"}
	}
	x.header = header
	if o.RequestBody == nil {
		return x
	}
	body := maps.Clone(o.example())
	for field := range o.request().properties() {
		for _, name := range secretFields {
			if field == name {
				body[field] = planted + field
			}
		}
		if field == "prompt" || field == "username" {
			body[field] = planted + field
		}
	}
	if o.OperationID != "import_character" { // it refuses fields that it does not know
		body["token"], body["sensechat_api_key"] = planted+"unknown", planted+"unknown"
	}
	x.body = encode(t, body)
	return x
}

// holdsPlanted reports whether a text contains planted, unencoded or in base64
// or hexadecimal.
func holdsPlanted(text string) bool {
	if strings.Contains(text, planted) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", planted)) {
		return true
	}
	for before := range 3 { // bytes of another text in the same base64 group
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + planted))
		if strings.Contains(text, encoded[4:len(encoded)-4]) {
			return true
		}
	}
	return false
}

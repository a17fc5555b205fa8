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

// hidden holds a secret as a value of the program does: in a field, behind a
// pointer, in a list, as a member and its name.
type hidden struct {
	Field   backend.Secret
	field   backend.Secret
	Pointer *backend.Secret
	List    []backend.Secret
	Keys    map[string]backend.Secret
	Names   map[backend.Secret]int
	Any     any
}

// A panic with a value that holds secrets, in a request full of them, shows
// none: not in the answer, not in the log with its stack.
func TestPanic_ShowsNoSecret(t *testing.T) {
	t.Parallel()
	secret := backend.NewSecret(planted + "value")
	value := hidden{
		secret, secret, &secret, []backend.Secret{secret}, map[string]backend.Secret{"openai_api_key": secret},
		map[backend.Secret]int{secret: 1}, backend.Credential{Username: "ada", Password: secret, UserID: "ada"},
	}
	wrongVerbs := strings.Repeat("%d %t %z", 1) // not a constant, or vet would see it
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
					t.Errorf("%s: the answer holds a secret: %s", o.name(), brief(text))
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

// plantedExchange is the document's example of an operation, with secrets
// wherever a client may send them.
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
	if o.OperationID == "set_user_password" {
		header.Set("Authorization", "Bearer "+operatorToken.Reveal()) // else it gets nowhere
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
	body["token"], body["sensechat_api_key"] = planted+"unknown", planted+"unknown"
	x.body = encode(t, body)
	return x
}

// holdsPlanted finds what was planted as it is, in base64 and in hexadecimal.
func holdsPlanted(text string) bool {
	if strings.Contains(text, planted) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", planted)) {
		return true
	}
	for before := range 3 { // bytes of a group that belong to another text
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + planted))
		if strings.Contains(text, encoded[4:len(encoded)-4]) {
			return true
		}
	}
	return false
}

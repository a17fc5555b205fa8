//go:build unix

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A client without the user's token calls the whole API of a server that has a
// user, and gets no data of that user. With strict access, the client even
// knows the ids. The client also cannot use data of others once it has an
// account.
func TestStrangersTour(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"guarded", "strict"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := serveWith(t, t.TempDir(), manyTries, "--access", mode)
			const prompt = "a prompt that nobody else may read"
			id, token := p.account(t, "Zora Hidden")
			copied := p.ownCharacter(t, id, token, prompt)
			_, strangersToken := p.account(t, "A stranger")

			user, character := "ada", "1" // guesses
			if mode == "strict" {
				user, character = id, copied // even with the right ids, nothing is accessible
			}

			hidden := []string{id, copied, prompt, "Zora Hidden", "sk-of-ada", token}
			for name, header := range strangers(strangersToken) {
				for route, operation := range operations(t, p) {
					method, path, _ := strings.Cut(route, " ")
					path = strings.NewReplacer("{user_id}", user, "{character_id}", character, "{n_lines}", "1000").Replace(path)
					body := requests[operation.ID]
					if slices.Contains(needToken, operation.ID) {
						continue // these operations are about the client's own tokens
					}
					body = strings.NewReplacer("{user}", user, "{copy}", character, "{other}", "other", "{account}", "Zora Hidden", "{id}", id,
						`"a good password"`, `"a guessed password"`).Replace(body)
					if method == http.MethodPost && body == "" {
						t.Fatalf("%s has no example", route)
					}
					got, err := p.sendWith(t.Context(), header.Clone(), path, body)
					if err != nil {
						t.Fatal(err)
					}
					p.wantNothing(t, fmt.Sprintf("%s: %s", name, route), got, hidden, operation.ID == "delete_user")
				}
			}
			got, err := p.sendAs(t.Context(), token, "/api/v1/get_character_config/"+id+"/"+copied, "")
			if err != nil || got.status != http.StatusOK || !strings.Contains(got.body, prompt) {
				t.Errorf("after the tour its owner reads %d %s, %v", got.status, got.body, err)
			}
		})
	}
}

// ownCharacter creates a provider key and a character with a prompt for a user.
// It returns the id of the character.
func (p *process) ownCharacter(t *testing.T, id, token, prompt string) string {
	t.Helper()
	send := func(path, body string) string {
		t.Helper()
		got, err := p.sendAs(t.Context(), token, path, body)
		if err != nil || got.status != http.StatusOK {
			t.Fatalf("%s: %d %s, %v", path, got.status, got.body, err)
		}
		return got.body
	}
	list := send("/api/v1/list_characters/"+id, "")
	first := strings.Split(list, `"`)[3]
	duplicate := send("/api/v1/duplicate_character", `{"user_id": "`+id+`", "character_id": "`+first+`"}`)
	copied := strings.Split(duplicate, `"`)[3]
	send("/api/v1/update_character_prompt", `{"user_id": "`+id+`", "character_id": "`+copied+`", "prompt": "`+prompt+`"}`)
	send("/api/v1/update_user_config", `{"user_id": "`+id+`", "openai_api_key": "sk-of-ada"}`)
	return copied
}

// strangers returns headers of requests that do not come from the machine of
// the server, or that a page of another site sends from that machine.
func strangers(token string) map[string]http.Header {
	proxied := http.Header{"X-Forwarded-For": {"203.0.113.7"}}
	withToken := proxied.Clone()
	withToken.Set("Authorization", "Bearer "+token)
	return map[string]http.Header{
		"behind a proxy":            proxied,
		"with a token of its own":   withToken,
		"a page of another site":    {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		"with an invented token":    {"Authorization": {"Bearer wbo_invented"}},
		"with a token in the query": {"X-Real-Ip": {"203.0.113.7"}, "Referer": {"http://localhost/?access_token=" + token}},
	}
}

// wantNothing checks that a response contains none of the hidden texts.
func (p *process) wantNothing(t *testing.T, who string, got received, hidden []string, isDeletion bool) {
	t.Helper()
	for _, text := range hidden {
		if strings.Contains(got.body, text) && got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %q in %d %.300s", who, text, got.status, got.body)
		}
	}
	if isDeletion && !strings.Contains(got.body, `"auth_code":500`) {
		t.Errorf("%s: got %d %s, want a refusal", who, got.status, got.body)
	}
}

// With strict access, the operator token of the data folder gives access to the
// log and to the list of users. Without it, even the machine of the server has
// no access.
func TestOperatorToken(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p := serve(t, folder, "--access", "strict")
	for _, path := range []string{"/api/v1/list_users", "/tail_log/10", "/dowload_log_file", "/metrics"} {
		for token, want := range map[string]int{p.operatorToken(t): http.StatusOK, "": http.StatusUnauthorized} {
			got, err := p.sendAs(t.Context(), token, path, "")
			if err != nil || got.status != want {
				t.Errorf("%s with the token %q: got %d %.200s, %v, want %d", path, token, got.status, got.body, err, want)
			}
		}
	}
}

// operatorToken returns the operator token of the data folder.
func (p *process) operatorToken(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.command.Dir, "data", "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// written records what the server has confirmed for one user, and the request
// that was in progress when the server was killed. That request may or may not
// have had an effect.
type written struct {
	user      string
	created   bool
	copy      string // id of a duplicated character; "" for none
	prompt    string // prompt of the duplicate
	key       string // name of the provider key that is set; "" for none
	asked     string // last part of the path of the request without a response
	askedWith string // the value that it would have set
}

// After the server is killed in the middle of writing, every confirmed write is
// there. A write that was not confirmed is there completely or not at all.
func TestKill_ConfirmedWritesSurvive(t *testing.T) {
	t.Parallel()
	const (
		rounds  = 5
		writers = 4
		enough  = 60 // number of confirmed writes after which a round ends
	)
	folder := t.TempDir()
	var all []*written
	p := serve(t, folder)
	characters := 0
	for round := range rounds {
		var (
			confirmed atomic.Int64
			group     sync.WaitGroup
			results   = make([][]*written, writers)
			reached   = make(chan struct{})
		)
		count := func() {
			if confirmed.Add(1) == enough {
				close(reached)
			}
		}
		for w := range writers {
			group.Go(func() {
				for i := 0; ; i++ {
					user := &written{user: fmt.Sprintf("user-%d-%d-%d", round, w, i)}
					results[w] = append(results[w], user)
					if !user.write(t, p, count) {
						return
					}
				}
			})
		}
		select {
		case <-reached:
		case <-p.exited:
			t.Fatal("the program ended by itself")
		}
		p.kill(t)
		group.Wait()
		for _, users := range results {
			all = append(all, users...)
		}

		p = serve(t, folder)
		if characters == 0 {
			p.must(t, "/api/v1/create_user", `{"user_id": "reference"}`)
			characters = len(p.characterIDs(t, "reference"))
		}
		for _, user := range all {
			user.check(t, p, characters)
		}
		if t.Failed() {
			t.Fatalf("after round %d of %d", round+1, rounds)
		}
	}
	p.stop(t)
}

// ask sends one write. ok is false if the connection failed. In that case it is
// unknown whether the write happened.
func (w *written) ask(t *testing.T, p *process, operation, fields, value string, count func()) (body string, ok bool) {
	w.asked, w.askedWith = operation, value
	got, err := p.send(context.Background(), "/api/v1/"+operation, `{"user_id": "`+w.user+`"`+fields+`}`)
	if err != nil {
		return "", false
	}
	if got.status != http.StatusOK {
		t.Errorf("%s %s: %d %s", operation, w.user, got.status, got.body)
		return "", false
	}
	w.asked, w.askedWith = "", ""
	count()
	return got.body, true
}

// write creates a user and changes it until the server is gone.
func (w *written) write(t *testing.T, p *process, count func()) bool {
	if _, ok := w.ask(t, p, "create_user", "", "", count); !ok {
		return false
	}
	w.created = true
	if _, ok := w.ask(t, p, "update_user_config", `, "xai_api_key": "k"`, "xai", count); !ok {
		return false
	}
	w.key = "xai"
	var list, made struct {
		IDs []string `json:"character_id_list"`
		ID  string   `json:"character_id"`
	}
	got, err := p.send(context.Background(), "/api/v1/list_characters/"+w.user, "")
	if err != nil {
		return false
	}
	if json.Unmarshal([]byte(got.body), &list) != nil || len(list.IDs) == 0 {
		t.Errorf("list_characters %s: %d %s", w.user, got.status, got.body)
		return false
	}
	body, ok := w.ask(t, p, "duplicate_character", `, "character_id": "`+list.IDs[0]+`"`, "", count)
	if !ok {
		return false
	}
	if json.Unmarshal([]byte(body), &made) != nil {
		t.Errorf("duplicate_character %s: %s", w.user, body)
		return false
	}
	w.copy = made.ID
	for i := range 5 {
		prompt := fmt.Sprintf("prompt %d of %s %s", i, w.user, strings.Repeat("x", 5_000))
		if _, ok := w.ask(t, p, "update_character_prompt",
			`, "character_id": "`+w.copy+`", "prompt": "`+prompt+`"`, prompt, count); !ok {
			return false
		}
		w.prompt = prompt
	}
	return true
}

// String returns the record as text. It shortens long prompts.
func (w *written) String() string {
	return fmt.Sprintf("%s (created %t, copy %q, prompt %.40q, key %q, unanswered: %s %.40q)",
		w.user, w.created, w.copy, w.prompt, w.key, w.asked, w.askedWith)
}

// check compares what the server has stored with what it confirmed.
func (w *written) check(t *testing.T, p *process, defaults int) {
	t.Helper()
	ids := p.characterIDs(t, w.user)
	open := func(operation string) bool { return w.asked == operation }
	count := len(ids)
	if w.copy != "" {
		count--
	}
	switch {
	case count == defaults:
	case count == 0 && !w.created && open("create_user"):
		return
	case count == defaults+1 && w.copy == "" && open("duplicate_character"):
	default:
		t.Errorf("%v has %d characters, of %d defaults", w, len(ids), defaults)
		return
	}
	options := p.must(t, "/api/v1/get_available_llm/"+w.user, "")
	if set := options == `{"options":["xai"]}`; set != (w.key != "") && !open("update_user_config") {
		t.Errorf("%v has the providers %s", w, options)
	}
	if w.copy == "" {
		return
	}
	var character struct{ Prompt string }
	body := p.must(t, "/api/v1/get_character_config/"+w.user+"/"+w.copy, "")
	if err := json.Unmarshal([]byte(body), &character); err != nil {
		t.Errorf("%s: %v", body, err)
	}
	if w.prompt != "" && character.Prompt != w.prompt && (!open("update_character_prompt") || character.Prompt != w.askedWith) {
		t.Errorf("%v has the prompt %.60q", w, character.Prompt)
	}
}

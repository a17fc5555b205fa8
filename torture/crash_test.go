//go:build failpoints

package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"web-backend/internal/failpoint"
)

// clientLife records what one writer did over HTTP to one user, and which
// responses it received.
type clientLife struct {
	user      string
	created   outcome
	deleted   outcome
	character string   // id of the copy that it changes; "" if there is none yet
	copies    []string // ids of the confirmed copies, except the deleted ones
	copying   int      // number of copies without a response
	deleting  string   // the copy whose deletion got no response
	gone      []string // copies that were deleted
	values    map[string]*register
	account   account
}

// outcome is the outcome of a write.
type outcome int

const (
	notAsked outcome = iota
	unanswered
	answered
)

// register is a value that is set again and again.
type register struct {
	last    string // the last confirmed value; "" for none
	pending string // the value without a response; "" for none
}

type account struct {
	registered, changed outcome
	id                  string // id of the user that the account belongs to
}

// setting is a request that sets one value: the operation, the field that is
// sent in addition to the ids, and the field of the character that shows the
// value.
type setting struct{ operation, sent, field string }

// settings are the settings of a character.
var settings = []setting{
	{"update_character_name", "character_name", "character_name"},
	{"update_character_avatar", "avatar", "avatar"},
	{"update_character_scene", "scene_name", "scene_name"},
	{"update_character_prompt", "prompt", "prompt"},
	{"update_character_asr", "asr_adapter", "asr_adapter"},
	{"update_character_tts", "voice", "voice"},
	{"update_character_classification", "classification_model_override", "classification_model_override"},
	{"update_character_conversation", "conversation_model_override", "conversation_model_override"},
	{"update_character_reaction", "reaction_model_override", "reaction_model_override"},
	{"update_character_memory", "memory_model_override", "memory_model_override"},
}

// adapters are fields that some settings also require.
var adapters = fields{
	"tts_adapter": "elevenlabs", "classification_adapter": "openai_classification", "conversation_adapter": "openai_agent",
	"reaction_adapter": "openai_reaction", "memory_adapter": "openai_memory",
}

// errGone is the error of a request whose connection broke. It is unknown
// whether the request had an effect.
var errGone = errors.New("no answer")

// campaign counts the responses of one server.
type campaign struct {
	confirmed atomic.Int64
}

// ask sends one write and records its outcome.
func (c *campaign) ask(ctx context.Context, s *server, operation string, body, target any, result *outcome) error {
	*result = unanswered
	status, err := s.send(ctx, v1+operation, body, target)
	switch {
	case err != nil:
		return errGone
	case status != http.StatusOK:
		return fmt.Errorf("%s: got status %d", operation, status)
	}
	*result = answered
	c.confirmed.Add(1)
	return nil
}

// live creates a user and changes it as clients do, until the connection breaks
// or it has done enough.
func (l *clientLife) live(ctx context.Context, c *campaign, s *server, r *rand.Rand) error {
	l.values = map[string]*register{}
	if err := c.ask(ctx, s, "create_user", fields{"user_id": l.user}, nil, &l.created); err != nil {
		return err
	}
	if r.IntN(3) == 0 {
		if err := l.account.live(ctx, c, s, l.user, r); err != nil {
			return err
		}
	}
	var list struct {
		IDs []string `json:"character_id_list"`
	}
	if _, err := s.send(ctx, v1+"list_characters/"+l.user, nil, &list); err != nil {
		return errGone
	}
	if len(list.IDs) == 0 {
		return fmt.Errorf("%s has no characters", l.user)
	}
	for n := range r.IntN(30) {
		var err error
		switch choice := r.IntN(12); {
		case l.character == "" || choice == 0:
			err = l.copy(ctx, c, s, list.IDs[r.IntN(len(list.IDs))])
		case choice == 1 && len(l.copies) > 1:
			err = l.deleteCopy(ctx, c, s)
		case choice == 2:
			key := fmt.Sprintf("key %d", n)
			if r.IntN(3) == 0 {
				key = "" // clears the key
			}
			err = l.set(ctx, c, s, setting{"update_user_config", "xai_api_key", ""}, key, fields{})
		default:
			what := settings[r.IntN(len(settings))]
			value := fmt.Sprintf("%d of %s", n, l.user)
			if what.sent == "prompt" {
				value += strings.Repeat(" and so on", r.IntN(800))
			}
			body := fields{"character_id": l.character}
			for name, adapter := range adapters {
				if strings.HasPrefix(name, strings.TrimPrefix(what.operation, "update_character_")+"_") {
					body[name] = adapter
				}
			}
			err = l.set(ctx, c, s, what, value, body)
		}
		if err != nil {
			return err
		}
	}
	if r.IntN(5) == 0 {
		return c.ask(ctx, s, "delete_user", fields{"user_id": l.user}, nil, &l.deleted)
	}
	return nil
}

// set sends one value, in addition to the fields in body.
func (l *clientLife) set(ctx context.Context, c *campaign, s *server, what setting, value string, body fields) error {
	name := what.sent
	reg := l.values[name]
	if reg == nil {
		reg = &register{}
		l.values[name] = reg
	}
	reg.pending = value
	if value == "" {
		reg.pending = cleared
	}
	body["user_id"], body[name] = l.user, value
	var result outcome
	if err := c.ask(ctx, s, what.operation, body, nil, &result); err != nil {
		return err
	}
	reg.last, reg.pending = reg.pending, ""
	return nil
}

// cleared stands for a provider key that was cleared.
const cleared = "(cleared)"

func (l *clientLife) copy(ctx context.Context, c *campaign, s *server, of string) error {
	var made struct {
		ID string `json:"character_id"`
	}
	var result outcome
	l.copying = 1
	if err := c.ask(ctx, s, "duplicate_character", fields{"user_id": l.user, "character_id": of}, &made, &result); err != nil {
		return err
	}
	l.copying = 0
	l.copies = append(l.copies, made.ID)
	if l.character == "" {
		l.character = made.ID
	}
	return nil
}

func (l *clientLife) deleteCopy(ctx context.Context, c *campaign, s *server) error {
	last := len(l.copies) - 1
	l.deleting = l.copies[last]
	var result outcome
	if err := c.ask(ctx, s, "delete_character", fields{"user_id": l.user, "character_id": l.deleting}, nil, &result); err != nil {
		return err
	}
	l.gone = append(l.gone, l.deleting)
	l.copies, l.deleting = l.copies[:last], ""
	return nil
}

const (
	firstPassword  = "correct horse"
	secondPassword = "battery staple"
)

func nameOf(user string) string { return user + "@example.org" }

// live registers an account, and in some runs changes its password.
func (a *account) live(ctx context.Context, c *campaign, s *server, user string, r *rand.Rand) error {
	var answer struct {
		ID   string `json:"user_id"`
		Code int    `json:"auth_code"`
	}
	err := c.ask(ctx, s, "register_user", fields{"username": nameOf(user), "password": firstPassword}, &answer, &a.registered)
	if err == nil && answer.Code != http.StatusOK {
		err = fmt.Errorf("register_user %s: refused", user)
	}
	a.id = answer.ID
	if err != nil || r.IntN(2) == 0 {
		return err
	}
	return c.ask(ctx, s, "update_user_password",
		fields{"username": nameOf(user), "password": firstPassword, "new_password": secondPassword}, nil, &a.changed)
}

// check logs in with the password that must be valid.
func (a *account) check(ctx context.Context, s *server, user string) error {
	if a.registered == notAsked {
		return nil
	}
	works := func(password string) (bool, error) {
		var answer struct {
			Code int    `json:"auth_code"`
			ID   string `json:"user_id"`
		}
		status, err := s.send(ctx, v1+"authenticate_user", fields{"username": nameOf(user), "password": password}, &answer)
		if err != nil || status != http.StatusOK {
			return false, fmt.Errorf("log in as %s: status %d, %w", user, status, err)
		}
		if answer.Code == http.StatusOK && a.id != "" && answer.ID != a.id {
			return false, fmt.Errorf("log in as %s: got user %s, want %s", user, answer.ID, a.id)
		}
		return answer.Code == http.StatusOK, nil
	}
	first, err := works(firstPassword)
	if err != nil {
		return err
	}
	second, err := works(secondPassword)
	if err != nil {
		return err
	}
	ok := first != second
	switch {
	case a.registered == unanswered && !first && !second:
		ok = true
	case a.changed == notAsked:
		ok = ok && first
	case a.changed == answered:
		ok = ok && second
	}
	if !ok {
		return fmt.Errorf("log in as %s: the first password works: %t, the second: %t; %+v", user, first, second, *a)
	}
	return nil
}

// check compares what the server has stored with its responses.
func (l *clientLife) check(ctx context.Context, s *server, defaults int) error {
	if err := l.account.check(ctx, s, l.user); err != nil {
		return err
	}
	var list struct {
		IDs []string `json:"character_id_list"`
	}
	if status, err := s.send(ctx, v1+"list_characters/"+l.user, nil, &list); err != nil || status != http.StatusOK {
		return fmt.Errorf("list_characters %s: status %d, %w", l.user, status, err)
	}
	switch {
	case len(list.IDs) == 0 && (l.created != answered || l.deleted != notAsked):
		return nil
	case len(list.IDs) < defaults || l.deleted == answered:
		return fmt.Errorf("%+v has %d characters", *l, len(list.IDs))
	}
	copies := list.IDs[defaults:]
	want := l.copies
	if l.deleting != "" && !slices.Contains(copies, l.deleting) {
		want = want[:len(want)-1]
	}
	if extra := len(copies) - len(want); extra < 0 || extra > l.copying || !slices.Equal(copies[:len(want)], want) {
		return fmt.Errorf("%s has the copies %v, want %v and at most %d more", l.user, copies, want, l.copying)
	}
	var options struct{ Options []string }
	if status, err := s.send(ctx, v1+"get_available_llm/"+l.user, nil, &options); err != nil || status != http.StatusOK {
		return fmt.Errorf("get_available_llm %s: status %d, %w", l.user, status, err)
	}
	if err := l.checkKey(slices.Contains(options.Options, "xai")); err != nil || l.character == "" {
		return err
	}
	var character fields
	if status, err := s.send(ctx, v1+"get_character_config/"+l.user+"/"+l.character, nil, &character); err != nil || status != http.StatusOK {
		return fmt.Errorf("get_character_config %s: status %d, %w", l.user, status, err)
	}
	for _, what := range settings {
		reg, got := l.values[what.sent], fmt.Sprint(character[what.field])
		if reg == nil || got == reg.last || reg.pending != "" && got == reg.pending {
			continue
		}
		if reg.last != "" || strings.Contains(got, " of "+l.user) {
			return fmt.Errorf("%s of %s is %.60q, want %.60q or %.60q", what.field, l.user, got, reg.last, reg.pending)
		}
	}
	return nil
}

func (l *clientLife) checkKey(isSet bool) error {
	reg := l.values["xai_api_key"]
	if reg == nil {
		reg = &register{}
	}
	before := reg.last != "" && reg.last != cleared
	pending := reg.pending != "" && reg.pending != cleared
	if isSet != before && (reg.pending == "" || isSet != pending) {
		return fmt.Errorf("%s has the provider: %t, after %+v", l.user, isSet, *reg)
	}
	return nil
}

// crashes counts the results of the campaign.
type crashes struct {
	cycles, byFailpoint int
	confirmed           int64
	ready               []time.Duration
}

// The server is killed in the middle of writing, at random moments and around
// every step of the store. Every confirmed write must still be there. A write
// without a response is there completely or not at all. The server starts again
// at once.
func TestCrash_ConfirmedWritesSurvive(t *testing.T) {
	t.Parallel()
	cycles, perFolder := length(300, 10_000), length(60, 250)
	var seen crashes
	for first := 0; first < cycles && !t.Failed(); first += perFolder {
		crashFolder(t, first, min(perFolder, cycles-first), &seen)
		t.Logf("%d cycles, %d confirmed writes", seen.cycles, seen.confirmed)
	}
	slices.Sort(seen.ready)
	figure("crash: cycles", "%d, %d of them at a failpoint", seen.cycles, seen.byFailpoint)
	figure("crash: confirmed writes", "%d", seen.confirmed)
	if t.Failed() {
		figure("crash: lost, or half there", "see the failure")
		return
	}
	figure("crash: lost, or half there", "0")
	figure("crash: ready again", "median %s, at most %s", seen.ready[len(seen.ready)/2].Round(time.Millisecond),
		seen.ready[len(seen.ready)-1].Round(time.Millisecond))
}

// crashFolder runs and kills servers on one data folder, one after the other.
func crashFolder(t *testing.T, first, cycles int, seen *crashes) {
	t.Helper()
	folder := t.TempDir()
	var all []*clientLife
	defaults := 0
	for cycle := first; cycle < first+cycles; cycle++ {
		r := chance(uint64(cycle) << 8)
		environment := []string{}
		if r.IntN(2) == 0 {
			point := failpoint.Points[r.IntN(len(failpoint.Points))]
			environment = append(environment, fmt.Sprintf("%s=%s:%d", failpoint.Variable, point, 1+r.IntN(60)))
		}
		s := serve(t, breakable, folder, environment...)
		if s == nil { // it reached its failpoint while it opened the store
			seen.byFailpoint++
			seen.cycles++
			continue
		}
		lives, confirmed, killed := load(t, s, cycle, r)
		all = append(all, lives...)
		seen.cycles++
		seen.confirmed += confirmed
		if !killed {
			seen.byFailpoint++
		}
		began := time.Now()
		after := serve(t, breakable, folder)
		if after == nil {
			t.Fatalf("cycle %d (seed %d): the server does not start any more", cycle, seed)
		}
		after.must(t, "/health/ready", nil, nil)
		seen.ready = append(seen.ready, time.Since(began))
		if defaults == 0 {
			var list struct {
				IDs []string `json:"character_id_list"`
			}
			after.must(t, v1+"create_user", fields{"user_id": "reference"}, nil)
			after.must(t, v1+"list_characters/reference", nil, &list)
			defaults = len(list.IDs)
		}
		look := lives
		if cycle == first+cycles-1 {
			look = all
		}
		for _, l := range look {
			if err := l.check(t.Context(), after, defaults); err != nil {
				t.Fatalf("cycle %d (seed %d, %v): %v", cycle, seed, environment, err)
			}
		}
		after.end(t, syscall.SIGTERM)
		if err := checkIntegrity(filepath.Join(folder, "data")); err != nil {
			t.Fatalf("cycle %d (seed %d, %v): %v", cycle, seed, environment, err)
		}
	}
}

// load runs writers until the server is gone. The server is killed at a random
// moment, unless it reaches its failpoint earlier.
func load(t *testing.T, s *server, cycle int, r *rand.Rand) (lives []*clientLife, confirmed int64, killed bool) {
	t.Helper()
	const writers = 6
	c := &campaign{}
	var group sync.WaitGroup
	each := make([][]*clientLife, writers)
	for w := range writers {
		r := chance(uint64(cycle)<<8 + uint64(w) + 1)
		group.Go(func() {
			for i := 0; ; i++ {
				l := &clientLife{user: fmt.Sprintf("user-%d-%d-%d", cycle, w, i)}
				each[w] = append(each[w], l)
				if err := l.live(t.Context(), c, s, r); err != nil {
					if !errors.Is(err, errGone) {
						t.Errorf("cycle %d: %v", cycle, err)
					}
					return
				}
			}
		})
	}
	select {
	case <-s.exited:
	case <-time.After(time.Duration(10+r.IntN(100)) * time.Millisecond):
		killed = true
	}
	s.end(t, os.Kill)
	group.Wait()
	return slices.Concat(each...), c.confirmed.Load(), killed
}

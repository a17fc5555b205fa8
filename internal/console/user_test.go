package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// Keys are set, kept by an empty field, replaced and removed; the page never
// has their values.
func TestUser_Keys(t *testing.T) {
	t.Parallel()
	for name, mongoDB := range map[string]bool{"embedded": false, "mongodb": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, settings{mongoDB: mongoDB, names: []string{"Mira"}, limits: backend.Limits{ProviderKeyBytes: 4096}})
			b := site.browser(t)
			b.signInUser(t)
			for _, step := range []struct {
				fields []string
				want   string // the key that is stored then
			}{
				{[]string{"openai_api_key", " sk-one "}, "sk-one"},
				{[]string{"openai_api_key", "", "xai_api_key", "sk-x"}, "sk-one"},
				{[]string{"openai_api_key", "sk-two"}, "sk-two"},
				{[]string{"openai_api_key", "", "clear_openai_api_key", "yes"}, ""},
			} {
				if got := b.post(t, site.userPath()+"/keys", step.fields...); got.to != site.userPath()+"?done=keys" {
					t.Fatalf("%q: %d, to %q: %s", step.fields, got.status, got.to, got.body)
				}
				config, err := site.service.UserConfig(t.Context(), site.userID)
				if err != nil || config.Keys["openai_api_key"].Reveal() != step.want {
					t.Errorf("%q: another key is stored, error %v", step.fields, err)
				}
				page := b.get(t, site.userPath()+"?done=keys").body
				if strings.Contains(page, "sk-") || !strings.Contains(page, "The keys are saved.") {
					t.Errorf("%q: the page: %s", step.fields, page)
				}
				if shown := strings.Contains(page, `name="clear_openai_api_key"`); shown != (step.want != "") {
					t.Errorf("%q: the key is shown as set: %v", step.fields, shown)
				}
			}
			for name, fields := range map[string][]string{
				"a key that is not text": {"openai_api_key", "\xff", "xai_api_key", "sk-new"},
				"a key to set and clear": {"openai_api_key", "sk-two", "clear_openai_api_key", "yes", "xai_api_key", "sk-new"},
				"a key that is too long": {"openai_api_key", strings.Repeat("k", 5000), "xai_api_key", "sk-new"},
			} {
				got := b.post(t, site.userPath()+"/keys", fields...)
				if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `id="openai_api_key-problem"`) ||
					!strings.Contains(got.body, "No key was saved.") || strings.Contains(got.body, "sk-") {
					t.Errorf("%s: %d: %s", name, got.status, got.body)
				}
				if config, err := site.service.UserConfig(t.Context(), site.userID); err != nil || config.Keys["openai_api_key"].IsSet() || config.Keys["xai_api_key"].Reveal() != "sk-x" {
					t.Errorf("%s: keys have changed, error %v", name, err)
				}
			}
			if got := b.post(t, site.userPath()+"/keys", "openai_api_key", " "); got.to != site.userPath()+"?done=keys_unchanged" {
				t.Errorf("no key: %d, to %q: %s", got.status, got.to, got.body)
			}
		})
	}
}

func TestUser_Timezone(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	b := site.browser(t)
	b.signInUser(t)
	if got := b.post(t, site.userPath()+"/time-zone", "timezone", "Atlantis"); got.status != http.StatusUnprocessableEntity ||
		!strings.Contains(got.body, `value="Atlantis"`) || !strings.Contains(got.body, "This is not a time zone.") ||
		!strings.Contains(got.body, `name="back" value="`+strings.TrimPrefix(site.userPath(), "/console/")+`"`) {
		t.Errorf("an unknown zone: %d: %s", got.status, got.body)
	}
	if got := b.post(t, site.userPath()+"/time-zone", "timezone", " Europe/Berlin "); got.to != site.userPath()+"?done=time_zone" {
		t.Errorf("a known zone: %d, to %q", got.status, got.to)
	}
	if config, err := site.service.UserConfig(t.Context(), site.userID); err != nil || config.Timezone != "Europe/Berlin" {
		t.Errorf("stored: %q, %v", config.Timezone, err)
	}
}

// A character whose provider keys are missing is marked until they are set.
func TestUser_CardsMarkMissingKeys(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	b := site.browser(t)
	b.signInUser(t)
	key := site.newCharacter(t, "Berta").Key()
	adapter := "openai_agent"
	if err := site.service.UpdateCharacter(t.Context(), key, backend.CharacterPatch{ConversationAdapter: &adapter}); err != nil {
		t.Fatal(err)
	}
	const mark = "provider keys are missing</mark>"
	if got := b.get(t, site.userPath()); strings.Count(got.body, mark) != 1 {
		t.Errorf("without the key: %s", got.body)
	}
	b.post(t, site.userPath()+"/keys", "openai_api_key", "sk-one")
	if got := b.get(t, site.userPath()); strings.Contains(got.body, mark) {
		t.Errorf("with the key: %s", got.body)
	}
}

// An operator sees the page of every user, even of one who has only registered.
// An unknown user has no page.
func TestUser_Operator(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	user, operator := site.browser(t), site.browser(t)
	operator.signInOperator(t)
	const notYet = "This user has not signed in yet."
	if got := operator.get(t, site.userPath()); got.status != http.StatusOK || !strings.Contains(got.body, notYet) || !strings.Contains(got.body, username) {
		t.Errorf("a user who has only registered: %d: %s", got.status, got.body)
	}
	if got := operator.post(t, site.userPath()+"/keys", "xai_api_key", "x"); got.status != http.StatusNotFound || !strings.Contains(got.body, notYet) {
		t.Errorf("keys of a user who has only registered: %d: %s", got.status, got.body)
	}
	user.signInUser(t)
	if got := operator.get(t, site.userPath()); got.status != http.StatusOK || !strings.Contains(got.body, username+" <code>"+site.userID+"</code>") {
		t.Errorf("a user: %d: %s", got.status, got.body)
	}
	if got := operator.get(t, "/console/users/nobody"); got.status != http.StatusNotFound || !strings.Contains(got.body, "There is no such user.") {
		t.Errorf("an unknown user: %d: %s", got.status, got.body)
	}
}

func TestUser_KeyIsRefused(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{limits: backend.Limits{ProviderKeyBytes: 4}})
	b := site.browser(t)
	b.signInUser(t)
	for typed, want := range map[string]string{"12345": "This key is too long.", "1\xff": "This key has characters that are not text."} {
		got := b.post(t, site.userPath()+"/keys", "sensechat_ak", "1234", "sensechat_sk", typed)
		if got.status != http.StatusUnprocessableEntity || strings.Contains(got.body, typed) ||
			!strings.Contains(got.body, `aria-describedby="sensechat_sk-problem"`) || !strings.Contains(got.body, `<small id="sensechat_sk-problem">`+want) {
			t.Errorf("%q: %d: %s", typed, got.status, got.body)
		}
	}
	config, err := site.service.UserConfig(t.Context(), site.userID)
	if err != nil || config.Keys["sensechat_ak"].IsSet() {
		t.Errorf("a part of a refused form is stored, error %v", err)
	}
}

// A form that the store cannot take comes back with what was typed, except
// keys.
func TestUser_StoreIsAway(t *testing.T) {
	t.Parallel()
	away := &awayStore{}
	site := newSite(t, settings{away: away})
	site.browser(t).signInUser(t)
	b := site.browser(t)
	b.signInOperator(t)
	away.away.Store(true)
	const secret, want = "sk-a-secret-key", "The store does not respond."
	if got := b.get(t, site.userPath()); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, want) {
		t.Errorf("the page: %d: %s", got.status, got.body)
	}
	for path, fields := range map[string][]string{"/keys": {"xai_api_key", secret}, "/time-zone": {"timezone", "Asia/Tokyo"}} {
		got := b.post(t, site.userPath()+path, fields...)
		if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, want) || strings.Contains(got.body, secret) {
			t.Errorf("%s: %d: %s", path, got.status, got.body)
		}
		if path == "/time-zone" && !strings.Contains(got.body, `name="timezone" value="Asia/Tokyo"`) {
			t.Errorf("the page does not keep the time zone: %s", got.body)
		}
	}
}

// The page of a user with many characters shows 100 at a time.
func TestUser_ManyCharacters(t *testing.T) {
	t.Parallel()
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprintf("Character %d", i)
	}
	site := newSite(t, settings{names: names})
	b := site.browser(t)
	b.signInUser(t)
	const first, last = ">Character 0</a>", ">Character 199</a>"
	page := b.get(t, site.userPath()).body
	if len(page) > 100_000 || !strings.Contains(page, first) || !strings.Contains(page, ">Character 99</a>") || strings.Contains(page, ">Character 100</a>") || !strings.Contains(page, "?from=100\"") {
		t.Errorf("the first page has %d bytes: %s", len(page), page)
	}
	for from, want := range map[string]string{"100": last, "199": last, "-1": first, "200": first, "x": first} {
		other := map[string]string{first: last, last: first}[want]
		if got := b.get(t, site.userPath()+"?from="+from).body; !strings.Contains(got, want) || strings.Contains(got, other) {
			t.Errorf("from %s: %s", from, got)
		}
	}
}

package console_test

import (
	"net/http"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// Keys are set, kept by an empty field, replaced and removed; the page never
// has their values.
func TestUser_Keys(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]settings{"embedded": {names: []string{"Mira"}}, "mongodb": {mongoDB: true, names: []string{"Mira"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, s)
			b := site.browser(t)
			b.signInUser(t)
			for _, step := range []struct {
				fields []string
				want   string // the key that is stored then
			}{
				{[]string{"openai_api_key", " sk-one "}, "sk-one"},
				{[]string{"openai_api_key", "", "xai_api_key", "sk-x"}, "sk-one"},
				{[]string{"openai_api_key", "sk-two", "clear_openai_api_key", "yes"}, "sk-two"},
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
			got := b.post(t, site.userPath()+"/keys", "openai_api_key", "\xff", "xai_api_key", "sk-new")
			if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `id="openai_api_key-problem"`) || strings.Contains(got.body, "sk-new") {
				t.Errorf("a key that is not text: %d: %s", got.status, got.body)
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
		!strings.Contains(got.body, `value="Atlantis"`) || !strings.Contains(got.body, "This is not a time zone.") {
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

// An operator sees the page of every user, and who does not exist has none.
func TestUser_Operator(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	user, operator := site.browser(t), site.browser(t)
	operator.signInOperator(t)
	if got := operator.get(t, site.userPath()); got.status != http.StatusNotFound || !strings.Contains(got.body, "nobody has used the account yet") {
		t.Errorf("a user who has never signed in: %d: %s", got.status, got.body)
	}
	user.signInUser(t)
	if got := operator.get(t, site.userPath()); got.status != http.StatusOK || !strings.Contains(got.body, "<code>"+site.userID+"</code>") {
		t.Errorf("a user: %d: %s", got.status, got.body)
	}
	if got := operator.get(t, "/console/users/nobody"); got.status != http.StatusNotFound {
		t.Errorf("an unknown user: %d", got.status)
	}
}

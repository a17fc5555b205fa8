package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
)

// The response shows how a prompt differs from what is stored: with the whole
// form, or alone for a script. Nothing is saved.
func TestCharacter_Changes(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	b := site.browser(t)
	b.signInUser(t)
	equal := strings.Repeat("same\n", 9)
	for name, x := range map[string]struct {
		stored, typed string
		want, not     []string
	}{
		"nothing":   {"one\r\ntwo", "one\ntwo", []string{"Nothing differs"}, []string{"<li>"}},
		"a line":    {"one\n2\nthree", "one\ntwo\nthree", []string{"Lines added: 1. Lines removed: 1.", "<li>  one</li>\n<li><del>− 2</del></li>\n<li><ins>+ two</ins></li>\n<li>  three</li>"}, []string{"…"}},
		"all":       {"one", "", []string{"Lines added: 0. Lines removed: 1.", "<del>− one</del>"}, []string{"<ins>"}},
		"far lines": {equal + "1\n" + equal + "2", equal + "one\n" + equal + "two", []string{"Lines added: 2. Lines removed: 2."}, nil},
		"markup":    {"x", "<script>alert(1)</script>", []string{"+ &lt;script&gt;"}, []string{"<script>alert"}},
		"too many":  {"x", strings.Repeat("y\n", 2000), []string{"Lines added: 2001. Lines removed: 1.", "more changes"}, nil},
	} {
		character := site.newCharacter(t, "Mira")
		if err := site.service.UpdateCharacter(t.Context(), character.Key(), backend.CharacterPatch{Prompt: &x.stored}); err != nil {
			t.Fatal(err)
		}
		path := site.characterPath(character)
		opened := b.get(t, path).body
		page := b.postLong(t, path+"/changes", formOf(opened, "prompt", x.typed, "voice", "typed")...)
		if page.status != http.StatusOK || !strings.Contains(page.body, `value="typed"`) || !strings.Contains(page.body, `data-guard="changed"`) ||
			hiddenHash.FindString(page.body) != hiddenHash.FindString(opened) {
			t.Errorf("%s: %d: %s", name, page.status, page.body)
		}
		b.header.Set("Hx-Request", "true")
		part := b.postLong(t, path+"/changes", "prompt", x.typed)
		b.header.Del("Hx-Request")
		if part.status != http.StatusOK || strings.Contains(part.body, "<html") || !strings.Contains(page.body, part.body) {
			t.Errorf("%s: the part is not in the page: %d: %s", name, part.status, part.body)
		}
		for _, want := range x.want {
			if !strings.Contains(part.body, want) {
				t.Errorf("%s: it lacks %q: %s", name, want, part.body)
			}
		}
		for _, not := range x.not {
			if strings.Contains(part.body, not) {
				t.Errorf("%s: it has %q: %s", name, not, part.body)
			}
		}
		if name == "far lines" && strings.Count(part.body, "<li>") != 1+2+2+2+1+2+2 {
			t.Errorf("%s: too many lines: %s", name, part.body)
		}
		if got := site.character(t, character.Key()).Prompt; got != x.stored {
			t.Errorf("%s: stored is %q", name, got)
		}
		if got := b.postLong(t, path, formOf(page.body)...); got.to != path+"?done=character_saved" {
			t.Errorf("%s: saving afterwards: %d, to %q", name, got.status, got.to)
		}
	}
	if log := site.stop(); strings.Count(log, "/changes status=200") != 6 { // those of the script are not in the log
		t.Errorf("the log: %s", log)
	}
}

// A person who compares after somebody else has saved still learns of that when
// saving.
func TestCharacter_ChangesHideNoConflict(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	character := site.newCharacter(t, "Mira")
	b := site.browser(t)
	b.signInUser(t)
	path := site.characterPath(character)
	opened := b.get(t, path).body
	other := "of somebody else"
	if err := site.service.UpdateCharacter(t.Context(), character.Key(), backend.CharacterPatch{Prompt: &other}); err != nil {
		t.Fatal(err)
	}
	page := b.postLong(t, path+"/changes", formOf(opened, "prompt", "typed")...)
	if !strings.Contains(page.body, "<del>− of somebody else</del>") {
		t.Errorf("the difference: %s", page.body)
	}
	if got := b.postLong(t, path, formOf(page.body)...); got.status != http.StatusConflict {
		t.Errorf("saving: %d", got.status)
	}
}

// A difference takes little time and space, whatever the texts are.
func TestCharacter_ChangesAreBounded(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}, limits: backend.Limits{PromptBytes: maxForm}})
	character := site.newCharacter(t, "Mira")
	b := site.browser(t)
	b.signInUser(t)
	b.header.Set("Hx-Request", "true")
	const most = maxForm - 4096
	for name, texts := range map[string][2]string{
		"empty lines":      {strings.Repeat("\n", most), "x" + strings.Repeat("\n", most-2) + "x"},
		"different lines":  {strings.Repeat("a\n", most/2), strings.Repeat("b\n", most/2)},
		"every other line": {strings.Repeat("a\nb\n", most/4), strings.Repeat("b\na\nb\n", most/6)},
		"blocks":           {strings.Repeat(strings.Repeat("a\n", 99)+"b\n", most/200), strings.Repeat(strings.Repeat("a\n", 98)+"c\n", most/198)},
		"one long line":    {strings.Repeat("a", most), strings.Repeat("b", most)},
	} {
		if err := site.service.UpdateCharacter(t.Context(), character.Key(), backend.CharacterPatch{Prompt: &texts[0]}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got := b.postLong(t, site.characterPath(character)+"/changes", "prompt", texts[1])
		took := time.Since(start)
		if got.status != http.StatusOK || len(got.body) > 3*maxForm || took > 10*time.Second {
			t.Errorf("%s: %d, %d bytes, in %v", name, got.status, len(got.body), took)
		}
		t.Logf("%s: %d bytes in %v", name, len(got.body), took)
	}
}

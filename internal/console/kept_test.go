package console_test

import (
	"context"
	"html"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"web-backend/internal/console"
)

var (
	keptField  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	keptAction = regexp.MustCompile(`action="([^"]*)" data-guard="changed"`)
)

// again returns the fields and the path of the form that a page of an error can
// send again.
func again(page received, from string) (path string, fields []string) {
	_, form, _ := strings.Cut(page.body, "data-guard")
	form, _, _ = strings.Cut(form, "</form>")
	if _, prompt, ok := strings.Cut(form, `<textarea name="prompt" rows="6">`+"\n"); ok {
		prompt, _, _ = strings.Cut(prompt, "</textarea>")
		fields = append(fields, "prompt", html.UnescapeString(prompt))
	}
	for _, match := range keptField.FindAllStringSubmatch(form, -1) {
		fields = append(fields, html.UnescapeString(match[1]), html.UnescapeString(match[2]))
	}
	match := keptAction.FindStringSubmatch(page.body)
	if match == nil {
		return "", nil
	}
	_, path, _ = strings.Cut(match[1], "users/")
	if match[1] != strings.Repeat("../", strings.Count(from, "/")-2)+"users/"+path {
		return "", nil
	}
	return "/console/users/" + path, fields
}

// What a person has typed is not lost if the store does not respond, or the
// session has ended, or somebody else is signed in, or somebody has deleted
// what is edited.
func TestCharacter_NothingTypedIsLost(t *testing.T) {
	t.Parallel()
	const prompt = "\nYou are \"Mira\" & <b>.\n\nfar"
	for name, x := range map[string]struct {
		hinder, help func(*testing.T, *site, *browser, *awayStore)
		status       int
		want         string
	}{
		"the store is away": {
			func(_ *testing.T, _ *site, _ *browser, away *awayStore) { away.away.Store(true) },
			func(_ *testing.T, _ *site, _ *browser, away *awayStore) { away.away.Store(false) },
			http.StatusServiceUnavailable, "The store does not respond.",
		},
		"the session has ended": {
			func(t *testing.T, _ *site, b *browser, _ *awayStore) { t.Helper(); b.post(t, "/console/sign-out") },
			func(t *testing.T, _ *site, b *browser, _ *awayStore) { t.Helper(); b.signInUser(t) },
			http.StatusForbidden, `sign-in" target="_blank"`,
		},
		"somebody else is signed in": {
			func(t *testing.T, _ *site, b *browser, _ *awayStore) { t.Helper(); b.signInOther(t) },
			func(t *testing.T, _ *site, b *browser, _ *awayStore) { t.Helper(); b.signInUser(t) },
			http.StatusForbidden, "Sign out",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			away := &awayStore{}
			site := newSite(t, settings{names: []string{"Mira"}, away: away, basePath: "/stack"})
			character := site.newCharacter(t, "Mira")
			b := site.browser(t)
			b.signInUser(t)
			path := site.characterPath(character)
			form := formOf(b.get(t, path).body, "prompt", prompt, "character_name", "Mira \"2\"")

			x.hinder(t, site, b, away)
			for _, action := range []string{path, path + "/changes", site.userPath() + "/time-zone"} {
				got := b.postLong(t, action, form...)
				to, fields := again(got, action)
				if got.status != x.status || !strings.Contains(got.body, x.want) || !strings.Contains(got.body, "Try again") || to != action || len(fields) != len(form) {
					t.Errorf("%s: %d, again to %q with %d texts, want %d: %s", action, got.status, to, len(fields)/2, len(form)/2, got.body)
				}
			}
			got := b.postLong(t, path, form...)
			b.header.Set("Hx-Request", "true")
			if got := b.postLong(t, path+"/changes", "prompt", prompt); got.status != x.status || got.header.Get("Hx-Redirect") != "" || !strings.HasPrefix(got.body, `<div role="alert">`) {
				t.Errorf("a script: %d %v: %s", got.status, got.header, got.body)
			}
			b.header.Del("Hx-Request")
			x.help(t, site, b, away)

			to, fields := again(got, path)
			if got := b.postLong(t, to, fields...); got.to != path+"?done=character_saved" {
				t.Fatalf("again: %d, to %q: %s", got.status, got.to, got.body)
			}
			if got := site.character(t, character.Key()); got.Prompt != prompt || got.CharacterName != `Mira "2"` {
				t.Errorf("stored is %+v", got)
			}
		})
	}
}

func TestCharacter_DeletedWhileItIsEdited(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	character := site.newCharacter(t, "Mira")
	b := site.browser(t)
	b.signInUser(t)
	path := site.characterPath(character)
	form := formOf(b.get(t, path).body, "prompt", "typed <for> hours")
	b.post(t, path+"/delete")
	got := b.postLong(t, path, form...)
	if to, fields := again(got, path); got.status != http.StatusNotFound || to != path || len(fields) != len(form) || !slices.Contains(fields, "typed <for> hours") {
		t.Errorf("got %d, again to %q with %q: %s", got.status, to, fields, got.body)
	}
}

// Only forms without a secret are in a page again. Forms from other sites, and
// those that are larger than a form may be, are not.
func TestKeptForm_HasNoSecret(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{names: []string{"Mira"}})
	character := site.newCharacter(t, "Mira")
	for _, path := range []string{site.userPath() + "/keys", site.userPath() + "/password", site.userPath() + "/delete", "/console/change-password", "/console/delete-account"} {
		if got := site.browser(t).post(t, path, "password", password, "openai_api_key", password); !strings.HasPrefix(got.to, "/console/sign-in") || strings.Contains(got.body, password) {
			t.Errorf("%s: %d, to %q: %s", path, got.status, got.to, got.body)
		}
	}
	path := site.characterPath(character)
	if got := site.browser(t).postLong(t, path, "prompt", strings.Repeat("x", maxForm)); !strings.HasPrefix(got.to, "/console/sign-in?next=users%2F") {
		t.Errorf("a large form: %d, to %q", got.status, got.to)
	}
	b := site.browser(t)
	b.header.Set("Sec-Fetch-Site", "cross-site")
	if got := b.postLong(t, path, "prompt", "typed elsewhere"); got.status != http.StatusForbidden || strings.Contains(got.body, "typed elsewhere") {
		t.Errorf("from another site: %d: %s", got.status, got.body)
	}
}

// Only a limited number of forms is kept at the same time, because nobody is
// signed in.
func TestKeptForms_AreLimited(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	b, path := site.browser(t), site.userPath()+"/time-zone"
	until := func(status int) {
		t.Helper()
		for b.post(t, path, "timezone", "Europe/Paris").status != status {
			if t.Context().Err() != nil {
				t.Fatal("it stays with another status")
			}
		}
	}
	until(http.StatusForbidden)
	var slow sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	body, writer := io.Pipe() // nothing is written
	defer writer.Close()
	for range console.MaxKeptForms {
		slow.Go(func() {
			for ctx.Err() == nil { // a request of until may have taken the last place
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, site.url+path, io.NopCloser(body))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				// The server would wait for the rest of a short body before it
				// refuses the request.
				r.ContentLength = 1 << 20
				if response, err := site.http.Client().Do(r); err == nil {
					_ = response.Body.Close()
				}
			}
		})
	}
	until(http.StatusSeeOther)
	stop()
	until(http.StatusForbidden)
	_ = writer.Close()
	slow.Wait()
}

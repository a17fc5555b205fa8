package browser

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// payloads returns pieces of markup that reveal themselves if a browser treats
// them as markup. Each of them then requests its own name from the canary at
// this address.
func payloads(canary string) map[string]string {
	ask := func(name string) string { return "new Image().src='" + canary + "/" + name + "'" }
	return map[string]string{
		"script":     "<script>window.__pwned=true;document.title='pwned';" + ask("script") + "</script>",
		"img":        `<img src=x onerror="alert('pwned');` + ask("img") + `">`,
		"svg":        `<svg onload="` + ask("svg") + `"></svg>`,
		"closed":     "</span></pre></main></body><script>" + ask("closed") + "</script>",
		"srcdoc":     `<iframe srcdoc="<script>` + ask("srcdoc") + `</script>"></iframe>`,
		"source":     "<script src=" + canary + "/source></script>",
		"image":      "<img src=" + canary + "/image>",
		"object":     "<object data=" + canary + "/object></object>",
		"stylesheet": "<link rel=stylesheet href=" + canary + "/stylesheet>",
		"import":     "<style>@import '" + canary + "/import';</style>",
		"refresh":    `<meta http-equiv=refresh content="0;url=` + canary + `/refresh">`,
	}
}

// together joins all payloads into one text. It leaves out refresh, so that the
// page stays.
func together(all map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name != "refresh" {
			text.WriteString(all[name])
		}
	}
	return text.String()
}

// canary is a server that records the requests that it receives.
type canary struct {
	*httptest.Server

	mutex sync.Mutex
	asked []string
}

func newCanary(t *testing.T) *canary {
	t.Helper()
	c := &canary{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.asked = append(c.asked, r.URL.Path)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *canary) wasAsked(path string) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return slices.Contains(c.asked, path)
}

// Text that other people put into the log or into the data is only text for a
// browser.
func TestStrangersTextRunsNothing(t *testing.T) {
	t.Parallel()
	// Old data may contain ids and names of any length.
	unbounded := []string{"WEB_BACKEND_MAX_ID_LENGTH=0", "WEB_BACKEND_MAX_TEXT_LENGTH=0"}
	document, log, canary, s := newTab(t), newTab(t), newCanary(t), serve(t, unbounded...)

	all := payloads(canary.URL + "/product")
	text := together(all) + all["refresh"]
	responses, pages := s.pushThroughAPI(t, text)
	for _, path := range responses {
		document.open(s.url + path)
		if kind := evaluate[string](document, "document.contentType"); kind != "application/json" {
			t.Errorf("%s is %s to a browser, want application/json", path, kind)
		}
	}
	lines := []string{text}
	for _, markup := range all {
		lines = append(lines, record("INFO", markup), record("ERROR", markup), markup)
	}
	s.appendLog(t, lines...)
	log.open(s.url + "/tail_log/1000")
	shown := evaluate[string](log, `document.querySelector("pre").textContent`)
	for _, line := range lines {
		if !strings.Contains(shown, line+"\n") {
			t.Errorf("the page shows\n%s\nwant the line %s as it stands", shown, line)
		}
	}
	const own = "a,h1,header,main,pre,small,span"
	tags := evaluate[string](log, `[...new Set([...document.querySelectorAll("body *")].map((e) => e.localName))].sort().join()`)
	if tags != own {
		t.Errorf("the page has the elements %s, want %s", tags, own)
	}

	console := newTab(t)
	console.open(s.url + "/console")
	signInOperator(console, s)
	for _, page := range pages {
		console.open(s.url + "/console/" + page)
		if !evaluate[bool](console, fmt.Sprintf(`[document.body.innerText, ...[...document.querySelectorAll("input, textarea")].map((field) => field.value)].some((shown) => shown.includes(%q))`, text[:9])) {
			t.Errorf("/console/%s does not show the text", page)
		}
		if evaluate[bool](console, "window.__pwned === true") {
			t.Errorf("/console/%s: the script ran", page)
		}
	}
	if got := console.now(); len(got.violations) > 0 || len(got.dialogs) > 0 {
		t.Errorf("the console: violations of the policy %q, dialogs %q; want none", got.violations, got.dialogs)
	}

	canary.proveThatPayloadsFire(t) // this also gives the other payloads time to run

	for name := range all {
		if canary.wasAsked("/product/" + name) {
			t.Errorf("%s did what it was written for", name)
		}
	}
	if title := evaluate[string](log, "document.title"); title != fmt.Sprintf("Log, last %d lines", strings.Count(shown, "\n")) {
		t.Errorf("the title became %q", title)
	}
	if evaluate[bool](log, "window.__pwned === true") {
		t.Error("the script ran")
	}
	if dialogs := document.now().dialogs; len(dialogs) > 0 {
		t.Errorf("a response opened the dialogs %q", dialogs)
	}
	log.quiet(s.url)
	log.policyHolds()
}

// pushThroughAPI sends text in every place that a client can fill. It returns
// the paths of the responses that contain the text, and those of the pages of
// the console that do, relative to /console/.
func (s *server) pushThroughAPI(t *testing.T, text string) (responses, pages []string) {
	t.Helper()
	const v1 = "/api/v1/"
	s.send(t, v1+"create_user", map[string]any{"user_id": text})
	user := url.PathEscape(text)
	ids := decode[struct {
		List []string `json:"character_id_list"`
	}](t, s, v1+"list_characters/"+user, nil).List
	if len(ids) == 0 {
		t.Fatalf("the user %s has no characters", text)
	}
	own := decode[struct {
		ID string `json:"character_id"`
	}](t, s, v1+"duplicate_character", map[string]any{"user_id": text, "character_id": ids[0], "character_name": text}).ID
	for field, operation := range map[string]string{
		"character_name": "name", "avatar": "avatar", "scene_name": "scene", "prompt": "prompt",
	} {
		s.send(t, v1+"update_character_"+operation, map[string]any{"user_id": text, "character_id": own, field: text})
	}
	s.send(t, v1+"register_user", map[string]any{"username": text, "password": text + "12345678"})
	s.send(t, v1+"authenticate_user", map[string]any{"username": text, "password": text})
	s.send(t, v1+"update_user_config", map[string]any{"user_id": text, "timezone": text, text: text})
	s.send(t, v1+"delete_character", map[string]any{"user_id": text, "character_id": text})
	s.send(t, v1+"create_user", []string{text})
	s.send(t, "/health", nil, "User-Agent", text, "X-Request-ID", text, "Referer", text)

	for _, path := range []string{
		v1 + "list_users", v1 + "list_characters/" + user, v1 + "get_character_config/" + user + "/" + own,
		v1 + "get_available_llm/" + user + user, v1 + "get_character_config/" + user + "/" + user, "/tail_log/" + user, "/" + user,
	} {
		if path != "/"+user && !strings.Contains(s.send(t, path, nil), text[:len("<x")]) {
			t.Errorf("%s does not hold the text: it shows nothing", path)
		}
		responses = append(responses, path)
	}
	one := "users/" + user
	return responses, []string{
		"users", "users?text=" + url.QueryEscape(text), one, one + "/admin", one + "/characters/" + url.PathEscape(own),
		"log", "log?text=" + url.QueryEscape(text),
	}
}

// proveThatPayloadsFire shows the payloads unescaped and without a policy in
// the same browser. It checks that each payload works, and that the tab sees
// it.
func (c *canary) proveThatPayloadsFire(t *testing.T) {
	t.Helper()
	all := payloads(c.URL + "/control")
	texts := map[string]string{"/together": together(all), "/refresh": all["refresh"]}
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!DOCTYPE html><title>control</title><body><main><pre><span>"+texts[r.URL.Path])
	}))
	defer pages.Close()
	tab := newTab(t)
	fires := func(name string) {
		t.Helper()
		eventually(t, name+" to fire where nothing stops it", func() bool { return c.wasAsked("/control/" + name) })
	}
	tab.open(pages.URL + "/together")
	for name := range all {
		if name != "refresh" {
			fires(name)
		}
	}
	if !evaluate[bool](tab, "window.__pwned === true && document.title === 'pwned'") {
		t.Error("the script left no trace where nothing stops it")
	}
	if dialogs := tab.now().dialogs; !slices.Contains(dialogs, "pwned") {
		t.Errorf("got the dialogs %q, want the one of img", dialogs)
	}
	tab.asked(c.URL + "/control/script")
	tab.open(pages.URL + "/refresh")
	fires("refresh")
}

// The log page reloads itself and shows its colors under its policy.
func TestLogPage(t *testing.T) {
	t.Parallel()
	tab, s := newTab(t), serve(t)
	s.appendLog(t, record("ERROR", "first"))
	tab.open(s.url + "/tail_log/100")
	tab.click(`a[href="?refresh"]`)
	tab.wait(`location.search === "?refresh" && document.querySelector(".error")`)
	s.appendLog(t, record("INFO", "second"))
	tab.wait(`document.querySelector("pre")?.textContent.includes("msg=second")`)
	tab.click(`a[href="?"]`)
	tab.wait(`location.search === "" && document.querySelector("header") && !document.querySelector("meta[http-equiv]")`)

	for _, theme := range []struct{ name, errors, infos string }{
		{"light", "rgb(200, 30, 30)", "rgb(11, 79, 138)"},
		{"dark", "rgb(255, 123, 114)", "rgb(165, 214, 255)"},
	} {
		if _, err := chromedp.Call(tab.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme.name}},
		}); err != nil {
			t.Fatal(err)
		}
		for selector, want := range map[string]string{".error": theme.errors, ".info": theme.infos} {
			color := evaluate[string](tab, `getComputedStyle(document.querySelector("`+selector+`")).color`)
			if color != want {
				t.Errorf("%s: %s has the colour %s, want %s", theme.name, selector, color, want)
			}
		}
	}
	if display := evaluate[string](tab, "getComputedStyle(document.body).display"); display != "flex" {
		t.Errorf("the body is %s, want flex, as the page's own style says", display)
	}
	tab.quiet(s.url)
	tab.policyHolds()
}

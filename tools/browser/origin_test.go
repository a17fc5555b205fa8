package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// stranger starts a server with a page of another site. The product is at
// 127.0.0.1 and this server at localhost. Other pages may frame or open the
// page, and it then sends them a message.
func stranger(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!DOCTYPE html><title>stranger</title><link rel="icon" href="data:,"><body>
			<script>for (const other of [parent, opener]) other?.postMessage("here", "*")</script>`)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/"
}

func TestOtherSitesCannotFramePages(t *testing.T) {
	t.Parallel()
	tab, s, site, other := newTab(t), serve(t), stranger(t), stranger(t)
	tab.open(site)
	var pages []string
	for _, path := range []string{
		"/docs", "/redoc", "/tail_log/10", "/openapi.json", "/health", "/api/v1/list_users", "/nothing", "/tail_log/x",
	} {
		pages = append(pages, s.url+path)
	}
	frame := func(address string) {
		evaluate[chromedp.Void](tab, fmt.Sprintf(`(() => {
			const frame = document.createElement("iframe");
			frame.src = %q;
			window.onmessage = (e) => { window.framed = e.data };
			document.body.append(frame);
		})()`, address))
	}
	frame(other)
	tab.wait(`window.framed === "here"`)
	for _, page := range pages {
		frame(page)
	}
	eventually(t, "all pages to be refused", func() bool { return len(tab.now().refused) >= len(pages) })
	got := tab.now().refused
	slices.Sort(got)
	slices.Sort(pages)
	if !slices.Equal(got, pages) {
		t.Errorf("refused to be framed are %q, want %q", got, pages)
	}
}

func TestOtherSitesCannotReadResponses(t *testing.T) {
	t.Parallel()
	tab, s, site := newTab(t), serve(t), stranger(t)
	s.send(t, "/api/v1/create_user", map[string]any{"user_id": "ada"})
	users := s.url + "/api/v1/list_users"
	if body := read(newTab(t).at(s.url+"/docs"), users); !strings.Contains(body, "ada") {
		t.Errorf("the product's own page reads %s", body)
	}
	tab.open(site)
	if body := read(tab, users); body != "refused" {
		t.Errorf("another site reads %s", body)
	}
	// Without CORS a page cannot read these responses, but they would be loaded
	// into its process.
	for _, address := range []string{users, s.url + "/docs/docs.js"} {
		if got := evaluate[string](tab, fmt.Sprintf(`fetch(%q, {mode: "no-cors"}).then((r) => r.type, () => "refused")`, address)); got != "refused" {
			t.Errorf("another site gets %s, %s", address, got)
		}
		if got := evaluate[string](tab, fmt.Sprintf(`new Promise((resolve) => {
			const script = document.createElement("script");
			script.onload = () => resolve("loaded");
			script.onerror = () => resolve("refused");
			script.src = %q;
			document.body.append(script);
		})`, address)); got != "refused" {
			t.Errorf("another site runs %s", address)
		}
	}
	if got := evaluate[string](tab, fmt.Sprintf(`fetch(%q, {mode: "no-cors"}).then((r) => r.type, () => "refused")`,
		strings.Replace(site, "localhost", "127.0.0.1", 1))); got != "opaque" {
		t.Errorf("another site does not even get what nobody protects: %s", got)
	}
}

// With enable_cors the security headers do not block pages of other origins.
func TestCORS(t *testing.T) {
	t.Parallel()
	tab, s, site := newTab(t), serve(t, "WEB_BACKEND_ENABLE_CORS=true"), stranger(t)
	tab.open(site)
	if body := read(tab, s.url+"/health"); body != `"OK"` {
		t.Errorf("another site reads %s", body)
	}
	for what, test := range map[string]struct{ expression, want string }{
		"with credentials":  {`fetch("$/health", {credentials: "include"}).then((r) => r.text())`, `"OK"`},
		"after a preflight": {`fetch("$/health", {headers: {"X-Anything": "1", "Content-Type": "application/json"}}).then((r) => r.text())`, `"OK"`},
		"an error":          {`fetch("$/nothing").then((r) => r.json()).then((e) => e.message)`, "HTTP Error 404"},
		"a fault of a body": {`fetch("$/api/v1/delete_character", {method: "POST", body: "[]", headers: {"Content-Type": "application/json"}}).then((r) => r.json()).then((e) => e.message)`, "Validation Error"},
		"the request's id":  {`fetch("$/health", {headers: {"X-Request-ID": "mine"}}).then((r) => r.headers.get("X-Request-ID"))`, "mine"},
	} {
		if got := evaluate[string](tab, strings.ReplaceAll(test.expression, "$", s.url)); got != test.want {
			t.Errorf("another site gets %s: %q, want %q", what, got, test.want)
		}
	}
}

// A page that opens one of our pages gets no reference to its window.
func TestOpenedPagesAreOnTheirOwn(t *testing.T) {
	t.Parallel()
	tab, s, site, other := newTab(t), serve(t), stranger(t), stranger(t)
	tab.open(site)
	for address, want := range map[string]string{s.url + "/tail_log/5": "severed", other: "here"} {
		expression := fmt.Sprintf(`new Promise((resolve) => {
			window.onmessage = (e) => resolve(e.data);
			const opened = window.open(%q);
			setInterval(() => opened.closed && resolve("severed"), 20);
			setTimeout(() => resolve("an open window"), 10_000);
		})`, address)
		if got := evaluate[string](tab, expression); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// at opens a page and returns the tab.
func (b *tab) at(address string) *tab {
	b.t.Helper()
	b.open(address)
	return b
}

// read returns what a page can read at an address.
func read(tab *tab, address string) string {
	tab.t.Helper()
	return evaluate[string](tab, fmt.Sprintf(`fetch(%q).then((r) => r.text(), () => "refused")`, address))
}

package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// People sign in to the console, see their overview, change language and
// appearance, and sign out.
func TestConsole(t *testing.T) { onBothStores(t, testConsole) }

func testConsole(t *testing.T, s *server) {
	t.Helper()
	s.send(t, "/api/v1/register_user", map[string]string{"username": "anna", "password": "correct horse battery"})
	tab := newTab(t)
	tab.phone()
	tab.open(s.url + "/console")
	tab.wait(`location.pathname.endsWith("/console/sign-in") && document.querySelector("form [name=password]")`)
	tab.fits()

	t.Log("a wrong password leads back to the form, which keeps the name")
	tab.fill("username", "anna")
	tab.fill("password", "wrong")
	tab.click("form:has([name=password]) button")
	tab.wait(`document.querySelector("[role=alert]")?.innerText.includes("not correct") && document.querySelector("[name=username]").value === "anna"`)

	t.Log("the right one leads to the user's characters and keys")
	tab.fill("password", "correct horse battery")
	tab.click("form:has([name=password]) button")
	tab.wait(`location.pathname.includes("/console/users/") && document.querySelectorAll(".cards article").length > 5`)
	tab.fits()
	if evaluate[string](tab, `document.cookie`) != "" {
		t.Error("scripts can read a cookie")
	}
	if !evaluate[bool](tab, `typeof htmx === "object" && getComputedStyle(document.querySelector(".cards")).display === "grid"`) {
		t.Error("the script or the stylesheets did not load")
	}

	t.Log("a key that was typed is not lost without a question when another form is sent")
	tab.fill("openai_api_key", "sk-of-the-browser-test")
	evaluate[bool](tab, `document.querySelector("[name=openai_api_key]").dispatchEvent(new Event("input", {bubbles: true}))`)
	evaluate[bool](tab, `document.querySelector("form[action$='/time-zone']").dispatchEvent(new Event("submit"))`)
	if !evaluate[bool](tab, `!dispatchEvent(new Event("beforeunload", {cancelable: true}))`) {
		t.Error("the key is lost without a question")
	}
	evaluate[bool](tab, `document.querySelector("form[action$='/keys']").dispatchEvent(new Event("submit"))`)
	if evaluate[bool](tab, `!dispatchEvent(new Event("beforeunload", {cancelable: true}))`) {
		t.Error("sending the key itself leads to a question")
	}

	t.Log("a provider key is set, and removed again")
	tab.fill("openai_api_key", "sk-of-the-browser-test")
	tab.click("form[action$='/keys'] button")
	tab.wait(`document.querySelector("[role=status]") && document.querySelector("[name=clear_openai_api_key]") && document.querySelector(".facts").innerText.includes("openai")`)
	if evaluate[bool](tab, `document.documentElement.outerHTML.includes("sk-of-the-browser-test")`) {
		t.Error("the page has the key")
	}
	tab.click("[name=clear_openai_api_key]")
	tab.click("form[action$='/keys'] button")
	tab.wait(`document.querySelector("[role=status]") && !document.querySelector("[name=clear_openai_api_key]")`)
	tab.fits()

	t.Log("a time zone that nobody knows leads back to the form")
	tab.fill("timezone", "Atlantis")
	tab.click("form[action$='/time-zone'] button")
	tab.wait(`document.querySelector("[name=timezone][aria-invalid]")?.value === "Atlantis"`)
	tab.fill("timezone", "Europe/Berlin")
	tab.click("form[action$='/time-zone'] button")
	tab.wait(`document.querySelector("[role=status]") && document.querySelector("[name=timezone]").value === "Europe/Berlin"`)
	tab.fits()

	t.Log("language and appearance are kept")
	tab.click("button[name=language]")
	tab.wait(`document.documentElement.lang === "zh" && document.querySelector("h1")?.innerText === "角色与密钥" && document.readyState === "complete"`)
	light := evaluate[string](tab, `getComputedStyle(document.documentElement).backgroundColor`)
	tab.click("button[value=dark]")
	tab.wait(`document.documentElement.dataset.theme === "dark" && document.readyState === "complete"`)
	if dark := evaluate[string](tab, `getComputedStyle(document.documentElement).backgroundColor`); dark == light {
		t.Errorf("dark is as light: %s", dark)
	}
	tab.fits()

	t.Log("signing out leads to the form")
	tab.click("nav button")
	tab.wait(`location.pathname.endsWith("/console/sign-in")`)
	tab.open(s.url + "/console/overview")
	tab.wait(`location.pathname.endsWith("/console/sign-in")`)

	got := tab.now()
	for _, address := range got.requests {
		if !strings.HasPrefix(address, s.url+"/console") && !strings.HasPrefix(address, "data:") {
			t.Errorf("the page asked for %s", address)
		}
	}
	if len(got.violations) > 0 || len(got.dialogs) > 0 {
		t.Errorf("violations of the policy %q, dialogs %q; want none", got.violations, got.dialogs)
	}
	for _, text := range got.errors {
		if !strings.Contains(text, "403") && !strings.Contains(text, "422") { // those of the wrong password and time zone
			t.Errorf("error in the browser: %s", text)
		}
	}
	tab.policyHolds()
}

// phoneWidth is the width of a phone in pixels.
const phoneWidth = 390

// phone gives the tab the size of a phone.
func (b *tab) phone() {
	b.t.Helper()
	b.wide(phoneWidth)
}

// wide gives the tab a width, and the behavior of a phone if it is as narrow.
func (b *tab) wide(width int64) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: 844, DeviceScaleFactor: 1, Mobile: width <= phoneWidth,
	}); err != nil {
		b.t.Fatalf("set the size of the tab: %v", err)
	}
}

// fits checks that nothing is wider than the tab.
func (b *tab) fits() {
	b.t.Helper()
	if width := evaluate[int](b, `document.documentElement.scrollWidth`); width > phoneWidth {
		b.t.Errorf("the page is %d px wide, want at most %d", width, phoneWidth)
	}
}

// download clicks on a link to a file with this name, and returns the content of
// the file.
func (b *tab) download(selector, name string) string {
	b.t.Helper()
	folder := b.t.TempDir()
	if _, err := chromedp.Call(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
		BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	}); err != nil {
		b.t.Fatal(err)
	}
	b.click(selector)
	var content []byte
	// Chromium first reserves the name with an empty file, which the complete file
	// replaces.
	eventually(b.t, "the file "+name, func() bool {
		content, _ = os.ReadFile(filepath.Join(folder, name))
		return len(content) > 0
	})
	return string(content)
}

// fill writes a text into a field of a form.
func (b *tab) fill(name, text string) {
	b.t.Helper()
	evaluate[string](b, `document.querySelector("[name=`+name+`]").value = "`+text+`"`)
}

package browser

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// A person edits a character on a phone and on a wide screen.
func TestConsoleCharacter(t *testing.T) { onBothStores(t, testConsoleCharacter) }

func testConsoleCharacter(t *testing.T, s *server) {
	t.Helper()
	s.send(t, "/api/v1/register_user", map[string]string{"username": "anna", "password": "correct horse battery"})
	var login struct {
		UserID string `json:"user_id"`
	}
	var list struct {
		IDs []string `json:"character_id_list"`
	}
	var duplicate struct {
		ID string `json:"character_id"`
	}
	decode := func(text string, into any) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(text, err)
		}
	}
	decode(s.send(t, "/api/v1/authenticate_user", map[string]string{"username": "anna", "password": "correct horse battery"}), &login)
	decode(s.send(t, "/api/v1/list_characters/"+login.UserID, nil), &list)
	decode(s.send(t, "/api/v1/duplicate_character", map[string]string{"user_id": login.UserID, "character_id": list.IDs[0]}), &duplicate)

	tab := newTab(t)
	tab.phone()
	tab.open(s.url + "/console")
	tab.fill("username", "anna")
	tab.fill("password", "correct horse battery")
	tab.click("form:has([name=password]) button")
	tab.wait(`location.pathname.includes("/console/users/")`)

	page := s.url + "/console/users/" + login.UserID + "/characters/"
	t.Log("a read-only character has no button for saving")
	tab.open(page + list.IDs[0])
	tab.fits()
	tab.wait(`document.querySelector("#prompt").readOnly && !document.querySelector(".save")`)

	t.Log("its copy can be changed; characters are counted while typing")
	tab.click("form[action$='/duplicate'] button")
	tab.wait(`document.querySelector("[role=status]") && document.querySelector(".save button")`)
	tab.open(page + duplicate.ID)
	tab.fits()
	tab.fill("prompt", "four")
	evaluate[bool](tab, `document.querySelector("#prompt").dispatchEvent(new Event("input", {bubbles: true}))`)
	tab.wait(`document.querySelector("[data-count=prompt]").textContent === "4"`)
	if !evaluate[bool](tab, `!dispatchEvent(new Event("beforeunload", {cancelable: true}))`) {
		t.Error("the page can be left with unsaved changes")
	}
	tab.fill("voice_speed", "fast")
	tab.click(".save button")
	tab.wait(`document.querySelector("#voice_speed[aria-invalid]") && document.querySelector("#prompt").value === "four"`)
	tab.fits()
	tab.fill("voice_speed", "1.5")
	if chromedp.Do(tab.ctx, chromedp.EmulateViewport(1280, 900)) != nil {
		t.Fatal("cannot set the size of the tab")
	}
	tab.click(".save button")
	tab.wait(`document.querySelector("[role=status]") && document.querySelector("#voice_speed").value === "1.5"`)

	t.Log("without scripts the form works as well")
	if _, err := chromedp.Call(tab.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	tab.open(page + duplicate.ID)
	tab.fill("prompt", "seven77")
	tab.click(".save button")
	tab.wait(`document.querySelector("[role=status]") && document.querySelector("[data-count=prompt]").textContent === "7"`)

	tab.fill("prompt", "seven78")
	tab.click(".changes summary")
	tab.click(".changes button")
	tab.wait(`document.querySelector(".changes[open] ins")?.innerText === "+ seven78" && location.hash === "#prompt-changes"`)

	t.Log("a long name makes no page wider")
	s.send(t, "/api/v1/update_character_name", map[string]string{"user_id": login.UserID, "character_id": duplicate.ID, "character_name": strings.Repeat("x", 250)})
	tab.phone()
	tab.open(page + duplicate.ID)
	tab.fits()
	tab.open(s.url + "/console/users/" + login.UserID)
	tab.fits()
	tab.open(page + duplicate.ID)

	t.Log("deleting needs a second step")
	tab.click(".actions summary")
	tab.click(".actions details button")
	tab.wait(`location.pathname.endsWith("/users/` + login.UserID + `")`)
	got := tab.now()
	if len(got.violations) > 0 || len(got.dialogs) > 0 {
		t.Errorf("violations of the policy %q, dialogs %q; want none", got.violations, got.dialogs)
	}
}

// The difference to what is stored follows what a person types while it is open.
func TestConsoleCharacter_Changes(t *testing.T) {
	t.Parallel()
	d, tab := newDemo(t), newTab(t)
	tab.phone()
	tab.open(d.url + "/console")
	d.signInUser(tab)
	tab.open(d.url + "/console/" + d.paths.Replace("users/{user}/characters/{character}"))
	asked := func() (n int) {
		for _, address := range tab.now().requests {
			if strings.HasSuffix(address, "/changes") {
				n++
			}
		}
		return n
	}
	typed := func(text string) {
		t.Helper()
		evaluate[bool](tab, `(() => {
			const field = document.querySelector("#prompt");
			field.value += "\n`+text+`";
			return field.dispatchEvent(new Event("input", {bubbles: true}));
		})()`)
	}

	t.Log("nothing is asked for while it is closed")
	evaluate[bool](tab, `(document.addEventListener("htmx:beforeRequest", () => { window.tried = true }), true)`)
	typed("first <b>line</b>")
	tab.wait(`window.tried`)
	if n := asked(); n > 0 {
		t.Errorf("the page asked %d times", n)
	}

	t.Log("it is shown when it is opened, and while the person types")
	tab.click(".changes summary")
	tab.wait(`document.querySelector(".difference ins")?.innerText === "+ first <b>line</b>"`)
	typed("second line")
	tab.wait(`document.querySelectorAll(".difference ins").length === 2 && document.querySelector(".changes small").innerText === "Lines added: 2. Lines removed: 0."`)
	tab.fits()
	if !evaluate[bool](tab, `!dispatchEvent(new Event("beforeunload", {cancelable: true}))`) {
		t.Error("the page can be left with unsaved changes")
	}

	t.Log("Enter in a field saves")
	tab.wide(1280)
	evaluate[bool](tab, `(document.querySelector("#voice").focus(), true)`)
	if err := chromedp.Do(tab.ctx, chromedp.KeyEvent("\r")); err != nil {
		t.Fatal(err)
	}
	tab.wait(`document.querySelector("[role=status]") && document.querySelector("#prompt").value.endsWith("second line")`)
	tab.quiet(d.url)
}

// A person whose session has ended while typing signs in in another tab, and
// loses nothing.
func TestConsoleCharacter_SessionEnds(t *testing.T) {
	t.Parallel()
	d, tab := newDemo(t), newTab(t)
	tab.phone()
	tab.open(d.url + "/console")
	d.signInUser(tab)
	tab.open(d.url + "/console/" + d.paths.Replace("users/{user}/characters/{character}"))
	tab.fill("prompt", `\nTyped <b>\n\nfor hours`)
	const status = `.then((response) => response.status)`
	if got := evaluate[int](tab, `fetch(document.querySelector("form[action$='sign-out']").action, {method: "POST"})`+status); got != 200 {
		t.Fatalf("signing out in another tab: %d", got)
	}
	tab.click(".save button")
	tab.wait(`document.querySelector("a[target=_blank]") && document.readyState === "complete"`)
	tab.fits()
	if !evaluate[bool](tab, `!dispatchEvent(new Event("beforeunload", {cancelable: true}))`) {
		t.Error("the page can be left with what was typed")
	}
	if got := evaluate[int](tab, `fetch(document.querySelector("a[target=_blank]").href,
		{method: "POST", body: new URLSearchParams({username: "`+demoName+`", password: "`+demoPassword+`"})})`+status); got != 200 {
		t.Fatalf("signing in in another tab: %d", got)
	}
	tab.click("main form button")
	tab.wait(`document.querySelector("[role=status]") && document.querySelector("#prompt").value === "\nTyped <b>\n\nfor hours"`)
}

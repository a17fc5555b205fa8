package browser

import (
	"encoding/json"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// A person edits a character on a phone and on a wide screen.
func TestConsoleCharacter(t *testing.T) {
	s := serve(t)
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

	t.Log("deleting needs a second step")
	tab.click("details summary")
	tab.click("details button")
	tab.wait(`location.pathname.endsWith("/users/` + login.UserID + `")`)
	got := tab.now()
	if len(got.violations) > 0 || len(got.dialogs) > 0 {
		t.Errorf("violations of the policy %q, dialogs %q; want none", got.violations, got.dialogs)
	}
}

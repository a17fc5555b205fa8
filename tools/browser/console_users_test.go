package browser

import (
	"testing"
)

// An operator creates users, and finds them while typing.
func TestConsoleUsers(t *testing.T) { onBothStores(t, testConsoleUsers) }

func testConsoleUsers(t *testing.T, s *server) {
	t.Helper()
	for _, name := range []string{"anna", "berta"} {
		s.send(t, "/api/v1/register_user", map[string]string{"username": name, "password": "correct horse battery"})
	}
	tab := newTab(t)
	tab.phone()
	tab.open(s.url + "/console")
	signInOperator(tab, s)

	tab.open(s.url + "/console/users")
	tab.wait(`document.querySelectorAll("tbody tr").length === 2`)
	tab.fits()

	t.Log("the list follows what is typed")
	evaluate[bool](tab, `(() => { const search = document.querySelector("[name=text]"); search.value = "BER";
		return search.dispatchEvent(new Event("input", {bubbles: true})) })()`)
	tab.wait(`document.querySelector("tbody").innerText.includes("berta") && document.querySelectorAll("tbody tr").length === 1 && location.search === "?text=BER"`)

	t.Log("a short password leads back to the form")
	tab.click("a[role=button]")
	tab.wait(`location.pathname.endsWith("/console/new-user") && document.querySelector("[name=password]")`)
	tab.fill("username", "carl")
	tab.fill("password", "short")
	tab.click("form:has([name=username]) button")
	tab.wait(`document.querySelector("[name=password][aria-invalid=true]") && document.querySelector("[name=username]").value === "carl"`)
	tab.fits()

	t.Log("a good one leads to the list")
	tab.fill("password", "correct horse battery")
	tab.click("form:has([name=username]) button")
	tab.wait(`location.pathname.endsWith("/console/users") && document.querySelector("tbody").innerText.includes("carl") && document.querySelector(".done")`)
	tab.fits()

	t.Log("the new user gets a provider key, and a wrong time zone has the focus")
	tab.click("tbody tr:last-child a")
	tab.wait(`document.querySelector("[name=openai_api_key]") && document.readyState === "complete"`)
	tab.fill("openai_api_key", "sk-of-the-browser-test")
	tab.click("form[action$='/keys'] button")
	tab.wait(`document.querySelector("[name=clear_openai_api_key]") && document.readyState === "complete"`)
	tab.fill("timezone", "Atlantis")
	tab.click("form[action$='/time-zone'] button")
	tab.wait(`document.activeElement?.name === "timezone" && document.activeElement.value === "Atlantis" && scrollY > 500`)
	tab.fits()
	if got := tab.now(); len(got.violations) > 0 || len(got.dialogs) > 0 {
		t.Errorf("violations of the policy %q, dialogs %q; want none", got.violations, got.dialogs)
	}
}

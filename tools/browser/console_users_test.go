package browser

import (
	"strings"
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

	t.Log("a message is not shown again when the page is reloaded")
	tab.open(evaluate[string](tab, "location.href"))
	tab.wait(`document.querySelector("tbody").innerText.includes("carl") && !document.querySelector(".done") && document.readyState === "complete"`)

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

// An operator manages a user: sets a password, disables and enables the account,
// ends the sessions, downloads the data, and deletes the user.
func TestConsoleManage(t *testing.T) { onBothStores(t, testConsoleManage) }

func testConsoleManage(t *testing.T, s *server) {
	t.Helper()
	const first, second = "correct horse battery", "another battery staple"
	s.send(t, "/api/v1/register_user", map[string]string{"username": "anna", "password": first})
	user, tab := newTab(t), newTab(t)
	signIn := func(password string) {
		t.Helper()
		user.open(s.url + "/console/sign-in")
		user.fill("username", "anna")
		user.fill("password", password)
		user.click("form:has([name=username]) button")
	}
	isSignedIn := func() {
		t.Helper()
		user.wait(`location.pathname.includes("/console/users/") && document.readyState === "complete"`)
	}
	isSignedOut := func() {
		t.Helper()
		user.open(s.url + "/console/account")
		user.wait(`location.pathname.endsWith("/console/sign-in")`)
	}
	signIn(first)
	isSignedIn()

	tab.phone()
	tab.open(s.url + "/console")
	signInOperator(tab, s)
	tab.open(s.url + "/console/users")
	tab.click(`a[href$="/admin"]`)
	tab.wait(`document.querySelector("[name=confirm]") && document.readyState === "complete"`)
	tab.fits()
	press := func(action, shows string) {
		t.Helper()
		tab.click("form[action$='/" + action + "'] button")
		tab.wait(`document.querySelector(".done") && document.readyState === "complete" && ` + shows)
		tab.fits()
	}

	t.Log("the sessions end, and the user can sign in again")
	press("end-sessions", `document.querySelector(".done").innerText.includes("sessions")`)
	isSignedOut()
	signIn(first)
	isSignedIn()

	t.Log("a disabled account cannot sign in, and the list says so")
	press("disable", `document.querySelector("form[action$='/enable']")`)
	isSignedOut()
	signIn(first)
	user.wait(`document.querySelector("[role=alert]")?.innerText.includes("disabled")`)
	tab.open(s.url + "/console/users")
	tab.wait(`document.querySelector("tbody mark")?.innerText === "disabled"`)
	tab.fits()
	tab.click(`a[href$="/admin"]`)
	press("enable", `document.querySelector("form[action$='/disable']")`)

	t.Log("a short password is refused, a good one is the only one")
	tab.fill("password", "short")
	tab.click("form[action$='/password'] button")
	tab.wait(`document.activeElement?.name === "password" && document.activeElement.matches("[aria-invalid=true]")`)
	tab.fits()
	tab.fill("password", second)
	press("password", `document.querySelector(".done").innerText.includes("password")`)
	signIn(first)
	user.wait(`document.querySelector("[role=alert]")?.innerText.includes("not correct")`)
	signIn(second)
	isSignedIn()

	t.Log("the data is downloaded as a file")
	if exported := tab.download(`a[href$="/export"]`, "anna.jsonl"); !strings.Contains(exported, `"username":"anna"`) || strings.Contains(exported, second) {
		t.Errorf("the downloaded file is %s", exported)
	}

	t.Log("a wrong confirmation deletes nothing, the right one everything")
	tab.fill("confirm", "ann")
	tab.click("form[action$='/delete'] button")
	tab.wait(`document.activeElement?.name === "confirm" && document.activeElement.matches("[aria-invalid=true]")`)
	tab.fits()
	tab.fill("confirm", "anna")
	tab.click("form[action$='/delete'] button")
	tab.wait(`location.pathname.endsWith("/console/users") && document.querySelector(".done") && !document.querySelector("tbody")`)
	isSignedOut()
	signIn(second)
	user.wait(`document.querySelector("[role=alert]")?.innerText.includes("not correct")`)
	for _, b := range [...]interface{ now() seen }{tab, user} {
		if got := b.now(); len(got.violations) > 0 || len(got.dialogs) > 0 {
			t.Errorf("violations of the policy %q, dialogs %q; want none", got.violations, got.dialogs)
		}
	}
}

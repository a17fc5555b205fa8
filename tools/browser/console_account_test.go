package browser

import "testing"

// A newcomer registers, changes the password, signs in with the new one and
// deletes the account.
func TestConsoleAccount(t *testing.T) { onBothStores(t, testConsoleAccount) }

func testConsoleAccount(t *testing.T, s *server) {
	t.Helper()
	const first, second = "correct horse battery", "another battery staple"
	tab := newTab(t)
	tab.phone()
	tab.open(s.url + "/console")
	tab.wait(`document.querySelector("[name=token]")`)

	t.Log("passwords that differ lead back to the form")
	tab.click(`a[href$="register"]`)
	tab.wait(`location.pathname.endsWith("/console/register") && document.querySelector("[name=new_password_again]")`)
	tab.fits()
	register := func(again string) {
		tab.fill("username", "dora")
		tab.fill("new_password", first)
		tab.fill("new_password_again", again)
		tab.click("form:has([name=new_password_again]) button")
	}
	register(second)
	tab.wait(`document.querySelector("[name=new_password_again][aria-invalid=true]") && document.querySelector("[name=username]").value === "dora"`)
	tab.fits()

	t.Log("a good password leads to the own page")
	register(first)
	tab.wait(`location.pathname.includes("/console/users/") && document.querySelector("#keys")`)

	t.Log("the other sessions end, this one does not")
	other := newTab(t)
	other.open(s.url + "/console/sign-in")
	other.fill("username", "dora")
	other.fill("password", first)
	other.click("form:has([name=username]) button")
	other.wait(`location.pathname.includes("/console/users/")`)
	tab.click(`nav a[href$="account"]`)
	tab.click("form[action$='end-sessions'] button")
	tab.wait(`document.querySelector(".done") && !document.querySelector("form[action$='end-sessions']") && document.readyState === "complete"`)
	tab.fits()
	other.open(s.url + "/console/account")
	other.wait(`location.pathname.endsWith("/console/sign-in")`)

	t.Log("the new password leads to the page for signing in")
	tab.click(`nav a[href$="account"]`)
	tab.wait(`location.pathname.endsWith("/console/account") && document.querySelector("[name=new_password_again]")`)
	tab.fits()
	tab.fill("password", first)
	tab.fill("new_password", second)
	tab.fill("new_password_again", second)
	tab.click("form:has([name=new_password]) button")
	tab.wait(`location.pathname.endsWith("/console/sign-in") && document.querySelector(".done")`)
	tab.fill("username", "dora")
	tab.fill("password", second)
	tab.click("form:has([name=username]) button")
	tab.wait(`location.pathname.includes("/console/users/")`)

	t.Log("a deleted account cannot sign in")
	tab.click(`nav a[href$="account"]`)
	tab.wait(`document.querySelector("[name=delete_password]")`)
	evaluate[string](tab, `document.querySelector("#username").value = "dora"`)
	tab.fill("delete_password", second)
	tab.click("form:has([name=delete_password]) button")
	tab.wait(`location.pathname.endsWith("/console/sign-in") && document.querySelector(".done")`)
	tab.fill("username", "dora")
	tab.fill("password", second)
	tab.click("form:has([name=username]) button")
	tab.wait(`document.querySelector("[role=alert]")`)
	if got := tab.now(); len(got.violations) > 0 || len(got.dialogs) > 0 {
		t.Errorf("violations of the policy %q, dialogs %q; want none", got.violations, got.dialogs)
	}
}

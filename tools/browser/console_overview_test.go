package browser

import (
	"testing"
)

// An operator makes a backup on the overview, and the plots of the last hour
// fit on a phone and follow light and dark.
func TestConsoleOverview(t *testing.T) { onBothStores(t, testConsoleOverview) }

func testConsoleOverview(t *testing.T, s *server) {
	t.Helper()
	s.send(t, "/api/v1/list_characters/nobody", nil)
	tab := newTab(t) // the other tests must not get the appearance that is chosen here
	tab.phone()
	tab.open(s.url + "/console")
	signInOperator(tab, s)
	tab.wait(`location.pathname.endsWith("/console/overview") && document.querySelectorAll("svg[role=img] path").length >= 8`)
	tab.fits()

	t.Log("the plots are drawn, and follow light and dark")
	if !evaluate[bool](tab, `[...document.querySelectorAll(".plot")].every((plot) => plot.getBoundingClientRect().height > 50)`) {
		t.Error("a plot is not shown")
	}
	const colour = `getComputedStyle(document.querySelector(".plot .line")).stroke`
	tab.prefer("en", "light")
	light := evaluate[string](tab, colour)
	tab.prefer("en", "dark")
	if dark := evaluate[string](tab, colour); dark == light || dark == "none" {
		t.Errorf("the line is %s in light, and %s in dark", light, dark)
	}
	tab.click("summary")
	tab.wait(`document.querySelector("details[open] tbody tr td")`)
	tab.fits()

	if s.mongoDB {
		tab.wait(`!document.querySelector("#back-up") && document.querySelector("#overview").innerText.includes("mongodump")`)
	} else {
		t.Log("a backup is made")
		tab.click("#back-up")
		tab.wait(`document.querySelector(".done") && document.querySelector("#overview").innerText.includes("web-backend-manual-")`)
	}
	tab.fits()

	if got := tab.now(); len(got.violations) > 0 || len(got.dialogs) > 0 || len(got.errors) > 0 {
		t.Errorf("violations %q, dialogs %q, errors %q; want none", got.violations, got.dialogs, got.errors)
	}
	tab.policyHolds()
}

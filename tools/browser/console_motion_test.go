package browser

import (
	"testing"
)

// The page of the motion files comes up by itself when they are loaded, and
// leads to the clips of an avatar.
func TestConsole_Motion(t *testing.T) {
	t.Parallel()
	s := serve(t, motionData(t))
	tab := newTab(t)
	tab.phone()
	tab.open(s.url + "/console")
	signInOperator(tab, s)
	tab.click("nav a[href$=motion]")
	tab.wait(`document.querySelectorAll("main h3").length === 3 && document.querySelector("main article.warning h3").innerText === "HT-default"`)
	tab.fits()
	tab.click("main details summary")
	tab.wait(`document.querySelector("main details[open] td").checkVisibility()`)
	tab.fits()
	tab.open(s.url + "/console/motion?avatar=KQ-default")
	tab.wait(`document.querySelectorAll("main details[open] tbody tr").length === 22`)
	tab.fits()
	if got := tab.now(); len(got.violations) > 0 || len(got.errors) > 0 {
		t.Errorf("violations %q, errors %q; want none", got.violations, got.errors)
	}
	tab.policyHolds()
}

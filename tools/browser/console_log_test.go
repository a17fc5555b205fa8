package browser

import (
	"fmt"
	"strings"
	"testing"
)

// The page of the log shows new lines as they come, pauses, and filters. What
// strangers wrote into the log runs nothing.
func TestConsole_Log(t *testing.T) { onBothStores(t, testConsoleLog) }

func testConsoleLog(t *testing.T, s *server) {
	t.Helper()
	canary := newCanary(t)
	hostile := together(payloads(canary.URL + "/log"))
	s.appendLog(t, hostile, record("ERROR", "the first"))
	tab := newTab(t)
	tab.phone()
	tab.open(s.url + "/console")
	signInOperator(tab, s)
	tab.open(s.url + "/console/log")
	tab.wait(`document.querySelector("#lines").innerText.includes("the first") && !document.querySelector("#pause").hidden`)
	tab.fits()

	t.Log("new lines come by themselves")
	s.appendLog(t, record("WARN", "the second"), hostile)
	tab.wait(`[...document.querySelectorAll("#lines .warn")].some((row) => row.innerText.includes("the second"))`)
	tab.wait(`(() => { const log = document.querySelector(".log"); return Math.abs(log.scrollTop) < 2 })()`)

	t.Log("a pause stops them, and its end shows what came")
	tab.click("#pause")
	tab.wait(`document.querySelector("#pause").ariaPressed === "true"`)
	s.appendLog(t, record("WARN", "the third"))
	tab.click("#pause")
	tab.wait(`document.querySelector("#lines").innerText.includes("the third")`)

	t.Log("the filter holds for new lines, too")
	tab.fill("text", "fourth")
	tab.click(".filter button")
	tab.wait(`location.search.includes("fourth") && !document.querySelector("#pause").hidden && document.querySelector("#lines").children.length === 0`)
	s.appendLog(t, record("INFO", "nothing"), record("INFO", "the fourth"))
	tab.wait(`document.querySelector("#lines").innerText.includes("the fourth") && document.querySelector("#lines").children.length === 1`)

	t.Log("the whole log is downloaded, with the lines that the filter hides")
	if got := tab.download(`a[href$="log/download"]`, "server.log"); !strings.Contains(got, "the first") || !strings.Contains(got, "the fourth") {
		t.Errorf("the downloaded log is %s", got)
	}

	tab.open(s.url + "/console/configuration")
	tab.wait(`document.querySelectorAll("table.settings tbody tr").length > 20`)
	tab.fits()
	if got := tab.now(); len(got.violations) > 0 || len(got.dialogs) > 0 || len(got.errors) > 0 {
		t.Errorf("violations %q, dialogs %q, errors %q; want none", got.violations, got.dialogs, got.errors)
	}
	for name := range payloads("") {
		if canary.wasAsked(fmt.Sprint("/log/", name)) {
			t.Errorf("%s did what it was written for", name)
		}
	}
	tab.policyHolds()

	t.Log("the page says when the server is away")
	tab.open(s.url + "/console/log")
	tab.wait(`!document.querySelector("#pause").hidden && document.querySelector("#stream-away").hidden && document.querySelector("#lines").children.length > 0`)
	s.kill()
	tab.wait(`document.querySelector("#stream-away").checkVisibility() && document.querySelector("#stream-problem").hidden`)
	tab.fits()
}

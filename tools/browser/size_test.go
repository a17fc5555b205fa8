package browser

import (
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// maxPageBytes is the maximum size of a page of the console with everything
// that it loads.
const maxPageBytes = 150_000

// pageWeight is what a page loads, in bytes, and when it was first painted, in
// milliseconds.
type pageWeight struct{ Transferred, Unpacked, Painted float64 }

const weigh = `(() => {
	const files = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
	const sum = (name) => files.reduce((total, file) => total + file[name], 0);
	return {Transferred: sum("transferSize"), Unpacked: sum("decodedBodySize"), Painted: performance.getEntriesByName("first-paint")[0].startTime};
})()`

// No page of the console transfers much, even if the browser has stored
// nothing. With -v, the test prints the table of docs/console.md.
func TestConsole_PagesAreSmall(t *testing.T) {
	d := newDemo(t)
	for _, visitor := range visitors {
		tab := newTab(t)
		tab.open(d.url + "/console")
		visitor.signIn(d, tab)
		if _, err := chromedp.Call(tab.ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true}); err != nil {
			t.Fatal(err)
		}
		for _, page := range visitor.pages {
			if page.submit != "" {
				continue
			}
			d.show(tab, page)
			tab.wait(`performance.getEntriesByName("first-paint").length === 1`)
			weight := evaluate[pageWeight](tab, weigh)
			if weight.Transferred < 1000 || weight.Transferred > maxPageBytes {
				t.Errorf("%s transfers %.0f bytes, want at most %d", page.name, weight.Transferred, maxPageBytes)
			}
			t.Logf("| %s | %.1f kB | %.1f kB | %.0f ms |", page.name, weight.Transferred/1000, weight.Unpacked/1000, weight.Painted)
		}
	}
}

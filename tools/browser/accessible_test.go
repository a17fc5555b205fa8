package browser

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"testing"
)

// axeSum is the SHA-256 sum of axe-core 4.14.1, which vendor.sh takes from npm.
const axeSum = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

//go:embed assets/axe.js.gz
var axeCompressed []byte

// readAxe returns the JavaScript of axe-core.
func readAxe(t *testing.T) string {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(axeCompressed))
	if err != nil {
		t.Fatal(err)
	}
	source, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(source); hex.EncodeToString(sum[:]) != axeSum {
		t.Fatalf("axe-core has the sum %x, want %s", sum, axeSum)
	}
	return string(source)
}

// axeResult is what axe-core found on a page.
type axeResult struct {
	Passes     int
	Violations []struct{ Rule, Help, HTML, Why string }
}

const runAxe = `axe.run(document, {
	runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
	resultTypes: ["violations"], preload: false, iframes: false,
}).then((found) => ({
	Passes: found.passes.length,
	Violations: found.violations.flatMap((rule) => rule.nodes.map((node) =>
		({Rule: rule.id, Help: rule.help + ", see " + rule.helpUrl, HTML: node.html, Why: node.failureSummary}))),
}))`

// axe-core finds nothing wrong with any page of the console, and no page is
// wider than its window. Each page is examined twice: in both languages, in
// light and dark, and at both widths. Over all pages, each pair of them occurs.
// The store is MongoDB, because TestConsole_PagesAreSmall opens all pages with
// the embedded one.
func TestConsole_IsAccessible(t *testing.T) {
	needBrowser(t)
	axe, d := readAxe(t), newDemo(t, onMongoDB(t)...)
	for _, x := range []struct {
		language, theme string
		width           int64
		odd             bool // for the pages with an odd number
	}{{"en", "light", 1280, false}, {"zh", "dark", phoneWidth, false}, {"zh", "light", 1280, true}, {"en", "dark", phoneWidth, true}} {
		for _, visitor := range visitors {
			t.Run(fmt.Sprintf("%s/%s/%s/%d", visitor.name, x.language, x.theme, x.width), func(t *testing.T) {
				t.Parallel()
				tab := newTab(t)
				tab.wide(x.width)
				tab.open(d.url + "/console")
				tab.prefer(x.language, x.theme)
				visitor.signIn(d, tab)
				for i, page := range visitor.pages {
					if i%2 == 1 != x.odd {
						continue
					}
					d.show(tab, page)
					tab.isAccessible(page.name, axe)
					if width := evaluate[int64](tab, `document.documentElement.scrollWidth`); width > x.width {
						t.Errorf("%s is %d px wide, want at most %d", page.name, width, x.width)
					}
				}
			})
		}
	}
}

// isAccessible checks the page that the tab shows with axe-core.
func (b *tab) isAccessible(name, axe string) {
	b.t.Helper()
	evaluate[bool](b, axe+"; true")
	found := evaluate[axeResult](b, runAxe)
	if found.Passes < 10 {
		b.t.Errorf("%s: only %d rules of axe-core passed", name, found.Passes)
	}
	for _, x := range found.Violations {
		b.t.Errorf("%s: %s: %s\n%s\n%s", name, x.Rule, x.Help, x.HTML, x.Why)
	}
}

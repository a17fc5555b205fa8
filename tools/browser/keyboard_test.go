package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A person signs in, sets a provider key and changes the prompt of a character
// with the keyboard alone, and always sees where the focus is.
func TestConsole_KeyboardAlone(t *testing.T) {
	d := newDemo(t)
	tab := newTab(t)
	tab.wide(1280)
	tab.open(d.url + "/console")

	t.Log("the first link leads to the content")
	tab.tabTo(".skip")
	tab.press(kb.Enter)
	tab.wait(`location.hash === "#content"`)
	tab.press(kb.Tab)
	tab.wait(`document.activeElement.matches("main [name=username]")`)
	tab.press(demoName)
	tab.tabTo("[name=password]")
	tab.press(demoPassword + kb.Enter)
	tab.wait(`location.pathname.includes("/console/users/") && document.readyState === "complete"`)

	t.Log("a provider key is set")
	tab.tabTo("[name=xai_api_key]")
	tab.press("xai-of-the-keyboard")
	tab.tabTo("form[action$='/keys'] button")
	tab.press(" ")
	tab.wait(`document.querySelector("[role=status]") && document.querySelector("[name=clear_xai_api_key]") && document.readyState === "complete"`)

	t.Log("a character is opened and changed")
	tab.tabTo("a[href$='" + d.paths.Replace("{character}") + "']")
	tab.press(kb.Enter)
	tab.wait(`location.pathname.includes("/characters/") && document.readyState === "complete"`)
	tab.tabTo("#prompt")
	tab.press("Be kind. ")
	tab.tabTo(".save button")
	tab.press(kb.Enter)
	tab.wait(`document.querySelector("[role=status]") && document.querySelector("#prompt").value.includes("Be kind. ") && document.readyState === "complete"`)
}

// press presses keys one after the other.
func (b *tab) press(keys string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
		b.t.Fatalf("press %q: %v", keys, err)
	}
}

// tabTo presses Tab until an element has the focus, and checks that each
// element that has it in between shows it.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 100 {
		b.press(kb.Tab)
		focus := evaluate[struct {
			Hidden string
			There  bool
		}](b, `({Hidden: `+focusHidden+`, There: document.activeElement.matches("`+selector+`")})`)
		if focus.Hidden != "" {
			b.t.Errorf("the focus is not visible: %s", focus.Hidden)
		}
		if focus.There {
			return
		}
	}
	b.t.Fatalf("Tab does not lead to %s", selector)
}

// focusHidden is the element that has the focus if nobody can see that it has:
// it has no outline, is not in the window, or something is over it.
const focusHidden = `(() => {
	const element = document.activeElement;
	if (element === document.body) return "";
	const style = getComputedStyle(element), box = element.getBoundingClientRect();
	const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
	const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
	const top = document.elementFromPoint((Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2,
		(Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2);
	const free = top !== null && (element.contains(top) || top.contains(element));
	return marked && inside && free ? "" : element.outerHTML.slice(0, 200) + ", " + JSON.stringify({marked, inside, free});
})()`

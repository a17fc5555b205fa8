package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// A person downloads a character on a phone, and uploads the file, without and
// with scripts. A file that is not a character leads back to the form.
func TestConsoleUpload(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { testConsoleUpload(t, newDemo(t)) })
	t.Run("MongoDB", func(t *testing.T) { testConsoleUpload(t, newDemo(t, onMongoDB(t)...)) })
}

func testConsoleUpload(t *testing.T, d *demo) {
	t.Helper()
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wrong := write("wrong.json", `{"temper": "hot"}`)

	tab := newTab(t)
	tab.phone()
	tab.open(d.url + "/console")
	d.signInUser(tab)
	page := d.url + "/console/" + d.paths.Replace("users/{user}")
	tab.open(page + d.paths.Replace("/characters/{character}"))
	name := decode[struct {
		Name string `json:"character_name"`
	}](t, d.server, d.paths.Replace("/api/v1/get_character_config/{user}/{character}"), nil).Name
	mira := write("mira.json", tab.download(`a[href$="/download"]`, strings.ReplaceAll(name, " ", "-")+".json"))
	upload := func(path string) {
		t.Helper()
		if err := chromedp.Do(tab.ctx, chromedp.SetUploadFiles(chromedp.CSS("#character"), []string{path})); err != nil {
			t.Fatal(err)
		}
		tab.click("form[action$='/characters'] button")
	}
	for _, scripts := range []bool{false, true} {
		if _, err := chromedp.Call(tab.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}); err != nil {
			t.Fatal(err)
		}
		tab.open(page)
		upload(wrong)
		tab.wait(`document.querySelector("#character[aria-invalid=true]") && document.querySelector("#character-problem").innerText.includes("temper") && document.readyState === "complete"`)
		tab.fits()
		upload(mira)
		tab.wait(`document.querySelector(".done") && document.querySelector(".save button") && document.readyState === "complete"`)
		tab.fits()
	}
	if got := tab.now(); len(got.violations) > 0 || len(got.dialogs) > 0 {
		t.Errorf("violations of the policy %q, dialogs %q; want none", got.violations, got.dialogs)
	}
}

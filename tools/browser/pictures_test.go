package browser

import (
	"bytes"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

var writePictures = flag.Bool("pictures", false, "write the pictures of the documents into docs/pictures")

// maxPictureBytes keeps the repository small.
const maxPictureBytes = 150_000

// pictureWidth is the width of most pictures in pixels.
const pictureWidth = 1100

// The pictures of the README can be taken. With -pictures they are written.
func TestPictures(t *testing.T) {
	t.Parallel()
	s, tab := serve(t), newTab(t)
	// The lines of the start contain paths of this machine, so the picture
	// shows only the requests.
	tab.open(fmt.Sprintf("%s/tail_log/%d", s.url, s.makeLog(t)))
	tab.wait(`document.querySelector(".warn")`)
	tab.picture("log.png", pictureWidth, 460)

	tab.open(s.url + "/docs")
	tab.wait(`document.querySelector("#operations-system-health")?.checkVisibility()`)
	evaluate[bool](tab, `(document.querySelector("#operations-tag-characters").scrollIntoView(), scrollBy(0, -60), true)`)
	tab.picture("docs.png", pictureWidth, 620)
}

// The pictures of the console can be taken, too: without -pictures only the
// first ones.
func TestPictures_Console(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	visitors := visitors
	if !*writePictures {
		visitors = visitors[:1]
	}
	for _, visitor := range visitors {
		tab := newTab(t)
		tab.open(d.url + "/console")
		tab.prefer("en", "light")
		visitor.signIn(d, tab)
		for _, page := range visitor.pages {
			if page.picture == 0 {
				continue
			}
			d.show(tab, page)
			d.hideFolders(tab)
			tab.picture("console-"+page.name+".png", pictureWidth, page.picture)
			switch page.name {
			case "overview":
				tab.prefer("en", "dark")
				d.hideFolders(tab)
				tab.picture("console-overview-dark.png", pictureWidth, page.picture)
				tab.prefer("en", "light")
			case "user":
				tab.picture("console-user-phone.png", phoneWidth, 844)
				tab.prefer("zh", "light")
				tab.picture("console-user-zh.png", pictureWidth, page.picture)
				tab.prefer("en", "light")
			}
		}
	}
}

// hideFolders replaces the folders of the server in what the tab shows, as they
// are paths of this machine.
func (d *demo) hideFolders(tab *tab) {
	tab.t.Helper()
	for folder, shown := range map[string]string{d.folder: "/srv/web-backend", d.motionFolder: "/srv/motion"} {
		evaluate[bool](tab, fmt.Sprintf(`[...document.querySelectorAll("dd, td")].filter((text) => text.innerText.includes(%q)).every((text) => {
			text.innerText = text.innerText.replace(%q, %q); return true })`, folder, folder, shown))
	}
}

// makeLog sends requests that succeed and requests that fail. It returns their
// number.
func (s *server) makeLog(t *testing.T) int {
	t.Helper()
	const v1 = "/api/v1/"
	requests := []struct {
		path string
		body any
	}{
		{v1 + "create_user", map[string]any{"user_id": "ada"}},
		{v1 + "list_characters/ada", nil},
		{v1 + "update_user_config", map[string]any{"user_id": "ada", "timezone": "Europe/Berlin"}},
		{v1 + "get_available_llm/ada", nil},
		{v1 + "get_character_config/ada/nobody", nil},
		{v1 + "update_user_config", map[string]any{"user_id": "ada", "timezone": 8}},
		{v1 + "list_users", nil},
		{"/health", nil},
	}
	for _, request := range requests {
		s.send(t, request.path, request.body)
	}
	return len(requests)
}

// picture takes a picture of what the tab shows in a window of this size, and
// checks its size.
func (b *tab) picture(name string, width, height int64) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		b.t.Fatal(err)
	}
	data, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	picture, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	if picture.Height != int(height) || len(data) > maxPictureBytes {
		b.t.Errorf("%s has the height %d and %d bytes, want %d and at most %d",
			name, picture.Height, len(data), height, maxPictureBytes)
	}
	if !*writePictures {
		return
	}
	if err := os.WriteFile(filepath.Join("..", "..", "docs", "pictures", name), data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

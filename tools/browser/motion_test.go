package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// motionData returns a small folder of motion files.
func motionData(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../../internal/motion/testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	return "WEB_BACKEND_MOTION_DATA_DIR=" + folder
}

// motionExample returns the code of docs/motion.md, without the lines that call
// it.
func motionExample(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/motion.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "\n```js\n")
	code, _, found := strings.Cut(after, "\n```\n")
	if !found {
		t.Fatal("docs/motion.md has no example")
	}
	return code
}

// The example of docs/motion.md gets the clips of an avatar for a page of
// another origin.
func TestMotionExample(t *testing.T) {
	t.Parallel()
	code := motionExample(t)
	tab, s, site := newTab(t), serve(t, motionData(t), "WEB_BACKEND_ENABLE_CORS=true"), stranger(t)
	tab.open(site)
	type clip struct {
		ID        int32    `json:"id"`
		States    []string `json:"states"`
		Joints    []string `json:"joints"`
		Rotations struct {
			Shape []int   `json:"shape"`
			First float64 `json:"first"`
		} `json:"rotations"`
		Positions struct {
			Shape []int `json:"shape"`
		} `json:"positions"`
	}
	got := evaluate[[]clip](tab, fmt.Sprintf(`(async () => {
		%s
		const found = await clips(%q, "KQ-default");
		return found.map((c) => ({ ...c, rotations: { shape: c.rotations.shape, first: c.rotations.values[0] },
			positions: { shape: c.positions.shape } }));
	})()`, code, strings.Replace(s.url, "http", "ws", 1)+"/api/v1/motion_file_download"))
	if len(got) < 15 {
		t.Errorf("got %d clips, want 15 at least", len(got))
	}
	states := map[string]bool{}
	for i, c := range got {
		for _, state := range c.States {
			states[state] = true
		}
		if i > 0 && got[i-1].ID >= c.ID {
			t.Errorf("clip %d comes after %d", c.ID, got[i-1].ID)
		}
		shape := c.Rotations.Shape
		if len(shape) != 4 || shape[0] == 0 || !slices.Equal(shape[1:], []int{len(c.Joints), 3, 3}) ||
			!slices.Equal(c.Positions.Shape, []int{shape[0], 3}) || c.Rotations.First < -1 || c.Rotations.First > 1 {
			t.Errorf("clip %d has the arrays %v and %v", c.ID, c.Rotations, c.Positions)
		}
	}
	for _, state := range []string{"idle", "listen", "error", "leave"} {
		if !states[state] {
			t.Errorf("no clip has the state %s", state)
		}
	}
}

// A page of another origin cannot open a WebSocket without enable_cors.
func TestMotionFiles_OtherSites(t *testing.T) {
	t.Parallel()
	tab, s, site := newTab(t), serve(t, motionData(t)), stranger(t)
	tab.open(site)
	got := evaluate[string](tab, fmt.Sprintf(`new Promise((resolve) => {
		const socket = new WebSocket(%q);
		socket.onopen = () => resolve("open");
		socket.onclose = (e) => resolve("closed with " + e.code);
	})`, strings.Replace(s.url, "http", "ws", 1)+"/api/v1/motion_file_download"))
	if got != "closed with 1006" {
		t.Errorf("the WebSocket is %q, want it closed with 1006", got)
	}
}

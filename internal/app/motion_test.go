package app_test

import (
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"web-backend/internal/config"
)

// The console shows the motion files that the server serves, and what it leaves
// out of them.
func TestConsole_MotionFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../motion/testdata/golden")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, "motion_files/motion/match/KQ-default/idle_0624.npz")); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(t)
	cfg.Motion = config.MotionFolder(folder)
	s := run(t, cfg)
	page := ""
	for end := time.Now().Add(deadline); !strings.Contains(page, "<h3>"); { // the files load after the start
		if time.Now().After(end) {
			t.Fatalf("the motion files are not loaded:\n%s", page)
		}
		page = html.UnescapeString(newOperator(t, s.url, cfg.DataDir).get(t, "/console/motion"))
	}
	for _, want := range []string{
		"<dd>1001-", "<dd>SQLite " + filepath.Join(folder, "motion_database.db") + "</dd>", "<h3>Ani-default</h3>", "<h3>KQ-default</h3>",
		"</strong> long idle, idle, listen, error, leave</p>", "rest pose, mesh, joints meta, rigids meta, blendshapes meta", "<summary>Clips: 21</summary>",
		`<li>record 624 of "KQ-default": motion/match/KQ-default/idle_0624.npz: there is no such file</li>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
	if strings.Contains(page, "hx-get") {
		t.Error("the page asks again although the files are loaded")
	}
}

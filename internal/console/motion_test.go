package console_test

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"web-backend/internal/console"
)

// manyMotions returns motion files with long names.
func manyMotions(avatars, clips, faults int) console.Motion {
	m := console.Motion{
		Database: "SQLite motion_database.db", Files: "motion_files", Version: "1001-0123456789ab", Keywords: 3,
		Loaded: time.Unix(1_800_000_000, 0), Checked: time.Unix(1_800_000_060, 0),
	}
	for i := range avatars {
		avatar := console.MotionAvatar{
			Avatar: fmt.Sprintf("avatar-%02d", i), Bytes: 5e6, Files: []string{"rest pose", "mesh", "joints meta", "rigids meta", "blendshapes meta"},
		}
		for j := range clips {
			avatar.Clips = append(avatar.Clips, console.MotionClip{
				Record: int32(i*clips + j), File: fmt.Sprintf("motion/match/%s/clip_%03d_%s.npz", avatar.Avatar, j, strings.Repeat("long", 40)), Frames: 90,
				States: []string{"idle", fmt.Sprintf("%s %d", strings.Repeat("state", 30), j)},
			})
		}
		m.Avatars = append(m.Avatars, avatar)
	}
	for i := range faults {
		m.Faults = append(m.Faults, fmt.Sprintf("record %d of %q: %s", i, "avatar-01", strings.Repeat("reason ", 100)))
	}
	return m
}

// hostileMotion returns motion files that have the texts everywhere.
func hostileMotion(texts []string) func() console.Motion {
	m := console.Motion{Database: texts[0], Files: texts[1], Problem: texts[0], Version: texts[1], Faults: texts}
	for _, text := range texts {
		m.Avatars = append(m.Avatars, console.MotionAvatar{
			Avatar: text, Files: texts, Missing: texts, Clips: []console.MotionClip{{File: text, States: texts}},
		})
	}
	return func() console.Motion { return m }
}

func TestMotion(t *testing.T) {
	t.Parallel()
	m := console.Motion{
		Database: "MySQL db.example:3306, motions", Files: "S3 s3.example:9000, motion", Version: "1001-abc", Keywords: 17,
		Loaded: time.Unix(1_800_000_000, 0), Checked: time.Unix(1_800_000_060, 0),
		Avatars: []console.MotionAvatar{
			{Avatar: "Ani-default", Bytes: 14_200_000, Files: []string{"rest pose", "mesh"}, Clips: []console.MotionClip{
				{Record: 11, File: "match/idle_0011.npz", Frames: 90, States: []string{"idle", " listen"}, LongIdle: true},
				{Record: 12, File: "match/idle_0012.npz", Frames: 80, States: []string{"idle"}},
			}},
			{Avatar: "HT-default", Missing: []string{"mesh", "listen"}},
		},
		Faults: []string{"record 624: there is no such file"},
	}
	site := newSite(t, settings{motion: func() console.Motion { return m }})
	operator := site.browser(t)
	operator.signInOperator(t)
	page := operator.get(t, "/console/motion")
	shown := html.UnescapeString(page.body)
	for _, want := range []string{
		"<dd>MySQL db.example:3306, motions</dd>", "<dd>S3 s3.example:9000, motion</dd>", "<dd>1001-abc</dd>", `"2027-01-15T08:00:00Z">2027-01-15 08:00 UTC</time>`,
		"2027-01-15 08:01 UTC</time>", "<dd>17</dd>", "<dd>14.2 MB</dd>", "<td>11</td><td>match/idle_0011.npz</td><td>idle, \" listen\"</td><td>90</td>",
		"<p>idle 2, \" listen\" 1, long idle 1</p>", "</strong> mesh, listen</p>", "<li>record 624: there is no such file</li>",
		`href="motion" aria-current="page"`,
	} {
		if page.status != http.StatusOK || !strings.Contains(shown, want) {
			t.Errorf("%d, the page lacks %s: %s", page.status, want, shown)
		}
	}
	if strings.Contains(page.body, "role=\"alert\"") || strings.Contains(page.body, "hx-get") || strings.Count(page.body, `<article class="warning">`) != 1 {
		t.Errorf("the page has a problem, or asks again: %s", page.body)
	}

	m.Problem = "the database is away"
	if page = operator.get(t, "/console/motion"); !strings.Contains(page.body, "may not be the newest") || !strings.Contains(page.body, m.Problem) || !strings.Contains(page.body, "1001-abc") {
		t.Errorf("after a failed check: %s", page.body)
	}
	m = console.Motion{Problem: m.Problem, Checked: m.Checked, Faults: m.Faults}
	if page = operator.get(t, "/console/motion"); !strings.Contains(page.body, "none are served") || !strings.Contains(page.body, m.Problem) || !strings.Contains(page.body, "record 624") {
		t.Errorf("after a failed load: %s", page.body)
	}
	m = console.Motion{}
	if page = operator.get(t, "/console/motion"); !strings.Contains(page.body, "are being loaded") || !strings.Contains(page.body, `hx-get="motion"`) {
		t.Errorf("before the first load: %s", page.body)
	}
	operator.header.Set("Hx-Request", "true")
	operator.get(t, "/console/motion?again")
	if log := site.stop(); strings.Count(log, "route=/console/motion") != 4 {
		t.Errorf("a page that asks again fills the log: %s", log)
	}
}

var (
	motionLink  = regexp.MustCompile(`href="(motion\?[^"]+)"`)
	motionClip  = regexp.MustCompile(`<tr><td>(\d+)</td>`)
	motionFault = regexp.MustCompile(`<li>(record \d+) of`)
)

// Whoever follows the links sees every clip and every fault.
func TestMotion_EverythingIsOnSomePage(t *testing.T) {
	t.Parallel()
	operator := newSite(t, settings{motion: func() console.Motion { return manyMotions(30, 200, 300) }}).browser(t)
	operator.signInOperator(t)
	clips, faults, visited := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for links := []string{"motion"}; len(links) > 0; links = links[1:] {
		if visited[links[0]] {
			continue
		}
		visited[links[0]] = true
		page := operator.get(t, "/console/"+links[0])
		for _, match := range motionClip.FindAllStringSubmatch(page.body, -1) {
			clips[match[1]] = true
		}
		for _, match := range motionFault.FindAllStringSubmatch(page.body, -1) {
			faults[match[1]] = true
		}
		for _, match := range motionLink.FindAllStringSubmatch(page.body, -1) {
			links = append(links, html.UnescapeString(match[1]))
		}
	}
	if len(clips) != 30*200 || len(faults) != 300 {
		t.Errorf("%d pages have %d clips and %d faults, want 6000 and 300", len(visited), len(clips), len(faults))
	}
	page := operator.get(t, "/console/motion?avatar=avatar-07")
	found := motionClip.FindAllStringSubmatch(page.body, -1)
	if len(found) == 0 || found[0][1] != "1400" || !strings.Contains(page.body, "<details open>") || strings.Count(page.body, "<h3>") != 1 {
		t.Errorf("the page of an avatar: %s", page.body)
	}
	for _, path := range []string{"motion?from=-1", "motion?from=x", "motion?from=1000000", "motion?fault=1000000", "motion?avatar=avatar-07&from=1000000"} {
		if page := operator.get(t, "/console/"+path); page.status != http.StatusOK {
			t.Errorf("%s: %d", path, page.status)
		}
	}
	if page := operator.get(t, "/console/motion?avatar=nobody"); page.status != http.StatusNotFound || !strings.Contains(page.body, "No avatar of this name") {
		t.Errorf("an unknown avatar: %d %s", page.status, page.body)
	}
}

// Without motion files there is no such page.
func TestMotion_NotConfigured(t *testing.T) {
	t.Parallel()
	operator := newSite(t, settings{}).browser(t)
	operator.signInOperator(t)
	if page := operator.get(t, "/console/overview"); strings.Contains(page.body, `"motion"`) {
		t.Errorf("the menu has the page: %s", page.body)
	}
	if page := operator.get(t, "/console/motion"); page.status != http.StatusNotFound || !strings.Contains(page.body, "motion.data_dir is not set") {
		t.Errorf("%d %s", page.status, page.body)
	}
}

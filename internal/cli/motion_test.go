package cli_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// goldenMotions is the data folder that was created with real NumPy.
const goldenMotions = "../motion/testdata/golden"

// copyMotions returns a copy of the golden folder without the given files.
func copyMotions(t *testing.T, without ...string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(goldenMotions)); err != nil {
		t.Fatal(err)
	}
	for _, path := range without {
		if err := os.RemoveAll(filepath.Join(folder, filepath.FromSlash(path))); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// filesOfHT are the files of the golden avatar that has no clips.
var filesOfHT = []string{"restpose_npz/HT_default_0819_skeleton.npz", "mesh_glb/hutao.glb", "blendshapes_meta/HT-default_blendshapes_meta.json"}

func TestMotionCheck(t *testing.T) {
	t.Parallel()
	const clips = "motion_files/motion/match/KQ-default/"
	const fault = `fault: record 624 of "KQ-default": motion/match/KQ-default/idle_0624.npz: there is no such file`
	const head = "AVATAR       CLIPS  FRAMES  MB    FILES                                                        MISSING\n"
	const ani = "Ani-default  22     200     0.11  rest pose, mesh, blendshapes meta                            -\n"
	const kq = "KQ-default   22     196     0.11  rest pose, mesh, joints meta, rigids meta, blendshapes meta  -\n"
	golden := copyMotions(t, filesOfHT...)
	for _, tt := range []struct {
		name    string
		folder  string
		status  int
		out     []string
		verdict string
	}{
		{"all well", golden, 0, []string{head + ani + kq}, "the web client can use it"},
		{"an avatar without clips", goldenMotions, 1,
			[]string{head + ani, "HT-default   0      0       0.00  rest pose, mesh, blendshapes meta                            long idle, idle, listen, error, leave\n" + kq},
			"the web client can use it, but not HT-default"},
		{"a clip that is not there", copyMotions(t, append(filesOfHT, clips+"idle_0624.npz")...), 1,
			[]string{"KQ-default   21 ", fault}, "the web client can use it; faults: 1"},
		{"no clip of a state, and of long idle", copyMotions(t, append(filesOfHT,
			clips+"error_untrimmed_0349.npz", clips+"short_n_frames_0383.npz", clips+"short_default_cutoff_0502.npz",
			clips+"long_idle_loop_zero_0038.npz", clips+"random_before_idle_long_0433.npz", clips+"idle_long_two_0679.npz")...), 1,
			[]string{"KQ-default   16 ", "blendshapes meta  long idle, error\n"}, "the web client can use it, but not KQ-default; faults: 6"},
		{"no mesh", copyMotions(t, "mesh_glb"), 1, []string{"rest pose, blendshapes meta                            mesh\n", `fault: avatar "KQ-default": mesh mesh_glb/keqing.glb: there is no such file`},
			"the web client can use no avatar; faults: 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			got := runUntil(t.Context(), place, nil, "motion", "check", tt.folder)
			if got.status != tt.status || (got.err != "") != (tt.status != 0) {
				t.Errorf("status %d, error %q; want %d", got.status, got.err, tt.status)
			}
			for _, want := range tt.out {
				if !strings.Contains(got.out, want) {
					t.Errorf("the output lacks %q:\n%s", want, got.out)
				}
			}
			if lastLine(got.out) != tt.verdict {
				t.Errorf("the last line is %q", lastLine(got.out))
			}
			if left := entries(t, place); len(left) != 1 {
				t.Errorf("the check made %q", left)
			}
		})
	}
}

// The names of avatars come from the database and may contain anything.
func TestMotionCheck_UnreadableNames(t *testing.T) {
	t.Parallel()
	folder := copyMotions(t)
	db, err := sqlite3.Open(filepath.Join(folder, "motion_database.db"))
	if err == nil {
		err = errors.Join(db.Exec("UPDATE avatar SET avatar_name = avatar_name || char(10, 27) || '[31m' WHERE avatar_name LIKE 'Ani%'"), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	got := runUntil(t.Context(), t.TempDir(), nil, "motion", "check", folder)
	if text := got.out + got.err; got.status != 1 || strings.Contains(text, "\x1b") || strings.Count(got.err, "\n") != 1 {
		t.Errorf("status %d, output %q, error %q", got.status, got.out, got.err)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1]
}

// Without a folder argument, the configuration says where the files are. With
// motion.strict, one fault is an error.
func TestMotionCheck_Configuration(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", "motion: {data_dir: '"+goldenMotions+"', strict: true}")
	var report struct {
		OK      bool
		Version string
		Avatars []struct {
			Avatar         string
			Clips, Frames  int
			Bytes          int64
			Files, Missing []string
			ClipList       []struct {
				Record, Frames int
				File           string
				States         []string
				LongIdle       bool `json:"long_idle"`
			} `json:"clip_list"`
		}
		Faults  []string
		Verdict string
	}
	got := runUntil(t.Context(), t.TempDir(), nil, "motion", "check", "--json", "--config_path", path)
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || report.OK || got.status != 1 || len(report.Avatars) != 3 ||
		report.Avatars[0].Clips != 22 || report.Avatars[0].Missing == nil || len(report.Avatars[1].Missing) != 5 ||
		report.Faults == nil || !strings.HasPrefix(report.Version, "1001-") {
		t.Errorf("--json gave %d, %q, %v", got.status, got.out, err)
	}
	for _, a := range report.Avatars {
		if len(a.ClipList) != a.Clips || a.ClipList == nil {
			t.Errorf("%s has %d clips, and a list of %d", a.Avatar, a.Clips, len(a.ClipList))
		}
	}
	if clip := report.Avatars[0].ClipList[0]; clip.Record == 0 || clip.Frames == 0 || len(clip.States) == 0 || !strings.HasSuffix(clip.File, ".npz") {
		t.Errorf("the first clip is %+v", clip)
	}
	folder := copyMotions(t, "mesh_glb/keqing.glb")
	path = writeFile(t, "c.yaml", "motion: {data_dir: '"+folder+"', strict: true}")
	got = runUntil(t.Context(), t.TempDir(), nil, "motion", "check", "--config_path", path)
	if got.status != 1 || !strings.Contains(got.out, "fault: ") || !strings.Contains(got.err, "can use none of it: motion.strict is true") {
		t.Errorf("got %+v", got)
	}
}

func TestMotionCheck_CannotRead(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	config := writeFile(t, "c.yaml", "")
	for _, tt := range []struct {
		args   []string
		status int
		err    string
	}{
		{[]string{empty}, 1, filepath.Join(empty, "motion_database.db")},
		{nil, 1, "the configuration has no motion files; set motion.data_dir, or name a folder"},
		{[]string{"--config_path", config}, 1, "has no motion files"},
		{[]string{"--config_path", "/none.yaml"}, 1, "/none.yaml"},
		{[]string{empty, "--config_path", config}, 2, "name a folder or --config_path, not both"},
		{[]string{empty, empty}, 2, "an argument too many"},
	} {
		got := runUntil(t.Context(), t.TempDir(), nil, append([]string{"motion", "check"}, tt.args...)...)
		if got.status != tt.status || got.out != "" || !strings.Contains(got.err, tt.err) {
			t.Errorf("%q: got %+v, want %d and %q", tt.args, got, tt.status, tt.err)
		}
	}
}

// config check reads the motion files in folders and reports what is wrong with
// each of them.
func TestConfigCheck_Motion(t *testing.T) {
	t.Parallel()
	const missing = `motion files: record 624 of "KQ-default": motion/match/KQ-default/idle_0624.npz: there is no such file`
	const mesh = `motion files: avatar "Ani-default": mesh mesh_glb/ani.glb: there is no such file`
	spoilt := copyMotions(t, "motion_files/motion/match/KQ-default/idle_0624.npz", "mesh_glb/ani.glb")
	noDatabase := copyMotions(t, "motion_database.db", "mesh_glb/ani.glb")
	const mysql = ", mysql: {host: db, username: reader, database: motions}"
	const s3 = ", s3: {endpoint: '127.0.0.1:1', access_key: reader, secret_key: '" + secretText + "'}"
	for _, tt := range []struct {
		name, motion string
		faults       []string
		servers      string // servers that the warning names
	}{
		{"all well", "data_dir: '" + goldenMotions + "'", nil, ""},
		{"two faults, and strict", "strict: true, data_dir: '" + spoilt + "'", []string{mesh, missing}, ""},
		{"no database", "data_dir: '" + noDatabase + "'", []string{"motion files: the motion database: ", mesh}, ""},
		{"MySQL", "data_dir: '" + spoilt + "'" + mysql, []string{mesh}, "motion files on MySQL were"},
		{"S3", "data_dir: '" + spoilt + "'" + s3, nil, "motion files on S3 were"},
		{"S3 without the database", "data_dir: '" + noDatabase + "'" + s3, []string{"motion files: the motion database "}, "motion files on S3 were"},
		{"MySQL and S3", "data_dir: ''" + mysql + s3, nil, "motion files on MySQL and S3 were"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := writeFile(t, "c.yaml", "motion: {"+tt.motion+"}")
			got := runUntil(t.Context(), folder, nil, "config", "check", "--json", "--config_path", path)
			var verdict struct{ Faults, Warnings []string }
			if err := json.Unmarshal([]byte(got.out), &verdict); err != nil || len(verdict.Faults) != len(tt.faults) {
				t.Fatalf("got %q, %v; want %q", got.out, err, tt.faults)
			}
			for i, want := range tt.faults {
				if !strings.HasPrefix(verdict.Faults[i], want) {
					t.Errorf("fault %q, want %q", verdict.Faults[i], want)
				}
			}
			warnings := strings.Join(verdict.Warnings, "\n")
			if tt.servers == "" != (warnings == "") || !strings.Contains(warnings, tt.servers) {
				t.Errorf("warnings %q, want %q", warnings, tt.servers)
			}
			if strings.Contains(got.out+got.err, secretText) {
				t.Errorf("a secret is shown: %+v", got)
			}
			if left := entries(t, folder); len(left) != 1 {
				t.Errorf("the check made %q", left)
			}
		})
	}
}

// The output of motion demo passes motion check and config check. motion demo
// replaces no files.
func TestMotionDemo(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	folder := filepath.Join(place, "my demo")
	got := runUntil(t.Context(), place, nil, "motion", "demo", folder)
	for _, want := range []string{
		"holds 16 clips of Ani-default and KQ-default, ", "\nlook at it:  web-backend motion check '" + folder + "'\n",
		"\nserve it:    WEB_BACKEND_MOTION_DATA_DIR='" + folder + "' web-backend serve\n",
	} {
		if got.status != 0 || got.err != "" || !strings.Contains(got.out, want) {
			t.Errorf("got %+v, want %q", got, want)
		}
	}
	got = runUntil(t.Context(), place, nil, "motion", "check", folder)
	if got.status != 0 || lastLine(got.out) != "the web client can use it" {
		t.Errorf("motion check: %+v", got)
	}
	env := map[string]string{"WEB_BACKEND_MOTION_DATA_DIR": folder}
	if got = runUntil(t.Context(), place, env, "config", "check"); got.status != 0 {
		t.Errorf("config check: %+v", got)
	}
	before := len(entries(t, place))
	if got = runUntil(t.Context(), place, nil, "motion", "demo", folder); got.status != 1 || got.out != "" || !strings.Contains(got.err, "is not empty") {
		t.Errorf("again: %+v", got)
	}
	if after := len(entries(t, place)); after != before {
		t.Errorf("there are %d files, and were %d", after, before)
	}
	if got = runUntil(t.Context(), place, nil, "motion", "demo"); got.status != 2 {
		t.Errorf("without a folder: %+v", got)
	}
}

package motion_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/motion"
)

// copyGolden returns a copy of the golden folder that the test may change.
func copyGolden(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	return folder
}

func change(t *testing.T, folder, sql string, args ...any) {
	t.Helper()
	db, err := sqlite3.Open(filepath.Join(folder, "motion_database.db"))
	if err == nil {
		err = errors.Join(db.Exec(fmt.Sprintf(sql, args...)), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, folder, path string, content []byte) {
	t.Helper()
	// Write under another name first, which is the right way to replace a file.
	target := filepath.Join(folder, filepath.FromSlash(path))
	if err := os.WriteFile(target+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(target+".new", target); err != nil {
		t.Fatal(err)
	}
}

// pickled returns an npz file whose joint_names are Python objects.
func pickled(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	entry, err := archive.Create("joint_names.npy")
	if err != nil {
		t.Fatal(err)
	}
	header := "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
	fmt.Fprintf(entry, "\x93NUMPY\x01\x00%c\x00%s\x80\x04K\x01.", len(header), header)
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

const (
	clipOf11   = "motion/match/KQ-default/keyword_before_random_0011.npz"
	fileOf11   = "motion_file_id = (SELECT motion_file_id FROM motion_record WHERE motion_record_id = 11)"
	randomOf11 = "random_id = (SELECT random_id FROM motion_record WHERE motion_record_id = 11)"
)

// A bad record is omitted and reported. All other data is served.
func TestLoad_Faults(t *testing.T) {
	t.Parallel()
	want, _ := readExpected(t)
	for _, c := range []struct {
		name   string
		spoil  func(t *testing.T, folder string)
		fault  string // a part of the only fault
		avatar string
		clips  int // clips of avatar that remain
	}{
		{"no startup", func(t *testing.T, f string) {
			change(t, f, "UPDATE motion_record SET startup_frame = NULL WHERE motion_record_id = 11")
		},
			`record 11 of "KQ-default": startup_frame is NULL`, "KQ-default", 21},
		{"no is_idle_long", func(t *testing.T, f string) {
			change(t, f, "UPDATE motion_record SET is_idle_long = NULL WHERE motion_record_id = 11")
		},
			`record 11 of "KQ-default": is_idle_long is NULL`, "KQ-default", 21},
		{"frames in words", func(t *testing.T, f string) { change(t, f, "UPDATE motion_file SET n_frames = 'many' WHERE "+fileOf11) },
			`record 11 of "KQ-default": n_frames is "many", which is not a number`, "KQ-default", 21},
		{"n_frames above those of the file", func(t *testing.T, f string) { change(t, f, "UPDATE motion_file SET n_frames = 99 WHERE "+fileOf11) },
			"n_frames is 99, but its file has 9 frames", "KQ-default", 21},
		{"no frames", func(t *testing.T, f string) { change(t, f, "UPDATE motion_file SET n_frames = 0 WHERE "+fileOf11) },
			"cutoff frame -1 is outside of its 9 frames", "KQ-default", 21},
		{"cutoff frame outside", func(t *testing.T, f string) {
			change(t, f, "UPDATE motion_record SET motion_keyword_id = NULL WHERE motion_record_id = 11; UPDATE random SET cutoff_frames = '[9]' WHERE "+randomOf11)
		}, "cutoff frame 9 is outside", "KQ-default", 21},
		{"cutoff range outside", func(t *testing.T, f string) {
			change(t, f, "UPDATE motion_record SET motion_keyword_id = NULL WHERE motion_record_id = 11; UPDATE random SET cutoff_frames = '[]', cutoff_ranges = '[[0,10]]' WHERE "+randomOf11)
		}, "cutoff range 0 to 10 is outside", "KQ-default", 21},
		{"cutoffs that are no JSON", func(t *testing.T, f string) { change(t, f, "UPDATE random SET cutoff_frames = '[1' WHERE "+randomOf11) },
			`cutoff_frames is "[1", which is not a JSON list`, "KQ-default", 21},
		{"ranges that are no pairs", func(t *testing.T, f string) {
			change(t, f, "UPDATE random SET cutoff_ranges = '[[1]]' WHERE "+randomOf11)
		},
			"cutoff_ranges is not a list of pairs", "KQ-default", 21},
		{"no file", func(t *testing.T, f string) {
			if err := os.Remove(filepath.Join(f, "motion_files", clipOf11)); err != nil {
				t.Fatal(err)
			}
		}, clipOf11 + ": there is no such file", "KQ-default", 21},
		{"no path", func(t *testing.T, f string) {
			change(t, f, "UPDATE motion_file SET npz_oss_path = NULL WHERE "+fileOf11)
		},
			"the record names no file", "KQ-default", 21},
		{"a path with commands for a terminal", func(t *testing.T, f string) {
			change(t, f, "UPDATE motion_file SET npz_oss_path = 'a' || char(10, 27) || '[31mb' WHERE "+fileOf11)
		},
			"a\uFFFD\uFFFD[31mb: there is no such file", "KQ-default", 21},
		{"a path that leads out", func(t *testing.T, f string) {
			change(t, f, "UPDATE motion_file SET npz_oss_path = '../restpose_npz/KQ_default_0326_skeleton.npz' WHERE "+fileOf11)
		},
			"path escapes", "KQ-default", 21},
		{"an absolute path", func(t *testing.T, f string) {
			change(t, f, "UPDATE motion_file SET npz_oss_path = '%s' WHERE %s", filepath.Join(f, "motion_files", clipOf11), fileOf11)
		},
			"path escapes", "KQ-default", 21},
		{"a pickle", func(t *testing.T, f string) { write(t, f, "motion_files/"+clipOf11, pickled(t)) },
			clipOf11 + ": joint_names: ", "KQ-default", 21},
		{"no npz", func(t *testing.T, f string) { write(t, f, "motion_files/"+clipOf11, []byte("nothing")) },
			clipOf11 + ": ", "KQ-default", 21},
		{"no mesh", func(t *testing.T, f string) {
			if err := os.Remove(filepath.Join(f, "mesh_glb/ani.glb")); err != nil {
				t.Fatal(err)
			}
		}, `avatar "Ani-default": mesh mesh_glb/ani.glb: there is no such file`, "Ani-default", 22},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := copyGolden(t)
			c.spoil(t, folder)
			g, err := motion.Load(t.Context(), sources(folder, want.Files), motion.Options{FloatType: motion.Float32})
			if err != nil {
				t.Fatal(err)
			}
			if len(g.Faults()) != 1 || !strings.Contains(g.Faults()[0].String(), c.fault) {
				t.Errorf("the faults are %v, want %q", g.Faults(), c.fault)
			}
			if messages, err := ask(t, g, "MotionFileV1Request", c.avatar, "babylon"); err != nil || len(messages) != c.clips+1 {
				t.Errorf("got %d messages, %v, want %d clips and the end", len(messages), err, c.clips)
			}
			_, err = motion.Load(t.Context(), sources(folder, want.Files), motion.Options{FloatType: motion.Float32, Strict: true})
			var faults *motion.FaultsError
			if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("strict gives %v, want the fault", err)
			}
		})
	}
}

// A clip cannot be transformed for Babylon without its rest pose.
func TestLoad_WithoutRestpose(t *testing.T) {
	t.Parallel()
	want, _ := readExpected(t)
	folder := copyGolden(t)
	write(t, folder, want.Files["restpose"]["Ani-default"], []byte("nothing"))
	g, err := motion.Load(t.Context(), sources(folder, want.Files), motion.Options{FloatType: motion.Float32})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, g, "RestposeV1Request", "Ani-default", ""); err == nil {
		t.Error("got a rest pose")
	}
	// One clip of each avatar uses the rest pose of the other avatar.
	if messages, err := ask(t, g, "MotionFileV1Request", "KQ-default", ""); err != nil || len(messages) != 22 {
		t.Errorf("KQ-default: got %d messages, %v, want 21 clips and the end", len(messages), err)
	}
	if messages, err := ask(t, g, "MotionFileV1Request", "Ani-default", ""); err != nil || len(messages) != 2 {
		t.Errorf("Ani-default: got %d messages, %v, want one clip and the end", len(messages), err)
	}
}

// A standard folder does not need to contain all files.
func TestLoad_LeavesOutAbsentAvatars(t *testing.T) {
	t.Parallel()
	want, _ := readExpected(t)
	for _, c := range []struct{ kind, file string }{
		{"restpose", "restpose_npz/KL.npz"}, {"mesh", "mesh_glb/klee.glb"}, {"joints", "joints_meta/KL.json"}, {"rigids", "rigids_meta/KL.json"}, {"blendshapes", "b/KL.json"},
	} {
		want.Files[c.kind]["KL-default"] = c.file
	}
	want.Files["rigids"]["Ani-default"] = "rigids_meta/none.json"
	g, err := motion.Load(t.Context(), sources(golden, want.Files), motion.Options{FloatType: motion.Float32, Strict: true, LeaveOutAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	if messages, err := ask(t, g, "RigidsMetaV1Request", "Ani-default", ""); err != nil || len(messages) != 1 {
		t.Errorf("got %d messages, %v", len(messages), err)
	}
	delete(want.Files["mesh"], "KL-default")
	want.Files["mesh"]["HT-default"] = "mesh_glb/none.glb" // the avatar has other files
	_, err = motion.Load(t.Context(), sources(golden, want.Files), motion.Options{FloatType: motion.Float32, Strict: true, LeaveOutAbsent: true})
	if err == nil || !strings.Contains(err.Error(), `1 faults, the first: avatar "HT-default": mesh mesh_glb/none.glb: there is no such file`) {
		t.Errorf("got %v, want the one mesh that is missing", err)
	}
}

func newLibrary(t *testing.T, folder string, log *bytes.Buffer) *motion.Library {
	t.Helper()
	want, _ := readExpected(t)
	l := motion.NewLibrary(sources(folder, want.Files), motion.LibraryOptions{
		Options: motion.Options{FloatType: motion.Float32}, CheckInterval: time.Hour, Log: slog.New(slog.NewTextHandler(log, nil))})
	l.Refresh(t.Context())
	return l
}

// A new generation is made if, and only if, the data has changed.
func TestLibrary_Changes(t *testing.T) {
	t.Parallel()
	folder := copyGolden(t)
	l := newLibrary(t, folder, &bytes.Buffer{})
	first := l.Current()
	if l.Refresh(t.Context()); l.Current() != first {
		t.Fatal("a generation came without a change")
	}
	version := first.Version()
	for _, c := range []struct {
		name   string
		change func()
		other  bool // whether the version differs from the version before
	}{
		{"the same mesh again", func() {
			content, err := os.ReadFile(filepath.Join(folder, "mesh_glb/ani.glb"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, folder, "mesh_glb/ani.glb", content)
		}, false},
		{"another mesh", func() { write(t, folder, "mesh_glb/ani.glb", []byte("new")) }, true},
		{"a record", func() { change(t, folder, "UPDATE motion_record SET enabled = 0 WHERE motion_record_id = 11") }, true},
		{"the version of the database", func() { change(t, folder, "PRAGMA user_version = 1002") }, true},
		{"a clip that is missing", func() {
			if err := os.Remove(filepath.Join(folder, "motion_files/motion/match/KQ-default/long_idle_loop_zero_0038.npz")); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		before := l.Current()
		c.change()
		l.Refresh(t.Context())
		after := l.Current()
		if after == before {
			t.Errorf("%s: no generation came: %v", c.name, l.Status().Err)
		}
		if (after.Version() != version) != c.other {
			t.Errorf("%s: the version is %s after %s", c.name, after.Version(), version)
		}
		version = after.Version()
	}
	// A client that has begun with the first generation still gets all its data.
	messages, err := ask(t, first, "MeshV1Request", "Ani-default", "")
	content, readErr := os.ReadFile(filepath.Join(golden, "mesh_glb/ani.glb"))
	if err != nil || readErr != nil || !bytes.Equal(decode(t, messages[0]).GetData(), content) {
		t.Errorf("the mesh of the first generation has changed, %v, %v", err, readErr)
	}
	if messages, err = ask(t, first, "MotionFileV1Request", "KQ-default", "babylon"); err != nil || len(messages) != 23 {
		t.Errorf("the first generation gives %d messages, %v", len(messages), err)
	}
}

// If the database is broken, the current generation stays in use, and the error
// is logged once.
func TestLibrary_BrokenDatabase(t *testing.T) {
	t.Parallel()
	folder, log := copyGolden(t), &bytes.Buffer{}
	l := newLibrary(t, folder, log)
	before := l.Current()
	good, err := os.ReadFile(filepath.Join(golden, "motion_database.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func(){
		func() { write(t, folder, "motion_database.db", []byte("this is not a database at all")) },
		func() { write(t, folder, "motion_database.db", good[:8192]) },
		func() {
			write(t, folder, "motion_database.db", good)
			change(t, folder, "DROP TABLE loopable")
		},
		func() {
			if err := os.Remove(filepath.Join(folder, "motion_database.db")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		log.Reset()
		spoil()
		l.Refresh(t.Context())
		l.Refresh(t.Context())
		if l.Current() != before {
			t.Fatal("the broken database is in use")
		}
		if l.Status().Err == nil || strings.Count(log.String(), "motion files cannot be loaded") != 1 || !strings.Contains(log.String(), "keeps_the_last=true") {
			t.Errorf("the error is %v, and the log:\n%s", l.Status().Err, log)
		}
	}
	write(t, folder, "motion_database.db", good)
	l.Refresh(t.Context())
	if status := l.Status(); l.Current() == before || status.Err != nil || status.Clips != 44 || status.Avatars != 2 || status.Failures != 8 {
		t.Errorf("after the repair: %+v", status)
	}
}

// outage is a source that is not available while down is set.
type outage struct {
	motion.FileSource
	down *atomic.Bool
}

func (o outage) Open(ctx context.Context, path string) (motion.File, error) {
	if o.down.Load() {
		return nil, fmt.Errorf("the bucket %w", motion.ErrUnavailable)
	}
	return o.FileSource.Open(ctx, path)
}

func (o outage) Fingerprint(ctx context.Context, path string) (string, error) {
	if o.down.Load() {
		return "", fmt.Errorf("the bucket %w", motion.ErrUnavailable)
	}
	return o.FileSource.Fingerprint(ctx, path)
}

// If a source does not respond, its files do not count as missing.
func TestLibrary_PlaceUnavailable(t *testing.T) {
	t.Parallel()
	want, _ := readExpected(t)
	for _, c := range []struct {
		name string
		down func(s *motion.Sources, source func(motion.FileSource) motion.FileSource)
	}{
		{"clips", func(s *motion.Sources, source func(motion.FileSource) motion.FileSource) { s.Clips = source(s.Clips) }},
		{"meshes", func(s *motion.Sources, source func(motion.FileSource) motion.FileSource) {
			s.Static[motion.Meshes].Source = source(s.Static[motion.Meshes].Source)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var down atomic.Bool
			folder := copyGolden(t)
			all := sources(folder, want.Files)
			c.down(&all, func(p motion.FileSource) motion.FileSource { return outage{p, &down} })
			l := motion.NewLibrary(all, motion.LibraryOptions{
				Options: motion.Options{FloatType: motion.Float32}, CheckInterval: time.Hour, Log: slog.New(slog.DiscardHandler)})
			l.Refresh(t.Context())
			before := l.Current()
			down.Store(true)
			for _, spoil := range []func(){
				func() {}, // the check fails
				func() { change(t, folder, "UPDATE motion_record SET enabled = 0 WHERE motion_record_id = 11") }, // the load fails
			} {
				spoil()
				l.Refresh(t.Context())
				if err := l.Status().Err; l.Current() != before || !errors.Is(err, motion.ErrUnavailable) {
					t.Fatalf("the generation is another one, or the error is %v", err)
				}
			}
			down.Store(false)
			l.Refresh(t.Context())
			if status := l.Status(); l.Current() == before || status.Err != nil || status.Clips != 43 {
				t.Errorf("afterwards: %+v", status)
			}
		})
	}
}

// If the first load of a library fails, the library serves data as soon as a
// later load succeeds.
func TestLibrary_StartsEmpty(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	l := newLibrary(t, folder, &bytes.Buffer{})
	if _, err := l.Wait(t.Context(), 0); !errors.Is(err, motion.ErrNotReady) {
		t.Errorf("got %v, want %v", err, motion.ErrNotReady)
	}
	if err := os.CopyFS(folder, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	l.Refresh(t.Context())
	if g, err := l.Wait(t.Context(), time.Minute); err != nil || len(g.Keywords()) == 0 {
		t.Errorf("got %v, %v", g, err)
	}
}

// The other form of a clip is made from the same version of the file. If the
// file has changed, it is not made.
func TestGeneration_ClipChangedMeanwhile(t *testing.T) {
	t.Parallel()
	folder := copyGolden(t)
	l := newLibrary(t, folder, &bytes.Buffer{})
	g := l.Current()
	other, err := os.ReadFile(filepath.Join(golden, "motion_files/motion/match/KQ-default/long_idle_loop_zero_0038.npz"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder, "motion_files/"+clipOf11, other)
	if _, err := ask(t, g, "MotionFileV1Request", "KQ-default", ""); !errors.Is(err, motion.ErrChanged) {
		t.Errorf("got %v, want %v", err, motion.ErrChanged)
	}
	if messages, err := ask(t, g, "MotionFileV1Request", "KQ-default", "babylon"); err != nil || len(messages) != 23 {
		t.Errorf("babylon: got %d messages, %v", len(messages), err)
	}
}

// Reading does not leave files behind, so that it does not look like a change.
// This also applies to a database with a write-ahead log.
func TestLoad_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	folder := copyGolden(t)
	change(t, folder, "PRAGMA journal_mode = wal; CREATE TABLE more (x); INSERT INTO more VALUES (1)")
	count := func() int {
		found, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	want, _ := readExpected(t)
	before := count()
	if _, err := motion.Load(t.Context(), sources(folder, want.Files), motion.Options{FloatType: motion.Float32, Strict: true}); err != nil {
		t.Fatal(err)
	}
	if after := count(); after != before {
		t.Errorf("there are %d entries in the folder, and were %d", after, before)
	}
}

// If the folder is missing, its files do not count as missing, because its disk
// may not be mounted.
func TestLibrary_FolderGone(t *testing.T) {
	t.Parallel()
	folder := copyGolden(t)
	l := newLibrary(t, folder, &bytes.Buffer{})
	before := l.Current()
	clips := filepath.Join(folder, "motion_files")
	if err := os.Rename(clips, clips+".away"); err != nil {
		t.Fatal(err)
	}
	change(t, folder, "PRAGMA user_version = 1002")
	l.Refresh(t.Context())
	if err := l.Status().Err; l.Current() != before || !errors.Is(err, motion.ErrUnavailable) || !strings.Contains(err.Error(), clips) {
		t.Errorf("the generation is another one, or the error is %v", err)
	}
	if err := os.Rename(clips+".away", clips); err != nil {
		t.Fatal(err)
	}
	l.Refresh(t.Context())
	if status := l.Status(); l.Current() == before || status.Err != nil || status.Clips != 44 {
		t.Errorf("after the disk is back: %+v", status)
	}
}

// counted is a source that counts its open files.
type counted struct {
	motion.FileSource

	open *atomic.Int64
}

type countedFile struct {
	motion.File

	open *atomic.Int64
}

func (c counted) Open(ctx context.Context, path string) (motion.File, error) {
	file, err := c.FileSource.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return countedFile{file, c.open}, nil
}

func (f countedFile) Close() error {
	f.open.Add(-1)
	return f.File.Close()
}

// A failed load closes all its files.
func TestLoad_ClosesFiles(t *testing.T) {
	t.Parallel()
	want, _ := readExpected(t)
	folder := copyGolden(t)
	change(t, folder, "UPDATE motion_record SET startup_frame = NULL WHERE motion_record_id = 11")
	var open atomic.Int64
	s := sources(folder, want.Files)
	for kind := range s.Static {
		s.Static[kind].Source = counted{s.Static[kind].Source, &open}
	}
	if _, err := motion.Load(t.Context(), s, motion.Options{FloatType: motion.Float32, Strict: true}); err == nil {
		t.Fatal("the fault does not refuse the generation")
	}
	if n := open.Load(); n != 0 {
		t.Errorf("%d files are open", n)
	}
}

// A large number of faults must not flood the log.
func TestLibrary_ManyFaults(t *testing.T) {
	t.Parallel()
	folder := copyGolden(t)
	change(t, folder, `WITH RECURSIVE n(x) AS (SELECT 1001 UNION ALL SELECT x + 1 FROM n WHERE x < 1150)
		INSERT INTO motion_record (motion_record_id, enabled) SELECT x, 1 FROM n`)
	var log bytes.Buffer
	newLibrary(t, folder, &log)
	if n := strings.Count(log.String(), "left out"); n != 100 || !strings.Contains(log.String(), "faults=50\n") {
		t.Errorf("the log has %d of the faults:\n%s", n, log.String())
	}
}

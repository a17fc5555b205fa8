package motion_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"web-backend/internal/motion"
	"web-backend/internal/motion/motionpb"
	"web-backend/internal/motion/source"
	"web-backend/internal/npz"
)

// golden is a data folder that was made with real NumPy, together with the
// expected responses: see testdata/golden/README.md.
const golden = "testdata/golden"

type expected struct {
	Version  string
	Keywords []string
	Files    map[string]map[string]string
	NoClips  []string `json:"no_clips"`
	Avatars  map[string]struct {
		Restpose struct {
			JointNames    []string      `json:"joint_names"`
			ParentIndices []int32       `json:"parent_indices"`
			LocalMatrices expectedArray `json:"local_matrices"`
			MatrixWorld   expectedArray `json:"matrix_world"`
		}
		Clips []expectedClip
	}
}

type expectedClip struct {
	ID           int32
	Kind         string
	States       []string
	IsIdleLong   bool      `json:"is_idle_long"`
	CutoffFrames [][]int32 `json:"cutoff_frames"`
	CutoffRanges [][]int32 `json:"cutoff_ranges"`
	Loop         []int32
	JointNames   []string `json:"joint_names"`
	Rot, Root    map[string]expectedArray
}

type expectedArray struct {
	Dtype  string
	Shape  []int32
	Offset int
}

func readExpected(t testing.TB) (want expected, values []byte) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(golden, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &want); err != nil {
		t.Fatal(err)
	}
	values, err = os.ReadFile(filepath.Join(golden, "expected.bin"))
	if err != nil {
		t.Fatal(err)
	}
	return want, values
}

// sources returns the sources for a folder with the layout of golden.
func sources(folder string, files map[string]map[string]string) motion.Sources {
	s := motion.Sources{
		Database: source.NewSQLite(filepath.Join(folder, "motion_database.db"), source.Query{
			JoinFile: filepath.Join(folder, "3dac_sql_join.sql"), Table: "motion_record", EnabledColumn: "enabled"}),
		Clips: source.NewFolder(filepath.Join(folder, "motion_files")),
	}
	for kind, name := range []string{"restpose", "mesh", "joints", "rigids", "blendshapes"} {
		s.Static[kind] = motion.Files{Source: source.NewFolder(folder), Paths: files[name]}
	}
	return s
}

func loadGolden(t *testing.T, kind motion.FloatType) *motion.Generation {
	t.Helper()
	want, _ := readExpected(t)
	g, err := motion.Load(t.Context(), sources(golden, want.Files), motion.Options{FloatType: kind, Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// ask returns the responses of g to a request, in the form that clients
// receive.
func ask(t *testing.T, g *motion.Generation, class, avatar, app string) ([][]byte, error) {
	t.Helper()
	raw, err := proto.Marshal(&motionpb.MotionFileV1Request{ClassName: class, Avatar: avatar, AppName: app})
	if err != nil {
		t.Fatal(err)
	}
	request, err := motion.ParseRequest(raw)
	if err != nil {
		return nil, err
	}
	var messages [][]byte
	for message, err := range g.Respond(t.Context(), request) {
		if err != nil {
			return messages, err
		}
		all := message.Head
		if message.File != nil {
			content := make([]byte, message.File.Size())
			if _, err := message.File.ReadAt(content, 0); err != nil {
				t.Fatal(err)
			}
			all = slices.Concat(all, content)
		}
		messages = append(messages, all)
	}
	return messages, nil
}

func decode(t *testing.T, raw []byte) *motionpb.MotionFileV1Response {
	t.Helper()
	m := &motionpb.MotionFileV1Response{}
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGolden_Clips(t *testing.T) {
	t.Parallel()
	want, values := readExpected(t)
	g := loadGolden(t, motion.Float32)
	for avatar, w := range want.Avatars {
		for _, app := range []string{"", "python_backend", "babylon"} {
			t.Run(avatar+"/"+app, func(t *testing.T) {
				messages, err := ask(t, g, "MotionFileV1Request", avatar, app)
				if len(w.Clips) == 0 {
					if err == nil || len(messages) > 0 {
						t.Fatalf("got %d messages and no error", len(messages))
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(messages) != len(w.Clips)+1 {
					t.Fatalf("got %d messages, want %d clips and the end", len(messages), len(w.Clips))
				}
				end := "0a17" + hex.EncodeToString([]byte("MotionFileEndV1Response"))
				if got := hex.EncodeToString(messages[len(w.Clips)]); got != end {
					t.Errorf("the end is %s, want %s", got, end)
				}
				slices.SortFunc(w.Clips, func(a, b expectedClip) int { return int(a.ID - b.ID) })
				for i, clip := range w.Clips {
					compareClip(t, decode(t, messages[i]), clip, avatar, app, values)
				}
			})
		}
	}
}

func compareClip(t *testing.T, got *motionpb.MotionFileV1Response, want expectedClip, avatar, app string, values []byte) {
	t.Helper()
	form := app
	if form == "python_backend" {
		form = ""
	}
	var frames, ranges [][]int32
	for _, f := range got.GetCutoffFrames() {
		frames = append(frames, []int32{f.GetFrameIdx(), f.GetLeftPriority(), f.GetRightPriority()})
	}
	for _, r := range got.GetCutoffRanges() {
		ranges = append(ranges, []int32{r.GetStartFrameIdx(), r.GetEndFrameIdx(), r.GetLeftPriority(), r.GetRightPriority()})
	}
	loop := []int32{got.GetLoopStartFrame(), got.GetLoopEndFrame()}
	if want.Loop == nil {
		want.Loop = []int32{0, 0}
	}
	text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	for _, c := range []struct{ name, got, want string }{
		{"class_name", got.GetClassName(), "MotionClip"},
		{"restpose_name", got.GetRestposeName(), avatar},
		{"motion_record_id", text(got.GetMotionRecordId()), text(want.ID)},
		{"is_idle_long", text(got.GetIsIdleLong()), text(want.IsIdleLong)},
		{"states", text(got.GetStates()), text(want.States)},
		{"joint_names", text(got.GetJointNames()), text(want.JointNames)},
		{"cutoff_frames", text(frames), text(want.CutoffFrames)},
		{"cutoff_ranges", text(append([][]int32{}, ranges...)), text(want.CutoffRanges)},
		{"loop", text(loop), text(want.Loop)},
	} {
		if c.got != c.want {
			t.Errorf("%d %s: %s is %s, want %s", want.ID, want.Kind, c.name, c.got, c.want)
		}
	}
	compareArray(t, want.Kind+" joint_rotmat", got.GetJointRotmat(), want.Rot[form], values, tolerance{absolute: 1e-5})
	compareArray(t, want.Kind+" root_world_position", got.GetRootWorldPosition(), want.Root[form], values, tolerance{relative: 1e-6})
}

type tolerance struct{ absolute, relative float64 }

// compareArray compares with an absolute and a relative tolerance. Data that is
// not transformed must match exactly.
func compareArray(t *testing.T, name string, got *motionpb.NumpyArray, want expectedArray, values []byte, within tolerance) {
	t.Helper()
	if got.GetDtype() != "float32" || !slices.Equal(got.GetShape(), want.Shape) {
		t.Errorf("%s: is %s %v, want float32 %v", name, got.GetDtype(), got.GetShape(), want.Shape)
		return
	}
	count := 1
	for _, n := range want.Shape {
		count *= int(n)
	}
	if want.Dtype == "<f4" {
		if !bytes.Equal(got.GetData(), values[want.Offset:want.Offset+4*count]) {
			t.Errorf("%s: the values are not those of the file", name)
		}
		return
	}
	for i := range count {
		g := float64(math.Float32frombits(binary.LittleEndian.Uint32(got.GetData()[4*i:])))
		w := math.Float64frombits(binary.LittleEndian.Uint64(values[want.Offset+8*i:]))
		if math.Abs(g-w) > within.absolute+within.relative*math.Abs(w) {
			t.Errorf("%s: value %d is %v, want %v", name, i, g, w)
			return
		}
	}
}

func TestGolden_Restposes(t *testing.T) {
	t.Parallel()
	want, values := readExpected(t)
	g := loadGolden(t, motion.Float16) // rest poses are not converted to this type
	for avatar, w := range want.Avatars {
		messages, err := ask(t, g, "RestposeV1Request", avatar, "")
		if err != nil || len(messages) != 1 {
			t.Fatalf("%s: got %d messages, %v", avatar, len(messages), err)
		}
		got := decode(t, messages[0])
		if got.GetClassName() != "Restpose" || got.GetRestposeName() != avatar || !slices.Equal(got.GetJointNames(), w.Restpose.JointNames) ||
			!slices.Equal(got.GetParentIndices(), w.Restpose.ParentIndices) {
			t.Errorf("%s: got %s %s %v %v", avatar, got.GetClassName(), got.GetRestposeName(), got.GetJointNames(), got.GetParentIndices())
		}
		compareArray(t, avatar+" local_matrices", got.GetLocalMatrices(), w.Restpose.LocalMatrices, values, tolerance{})
		compareArray(t, avatar+" matrix_world", got.GetMatrixWorld(), w.Restpose.MatrixWorld, values, tolerance{})
	}
}

func TestGolden_Files(t *testing.T) {
	t.Parallel()
	want, _ := readExpected(t)
	g := loadGolden(t, motion.Float32)
	for _, c := range []struct {
		kind, request, response string
		optional                bool
	}{
		{"mesh", "MeshV1Request", "MeshV1Response", false},
		{"joints", "JointsMetaV1Request", "JointsMetaV1Response", true},
		{"rigids", "RigidsMetaV1Request", "RigidsMetaV1Response", true},
		{"blendshapes", "BlendshapesMetaV1Request", "BlendshapesMetaV1Response", false},
	} {
		for _, avatar := range []string{"KQ-default", "Ani-default", "HT-default", "nobody", "../KQ-default"} {
			messages, err := ask(t, g, c.request, avatar, "")
			path, ok := want.Files[c.kind][avatar]
			switch {
			case !ok && !c.optional:
				if err == nil {
					t.Errorf("%s %s: got a response", c.request, avatar)
				}
				continue
			case err != nil || len(messages) != 1:
				t.Fatalf("%s %s: got %d messages, %v", c.request, avatar, len(messages), err)
			case !ok:
				if wantBytes := append([]byte{0x0a, 0x14}, c.response...); !bytes.Equal(messages[0], wantBytes) {
					t.Errorf("%s %s: got %x, want %x", c.request, avatar, messages[0], wantBytes)
				}
				continue
			}
			content, err := os.ReadFile(filepath.Join(golden, path))
			if err != nil {
				t.Fatal(err)
			}
			if got := decode(t, messages[0]); got.GetClassName() != c.response || !bytes.Equal(got.GetData(), content) {
				t.Errorf("%s %s: got %s with %d bytes, want the %d of %s", c.request, avatar, got.GetClassName(), len(got.GetData()), len(content), path)
			}
		}
	}
}

func TestGolden_KeywordsAndVersion(t *testing.T) {
	t.Parallel()
	want, _ := readExpected(t)
	g := loadGolden(t, motion.Float32)
	if !slices.Equal(g.Keywords(), want.Keywords) {
		t.Errorf("keywords are %q, want %q", g.Keywords(), want.Keywords)
	}
	messages, err := ask(t, g, "VersionV1Request", "", "")
	if err != nil {
		t.Fatal(err)
	}
	got := decode(t, messages[0])
	if again := loadGolden(t, motion.Float32); got.GetVersion() != again.Version() || got.GetVersion() == loadGolden(t, motion.Float64).Version() {
		t.Errorf("version %q is not that of the data", got.GetVersion())
	}
	if raw := append([]byte("\n\x11VersionV1Response\x12"+string(rune(len(got.GetVersion())))), got.GetVersion()...); !bytes.Equal(messages[0], raw) {
		t.Errorf("the version is %x, want %x", messages[0], raw)
	}
}

// The numbers of clips have the configured type. For Babylon, rotations of
// float16 become float32, and positions keep their type (§3.12).
func TestGolden_FloatTypes(t *testing.T) {
	t.Parallel()
	want, values := readExpected(t)
	for _, c := range []struct {
		kind, app, rotation, root string
		within                    float64
	}{
		{"float16", "", "float16", "float16", 1e-3},
		{"float16", "babylon", "float32", "float16", 5e-3},
		{"float32", "babylon", "float32", "float32", 1e-5},
		{"float64", "", "float64", "float64", 1e-6},
		{"float64", "babylon", "float64", "float64", 1e-6},
	} {
		messages, err := ask(t, loadGolden(t, motion.FloatType(c.kind)), "MotionFileV1Request", "KQ-default", c.app)
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range messages[:len(messages)-1] {
			got := decode(t, message)
			i := slices.IndexFunc(want.Avatars["KQ-default"].Clips, func(w expectedClip) bool { return w.ID == got.GetMotionRecordId() })
			w := want.Avatars["KQ-default"].Clips[i]
			for _, a := range []struct {
				name, dtype string
				got         *motionpb.NumpyArray
				want        expectedArray
			}{
				{"joint_rotmat", c.rotation, got.GetJointRotmat(), w.Rot[c.app]},
				{"root_world_position", c.root, got.GetRootWorldPosition(), w.Root[c.app]},
			} {
				numbers := numbersOf(t, a.got.GetDtype(), a.got.GetData())
				expectedType, size := "float32", 4
				if a.want.Dtype == "<f8" {
					expectedType, size = "float64", 8
				}
				for n, expected := range numbersOf(t, expectedType, values[a.want.Offset:][:size*len(numbers)]) {
					if math.Abs(numbers[n]-expected) > c.within*max(1, math.Abs(expected)) {
						t.Fatalf("%s %s, %s of %s: value %d is %v, want %v", c.kind, c.app, a.name, w.Kind, n, numbers[n], expected)
					}
				}
				if a.got.GetDtype() != a.dtype || !slices.Equal(a.got.GetShape(), a.want.Shape) {
					t.Errorf("%s %s, %s of %s: is %s %v, want %s %v", c.kind, c.app, a.name, w.Kind, a.got.GetDtype(), a.got.GetShape(), a.dtype, a.want.Shape)
				}
			}
		}
	}
}

// numbersOf reads complete little-endian numbers.
func numbersOf(t *testing.T, dtype string, data []byte) (numbers []float64) {
	t.Helper()
	size := map[string]int{"float16": 2, "float32": 4, "float64": 8}[dtype]
	for len(data) >= size {
		switch size {
		case 2:
			numbers = append(numbers, float64(npz.FromHalf(binary.LittleEndian.Uint16(data))))
		case 4:
			numbers = append(numbers, float64(math.Float32frombits(binary.LittleEndian.Uint32(data))))
		case 8:
			numbers = append(numbers, math.Float64frombits(binary.LittleEndian.Uint64(data)))
		default:
			t.Fatalf("dtype %q", dtype)
		}
		data = data[size:]
	}
	return numbers
}

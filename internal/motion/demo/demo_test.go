package demo_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/motion"
	"web-backend/internal/motion/demo"
	"web-backend/internal/motion/source"
	"web-backend/internal/npz"
)

// written returns a folder with the demo.
func written(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "below", "demo")
	if _, err := demo.Write(folder); err != nil {
		t.Fatal(err)
	}
	return folder
}

// readAll returns the files below a folder, by their paths.
func readAll(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files[path], err = os.ReadFile(filepath.Join(folder, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestWrite_IsServed(t *testing.T) {
	t.Parallel()
	folder := written(t)
	files := func(ani, kq string) motion.Files {
		return motion.Files{Source: source.NewFolder(folder), Paths: map[string]string{"Ani-default": ani, "KQ-default": kq}}
	}
	g, err := motion.Load(t.Context(), motion.Sources{
		Database: source.NewSQLite(filepath.Join(folder, "motion_database.db"), source.Query{Table: "motion_record", EnabledColumn: "enabled"}),
		Clips:    source.NewFolder(filepath.Join(folder, "motion_files")),
		Static: [...]motion.Files{
			motion.Restposes:   files("restpose_npz/Ani_default_0827_skeleton.npz", "restpose_npz/KQ_default_0326_skeleton.npz"),
			motion.Meshes:      files("mesh_glb/ani.glb", "mesh_glb/keqing.glb"),
			motion.Joints:      files("joints_meta/Ani-default_joints_meta.json", "joints_meta/KQ-default_joints_meta.json"),
			motion.Rigids:      files("rigids_meta/Ani-default_rigids_meta.json", "rigids_meta/KQ-default_rigids_meta.json"),
			motion.Blendshapes: files("blendshapes_meta/Ani-default_blendshapes_meta.json", "blendshapes_meta/KQ-default_blendshapes_meta.json"),
		},
	}, motion.Options{FloatType: motion.Float32, Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Keywords(); !slices.Equal(got, []string{"招手", "挥手", "点头"}) || !strings.HasPrefix(g.Version(), "1-") {
		t.Errorf("keywords %q, version %s", got, g.Version())
	}
	for _, a := range g.Avatars() {
		if len(a.Missing) > 0 || len(a.Files) != 5 || len(a.Clips) != 6 {
			t.Errorf("got %+v", a)
		}
	}
}

func TestWrite_SameEveryTime(t *testing.T) {
	t.Parallel()
	once, again := readAll(t, written(t)), readAll(t, written(t))
	size := 0
	for path, data := range once {
		size += len(data)
		if !bytes.Equal(data, again[path]) {
			t.Errorf("%s differs", path)
		}
	}
	if len(once) != len(again) || len(once) != 27 || size > 3<<20 {
		t.Errorf("%d and %d files, %d bytes", len(once), len(again), size)
	}
}

func TestWrite_ReplacesNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if summary, err := demo.Write(folder); err != nil || summary.Clips != 16 || len(summary.Avatars) != 2 { // it is empty
		t.Fatal(summary, err)
	}
	mine := filepath.Join(folder, "mesh_glb", "ani.glb")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{folder: "is not empty", mine: "ani.glb", filepath.Join(mine, "below"): "ani.glb"} {
		if _, err := demo.Write(target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", target, err)
		}
	}
	if files := readAll(t, folder); len(files) != 27 || string(files["mesh_glb/ani.glb"]) != "mine" {
		t.Error("the folder was changed")
	}
}

// Every clip, even one with only keywords, moves smoothly and ends in the pose
// in which it begins.
func TestWrite_Clips(t *testing.T) {
	t.Parallel()
	var joints []string
	for path, data := range readAll(t, written(t)) {
		if !strings.HasPrefix(path, "motion_files/") {
			continue
		}
		archive, err := npz.Open(bytes.NewReader(data), int64(len(data)), npz.Limits{EntryBytes: 1 << 24, TotalBytes: 1 << 25})
		if err != nil {
			t.Fatal(path, err)
		}
		_, names, err := archive.Strings("joint_names")
		if err != nil {
			t.Fatal(path, err)
		}
		if joints == nil {
			joints = names
		}
		if len(names) != 54 || !slices.Equal(names, joints) {
			t.Errorf("%s: %d joints, or others: %q", path, len(names), names)
		}
		shape, values, err := archive.Floats32("rotmat")
		if err != nil || len(shape) != 4 || shape[0] < 60 || shape[0] > 90 {
			t.Fatal(path, shape, err)
		}
		size := len(values) / shape[0] // of one frame
		if least := gap(values[:size], values[len(values)-size:]); least > 1e-5 {
			t.Errorf("%s ends %v away from its beginning", path, least)
		}
		most := 0.0
		for start := size; start < len(values); start += size {
			most = max(most, gap(values[start-size:start], values[start:start+size]))
		}
		if most < 0.002 || most > 0.25 {
			t.Errorf("%s moves by %v from frame to frame", path, most)
		}
		for start := 0; start < len(values); start += 9 {
			if m := values[start : start+9]; math.Abs(determinant(m)-1) > 1e-5 {
				t.Fatalf("%s: %v is no rotation", path, m)
			}
		}
	}
}

// gap returns the greatest difference between corresponding values.
func gap(a, b []float32) (most float64) {
	for i := range a {
		most = max(most, math.Abs(float64(a[i]-b[i])))
	}
	return most
}

func determinant(m []float32) float64 {
	return float64(m[0]*(m[4]*m[8]-m[5]*m[7]) - m[1]*(m[3]*m[8]-m[5]*m[6]) + m[2]*(m[3]*m[7]-m[4]*m[6]))
}

func TestWrite_JSON(t *testing.T) {
	t.Parallel()
	files := readAll(t, written(t))
	const golden = "../testdata/golden/"
	for _, path := range []string{"joints_meta/KQ-default_joints_meta.json", "rigids_meta/KQ-default_rigids_meta.json"} {
		want, err := os.ReadFile(golden + path)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := firstKeys(t, files[path]), firstKeys(t, want); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", path, got, want)
		}
	}
	if got := string(files["blendshapes_meta/Ani-default_blendshapes_meta.json"]); got != "{\n  \"mesh_name\": \"face\"\n}\n" {
		t.Error(got)
	}
}

// firstKeys returns the sorted keys of the first object in a list.
func firstKeys(t *testing.T, data []byte) (keys []string) {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal(data, &list); err != nil || len(list) == 0 {
		t.Fatal(err, len(list))
	}
	for key := range list[0] {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// document has the parts of glTF that the test reads.
type document struct {
	Asset  struct{ Version string }
	Scene  int
	Scenes []struct{ Nodes []int }
	Nodes  []struct {
		Name       string
		Children   []int
		Mesh, Skin *int
	}
	Meshes []struct {
		Name       string
		Primitives []struct {
			Attributes        map[string]int
			Indices, Material int
			Targets           []map[string]int
		}
		Extras struct{ TargetNames []string }
	}
	Skins []struct {
		InverseBindMatrices, Skeleton int
		Joints                        []int
	}
	Materials []struct{}
	Accessors []struct {
		BufferView, ComponentType, Count int
		Type                             string
		Min, Max                         []float32
	}
	BufferViews []struct{ Buffer, ByteOffset, ByteLength int }
	Buffers     []struct{ ByteLength int }
}

// parseGLB parses a GLB file by the rules of its container format.
func parseGLB(t *testing.T, data []byte) (d document, buffer []byte) {
	t.Helper()
	number := func(at int) int { return int(binary.LittleEndian.Uint32(data[at:])) }
	if string(data[:4]) != "glTF" || number(4) != 2 || number(8) != len(data) {
		t.Fatalf("the header is %q, of %d bytes", data[:12], len(data))
	}
	length := number(12)
	if string(data[16:20]) != "JSON" || length%4 != 0 {
		t.Fatalf("the first chunk is %q, of %d bytes", data[16:20], length)
	}
	if err := json.Unmarshal(data[20:20+length], &d); err != nil {
		t.Fatal(err)
	}
	second := 20 + length
	buffer = data[second+8:]
	if string(data[second+4:second+8]) != "BIN\x00" || number(second) != len(buffer) || len(buffer)%4 != 0 {
		t.Fatalf("the second chunk is %q, of %d bytes", data[second+4:second+8], number(second))
	}
	if d.Asset.Version != "2.0" || len(d.Buffers) != 1 || d.Buffers[0].ByteLength != len(buffer) {
		t.Fatalf("asset %+v, buffers %+v", d.Asset, d.Buffers)
	}
	return d, buffer
}

func TestWrite_GLB(t *testing.T) {
	t.Parallel()
	files := readAll(t, written(t))
	for _, path := range []string{"mesh_glb/ani.glb", "mesh_glb/keqing.glb"} {
		d, buffer := parseGLB(t, files[path])
		checkAccessors(t, d, buffer)
		checkMeshes(t, d, buffer)
		checkNodes(t, d, jointNames(t, files["motion_files/motion/demo/Ani-default/idle_0002.npz"]))
	}
}

func jointNames(t *testing.T, file []byte) []string {
	t.Helper()
	archive, err := npz.Open(bytes.NewReader(file), int64(len(file)), npz.Limits{EntryBytes: 1 << 24, TotalBytes: 1 << 25})
	if err != nil {
		t.Fatal(err)
	}
	_, names, err := archive.Strings("joint_names")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	componentBytes = map[int]int{5121: 1, 5123: 2, 5126: 4}
	typeComponents = map[string]int{"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
)

// checkAccessors checks each accessor against its view, and each view against
// the buffer.
func checkAccessors(t *testing.T, d document, buffer []byte) {
	t.Helper()
	for i, a := range d.Accessors {
		view := d.BufferViews[a.BufferView]
		size := a.Count * componentBytes[a.ComponentType] * typeComponents[a.Type]
		if size == 0 || size > view.ByteLength || view.Buffer != 0 || view.ByteOffset%4 != 0 || view.ByteOffset+view.ByteLength > len(buffer) {
			t.Errorf("accessor %d: %+v in %+v", i, a, view)
		}
	}
}

// values returns the numbers of an accessor.
func values(d document, buffer []byte, accessor int) (numbers []float64) {
	a := d.Accessors[accessor]
	at := d.BufferViews[a.BufferView].ByteOffset
	for range a.Count * typeComponents[a.Type] {
		switch a.ComponentType {
		case 5121:
			numbers = append(numbers, float64(buffer[at]))
		case 5123:
			numbers = append(numbers, float64(binary.LittleEndian.Uint16(buffer[at:])))
		case 5126:
			numbers = append(numbers, float64(math.Float32frombits(binary.LittleEndian.Uint32(buffer[at:]))))
		}
		at += componentBytes[a.ComponentType]
	}
	return numbers
}

func checkMeshes(t *testing.T, d document, buffer []byte) {
	t.Helper()
	for _, mesh := range d.Meshes {
		for _, p := range mesh.Primitives {
			vertices := d.Accessors[p.Attributes["POSITION"]].Count
			accessors := []int{p.Attributes["NORMAL"], p.Attributes["JOINTS_0"], p.Attributes["WEIGHTS_0"]}
			positions := []int{p.Attributes["POSITION"]}
			for _, target := range p.Targets {
				positions = append(positions, target["POSITION"])
			}
			for _, accessor := range append(accessors, positions...) {
				if d.Accessors[accessor].Count != vertices {
					t.Errorf("%s: %d items for %d vertices", mesh.Name, d.Accessors[accessor].Count, vertices)
				}
			}
			for _, accessor := range positions {
				checkBounds(t, d, buffer, accessor)
			}
			if most := slices.Max(values(d, buffer, p.Indices)); int(most) != vertices-1 || d.Accessors[p.Indices].Count%3 != 0 {
				t.Errorf("%s: the greatest index is %v of %d vertices", mesh.Name, most, vertices)
			}
			if most := slices.Max(values(d, buffer, p.Attributes["JOINTS_0"])); int(most) >= len(d.Skins[0].Joints) {
				t.Errorf("%s: a vertex moves with joint %v", mesh.Name, most)
			}
			for weights := range slices.Chunk(values(d, buffer, p.Attributes["WEIGHTS_0"]), 4) {
				if weights[0]+weights[1]+weights[2]+weights[3] != 1 {
					t.Fatalf("%s: weights %v", mesh.Name, weights)
				}
			}
			checkWinding(t, d, buffer, p.Attributes["POSITION"], p.Attributes["NORMAL"], p.Indices)
			if p.Material >= len(d.Materials) || len(p.Targets) != len(mesh.Extras.TargetNames) {
				t.Errorf("%s: %+v", mesh.Name, p)
			}
		}
	}
}

func checkBounds(t *testing.T, d document, buffer []byte, accessor int) {
	t.Helper()
	low, high := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}, [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for i, v := range values(d, buffer, accessor) {
		low[i%3], high[i%3] = min(low[i%3], v), max(high[i%3], v)
	}
	a := d.Accessors[accessor]
	for axis := range 3 {
		if float64(a.Min[axis]) != low[axis] || float64(a.Max[axis]) != high[axis] {
			t.Errorf("accessor %d reaches from %v to %v, and says %v to %v", accessor, low, high, a.Min, a.Max)
		}
	}
}

// checkWinding checks that the front of each triangle faces in the direction of
// its normal.
func checkWinding(t *testing.T, d document, buffer []byte, position, normal, index int) {
	t.Helper()
	positions, normals, indices := values(d, buffer, position), values(d, buffer, normal), values(d, buffer, index)
	for triangle := range slices.Chunk(indices, 3) {
		var corners [3][]float64
		for i, vertex := range triangle {
			corners[i] = positions[3*int(vertex):][:3]
		}
		n := normals[3*int(triangle[0]):][:3]
		var u, v [3]float64
		for axis := range 3 {
			u[axis], v[axis] = corners[1][axis]-corners[0][axis], corners[2][axis]-corners[0][axis]
		}
		if (u[1]*v[2]-u[2]*v[1])*n[0]+(u[2]*v[0]-u[0]*v[2])*n[1]+(u[0]*v[1]-u[1]*v[0])*n[2] <= 0 {
			t.Fatalf("triangle %v turns its back", triangle)
		}
	}
}

// checkNodes checks that the client finds the required nodes: the joints in one
// tree below Root, all of them in the skin of each mesh, and the face.
func checkNodes(t *testing.T, d document, joints []string) {
	t.Helper()
	var names, meshes []string
	parents := map[int]int{}
	for i, node := range d.Nodes {
		for _, child := range node.Children {
			parents[child]++
			if child <= i {
				t.Errorf("node %d has the child %d", i, child)
			}
		}
		if node.Mesh != nil {
			meshes = append(meshes, node.Name)
			if node.Skin == nil || *node.Skin != 0 || *node.Mesh >= len(d.Meshes) || !slices.Contains(d.Scenes[d.Scene].Nodes, i) {
				t.Errorf("node %+v", node)
			}
		}
	}
	for i, joint := range d.Skins[0].Joints {
		names = append(names, d.Nodes[joint].Name)
		if (parents[joint] == 1) != (i > 0) {
			t.Errorf("joint %d has %d parents", i, parents[joint])
		}
	}
	if !slices.Equal(names, joints) || names[0] != "Root" || d.Nodes[d.Nodes[0].Children[0]].Name != "Hips" {
		t.Errorf("the skin has %q, the clips %q", names, joints)
	}
	if !slices.Equal(meshes, []string{"body", "face"}) || d.Accessors[d.Skins[0].InverseBindMatrices].Count != len(joints) {
		t.Errorf("meshes %q, %d matrices", meshes, d.Accessors[d.Skins[0].InverseBindMatrices].Count)
	}
}

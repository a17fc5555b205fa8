package demo

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
)

// The objects of glTF 2.0 that a figure needs
// (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html).
type gltf struct {
	Asset       map[string]string `json:"asset"`
	Scene       int               `json:"scene"`
	Scenes      []gltfScene       `json:"scenes"`
	Nodes       []gltfNode        `json:"nodes"`
	Meshes      []gltfMesh        `json:"meshes"`
	Skins       []gltfSkin        `json:"skins"`
	Materials   []gltfMaterial    `json:"materials"`
	Accessors   []gltfAccessor    `json:"accessors"`
	BufferViews []gltfBufferView  `json:"bufferViews"`
	Buffers     []gltfBuffer      `json:"buffers"`
}

type gltfScene struct {
	Nodes []int `json:"nodes"`
}

type gltfNode struct {
	Name        string      `json:"name"`
	Children    []int       `json:"children,omitempty"`
	Translation *[3]float32 `json:"translation,omitempty"`
	Mesh        *int        `json:"mesh,omitempty"`
	Skin        *int        `json:"skin,omitempty"`
}

type gltfMesh struct {
	Name       string              `json:"name"`
	Primitives []gltfPrimitive     `json:"primitives"`
	Weights    []float32           `json:"weights,omitempty"`
	Extras     map[string][]string `json:"extras,omitempty"`
}

type gltfPrimitive struct {
	Attributes map[string]int   `json:"attributes"`
	Indices    int              `json:"indices"`
	Material   int              `json:"material"`
	Targets    []map[string]int `json:"targets,omitempty"`
}

type gltfSkin struct {
	InverseBindMatrices int   `json:"inverseBindMatrices"`
	Skeleton            int   `json:"skeleton"`
	Joints              []int `json:"joints"`
}

type gltfMaterial struct {
	Name string       `json:"name"`
	PBR  gltfMaterPBR `json:"pbrMetallicRoughness"`
}

type gltfMaterPBR struct {
	BaseColorFactor [4]float32 `json:"baseColorFactor"`
	MetallicFactor  float32    `json:"metallicFactor"`
	RoughnessFactor float32    `json:"roughnessFactor"`
}

type gltfAccessor struct {
	BufferView    int       `json:"bufferView"`
	ComponentType int       `json:"componentType"`
	Count         int       `json:"count"`
	Type          string    `json:"type"`
	Min           []float32 `json:"min,omitempty"`
	Max           []float32 `json:"max,omitempty"`
}

type gltfBufferView struct {
	Buffer     int `json:"buffer"`
	ByteOffset int `json:"byteOffset"`
	ByteLength int `json:"byteLength"`
	Target     int `json:"target,omitempty"`
}

type gltfBuffer struct {
	ByteLength int `json:"byteLength"`
}

// Numbers that the specification defines for types and uses.
const (
	gltfByte, gltfShort, gltfFloat = 5121, 5123, 5126 // the first two are unsigned
	gltfVertices, gltfIndices      = 34962, 34963
)

// figure is a glTF document under construction.
type figure struct {
	document gltf
	buffer   []byte
}

// glb returns the figure as a GLB file. Its joints are nodes, and boxes move
// with them. The box of the head is a separate mesh with a mouth that can open.
func glb(a avatar, joints []joint) ([]byte, error) {
	f := figure{document: gltf{
		Asset:     map[string]string{"version": "2.0", "generator": "web-backend motion demo"},
		Materials: []gltfMaterial{{Name: "boxes", PBR: gltfMaterPBR{BaseColorFactor: a.colour, RoughnessFactor: 0.8}}},
	}}
	inverse := make([]float32, 0, 16*len(joints))
	all := make([]int, 0, len(joints))
	body, head := &surface{}, &surface{}
	for i, j := range joints {
		f.document.Nodes = append(f.document.Nodes, gltfNode{Name: j.name, Translation: new(narrow(j.offset))})
		if j.parent >= 0 {
			parent := &f.document.Nodes[j.parent]
			parent.Children = append(parent.Children, i)
		}
		all = append(all, i)
		at := narrow(j.at) // column-major
		inverse = append(inverse, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, -at[0], -at[1], -at[2], 1)
		switch {
		case j.from == j.to:
		case j.name == "Head":
			head.addBox(i, j)
		default:
			body.addBox(i, j)
		}
	}
	bind := f.add(gltfFloat, "MAT4", 16, 0, float32Bytes(inverse))
	f.document.Skins = []gltfSkin{{InverseBindMatrices: bind, Skeleton: 0, Joints: all}}
	f.document.Scenes = []gltfScene{{Nodes: []int{0}}}
	f.addMesh("body", body, nil)
	f.addMesh(faceMesh, head, head.openMouth())
	f.document.Buffers = []gltfBuffer{{ByteLength: len(f.buffer)}}
	return f.pack()
}

// surface consists of triangles. Each vertex moves with one joint.
type surface struct {
	positions, normals []float32
	joints             []byte
	indices            []uint16
}

// addBox adds the box of a joint.
func (s *surface) addBox(index int, j joint) {
	corners := [2][3]float32{narrow(j.at.plus(j.from)), narrow(j.at.plus(j.to))}
	for axis := range 3 {
		u, v := (axis+1)%3, (axis+2)%3
		for side := range 2 {
			around := [][2]int{{0, 0}, {1, 0}, {1, 1}, {0, 1}} // counter-clockwise when seen from outside
			if side == 0 {
				slices.Reverse(around)
			}
			first := uint16(len(s.joints) / 4) //nolint:gosec // 24 vertices for each of some 50 joints
			for _, corner := range around {
				var position, normal [3]float32
				position[axis], position[u], position[v] = corners[side][axis], corners[corner[0]][u], corners[corner[1]][v]
				normal[axis] = float32(2*side - 1)
				s.positions = append(s.positions, position[:]...)
				s.normals = append(s.normals, normal[:]...)
				s.joints = append(s.joints, byte(index), 0, 0, 0) //nolint:gosec // some 50 joints
			}
			s.indices = append(s.indices, first, first+1, first+2, first, first+2, first+3)
		}
	}
}

// openMouth returns the movement of each vertex: the front lower vertices move
// down.
func (s *surface) openMouth() []float32 {
	moves := make([]float32, len(s.positions))
	low, high := bounds(s.positions)
	for i := 0; i < len(moves); i += 3 {
		if s.positions[i+1] == low[1] && s.positions[i+2] == high[2] {
			moves[i+1] = -0.03
		}
	}
	return moves
}

// addMesh adds a mesh and a node for it. The joints move the mesh.
func (f *figure) addMesh(name string, s *surface, mouth []float32) {
	weights := make([]float32, len(s.joints))
	for i := 0; i < len(weights); i += 4 {
		weights[i] = 1
	}
	var indices []byte
	for _, i := range s.indices {
		indices = binary.LittleEndian.AppendUint16(indices, i)
	}
	primitive := gltfPrimitive{
		Attributes: map[string]int{
			"POSITION":  f.addPositions(s.positions),
			"NORMAL":    f.add(gltfFloat, "VEC3", 3, gltfVertices, float32Bytes(s.normals)),
			"JOINTS_0":  f.add(gltfByte, "VEC4", 4, gltfVertices, s.joints),
			"WEIGHTS_0": f.add(gltfFloat, "VEC4", 4, gltfVertices, float32Bytes(weights)),
		},
		Indices: f.add(gltfShort, "SCALAR", 1, gltfIndices, indices),
	}
	mesh := gltfMesh{Name: name}
	if mouth != nil {
		primitive.Targets = []map[string]int{{"POSITION": f.addPositions(mouth)}}
		mesh.Weights, mesh.Extras = []float32{0}, map[string][]string{"targetNames": {"mouth_open"}}
	}
	mesh.Primitives = []gltfPrimitive{primitive}
	d := &f.document
	d.Meshes = append(d.Meshes, mesh)
	d.Scenes[0].Nodes = append(d.Scenes[0].Nodes, len(d.Nodes))
	d.Nodes = append(d.Nodes, gltfNode{Name: name, Mesh: new(len(d.Meshes) - 1), Skin: new(0)})
}

// addPositions adds vectors with their bounds. glTF requires bounds for
// positions.
func (f *figure) addPositions(values []float32) int {
	index := f.add(gltfFloat, "VEC3", 3, gltfVertices, float32Bytes(values))
	low, high := bounds(values)
	f.document.Accessors[index].Min, f.document.Accessors[index].Max = low[:], high[:]
	return index
}

// add adds data and returns its accessor. kind defines the number of components
// of each item.
func (f *figure) add(component int, kind string, components, target int, data []byte) int {
	size := map[int]int{gltfByte: 1, gltfShort: 2, gltfFloat: 4}[component]
	d := &f.document
	d.Accessors = append(d.Accessors, gltfAccessor{
		BufferView: len(d.BufferViews), ComponentType: component, Count: len(data) / (size * components), Type: kind,
	})
	d.BufferViews = append(d.BufferViews, gltfBufferView{ByteOffset: len(f.buffer), ByteLength: len(data), Target: target})
	f.buffer = pad(append(f.buffer, data...), 0)
	return len(d.Accessors) - 1
}

// pack returns the GLB file.
func (f *figure) pack() ([]byte, error) {
	text, err := json.Marshal(f.document)
	if err != nil {
		return nil, err
	}
	text = pad(text, ' ')
	var file bytes.Buffer
	for _, part := range []any{
		[]byte("glTF"), uint32(2), uint32(12 + 8 + len(text) + 8 + len(f.buffer)), //nolint:gosec // some 100 kB
		uint32(len(text)), []byte("JSON"), text, //nolint:gosec // see above
		uint32(len(f.buffer)), []byte("BIN\x00"), f.buffer, //nolint:gosec // see above
	} {
		if err := binary.Write(&file, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	return file.Bytes(), nil
}

// pad extends data to a multiple of four bytes.
func pad(data []byte, with byte) []byte {
	for len(data)%4 != 0 {
		data = append(data, with)
	}
	return data
}

func narrow(v vector) [3]float32 { return [3]float32{float32(v[0]), float32(v[1]), float32(v[2])} }

func float32Bytes(values []float32) []byte {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

// bounds returns the minimum and the maximum of each axis.
func bounds(positions []float32) (low, high [3]float32) {
	low, high = [3]float32(positions), [3]float32(positions)
	for i, v := range positions {
		low[i%3], high[i%3] = min(low[i%3], v), max(high[i%3], v)
	}
	return low, high
}

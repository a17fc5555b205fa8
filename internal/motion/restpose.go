package motion

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"web-backend/internal/motion/motionpb"
	"web-backend/internal/npz"
)

// restpose is the skeleton of an avatar at rest (§2.3).
type restpose struct {
	joints  []string
	index   map[string]int // joint name → index
	parents []int32        // of each joint; -1 for none

	local [][16]float32 // bones at rest in the space of the armature, row-major
	world [16]float32   // armature to world

	// turns has one matrix for each joint. To convert rotations from Blender to
	// Babylon, they are multiplied with it. The matrix is the 3×3 part of
	// inverse(parent at rest) × joint at rest. A turn is bad if the parent's
	// matrix cannot be inverted.
	turns []turn
}

type turn struct {
	m   [9]float64
	bad bool
}

// npzLimits limit the memory that one file can use. The longest known clip has
// 969 frames of 55 joints, which are 4 MB as float64.
var npzLimits = npz.Limits{EntryBytes: 256 << 20, TotalBytes: 512 << 20}

func readRestpose(ctx context.Context, source FileSource, path string) (*restpose, error) {
	file, err := source.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	archive, err := npz.Open(file, file.Size(), npzLimits)
	if err != nil {
		return nil, err
	}
	p := &restpose{}
	if p.joints, err = texts(archive, "joint_names"); err != nil {
		return nil, err
	}
	p.index = make(map[string]int, len(p.joints))
	for i, name := range p.joints {
		if _, twice := p.index[name]; twice {
			return nil, fmt.Errorf("joint_names: %q is there twice", shorten(name))
		}
		p.index[name] = i
	}
	if p.local, err = matrices(archive, "local_matrices", len(p.joints)); err != nil {
		return nil, err
	}
	shape, world, err := archive.Floats32("matrix_world")
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shape, []int{4, 4}) {
		return nil, fmt.Errorf("matrix_world: has the shape %v, want [4 4]", shape)
	}
	p.world = [16]float32(world)
	if p.parents, err = p.readParents(archive); err != nil {
		return nil, err
	}
	p.findTurns()
	return p, nil
}

// readParents returns parent_indices, or otherwise the indices of the names in
// parents.
func (p *restpose) readParents(archive *npz.File) ([]int32, error) {
	parents := make([]int32, len(p.joints))
	if archive.Has("parent_indices") {
		shape, indices, err := archive.Ints("parent_indices")
		if err != nil {
			return nil, err
		}
		if !slices.Equal(shape, []int{len(p.joints)}) {
			return nil, fmt.Errorf("parent_indices: has the shape %v, want [%d]", shape, len(p.joints))
		}
		for i, index := range indices {
			if index >= int64(len(p.joints)) {
				return nil, fmt.Errorf("parent_indices: %d is no joint", index)
			}
			parents[i] = int32(max(-1, index)) //nolint:gosec // less than the number of joints
		}
		return parents, nil
	}
	named, err := texts(archive, "parents")
	if err != nil {
		return nil, err
	}
	if len(named) != len(p.joints) {
		return nil, fmt.Errorf("parents: has %d names, but there are %d joints", len(named), len(p.joints))
	}
	for i, name := range named {
		parents[i] = -1
		if index, ok := p.index[name]; ok {
			parents[i] = int32(index) //nolint:gosec // less than the number of joints
		}
	}
	return parents, nil
}

func (p *restpose) findTurns() {
	p.turns = make([]turn, len(p.joints))
	for i, parent := range p.parents {
		at := widen(p.local[i])
		if parent >= 0 {
			inverse, ok := invert(widen(p.local[parent]))
			if !ok {
				p.turns[i].bad = true
				continue
			}
			at = multiply(inverse, at)
		}
		p.turns[i].m = [9]float64{at[0], at[1], at[2], at[4], at[5], at[6], at[8], at[9], at[10]}
	}
}

// message returns the response to a request for the rest pose of an avatar.
func (p *restpose) message(avatar string) *motionpb.MotionFileV1Response {
	local := make([]float32, 0, 16*len(p.local))
	for _, m := range p.local {
		local = append(local, m[:]...)
	}
	return &motionpb.MotionFileV1Response{
		ClassName: "Restpose", RestposeName: avatar, JointNames: p.joints, ParentIndices: p.parents,
		LocalMatrices: array("float32", float32s(local), len(p.local), 4, 4),
		MatrixWorld:   array("float32", float32s(p.world[:]), 4, 4),
	}
}

// texts returns an entry that is a list of texts.
func texts(archive *npz.File, key string) ([]string, error) {
	shape, values, err := archive.Strings(key)
	if err != nil {
		return nil, err
	}
	if len(shape) != 1 {
		return nil, fmt.Errorf("%s: has the shape %v, want a list", key, shape)
	}
	return values, nil
}

// matrices returns an entry that is a list of 4×4 matrices.
func matrices(archive *npz.File, key string, count int) ([][16]float32, error) {
	shape, values, err := archive.Floats32(key)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shape, []int{count, 4, 4}) {
		return nil, fmt.Errorf("%s: has the shape %v, want [%d 4 4]", key, shape, count)
	}
	list := make([][16]float32, count)
	for i := range list {
		list[i] = [16]float32(values[16*i:])
	}
	return list, nil
}

var errSingular = errors.New("its parent at rest has no inverse matrix")

func widen(m [16]float32) (wide [16]float64) {
	for i, v := range m {
		wide[i] = float64(v)
	}
	return wide
}

func multiply(a, b [16]float64) (product [16]float64) {
	for row := range 4 {
		for column := range 4 {
			for k := range 4 {
				product[4*row+column] += a[4*row+k] * b[4*k+column]
			}
		}
	}
	return product
}

// invert returns the inverse of a 4×4 matrix. It uses the Gauss-Jordan method
// with the largest pivot of each column. ok is false if there is no inverse.
func invert(m [16]float64) (inverse [16]float64, ok bool) {
	for i := range 4 {
		inverse[5*i] = 1
	}
	for column := range 4 {
		pivot := column
		for row := column + 1; row < 4; row++ {
			if math.Abs(m[4*row+column]) > math.Abs(m[4*pivot+column]) {
				pivot = row
			}
		}
		scale := m[4*pivot+column]
		if scale == 0 || math.IsNaN(scale) || math.IsInf(scale, 0) {
			return inverse, false
		}
		for k := range 4 {
			m[4*pivot+k], m[4*column+k] = m[4*column+k], m[4*pivot+k]/scale
			inverse[4*pivot+k], inverse[4*column+k] = inverse[4*column+k], inverse[4*pivot+k]/scale
		}
		for row := range 4 {
			factor := m[4*row+column]
			if row == column || factor == 0 {
				continue
			}
			for k := range 4 {
				m[4*row+k] -= factor * m[4*column+k]
				inverse[4*row+k] -= factor * inverse[4*column+k]
			}
		}
	}
	return inverse, true
}

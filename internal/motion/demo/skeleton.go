package demo

// vector is in metres, in the axes of the web client: x points to the left of
// the figure, y up, and z in the direction that it looks.
type vector [3]float64

func (v vector) plus(w vector) vector { return vector{v[0] + w[0], v[1] + w[1], v[2] + w[2]} }

// joint is a bone of the figure at rest: upright, with the arms stretched to
// the sides. No joint is turned at rest, so that the turns in a clip are about
// the axes of the figure.
type joint struct {
	name     string
	parent   int    // -1 for none
	offset   vector // from the parent
	at       vector // from the ground
	from, to vector // corners of its box, relative to the joint; equal if there is no box
}

// skeleton returns the joints, with parents before children. Their names are
// those of the real figures (motion contract §8).
func skeleton(size float64) []joint {
	index := map[string]int{"": -1}
	var joints []joint
	// add adds a joint. Its box reaches from the joint to tip and extends by
	// thick to all sides.
	add := func(name, parent string, offset, tip vector, thick float64) {
		j := joint{name: name, parent: index[parent]}
		for axis := range 3 {
			j.offset[axis] = size * offset[axis]
			j.from[axis] = size * (min(0, tip[axis]) - thick)
			j.to[axis] = size * (max(0, tip[axis]) + thick)
		}
		j.at = j.offset
		if j.parent >= 0 {
			j.at = joints[j.parent].at.plus(j.offset)
		}
		index[name] = len(joints)
		joints = append(joints, j)
	}
	add("Root", "", vector{}, vector{}, 0)
	add("Hips", "Root", vector{0, hipHeight, 0}, vector{0, 0.08, 0}, 0.09)
	add("Spine", "Hips", vector{0, 0.12, 0}, vector{0, 0.14, 0}, 0.08)
	add("Chest", "Spine", vector{0, 0.16, 0}, vector{0, 0.18, 0}, 0.1)
	add("Neck", "Chest", vector{0, 0.23, 0}, vector{0, 0.06, 0}, 0.035)
	add("Head", "Neck", vector{0, 0.08, 0}, vector{0, 0.14, 0}, 0.08)
	for _, side := range []struct {
		name, letter string
		x            float64
	}{{"Left_", "L", 1}, {"Right_", "R", -1}} {
		x := side.x
		add("Eye_"+side.letter, "Head", vector{0.035 * x, 0.09, 0.08}, vector{}, 0.012)
		add(side.name+"shoulder", "Chest", vector{0.05 * x, 0.17, 0}, vector{0.06 * x, 0, 0}, 0.04)
		add(side.name+"arm", side.name+"shoulder", vector{0.1 * x, 0, 0}, vector{0.2 * x, 0, 0}, 0.035)
		add(side.name+"elbow", side.name+"arm", vector{0.24 * x, 0, 0}, vector{0.18 * x, 0, 0}, 0.03)
		add(side.name+"wrist", side.name+"elbow", vector{0.22 * x, 0, 0}, vector{0.06 * x, 0, 0}, 0.025)
		add(side.name+"leg", "Hips", vector{0.09 * x, -0.04, 0}, vector{0, -0.36, 0}, 0.055)
		add(side.name+"knee", side.name+"leg", vector{0, -0.42, 0}, vector{0, -0.34, 0}, 0.045)
		add(side.name+"ankle", side.name+"knee", vector{0, -0.4, 0}, vector{0, 0, 0.06}, 0.035)
		add(side.name+"toe", side.name+"ankle", vector{0, -0.01, 0.11}, vector{0, 0, 0.03}, 0.025)
		wrist := side.name + "wrist"
		add("Thumb0_"+side.letter, wrist, vector{0.03 * x, -0.01, 0.03}, vector{0.015 * x, 0, 0.01}, 0.008)
		add("Thumb1_"+side.letter, "Thumb0_"+side.letter, vector{0.025 * x, 0, 0.02}, vector{0.015 * x, 0, 0.01}, 0.008)
		add("Thumb2_"+side.letter, "Thumb1_"+side.letter, vector{0.025 * x, 0, 0.01}, vector{0.015 * x, 0, 0}, 0.008)
		for i, finger := range []string{"Index", "Middle", "Ring", "Little"} {
			parent := wrist
			offset := vector{0.09 * x, 0, 0.03 - 0.02*float64(i)}
			for _, part := range []string{"1", "2", "3"} {
				name := finger + "Finger" + part + "_" + side.letter
				add(name, parent, offset, vector{0.015 * x, 0, 0}, 0.007)
				parent, offset = name, vector{0.03 * x, 0, 0}
			}
		}
	}
	return joints
}

// hipHeight is the height of the hips of a figure of size 1 that stands on the
// ground.
const hipHeight = 0.91

// restposeFile returns the file of the rest pose. In the space of its bones, y
// is up. In the world, z is up, as in Blender.
func restposeFile(a avatar, joints []joint) ([]byte, error) {
	var names, parents []string
	var indices []int64
	var matrices []float32
	for _, j := range joints {
		names = append(names, j.name)
		parent := ""
		if j.parent >= 0 {
			parent = joints[j.parent].name
		}
		parents = append(parents, parent)
		indices = append(indices, int64(j.parent))
		matrices = append(matrices,
			1, 0, 0, float32(j.at[0]),
			0, 1, 0, float32(j.at[1]),
			0, 0, 1, float32(j.at[2]),
			0, 0, 0, 1)
	}
	world := []float32{1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1}
	return npz(
		texts("joint_names", names), floats("local_matrices", matrices, len(joints), 4, 4),
		floats("matrix_world", world, 4, 4), integers("parent_indices", indices, len(joints)),
		texts("parents", parents), text("name", a.key),
	)
}

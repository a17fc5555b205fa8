package demo

import "math"

const framesPerSecond = 30

// clip is one motion. It begins and ends at rest, so that any clip can follow
// any other.
type clip struct {
	name     string
	frames   int
	states   string // comma-separated; "" for NULL: only its keywords are used
	longIdle bool
	keywords string // comma-separated; "" for none
	// move returns the turns at a time from 0 to 1. swell is 0 at both ends and
	// 1 in the middle.
	move func(time, swell float64) pose
}

// pose holds the turns of joints about x, y and z, in degrees.
type pose map[string]vector

var clips = []clip{
	{name: "long_idle", frames: 90, states: "idle", longIdle: true, move: func(time, _ float64) pose {
		return pose{"Spine": {0, 0, 2 * wave(time, 1)}, "Chest": {1.5 * wave(time, 2), 0, wave(time, 1)}, "Head": {0, 4 * wave(time, 1), 0}}
	}},
	{name: "idle", frames: 75, states: "idle", move: func(time, _ float64) pose {
		return pose{"Spine": {0, 5 * wave(time, 1), 0}, "Chest": {0, 3 * wave(time, 1), 0}, "Left_arm": {0, 0, 4 * wave(time, 1)},
			"Right_arm": {0, 0, 4 * wave(time, 1)}}
	}},
	{name: "listen", frames: 75, states: "listen", move: func(time, swell float64) pose {
		return pose{"Head": {4*wave(time, 2) + 3*swell, 0, 8 * swell}, "Chest": {4 * swell, 0, 0}}
	}},
	{name: "think", frames: 90, states: "think", move: func(time, swell float64) pose {
		return pose{"Head": {10 * swell, 6 * wave(time, 1), -6 * swell}, "Right_arm": {0, 25 * swell, -15 * swell},
			"Right_elbow": {0, 100 * swell, 0}}
	}},
	{name: "error", frames: 60, states: "error", move: func(time, swell float64) pose {
		return pose{"Head": {6 * swell, 14 * wave(time, 3) * swell, 0}, "Left_arm": {0, 0, 15 * swell}, "Right_arm": {0, 0, -15 * swell}}
	}},
	{name: "leave", frames: 75, states: "leave", move: func(_, swell float64) pose {
		return pose{"Spine": {18 * swell, 0, 0}, "Chest": {8 * swell, 0, 0}, "Head": {10 * swell, 0, 0}}
	}},
	{name: "wave", frames: 75, keywords: "挥手,招手", move: func(time, swell float64) pose {
		return pose{"Right_arm": {0, 0, -85 * swell}, "Right_elbow": {0, 0, (-55 + 20*wave(time, 4)) * swell}, "Head": {0, 0, 5 * swell}}
	}},
	{name: "nod", frames: 60, keywords: "点头", move: func(time, swell float64) pose {
		return pose{"Head": {12 * wave(time, 2) * swell, 0, 0}}
	}},
}

// wave oscillates between -1 and 1 the given number of times.
func wave(time float64, times int) float64 { return math.Sin(2 * math.Pi * float64(times) * time) }

// atRest returns the turns of a joint in the rest position: arms and fingers
// hang down.
func atRest(joint string) vector {
	switch joint {
	case "Left_arm":
		return vector{0, 0, -70}
	case "Right_arm":
		return vector{0, 0, 70}
	case "Left_elbow":
		return vector{0, -12, 0}
	case "Right_elbow":
		return vector{0, 12, 0}
	case "IndexFinger1_L", "MiddleFinger1_L", "RingFinger1_L", "LittleFinger1_L":
		return vector{0, 0, -14}
	case "IndexFinger1_R", "MiddleFinger1_R", "RingFinger1_R", "LittleFinger1_R":
		return vector{0, 0, 14}
	}
	return vector{}
}

// file returns the npz file of the clip.
func (c clip) file(a avatar, joints []joint) ([]byte, error) {
	var names []string
	for _, j := range joints {
		names = append(names, j.name)
	}
	var rotations, positions []float32
	for frame := range c.frames {
		time := float64(frame) / float64(c.frames-1)
		swell := math.Pow(math.Sin(math.Pi*time), 2)
		turns := c.move(time, swell)
		for _, j := range joints {
			rotations = append(rotations, rotation(atRest(j.name).plus(turns[j.name]))...)
		}
		// The position of the hips in world space, where z is up.
		positions = append(positions, float32(0.01*wave(time, 1)), 0, float32(a.size*hipHeight))
	}
	return npz(
		texts("joint_names", names), floats("rotmat", rotations, c.frames, len(joints), 3, 3),
		floats("transl", positions, c.frames, 3), integers("len", []int64{int64(c.frames)}),
		text("restpose_name", a.key),
	)
}

// rotation returns the row-major matrix that turns about x, then y, then z.
func rotation(degrees vector) []float32 {
	sin, cos := [3]float64{}, [3]float64{}
	for axis, angle := range degrees {
		sin[axis], cos[axis] = math.Sincos(angle * math.Pi / 180)
	}
	var matrix []float32
	for _, value := range []float64{
		cos[2] * cos[1], cos[2]*sin[1]*sin[0] - sin[2]*cos[0], cos[2]*sin[1]*cos[0] + sin[2]*sin[0],
		sin[2] * cos[1], sin[2]*sin[1]*sin[0] + cos[2]*cos[0], sin[2]*sin[1]*cos[0] - cos[2]*sin[0],
		-sin[1], cos[1] * sin[0], cos[1] * cos[0],
	} {
		matrix = append(matrix, float32(value))
	}
	return matrix
}

package motion

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"web-backend/internal/motion/motionpb"
	"web-backend/internal/npz"
)

// App is the kind of application for which clips are transformed.
type App int

// The apps.
const (
	Python  App = iota // the stored form
	Babylon            // for Babylon.js, in the form that the web client expects
)

// ParseApp parses the app_name of a request.
func ParseApp(name string) (App, bool) {
	switch name {
	case "", "python_backend":
		return Python, true
	case "babylon":
		return Babylon, true
	}
	return 0, false
}

// FloatType is the type to which the numbers of clips are converted.
type FloatType string

// The types, with their names in messages.
const (
	Float16 FloatType = "float16"
	Float32 FloatType = "float32"
	Float64 FloatType = "float64"
)

// clipFile is the content of a clip's npz file (§2.2). Each array of numbers is
// in one of two slices: narrow is used for float16 and float32.
type clipFile struct {
	joints   []string
	restpose string
	frames   int
	rotation numbers // (frames, joints, 3, 3), row-major
	root     numbers // (frames, 3)
	sum      [sha256.Size]byte
}

// numbers is an array of numbers of one type. float16 values are held as
// float32, which represents all of them exactly.
type numbers struct {
	floatType FloatType
	narrow    []float32
	wide      []float64
}

// maxClipBytes is the maximum size of a stored clip file.
const maxClipBytes = 128 << 20

func readClip(ctx context.Context, source FileSource, path string, floatType FloatType) (*clipFile, error) {
	content, err := readFile(ctx, source, path, maxClipBytes)
	if err != nil {
		return nil, err
	}
	archive, err := npz.Open(newBytesFile(content), int64(len(content)), npzLimits)
	if err != nil {
		return nil, err
	}
	c, err := parseClip(archive, floatType)
	if err != nil {
		return nil, err
	}
	c.sum = sha256.Sum256(content)
	return c, nil
}

func parseClip(archive *npz.File, floatType FloatType) (*clipFile, error) {
	var err error
	c := &clipFile{}
	if c.joints, err = texts(archive, "joint_names"); err != nil {
		return nil, err
	}
	_, name, err := archive.Strings("restpose_name")
	if err != nil {
		return nil, err
	}
	if len(name) != 1 {
		return nil, fmt.Errorf("restpose_name: holds %d texts, want one", len(name))
	}
	c.restpose = name[0]
	_, length, err := archive.Ints("len")
	if err != nil {
		return nil, err
	}
	var rotationShape, rootShape []int
	if rotationShape, c.rotation, err = readNumbers(archive, "rotmat", floatType); err != nil {
		return nil, err
	}
	if rootShape, c.root, err = readNumbers(archive, "transl", floatType); err != nil {
		return nil, err
	}
	return c, c.checkShapes(rotationShape, rootShape, length)
}

// checkShapes checks that the shapes of the arrays match (§3.7).
func (c *clipFile) checkShapes(rotationShape, rootShape []int, length []int64) error {
	if len(rotationShape) == 0 {
		return errors.New("rotmat: is one number, want [frames joints 3 3]")
	}
	c.frames = rotationShape[0]
	if want := []int{c.frames, len(c.joints), 3, 3}; !slices.Equal(rotationShape, want) {
		return fmt.Errorf("rotmat: has the shape %v, but joint_names has %d names: want %v", rotationShape, len(c.joints), want)
	}
	if want := []int{c.frames, 3}; !slices.Equal(rootShape, want) {
		return fmt.Errorf("transl: has the shape %v, want %v", rootShape, want)
	}
	if len(length) != 1 || length[0] != int64(c.frames) {
		return fmt.Errorf("len: is %v, but rotmat has %d frames", length, c.frames)
	}
	if c.frames == 0 || c.frames > math.MaxInt32 {
		return fmt.Errorf("rotmat: has %d frames", c.frames)
	}
	return nil
}

func readNumbers(archive *npz.File, key string, floatType FloatType) (shape []int, n numbers, err error) {
	n.floatType = floatType
	switch floatType {
	case Float16:
		var halves []uint16
		shape, halves, err = archive.Float16s(key)
		n.narrow = make([]float32, len(halves))
		for i, half := range halves {
			n.narrow[i] = npz.FromHalf(half)
		}
	case Float64:
		shape, n.wide, err = archive.Floats64(key)
	case Float32:
		shape, n.narrow, err = archive.Floats32(key)
	}
	return shape, n, err
}

// clip is one record with its file, ready to send.
type clip struct {
	record record
	frames int                            // of the file
	head   *motionpb.MotionFileV1Response // without the arrays
	sum    [sha256.Size]byte              // of the file

	mu       sync.Mutex
	messages [2][]byte // by app; nil if it was not requested yet
}

// newClip checks that a record and its file match. The error names the
// mismatch.
func newClip(r record, file *clipFile, pose *restpose) (*clip, error) {
	frames, ranges, err := r.cutoffs(int32(file.frames)) //nolint:gosec // readClip bounds it
	if err != nil {
		return nil, err
	}
	for _, joint := range file.joints {
		i, ok := pose.index[joint]
		if !ok {
			return nil, fmt.Errorf("the rest pose %s has no joint %q", shorten(file.restpose), shorten(joint))
		}
		if pose.turns[i].bad {
			return nil, fmt.Errorf("the joint %q of the rest pose %s: %w", shorten(joint), shorten(file.restpose), errSingular)
		}
	}
	head := &motionpb.MotionFileV1Response{
		ClassName: "MotionClip", RestposeName: r.avatar, JointNames: file.joints, MotionRecordId: r.id,
		IsIdleLong: r.idle, States: r.states, CutoffFrames: frames, CutoffRanges: ranges,
	}
	if r.loop != nil {
		head.LoopStartFrame, head.LoopEndFrame = r.loop.start, r.loop.end
	}
	return &clip{record: r, frames: file.frames, head: head, sum: file.sum}, nil
}

// encode returns the message of the clip with the arrays of file. If pose is
// not nil, encode transforms the arrays for Babylon, which changes file.
func (c *clip) encode(file *clipFile, pose *restpose) ([]byte, error) {
	if pose != nil {
		file.rotation.toBabylon(file.joints, pose)
		file.root.turnRoot()
	}
	message := proto.CloneOf(c.head)
	message.JointRotmat = file.rotation.array(file.frames, len(file.joints), 3, 3)
	message.RootWorldPosition = file.root.array(file.frames, 3)
	return marshal(message)
}

// marshal encodes fields in ascending order, like the encoder of the client.
func marshal(m *motionpb.MotionFileV1Response) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// toBabylon multiplies the rotations of each joint with the joint's turn
// (§3.12). The result of float16 is float32, as in the original.
func (n *numbers) toBabylon(joints []string, pose *restpose) {
	turns := make([][9]float64, len(joints))
	for i, joint := range joints {
		turns[i] = pose.turns[pose.index[joint]].m
	}
	if n.floatType == Float64 {
		turnAll(n.wide, turns)
		return
	}
	turnAll(n.narrow, turns)
	n.floatType = Float32
}

func turnAll[F float32 | float64](rotations []F, turns [][9]float64) {
	for start := 0; start < len(rotations); start += 9 * len(turns) {
		for j := range turns {
			t, b := &turns[j], rotations[start+9*j:start+9*j+9]
			b0, b1, b2 := float64(b[0]), float64(b[1]), float64(b[2])
			b3, b4, b5 := float64(b[3]), float64(b[4]), float64(b[5])
			b6, b7, b8 := float64(b[6]), float64(b[7]), float64(b[8])
			b[0], b[1], b[2] = F(t[0]*b0+t[1]*b3+t[2]*b6), F(t[0]*b1+t[1]*b4+t[2]*b7), F(t[0]*b2+t[1]*b5+t[2]*b8)
			b[3], b[4], b[5] = F(t[3]*b0+t[4]*b3+t[5]*b6), F(t[3]*b1+t[4]*b4+t[5]*b7), F(t[3]*b2+t[4]*b5+t[5]*b8)
			b[6], b[7], b[8] = F(t[6]*b0+t[7]*b3+t[8]*b6), F(t[6]*b1+t[7]*b4+t[8]*b7), F(t[6]*b2+t[7]*b5+t[8]*b8)
		}
	}
}

// turnRoot converts metres with z up to centimetres with y up: (x, y, z)
// becomes (100x, 100z, -100y). The number type does not change.
func (n *numbers) turnRoot() {
	turnRoots(n.wide)
	turnRoots(n.narrow)
}

func turnRoots[F float32 | float64](positions []F) {
	for i := 0; i+2 < len(positions); i += 3 {
		x, y, z := positions[i], positions[i+1], positions[i+2]
		positions[i], positions[i+1], positions[i+2] = 100*x, 100*z, -(100 * y)
	}
}

// array encodes n. It rounds float16 to the nearest value, like NumPy.
func (n numbers) array(shape ...int) *motionpb.NumpyArray {
	switch n.floatType {
	case Float64:
		data := make([]byte, 0, 8*len(n.wide))
		for _, v := range n.wide {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
		return array(string(n.floatType), data, shape...)
	case Float16:
		data := make([]byte, 0, 2*len(n.narrow))
		for _, v := range n.narrow {
			data = binary.LittleEndian.AppendUint16(data, npz.ToHalf(float64(v)))
		}
		return array(string(n.floatType), data, shape...)
	case Float32:
	}
	return array(string(n.floatType), float32s(n.narrow), shape...)
}

func array(dtype string, data []byte, shape ...int) *motionpb.NumpyArray {
	sizes := make([]int32, len(shape))
	for i, n := range shape {
		sizes[i] = int32(n) //nolint:gosec // shapes of files whose size is bounded
	}
	return &motionpb.NumpyArray{Dtype: dtype, Shape: sizes, Data: data}
}

func float32s(values []float32) []byte {
	data := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
	}
	return data
}

// readFile reads a whole file. It returns an error if the file has more than
// limit bytes.
func readFile(ctx context.Context, source FileSource, path string, limit int64) ([]byte, error) {
	file, err := source.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	if file.Size() > limit {
		return nil, fmt.Errorf("has %d bytes; at most %d are read", file.Size(), limit)
	}
	content := make([]byte, file.Size())
	_, err = io.ReadFull(io.NewSectionReader(file, 0, file.Size()), content)
	return content, err
}

package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// The motion files of the benchmark have the size of the real ones (motion
// contract §8): six avatars, 762 records, of which 15 of each avatar are
// served, 55 joints, and clips of 211 frames on average.
const (
	motionRecords = 762
	motionServed  = 15 // records of each avatar
	motionJoints  = 55
	motionFrames  = 211
	meshBytes     = 30 << 20
)

// motionAvatars are the names of the avatars and of their files in the
// original.
var motionAvatars = []struct{ key, restpose, mesh string }{
	{"KQ-default", "KQ_default_0326", "keqing"}, {"FNN-default", "FNN_default_0819", "funingna"}, {"HT-default", "HT_default_0819", "hutao"},
	{"NXD-default", "NXD_default_1202", "nahida"}, {"KL-default", "KL_default_1202", "klee"}, {"Ani-default", "Ani_default_0827", "ani"},
}

// writeMotionFiles writes a data folder with the layout of the original.
func writeMotionFiles(dir string) error {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // data of a benchmark
	joints, parents := make([]string, motionJoints), make([]string, motionJoints)
	for i := range joints {
		joints[i] = fmt.Sprintf("joint_%02d", i)
		if i > 0 {
			parents[i] = joints[(i-1)/2]
		}
	}
	identity := []float32{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}
	files := map[string][]byte{}
	for _, avatar := range motionAvatars {
		files["restpose_npz/"+avatar.restpose+"_skeleton.npz"] = npz(
			texts("joint_names", joints...), texts("parents", parents...),
			floats("local_matrices", bytes.Repeat(float32s(identity), motionJoints), motionJoints, 4, 4),
			floats("matrix_world", float32s(identity), 4, 4))
		files["mesh_glb/"+avatar.mesh+".glb"] = make([]byte, meshBytes)
		for _, kind := range []string{"joints", "rigids", "blendshapes"} {
			files[kind+"_meta/"+avatar.key+"_"+kind+"_meta.json"] = []byte("[]")
		}
		for n := range motionServed {
			rotations := make([]float32, motionFrames*motionJoints*9)
			for i := range rotations {
				rotations[i] = random.Float32()*2 - 1
			}
			files[fmt.Sprintf("motion_files/%s_%d.npz", avatar.key, n)] = npz(
				texts("joint_names", joints...), text("restpose_name", avatar.key),
				array{"len", "<i8", "()", binary.LittleEndian.AppendUint64(nil, motionFrames)},
				floats("rotmat", float32s(rotations), motionFrames, motionJoints, 3, 3),
				floats("transl", float32s(rotations[:motionFrames*3]), motionFrames, 3))
		}
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return writeMotionDatabase(filepath.Join(dir, "motion_database.db"))
}

func writeMotionDatabase(path string) (err error) {
	db, err := sqlite3.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var sql strings.Builder
	sql.WriteString(`BEGIN;
CREATE TABLE motion_record (motion_record_id INTEGER PRIMARY KEY, motion_file_id, motion_keyword_id, speech_keyword_id, random_id,
  loop_id, states, labels, is_idle_long, is_random_audio, startup_frame, recovery_frame, enabled);
CREATE TABLE motion_file (motion_file_id INTEGER PRIMARY KEY, origin_id, armature_id, n_frames, fps, npz_oss_path);
CREATE TABLE origin (origin_id INTEGER PRIMARY KEY); CREATE TABLE armature (armature_id INTEGER PRIMARY KEY, avatar_id);
CREATE TABLE avatar (avatar_id INTEGER PRIMARY KEY, avatar_name);
CREATE TABLE motion_keyword (motion_keyword_id INTEGER PRIMARY KEY, motion_keywords_ch);
CREATE TABLE speech_keyword (speech_keyword_id INTEGER PRIMARY KEY);
CREATE TABLE random (random_id INTEGER PRIMARY KEY, cutoff_frames, cutoff_ranges);
CREATE TABLE loopable (loop_id INTEGER PRIMARY KEY, loop_start_frame, loop_end_frame);
PRAGMA user_version = 1;
`)
	states := []string{"idle", "listen", "think", "error", "leave", "enter"}
	for i, avatar := range motionAvatars {
		fmt.Fprintf(&sql, "INSERT INTO avatar VALUES (%d, '%s'); INSERT INTO armature VALUES (%d, %d);\n", i, avatar.key, i, i)
	}
	for id := range motionRecords {
		avatar, n := id%len(motionAvatars), id/len(motionAvatars)
		state := "NULL"
		if n < motionServed {
			state = "'" + states[n%len(states)] + "'"
		}
		fmt.Fprintf(&sql, "INSERT INTO motion_keyword VALUES (%d, 'word %d');\n", id, id%300)
		fmt.Fprintf(&sql, "INSERT INTO motion_record VALUES (%d, %d, %d, NULL, NULL, NULL, %s, NULL, %d, 0, 5, 5, 1);\n", id+1, id, id, state, (n+1)%2)
		fmt.Fprintf(&sql, "INSERT INTO motion_file VALUES (%d, NULL, %d, %d, 30.0, '%s_%d.npz');\n", id, avatar, motionFrames, motionAvatars[avatar].key, n)
	}
	sql.WriteString("COMMIT;")
	return db.Exec(sql.String())
}

// array is an entry of an npz file.
type array struct {
	name, dtype, shape string
	data               []byte
}

func floats(name string, data []byte, shape ...int) array {
	return array{name, "<f4", "(" + strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", ", ") + ",)", data}
}

func text(name, value string) array {
	a := texts(name, value)
	a.shape = "()"
	return a
}

func texts(name string, values ...string) array {
	const most = 16 // maximum number of code points of a text
	var data []byte
	for _, value := range values {
		letters := []rune(value)
		for i := range most {
			var letter rune
			if i < len(letters) {
				letter = letters[i]
			}
			data = binary.LittleEndian.AppendUint32(data, uint32(letter))
		}
	}
	return array{name, fmt.Sprintf("<U%d", most), fmt.Sprintf("(%d,)", len(values)), data}
}

func float32s(values []float32) []byte {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

// npz returns the contents of an npz file. Writes to memory cannot fail, so it
// panics on an error.
func npz(arrays ...array) []byte {
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	for _, a := range arrays {
		entry, err := archive.Create(a.name + ".npy")
		if err != nil {
			panic(err)
		}
		header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", a.dtype, a.shape)
		_, _ = fmt.Fprintf(entry, "\x93NUMPY\x01\x00%s%s", binary.LittleEndian.AppendUint16(nil, uint16(len(header))), header) //nolint:gosec // the header has some 100 bytes
		_, _ = entry.Write(a.data)
	}
	if err := archive.Close(); err != nil {
		panic(err)
	}
	return file.Bytes()
}

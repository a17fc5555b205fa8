// Package demo writes a small folder of motion files: figures made of boxes
// that sway, listen, think and wave. With it, a server and the DLP3D web client
// can be tried without real files. The folder has the layout of the original's
// data. Its content is the same each time.
package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"web-backend/internal/fileowner"
)

// Summary describes the written folder.
type Summary struct {
	Avatars []string
	Clips   int
	Bytes   int // of all files
}

// avatar is one figure. Its file names are those of the original.
type avatar struct {
	key, restpose, mesh string
	size                float64    // of the skeleton
	colour              [4]float32 // red, green, blue, alpha
}

var avatars = []avatar{
	{"Ani-default", "Ani_default_0827", "ani", 1, [4]float32{0.85, 0.7, 0.3, 1}},
	{"KQ-default", "KQ_default_0326", "keqing", 0.95, [4]float32{0.5, 0.4, 0.75, 1}},
}

// Write writes the folder at target. The target must not exist or must be
// empty.
func Write(target string) (Summary, error) {
	entries, err := os.ReadDir(target)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return Summary{}, err
	case len(entries) > 0:
		return Summary{}, fmt.Errorf("%s is not empty, and nothing in it is replaced; name another folder, which need not exist", target)
	}
	files, err := content()
	if err != nil {
		return Summary{}, err
	}
	summary := Summary{Clips: len(avatars) * len(clips)}
	for _, a := range avatars {
		summary.Avatars = append(summary.Avatars, a.key)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeNew(filepath.Join(target, filepath.FromSlash(name)), files[name]); err != nil {
			return Summary{}, fmt.Errorf("%w; what is in %s by now is not whole: remove it", err, target)
		}
		summary.Bytes += len(files[name])
	}
	return summary, nil
}

// writeNew writes a file that does not exist yet. The file does not contain
// secrets, so its mode lets a server of another user read it.
func writeNew(name string, data []byte) error {
	if err := fileowner.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // see above
	if err != nil {
		return err
	}
	if err = fileowner.TakeOwner(file, filepath.Dir(name)); err == nil {
		_, err = file.Write(data)
	}
	return errors.Join(err, file.Close())
}

// content returns the files, by their paths in the folder.
func content() (files map[string][]byte, err error) {
	files = map[string][]byte{}
	add := func(name string, data []byte, fault error) {
		files[name] = data
		err = errors.Join(err, fault)
	}
	for i, a := range avatars {
		joints := skeleton(a.size)
		data, fault := restposeFile(a, joints)
		add("restpose_npz/"+a.restpose+"_skeleton.npz", data, fault)
		data, fault = glb(a, joints)
		add("mesh_glb/"+a.mesh+".glb", data, fault)
		for kind, value := range map[string]any{"joints": physicsJoints, "rigids": rigidBodies, "blendshapes": blendshapes} {
			data, fault = indentedJSON(value)
			add(kind+"_meta/"+a.key+"_"+kind+"_meta.json", data, fault)
		}
		for j, c := range clips {
			data, fault = c.file(a, joints)
			add("motion_files/"+clipPath(i, j), data, fault)
		}
	}
	data, fault := database()
	add("motion_database.db", data, fault)
	return files, err
}

// clipPath returns the path of a clip below motion_files.
func clipPath(avatarIndex, clipIndex int) string {
	return fmt.Sprintf("motion/demo/%s/%s_%04d.npz", avatars[avatarIndex].key, clips[clipIndex].name, recordID(avatarIndex, clipIndex))
}

func recordID(avatarIndex, clipIndex int) int { return 100*avatarIndex + clipIndex + 1 }

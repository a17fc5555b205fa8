// Package demo writes a small folder of motion files, so that a server and the
// DLP3D web client can be tried without the real ones: figures of boxes that
// sway, listen, think and wave. The folder is laid out as the original's data,
// and the same every time.
package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Summary says what was written.
type Summary struct {
	Avatars []string
	Clips   int
	Bytes   int // of all files
}

// avatar is one figure. The names of the files are those that the original has
// for it.
type avatar struct {
	key, restpose, mesh string
	size                float64    // of the skeleton
	colour              [4]float32 // red, green, blue, alpha
}

var avatars = []avatar{
	{"Ani-default", "Ani_default_0827", "ani", 1, [4]float32{0.85, 0.7, 0.3, 1}},
	{"KQ-default", "KQ_default_0326", "keqing", 0.95, [4]float32{0.5, 0.4, 0.75, 1}},
}

// Write makes the folder at target, which must not be there yet, or be empty.
// What it has made is removed again if it fails.
func Write(target string) (summary Summary, err error) {
	entries, err := os.ReadDir(target)
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !isNew:
		return summary, err
	case len(entries) > 0:
		return summary, fmt.Errorf("%s is not empty; nothing in it is replaced: name another folder, which need not exist", target)
	}
	files, err := content()
	if err != nil {
		return summary, err
	}
	if err := os.MkdirAll(target, 0o755); err != nil { //nolint:gosec // no secrets: a server of another user may read them
		return summary, err
	}
	var made []string
	defer func() {
		if err == nil {
			return
		}
		for _, name := range slices.Backward(made) {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	if isNew {
		made = append(made, target)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeNew(target, name, files[name], &made); err != nil {
			return summary, err
		}
		summary.Bytes += len(files[name])
	}
	for _, a := range avatars {
		summary.Avatars = append(summary.Avatars, a.key)
	}
	summary.Clips = len(avatars) * len(clips)
	return summary, nil
}

// writeNew writes a file below target, and adds what it makes to made.
func writeNew(target, name string, data []byte, made *[]string) error {
	folder := target
	for part := range strings.SplitSeq(path.Dir(name), "/") {
		folder = filepath.Join(folder, part)
		err := os.Mkdir(folder, 0o755) //nolint:gosec // as above
		if err == nil {
			*made = append(*made, folder)
		} else if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	file, err := os.OpenFile(filepath.Join(target, filepath.FromSlash(name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // as above
	if err != nil {
		return err
	}
	*made = append(*made, file.Name())
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// content gives the files by their paths in the folder.
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

// clipPath is where a clip is below motion_files.
func clipPath(avatarIndex, clipIndex int) string {
	return fmt.Sprintf("motion/demo/%s/%s_%04d.npz", avatars[avatarIndex].key, clips[clipIndex].name, recordID(avatarIndex, clipIndex))
}

func recordID(avatarIndex, clipIndex int) int { return 100*avatarIndex + clipIndex + 1 }

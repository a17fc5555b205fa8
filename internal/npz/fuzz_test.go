package npz_test

import (
	"archive/zip"
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"web-backend/internal/npz"
)

// FuzzNpz checks that reading any file, or a file with any array, returns
// values or an error of one line that names the entry. It also checks that the
// memory is limited.
func FuzzNpz(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.npz")
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		data := readFile(f, path)
		f.Add(data, false)
		for _, array := range unzipped(f, data) {
			if len(array) < 1000 {
				f.Add(array, true)
			}
		}
	}
	x := array("x", "<i2", "(2, 1)", "\x01\x00\x02\x00")
	f.Add(archive(f, x, entry{name: "y.npy", data: x.data, zip64: true}, entry{name: "z.npy", data: x.data, descriptor: true}), false)
	f.Add(archive(f, entry{name: "x.npy", data: x.data, size: new(uint64(1 << 40)), zip64: true}), false)
	f.Add([]byte(array("x", "<f8", "(1000000000000,)", "").data), true)

	limits := npz.Limits{EntryBytes: 1 << 18, TotalBytes: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte, isArray bool) {
		if len(data) > 1<<20 {
			return
		}
		if isArray {
			data = archive(t, entry{name: "x.npy", data: string(data), stored: true})
		}
		keys := keysOf(data)
		// Three times the arrays, a directory, and the needs of each attempt: a
		// header, a chunk and a DEFLATE reader.
		bound := 3*uint64(limits.TotalBytes) + 16<<20 + uint64(len(keys)*len(readers))*256<<10
		if n := allocated(func() { readAll(t, data, keys, limits) }); n > bound {
			t.Errorf("allocated %d bytes, more than %d", n, bound)
		}
	})
}

func keysOf(data []byte) []string {
	keys := []string{"no such key"}
	if r, err := zip.NewReader(bytes.NewReader(data), int64(len(data))); err == nil {
		for _, entry := range r.File[:min(len(r.File), 16)] {
			keys = append(keys, strings.TrimSuffix(entry.Name, ".npy"))
		}
	}
	return keys
}

// readAll reads each array with every method.
func readAll(t *testing.T, data []byte, keys []string, limits npz.Limits) {
	t.Helper()
	file, err := npz.Open(bytes.NewReader(data), int64(len(data)), limits)
	if err != nil {
		checkError(t, "", err)
		return
	}
	for _, key := range keys {
		shape, halves, err := file.Float16s(key)
		checkArray(t, key, shape, len(halves), err)
		shape, singles, err := file.Floats32(key)
		checkArray(t, key, shape, len(singles), err)
		shape, doubles, err := file.Floats64(key)
		checkArray(t, key, shape, len(doubles), err)
		shape, ints, err := file.Ints(key)
		checkArray(t, key, shape, len(ints), err)
		shape, texts, err := file.Strings(key)
		checkArray(t, key, shape, len(texts), err)
	}
}

func checkArray(t *testing.T, key string, shape []int, values int, err error) {
	t.Helper()
	if err != nil {
		checkError(t, key+": ", err)
		return
	}
	count := 1
	for _, n := range shape {
		count *= n
	}
	if count != values {
		t.Errorf("shape %v has %d values", shape, values)
	}
}

func checkError(t *testing.T, prefix string, err error) {
	t.Helper()
	text, named := strings.CutPrefix(err.Error(), prefix)
	if !named || text == "" || strings.ContainsAny(text, "\r\n\x00") || len(text) > 1000 {
		t.Errorf("error %q", err)
	}
}

package npz_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/npz"
)

// wide are limits that the arrays of these tests do not reach, except those
// with false sizes.
var wide = npz.Limits{EntryBytes: 1 << 20, TotalBytes: 1 << 24}

// TestNumPyFiles reads files that NumPy wrote and compares the result with that
// of NumPy. testdata/make.py wrote expected.json.
func TestNumPyFiles(t *testing.T) {
	t.Parallel()
	type array struct {
		Shape      []int
		Strings    []string
		Ints       []int64
		F2, F4, F8 string // bytes, or their hash
	}
	var expected map[string]map[string]array
	if err := json.Unmarshal(readFile(t, "testdata/expected.json"), &expected); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("testdata/*.npz")
	if err != nil || len(paths) == 0 || len(paths) != len(expected) {
		t.Fatalf("files %v, %v; expected %d", paths, err, len(expected))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			f := open(t, readFile(t, path))
			for key, want := range expected[filepath.Base(path)] {
				if !f.Has(key) {
					t.Errorf("%s: Has = false", key)
				}
				if want.Strings != nil {
					shape, values, err := f.Strings(key)
					check(t, key+" Strings", err, result{shape, values}, result{want.Shape, want.Strings})
					continue
				}
				if want.Ints != nil {
					shape, values, err := f.Ints(key)
					check(t, key+" Ints", err, result{shape, values}, result{want.Shape, want.Ints})
				}
				shape, halves, err := f.Float16s(key)
				check(t, key+" Float16s", err, result{shape, bits(halves)}, result{want.Shape, want.F2})
				shape, singles, err := f.Floats32(key)
				check(t, key+" Floats32", err, result{shape, bits(singles)}, result{want.Shape, want.F4})
				shape, doubles, err := f.Floats64(key)
				check(t, key+" Floats64", err, result{shape, bits(doubles)}, result{want.Shape, want.F8})
			}
		})
	}
}

// TestNumPyFiles_Kinds checks that the files cover the important kinds.
func TestNumPyFiles_Kinds(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"float16.npz":          "'descr': '<f2'",
		"big_endian_npy2.npz":  "\x93NUMPY\x02\x00t\x00\x00\x00{'descr': '>f8'",
		"big_endian_npy3.npz":  "\x93NUMPY\x03\x00t\x00\x00\x00{'descr': '>f4'",
		"fortran.npz":          "'fortran_order': True",
		"restpose_fortran.npz": "'fortran_order': True",
		"object.npz":           "'descr': '|O'",
	} {
		found := false
		for _, data := range unzipped(t, readFile(t, filepath.Join("testdata", file))) {
			found = found || bytes.Contains(data, []byte(want))
		}
		if !found {
			t.Errorf("%s has no %q", file, want)
		}
	}
	if !bytes.Contains(readFile(t, "testdata/stored.npz"), []byte("'descr': '<f4'")) {
		t.Error("stored.npz is compressed")
	}
}

// TestObjects checks that Python objects in unused entries do not cause errors,
// and that a used one is refused with advice.
func TestObjects(t *testing.T) {
	t.Parallel()
	f := open(t, readFile(t, "testdata/object.npz"))
	if _, _, err := f.Floats32("rotmat"); err != nil {
		t.Error(err)
	}
	if _, _, err := f.Ints("cutoff_ranges"); err == nil || !strings.HasPrefix(err.Error(), "cutoff_ranges: holds Python objects") {
		t.Errorf("error %v", err)
	}
	f = open(t, archive(t, entry{name: "joint_names.npy", data: npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "\x80\x04.")}))
	const want = "joint_names: holds Python objects (a pickle), which are never read; save it as an array of text, such as np.array(names)"
	if _, _, err := f.Strings("joint_names"); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestFloat16s_RoundTrip checks that every half float is read unchanged, and
// that it is the nearest half float of its value.
func TestFloat16s_RoundTrip(t *testing.T) {
	t.Parallel()
	var all []byte
	for half := range uint16(math.MaxUint16) {
		all = append(all, little(half)...)
	}
	f := open(t, archive(t, array("x", "<f2", "(65535,)", string(all))))
	_, halves, err := f.Float16s("x")
	if err != nil {
		t.Fatal(err)
	}
	_, values, err := f.Floats64("x")
	if err != nil {
		t.Fatal(err)
	}
	f = open(t, archive(t, array("x", "<f8", "(65535,)", string(little(values)))))
	_, again, err := f.Float16s("x")
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint16(math.MaxUint16) {
		isNaN := i&0x7fff > 0x7c00
		if halves[i] != i || isNaN != math.IsNaN(values[i]) || (!isNaN && again[i] != i) || (isNaN && again[i]&0x7fff <= 0x7c00) {
			t.Fatalf("half %#04x is %#04x, %v, and %#04x again", i, halves[i], values[i], again[i])
		}
		if i < 0x7bff && values[i+1] <= values[i] {
			t.Fatalf("half %#04x is %v, the next one %v", i, values[i], values[i+1])
		}
	}
}

// TestFortranOrder checks that each value is at its index, for any number of
// dimensions.
func TestFortranOrder(t *testing.T) {
	t.Parallel()
	for _, shape := range [][]int{{}, {5}, {2, 3}, {3, 1, 2}, {2, 3, 4, 5}, {1, 2, 1, 2, 1, 2, 1, 2}} {
		count := 1
		for _, n := range shape {
			count *= n
		}
		raw := make([]byte, count)
		for place := range count { // in C order
			at, rest := 0, place
			for axis, n := range slices.Backward(shape) {
				stride := 1
				for _, n := range shape[:axis] {
					stride *= n
				}
				at += rest % n * stride
				rest /= n
			}
			raw[at] = byte(place)
		}
		head := "{'descr': '|u1', 'fortran_order': True, 'shape': " + tuple(shape) + ", }"
		f := open(t, archive(t, entry{name: "x.npy", data: npy(head, string(raw))}))
		got, values, err := f.Ints("x")
		want := make([]int64, count)
		for i := range want {
			want[i] = int64(i)
		}
		check(t, tuple(shape), err, result{got, values}, result{shape, want})
	}
}

// TestHeaders checks headers that Python would read as the same dict, and
// headers that it would not.
func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, head := range []string{
		"{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }   \n",
		"{'descr': '<i2', 'fortran_order': False, 'shape': (2,)}",
		"{\"shape\":(2,),\"fortran_order\":True,\"descr\":\"<i2\"}",
		" \t{ 'shape' : ( 2 , ) , 'descr' : '<i2' ,\n 'fortran_order' : False , } \r\n\f",
		"{'descr': '<i2', 'fortran_order': False, 'shape': (2,1)}",
		"{'descr': '<i2', 'fortran_order': False, 'shape': (2,1,)}",
	} {
		f := open(t, archive(t, entry{name: "x.npy", data: npy(head, "\x01\x00\x02\x00")}))
		if _, values, err := f.Ints("x"); err != nil || !slices.Equal(values, []int64{1, 2}) {
			t.Errorf("%q: %v, %v", head, values, err)
		}
	}
	const other = "'fortran_order': False, 'shape': (2,)"
	for _, head := range []string{
		"", "{", "{}", "{,}", "()", "{" + other + "}", "{'descr': '<i2', " + other, "{'descr': '<i2' " + other + "}",
		"{'descr': '<i2', " + other + ",,}", "{'descr': '<i2', " + other + "} x", "{'descr': '<i2', " + other + "}\x00",
		"{'descr': '<i2', 'descr': '<i2', " + other + "}", "{'descr': '<i2', " + other + ", 'more': 1}",
		"{'descr': '<i2\", " + other + "}", "{'descr': '<i2, " + other + "}", "{'descr': u'<i2', " + other + "}", "{'descr': '\\x3ci2', " + other + "}",
		"{'descr': <i2, " + other + "}", "{'descr' '<i2', " + other + "}", "{descr: '<i2', " + other + "}",
		"{'descr': '<i2', 'fortran_order': 0, 'shape': (2,)}", "{'descr': '<i2', 'fortran_order': Falsehood, 'shape': (2,)}",
		"{'descr': '<i2', 'fortran_order': False, 'shape': 2}", "{'descr': '<i2', 'fortran_order': False, 'shape': (2)}",
		"{'descr': '<i2', 'fortran_order': False, 'shape': [2]}", "{'descr': '<i2', 'fortran_order': False, 'shape': (2,,)}",
		"{'descr': '<i2', 'fortran_order': False, 'shape': (,)}", "{'descr': '<i2', 'fortran_order': False, 'shape': (2 1)}",
		"{'descr': '<i2', 'fortran_order': False, 'shape': (2L,)}", "{'descr': '<i2', 'fortran_order': False, 'shape': (2.0,)}",
		"{'descr': '<i2', 'fortran_order': False, 'shape': (2,}", "{'descr': '<i2', 'fortran_order': False, 'shape': (",
		"{'descr': '<i2', 'fortran_order': False, 'shape': (+2,)}", "{'descr': '<i2', 'fortran_order': False, 'shape': (0x2,)}",
	} {
		f := open(t, archive(t, entry{name: "x.npy", data: npy(head, "\x01\x00\x02\x00")}))
		if _, _, err := f.Ints("x"); err == nil || !strings.HasPrefix(err.Error(), "x: ") || !strings.Contains(err.Error(), "save it") {
			t.Errorf("%q: error %v", head, err)
		}
	}
}

// result is the actual or expected result of reading an array.
type result struct {
	shape  []int
	values any
}

func check(t *testing.T, what string, err error, got, want result) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, %v, want %v", what, got, err, want)
	}
}

// bits returns the bytes of the values, or their hash if there are many, like
// make.py.
func bits[T any](values []T) string {
	data := little(values)
	if len(values) > 32 {
		sum := sha256.Sum256(data)
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return hex.EncodeToString(data)
}

func open(t testing.TB, data []byte) *npz.File {
	t.Helper()
	f, err := npz.Open(bytes.NewReader(data), int64(len(data)), wide)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var readers = map[string]func(f *npz.File, key string) error{
	"Floats32": func(f *npz.File, key string) error { _, _, err := f.Floats32(key); return err },
	"Floats64": func(f *npz.File, key string) error { _, _, err := f.Floats64(key); return err },
	"Float16s": func(f *npz.File, key string) error { _, _, err := f.Float16s(key); return err },
	"Ints":     func(f *npz.File, key string) error { _, _, err := f.Ints(key); return err },
	"Strings":  func(f *npz.File, key string) error { _, _, err := f.Strings(key); return err },
}

var readerNames = slices.Sorted(maps.Keys(readers))

package npz_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/npz"
)

// TestBrokenEntries checks that each entry is refused with an error that names
// the entry and the problem.
func TestBrokenEntries(t *testing.T) {
	t.Parallel()
	const nan = "\x00\x00\xc0\x7f"
	numbers := array("x", "<f4", "(2,)", nan+nan)
	header := func(text string) entry { return entry{name: "x.npy", data: npy(text, "")} }
	shaped := func(shape string) entry { return array("x", "<f4", shape, nan) }
	for name, c := range map[string]struct {
		entry  entry
		reader string
		want   string
	}{
		"missing":     {array("y", "<f4", "()", nan), "Floats32", "x: is missing"},
		"not .npy":    {entry{name: "x", data: "text"}, "Floats32", "x: is missing"},
		"empty":       {entry{name: "x.npy"}, "Floats32", "x: is damaged or cut off"},
		"no magic":    {entry{name: "x.npy", data: "PK\x03\x04 and more"}, "Floats32", "x: is not a NumPy array"},
		"npy 4.0":     {entry{name: "x.npy", data: "\x93NUMPY\x04\x00\x00\x00\x00\x00"}, "Floats32", "x: has version 4.0 of the npy format"},
		"npy 1.1":     {entry{name: "x.npy", data: "\x93NUMPY\x01\x01\x00\x00"}, "Floats32", "x: has version 1.1 of the npy format"},
		"no length":   {entry{name: "x.npy", data: "\x93NUMPY\x02\x00\x00\x00"}, "Floats32", "x: is damaged or cut off"},
		"long header": {header("{" + strings.Repeat(" ", 10_000)), "Floats32", "x: has a header of 10001 bytes"},
		"huge header": {entry{name: "x.npy", data: "\x93NUMPY\x03\x00\xff\xff\xff\xff{"}, "Floats32", "x: has a header of 4294967295 bytes"},
		"cut header":  {entry{name: "x.npy", data: "\x93NUMPY\x01\x00\x40\x00{'descr"}, "Floats32", "x: is damaged or cut off"},

		"records": {header("{'descr': [('f0', '<f4')], 'fortran_order': False, 'shape': (2,), }"), "Floats32", "x: holds records (a structured dtype)"},
		"npy 3.0 records": {entry{name: "x.npy", data: "\x93NUMPY\x03\x00\x11\x00\x00\x00{'descr': [('键',"},
			"Floats32", "x: holds records (a structured dtype)"},
		"sub-array":  {header("{'descr': ('<f4', (3,)), 'fortran_order': False, 'shape': (2,), }"), "Floats32", "x: holds records (a structured dtype)"},
		"objects":    {array("x", "|O", "()", "\x80\x04N."), "Ints", "x: holds Python objects (a pickle), which are never read; save it as an array of integers"},
		"complex":    {array("x", "<c8", "()", nan+nan), "Floats32", "x: holds complex numbers; save it as an array of numbers"},
		"times":      {array("x", "<M8[ns]", "()", nan+nan), "Ints", "x: holds times"},
		"durations":  {array("x", "<m8", "()", nan+nan), "Ints", "x: holds times"},
		"raw":        {array("x", "|V4", "()", nan), "Strings", "x: holds raw bytes (dtype V)"},
		"floats":     {numbers, "Ints", "x: holds floats (<f4); save it as an array of integers"},
		"no text":    {numbers, "Strings", "x: holds floats (<f4); save it as an array of text"},
		"no numbers": {array("x", "<U1", "()", "a\x00\x00\x00"), "Floats64", "x: holds text (<U1); save it as an array of numbers"},

		"f16":            {array("x", "<f16", "()", strings.Repeat("\x00", 16)), "Floats64", `x: holds items of a type that is not known ("<f16")`},
		"i3":             {array("x", "<i3", "()", "\x00\x00\x00"), "Ints", `x: holds items of a type that is not known ("<i3")`},
		"b2":             {array("x", "|b2", "()", "\x00\x00"), "Ints", `x: holds items of a type that is not known ("|b2")`},
		"no descr":       {array("x", "", "()", ""), "Ints", `x: holds items of a type that is not known ("")`},
		"no size":        {array("x", "<f", "()", nan), "Floats32", `x: holds items of a type that is not known ("<f")`},
		"own order":      {array("x", "=f4", "()", nan), "Floats32", `x: holds items of a type that is not known ("=f4")`},
		"unknown order":  {array("x", "|f4", "()", nan), "Floats32", `x: holds items of a type that is not known ("|f4")`},
		"no order":       {array("x", "f4", "()", nan), "Floats32", `x: holds items of a type that is not known ("f4")`},
		"long descr":     {array("x", strings.Repeat("f", 5000), "()", nan), "Floats32", `x: holds items of a type that is not known ("` + strings.Repeat("f", 40) + `")`},
		"negative text":  {array("x", "<U-1", "()", ""), "Strings", `x: holds items of a type that is not known ("<U-1")`},
		"endless text":   {array("x", "<U9999999999", "()", ""), "Strings", `x: holds items of a type that is not known`},
		"too long text":  {array("x", "<U262144", "()", ""), "Strings", "x: is too large"},
		"no text length": {array("x", "<U", "()", ""), "Strings", `x: holds items of a type that is not known ("<U")`},

		"negative":        {shaped("(-1,)"), "Floats32", "x: has a negative dimension"},
		"huge":            {shaped("(1000000000000,)"), "Floats32", "x: is too large (shape [1000000000000] of <f4): an array may have 1048576 bytes"},
		"beyond int":      {shaped("(99999999999999999999,)"), "Floats32", "x: has a dimension beyond all memory"},
		"overflow":        {shaped("(4294967296, 4294967296, 4294967297)"), "Floats32", "x: is too large"},
		"wraps to 1":      {shaped("(9223372036854775807, 9223372036854775807)"), "Floats32", "x: is too large"},
		"empty, but huge": {shaped("(0, 9223372036854775807, 2)"), "Floats32", "x: is too large"},
		"33 dimensions":   {shaped("(" + strings.Repeat("1, ", 33) + ")"), "Floats32", "x: has more than 32 dimensions"},
		"size of texts":   {array("x", "|S1", "(65536,)", strings.Repeat("a", 65536)), "Strings", "x: is too large"},
		"decoded size":    {array("x", "|i1", "(131073,)", strings.Repeat("\x00", 131073)), "Ints", "x: is too large"},
		"items of 0":      {array("x", "<U0", "(2,)", ""), "Strings", `x: holds items of a type that is not known ("<U0")`},

		"short":       {array("x", "<f4", "(2,)", nan), "Floats32", "x: has 71 bytes, and its header says 75 (shape [2] of <f4)"},
		"long":        {array("x", "<f4", "(2,)", nan+nan+"\x00"), "Floats32", "x: has 76 bytes, and its header says 75"},
		"empty, long": {array("x", "<f4", "(0,)", nan), "Floats32", "and its header says"},
		"says less":   {entry{name: "x.npy", data: numbers.data + strings.Repeat(nan, 1<<20), size: new(uint64(len(numbers.data)))}, "Floats32", "x: is damaged or cut off"},
		"says more":   {entry{name: "x.npy", data: numbers.data[:len(numbers.data)-4], size: new(uint64(len(numbers.data)))}, "Floats32", "x: is damaged or cut off"},
		"says all":    {entry{name: "x.npy", data: numbers.data, size: new(uint64(math.MaxUint64)), zip64: true}, "Floats32", "x: has 18446744073709551615 bytes"},
		"checksum":    {entry{name: "x.npy", data: numbers.data, sum: new(uint32(1))}, "Floats32", "x: is damaged or cut off (zip: checksum error)"},
		"its stored checksum": {entry{name: "x.npy", data: numbers.data, sum: new(uint32(1)), stored: true, descriptor: true}, "Floats32",
			"x: is damaged or cut off (zip: checksum error)"},
		"no deflate": {entry{name: "x.npy", data: numbers.data, stored: true, method: 8}, "Floats32", "x: is damaged or cut off ("},
		"bzip2":      {entry{name: "x.npy", data: numbers.data, method: 12}, "Floats32", "x: is compressed in a way that NumPy never uses"},

		"u8":            {array("x", "<u8", "(2,)", "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"), "Ints", "x: holds a number beyond 9223372036854775807"},
		"surrogate":     {array("x", "<U1", "()", "\x00\xd8\x00\x00"), "Strings", "x: holds text that is not Unicode"},
		"beyond":        {array("x", ">U1", "()", "\x00\x11\x00\x00"), "Strings", "x: holds text that is not Unicode"},
		"negative rune": {array("x", "<U1", "()", "\xff\xff\xff\xff"), "Strings", "x: holds text that is not Unicode"},
		"no UTF-8":      {array("x", "|S2", "(1,)", "\xff\xfe"), "Strings", "x: holds text that is not Unicode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, archive(t, c.entry))
			if err := readers[c.reader](f, "x"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// TestZipForms checks forms of zip files that other programs write and that
// archive/zip reads.
func TestZipForms(t *testing.T) {
	t.Parallel()
	x := array("x", "<i2", "(2,)", "\x01\x00\x02\x00")
	for name, e := range map[string]entry{
		"DEFLATE": {}, "stored": {stored: true}, "zip64": {zip64: true}, "zip64, stored": {zip64: true, stored: true},
		"data descriptor": {descriptor: true}, "zip64, data descriptor": {zip64: true, descriptor: true, stored: true},
	} {
		e.name, e.data = x.name, x.data
		_, values, err := open(t, archive(t, array("before", "<i2", "()", "\x00\x00"), e)).Ints("x")
		if err != nil || !slices.Equal(values, []int64{1, 2}) {
			t.Errorf("%s: %v, %v", name, values, err)
		}
	}
}

// TestBooleans checks that any byte other than 0 is true, as in NumPy, in both
// byte orders.
func TestBooleans(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"|", "<", ">"} {
		_, values, err := open(t, archive(t, array("x", order+"b1", "(3,)", "\x00\x01\xff"))).Ints("x")
		if err != nil || !slices.Equal(values, []int64{0, 1, 1}) {
			t.Errorf("%s: %v, %v", order, values, err)
		}
	}
}

// TestOpen_Refuses checks errors that concern the file as a whole.
func TestOpen_Refuses(t *testing.T) {
	t.Parallel()
	x := array("x", "<i2", "()", "\x01\x00")
	good := archive(t, x)
	var many []entry
	for range 20_000 {
		many = append(many, entry{name: "0123456789", stored: true, again: len(many) > 0})
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":        {nil, "it is not an npz file, or was cut off"},
		"text":         {[]byte("version https://git-lfs.github.com/spec/v1\n"), "it is not an npz file, or was cut off"},
		"cut off":      {good[:len(good)-30], "it is not an npz file, or was cut off"},
		"twice":        {archive(t, x, x), `"x": is in the file twice`},
		"many entries": {archive(t, many...), "its directory has more than 1048576 bytes"},
		"lying count":  {slices.Concat(good[:100], directoryEnd(1<<60, 0, 50)), "it is not an npz file, or was cut off"},
	} {
		if _, err := npz.Open(bytes.NewReader(c.data), int64(len(c.data)), wide); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
	broken := errors.New("the disk is broken")
	if _, err := npz.Open(brokenDisk{broken}, 1000, wide); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

type brokenDisk struct{ err error }

func (b brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, b.err }

// TestTotalBytes checks that many names of one large array count as many
// arrays.
func TestTotalBytes(t *testing.T) {
	t.Parallel()
	a := array("a", "<f8", "(1000,)", strings.Repeat("\x00", 8000))
	b, c := a, a
	b.name, c.name, b.again, c.again = "b.npy", "c.npy", true, true
	data := archive(t, a, b, c)
	f, err := npz.Open(bytes.NewReader(data), int64(len(data)), npz.Limits{EntryBytes: 8000, TotalBytes: 23_999})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b"} {
		if _, _, err := f.Floats64(key); err != nil {
			t.Error(err)
		}
	}
	const want = "c: is too large: all arrays of a file may have 23999 bytes in memory; save smaller ones"
	if _, _, err := f.Floats64("c"); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, _, err := f.Float16s("c"); err == nil { // the size of the items in the file also counts
		t.Error("a float64 of 8 bytes counts as 2")
	}
}

// TestMemory checks that the memory depends on the real data of a file and not
// on the sizes that it claims.
func TestMemory(t *testing.T) { // not parallel: others allocate, too
	limits := npz.Limits{EntryBytes: 1 << 40, TotalBytes: 1 << 40} // practically unlimited
	zeros := strings.Repeat("\x00", 1<<24)
	huge := array("x", "<f4", "(250000000000,)", zeros[:1<<16])
	for name, e := range map[string]entry{
		"shape":        array("x", "<f4", "(250000000000,)", "\x00"),
		"text":         array("x", "<U100000000", "(1000,)", "\x00"),
		"shape, size":  {name: "x.npy", data: huge.data, size: new(uint64(len(huge.data)) - 1<<16 + 1e12), zip64: true},
		"bomb":         array("x", "<f4", "(2,)", zeros),
		"hidden bomb":  {name: "x.npy", data: array("x", "<f4", "(2,)", zeros).data, size: new(uint64(len(array("x", "<f4", "(2,)", "12345678").data)))},
		"long headers": {name: "x.npy", data: "\x93NUMPY\x02\x00\x00\x00\x00\x7f" + zeros},
	} {
		data := archive(t, e)
		for _, reader := range readerNames {
			if n := allocated(func() {
				f, err := npz.Open(bytes.NewReader(data), int64(len(data)), limits)
				if err == nil {
					err = readers[reader](f, "x")
				}
				if err == nil {
					t.Errorf("%s, %s: is read", name, reader)
				}
			}); n > 1<<20 {
				t.Errorf("%s, %s: allocated %d bytes", name, reader, n)
			}
		}
	}
	if n := allocated(func() {
		end := directoryEnd(1<<33, 0, 0)
		_, err := npz.Open(sparse{end: end, size: 1 << 40}, 1<<40, wide)
		if err == nil || !strings.Contains(err.Error(), "it has 1099511627776 bytes, and a file may have 17825792") {
			t.Errorf("error %v", err)
		}
	}); n > 1<<20 {
		t.Errorf("sparse file: allocated %d bytes", n)
	}
}

// sparse is a large file of zeros with data at its end.
type sparse struct {
	end  []byte
	size int64
}

func (s sparse) ReadAt(p []byte, offset int64) (int, error) {
	clear(p)
	if at := s.size - int64(len(s.end)) - offset; at < int64(len(p)) {
		copy(p[max(at, 0):], s.end[max(-at, 0):])
	}
	if offset+int64(len(p)) > s.size {
		return len(p), io.EOF
	}
	return len(p), nil
}

// allocated returns the number of bytes that the whole process allocates during
// f.
func allocated(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample)
	return sample[0].Value.Uint64() - before
}

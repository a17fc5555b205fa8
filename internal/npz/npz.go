// Package npz reads NumPy's .npz files: zip archives of arrays. Each array is
// in an entry KEY.npy. The package never reads Python objects (pickles).
//
// The formats are described in numpy/lib/format.py (npy 1.0, 2.0, 3.0) and in
// PKWARE's APPNOTE.TXT (zip, zip64).
package npz

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// maxDirectory is the maximum number of bytes that Open reads from a file. It
// is enough for the directory of about ten thousand entries.
const maxDirectory = 1 << 20

// chunkBytes is the number of bytes of an entry that are decoded at a time. A
// chunk fits into the processor's cache.
const chunkBytes = 1 << 16

// maxRatio is the maximum compression ratio of DEFLATE (zlib's technical
// details).
const maxRatio = 1032

// Limits limit the memory that one file can use. A limit of 0 does not allow
// any data.
type Limits struct {
	EntryBytes int64 // of one entry's decoded array
	TotalBytes int64 // of all entries read (decoded) from one file
}

// File is an open npz file. Entries are read on demand. Other entries are never
// read, whatever they contain. A File is not safe for concurrent use.
//
// The methods that read an array return its shape and its values. The shape of
// a scalar is empty. The values are in C order: the last index changes fastest.
// An error names the entry; the caller should add the name of the file. The
// methods use at most three times Limits.EntryBytes of memory.
type File struct {
	entries map[string]*zip.File
	size    int64 // size of the file
	limits  Limits
	left    int64 // remaining part of Limits.TotalBytes
}

// Open reads the directory of an npz file of size bytes. It rejects a file that
// is larger than Limits.TotalBytes plus a directory, because its directory
// could claim billions of entries. The caller must keep r open while it uses
// the File.
func Open(r io.ReaderAt, size int64, limits Limits) (*File, error) {
	limits.EntryBytes = min(limits.EntryBytes, math.MaxInt)
	if size-maxDirectory > limits.TotalBytes {
		return nil, fmt.Errorf("it has %d bytes, and a file may have %d; save fewer or smaller arrays in it",
			size, limits.TotalBytes+maxDirectory)
	}
	bounded := &boundedReader{ReaderAt: io.NewSectionReader(r, 0, size), left: maxDirectory}
	archive, err := zip.NewReader(bounded, size)
	switch {
	case errors.Is(err, errDirectory):
		return nil, errDirectory
	case errors.Is(err, zip.ErrFormat), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, fmt.Errorf("it is not an npz file, or was cut off (%w); copy it again, or save it with numpy.savez", err)
	case err != nil:
		return nil, err
	}
	bounded.left = math.MaxInt64 // from here on, the sizes of the arrays limit the reads

	f := &File{entries: make(map[string]*zip.File, len(archive.File)), size: size, limits: limits, left: limits.TotalBytes}
	for _, entry := range archive.File {
		key, isArray := strings.CutSuffix(entry.Name, ".npy")
		if !isArray {
			continue
		}
		if f.Has(key) { // readers of zip files differ in which of two entries they use
			return nil, fmt.Errorf("%.100q: is in the file twice; save each array once", key)
		}
		f.entries[key] = entry
	}
	return f, nil
}

// Has reports whether the file has an array with this key.
func (f *File) Has(key string) bool {
	_, ok := f.entries[key]
	return ok
}

var errDirectory = fmt.Errorf("its directory has more than %d bytes; save fewer arrays in a file", maxDirectory)

// boundedReader returns errDirectory after a number of bytes.
type boundedReader struct {
	io.ReaderAt
	left int64
}

func (b *boundedReader) ReadAt(p []byte, offset int64) (int, error) {
	if b.left < int64(len(p)) {
		return 0, errDirectory
	}
	b.left -= int64(len(p))
	return b.ReaderAt.ReadAt(p, offset)
}

// Floats32 returns an array of floats, integers or booleans. Each value is
// rounded to the nearest float32.
func (f *File) Floats32(key string) (shape []int, values []float32, err error) {
	return read(f, key, wanted{kinds: "fiub", bytes: 4, advice: numberAdvice}, floats[float32])
}

// Floats64 returns an array of floats, integers or booleans. Each value is
// rounded to the nearest float64.
func (f *File) Floats64(key string) (shape []int, values []float64, err error) {
	return read(f, key, wanted{kinds: "fiub", bytes: 8, advice: numberAdvice}, floats[float64])
}

// Float16s returns an array of floats, integers or booleans as the bits of IEEE
// half floats. Each value is rounded to the nearest half float, with ties to
// even, like NumPy's astype.
func (f *File) Float16s(key string) (shape []int, values []uint16, err error) {
	return read(f, key, wanted{kinds: "fiub", bytes: 2, advice: numberAdvice}, halves)
}

// Ints returns an array of integers or booleans. It returns an error for floats
// and for integers that do not fit into an int64.
func (f *File) Ints(key string) (shape []int, values []int64, err error) {
	return read(f, key, wanted{kinds: "iub", bytes: 8, advice: intAdvice}, exactInts)
}

// Strings returns an array of text: dtype U, or S in UTF-8. It removes NULs at
// the end, which are padding.
func (f *File) Strings(key string) (shape []int, values []string, err error) {
	return read(f, key, wanted{kinds: "US", bytes: 16, advice: textAdvice}, texts)
}

// Advice about an array of the wrong kind.
const (
	numberAdvice = "save it as an array of numbers, such as np.asarray(values, np.float32)"
	intAdvice    = "save it as an array of integers, such as np.asarray(values, np.int64)"
	textAdvice   = "save it as an array of text, such as np.array(names)"
)

// wanted describes what a method of File expects of an entry.
type wanted struct {
	kinds  string // letters of the dtypes that it accepts
	bytes  int    // size of a value in memory
	advice string // for other kinds
}

// decoder decodes as many items as values has room for. It may change raw.
type decoder[T any] func(values []T, raw []byte, items dtype) error

// read decodes an entry.
func read[T any](f *File, key string, want wanted, decode decoder[T]) ([]int, []T, error) {
	shape, values, err := readEntry(f, key, want, decode)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", key, err)
	}
	return shape, values, nil
}

func readEntry[T any](f *File, key string, want wanted, decode decoder[T]) ([]int, []T, error) {
	entry, ok := f.entries[key]
	if !ok {
		return nil, nil, errors.New("is missing; save an array of this name in the file")
	}
	content, err := entry.Open()
	if err != nil {
		return nil, nil, damaged(err)
	}
	defer content.Close()

	head, err := readHeader(content)
	if err != nil {
		return nil, nil, err
	}
	if !strings.ContainsRune(want.kinds, rune(head.items.kind)) {
		return nil, nil, fmt.Errorf("holds %s; %s", head.items, want.advice)
	}
	count, err := f.count(head, want.bytes)
	if err != nil {
		return nil, nil, err
	}
	if size := head.bytes + count*head.items.size; uint64(size) != entry.UncompressedSize64 { //nolint:gosec // it is not negative
		return nil, nil, fmt.Errorf("has %d bytes, and its header says %d (shape %v of %s); copy the file again, or save it anew",
			entry.UncompressedSize64, size, head.shape, head.items.descr)
	}
	if entry.UncompressedSize64/maxRatio > uint64(f.size) { //nolint:gosec // it is not negative
		return nil, nil, damaged(zip.ErrFormat) // no real file of this size contains so much data
	}
	values := make([]T, count)
	if err := decodeAll(values, content, head.items, decode); err != nil {
		return nil, nil, err
	}
	if head.fortran {
		values = transposed(values, head.shape)
	}
	return head.shape, values, nil
}

// count returns the number of values of an array and subtracts its size from
// the remaining limit of the file. For the limits, a dimension of 0 counts as
// 1, so that a caller can multiply the other dimensions.
func (f *File) count(head header, valueBytes int) (int, error) {
	size := max(head.items.size, valueBytes)
	if head.items.kind == 'U' || head.items.kind == 'S' {
		size = head.items.size + valueBytes
	}
	count := 1
	for _, n := range slices.Concat([]int{1}, head.shape) { // a scalar has one value
		if n == 0 {
			count = 0
			continue
		}
		if int64(size) > f.limits.EntryBytes/int64(n) {
			return 0, fmt.Errorf("is too large (shape %v of %s): an array may have %d bytes in memory; save a smaller one",
				head.shape, head.items.descr, f.limits.EntryBytes)
		}
		size *= n
		count *= n
	}
	if int64(size) > f.left {
		return 0, fmt.Errorf("is too large: all arrays of a file may have %d bytes in memory; save smaller ones", f.limits.TotalBytes)
	}
	f.left -= int64(size)
	return count, nil
}

// decodeAll fills values and checks that no data follows them.
func decodeAll[T any](values []T, content io.Reader, items dtype, decode decoder[T]) error {
	perChunk := max(chunkBytes/items.size, 1)
	raw := make([]byte, min(perChunk, len(values))*items.size)
	for rest := values; len(rest) > 0; {
		n := min(perChunk, len(rest))
		if _, err := io.ReadFull(content, raw[:n*items.size]); err != nil {
			return damaged(err)
		}
		if err := decode(rest[:n], raw[:n*items.size], items); err != nil {
			return err
		}
		rest = rest[n:]
	}
	// At the end, archive/zip compares the checksum.
	var one [1]byte
	if _, err := io.ReadFull(content, one[:]); !errors.Is(err, io.EOF) {
		return damaged(err)
	}
	return nil
}

// damaged returns the error for an entry that cannot be read completely.
func damaged(err error) error {
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return errors.New("is compressed in a way that NumPy never uses; save it with numpy.savez_compressed")
	case err == nil: // more data follows
		err = zip.ErrFormat
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("is damaged or cut off (%w); copy the file again, or save it anew", err)
}

// transposed converts values from Fortran order, in which the first index
// changes fastest, to C order.
func transposed[T any](values []T, shape []int) []T {
	if len(values) == 0 || len(shape) < 2 {
		return values
	}
	strides := make([]int, len(shape))
	stride := 1
	for axis, n := range shape {
		strides[axis] = stride
		stride *= n
	}
	ordered := make([]T, len(values))
	index := make([]int, len(shape))
	from := 0
	for i := range ordered {
		ordered[i] = values[from]
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis]++
			from += strides[axis]
			if index[axis] < shape[axis] {
				break
			}
			from -= strides[axis] * shape[axis]
			index[axis] = 0
		}
	}
	return ordered
}

// Package npz reads NumPy's .npz files: zip archives of arrays, each in an
// entry KEY.npy. Python objects (pickles) are never read.
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

// maxDirectory bounds what Open reads of a file, in bytes: the directories of
// some ten thousand entries.
const maxDirectory = 1 << 20

// chunkBytes is how much of an entry is decoded at a time. It stays in the
// processor's cache.
const chunkBytes = 1 << 16

// maxRatio is how much DEFLATE can compress at most (zlib's technical details).
const maxRatio = 1032

// Limits bound what one file may take. A limit of 0 allows nothing.
type Limits struct {
	EntryBytes int64 // of one entry's decoded array
	TotalBytes int64 // of all entries read (decoded) from one file
}

// File is an opened npz. Entries are read on demand; others are never touched,
// whatever they hold. A File may be used by one goroutine at a time.
//
// The methods that read an array give its shape, which is empty for a scalar,
// and its values in C order: the last index moves fastest. Their errors name
// the entry, and the caller names the file. They take at most three times
// Limits.EntryBytes of memory.
type File struct {
	entries map[string]*zip.File
	size    int64 // of the file
	limits  Limits
	left    int64 // of Limits.TotalBytes
}

// Open reads the directory of an npz file of size bytes. A file that is larger
// than Limits.TotalBytes and a directory is refused: its directory might claim
// entries by the billion. The caller keeps r open while it uses the File.
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
		return nil, fmt.Errorf("it is no npz file, or was cut off (%w); copy it again, or save it with numpy.savez", err)
	case err != nil:
		return nil, err
	}
	bounded.left = math.MaxInt64 // from here on, the sizes of the arrays are the bound

	f := &File{entries: make(map[string]*zip.File, len(archive.File)), size: size, limits: limits, left: limits.TotalBytes}
	for _, entry := range archive.File {
		key, isArray := strings.CutSuffix(entry.Name, ".npy")
		if !isArray {
			continue
		}
		if f.Has(key) { // readers of zip files differ in which one they take
			return nil, fmt.Errorf("%.100q: is in the file twice; save each array once", key)
		}
		f.entries[key] = entry
	}
	return f, nil
}

// Has tells whether the file has an array of this key.
func (f *File) Has(key string) bool {
	_, ok := f.entries[key]
	return ok
}

var errDirectory = fmt.Errorf("its directory has more than %d bytes; save fewer arrays in a file", maxDirectory)

// boundedReader ends with errDirectory after so many bytes.
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

// Floats32 gives an array of floats, integers or booleans, each value rounded
// to the nearest float32.
func (f *File) Floats32(key string) (shape []int, values []float32, err error) {
	return read(f, key, wanted{kinds: "fiub", bytes: 4, advice: numberAdvice}, floats[float32])
}

// Floats64 gives an array of floats, integers or booleans, each value rounded
// to the nearest float64.
func (f *File) Floats64(key string) (shape []int, values []float64, err error) {
	return read(f, key, wanted{kinds: "fiub", bytes: 8, advice: numberAdvice}, floats[float64])
}

// Float16s gives an array of floats, integers or booleans as the bits of IEEE
// half floats, each value rounded to the nearest, or to the even one of two, as
// NumPy's astype does.
func (f *File) Float16s(key string) (shape []int, values []uint16, err error) {
	return read(f, key, wanted{kinds: "fiub", bytes: 2, advice: numberAdvice}, halves)
}

// Ints gives an array of integers or booleans. Floats, and integers beyond an
// int64, are refused.
func (f *File) Ints(key string) (shape []int, values []int64, err error) {
	return read(f, key, wanted{kinds: "iub", bytes: 8, advice: intAdvice}, exactInts)
}

// Strings gives an array of text: dtype U, or S in UTF-8. NULs at the end are
// padding, and left out.
func (f *File) Strings(key string) (shape []int, values []string, err error) {
	return read(f, key, wanted{kinds: "US", bytes: 16, advice: textAdvice}, texts)
}

// What to do about an array of the wrong kind.
const (
	numberAdvice = "save it as an array of numbers, such as np.asarray(values, np.float32)"
	intAdvice    = "save it as an array of integers, such as np.asarray(values, np.int64)"
	textAdvice   = "save it as an array of text, such as np.array(names)"
)

// wanted is what a method of File makes of an entry.
type wanted struct {
	kinds  string // of dtypes that it can use
	bytes  int    // of a value in memory
	advice string // for other kinds
}

// decoder makes len(values) values of as many items. It may change raw.
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
		return nil, nil, damaged(zip.ErrFormat) // no such file holds as much
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

// count gives the number of values of an array, and takes its size off what may
// yet be read of the file. An array without values is as large as if a
// dimension of 0 were 1, so that a caller can multiply the others.
func (f *File) count(head header, valueBytes int) (int, error) {
	size := max(head.items.size, valueBytes)
	if head.items.kind == 'U' || head.items.kind == 'S' {
		size = head.items.size + valueBytes
	}
	count := 1
	for _, n := range slices.Concat([]int{1}, head.shape) { // a scalar is one value
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

// decodeAll fills values, and makes sure that nothing follows them.
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
	// The end is where archive/zip compares the checksum.
	var one [1]byte
	if _, err := io.ReadFull(content, one[:]); !errors.Is(err, io.EOF) {
		return damaged(err)
	}
	return nil
}

// damaged describes an entry that cannot be read to its end.
func damaged(err error) error {
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return errors.New("is compressed in a way that NumPy never uses; save it with numpy.savez_compressed")
	case err == nil: // there was more
		err = zip.ErrFormat
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("is damaged or cut off (%w); copy the file again, or save it anew", err)
}

// transposed puts values that are in Fortran order, where the first index moves
// fastest, in C order.
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

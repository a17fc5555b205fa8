package demo

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// array is an entry of an npz file.
type array struct {
	key, dtype string
	shape      []int // empty for a scalar
	data       []byte
}

func floats(key string, values []float32, shape ...int) array {
	a := array{key: key, dtype: "<f4", shape: shape}
	for _, v := range values {
		a.data = binary.LittleEndian.AppendUint32(a.data, math.Float32bits(v))
	}
	return a
}

func integers(key string, values []int64, shape ...int) array {
	a := array{key: key, dtype: "<i8", shape: shape}
	for _, v := range values {
		a.data = binary.LittleEndian.AppendUint64(a.data, uint64(v)) //nolint:gosec // NumPy stores two's complement, too
	}
	return a
}

func texts(key string, values []string) array {
	longest := 1
	for _, v := range values {
		longest = max(longest, utf8.RuneCountInString(v))
	}
	a := array{key: key, dtype: fmt.Sprintf("<U%d", longest), shape: []int{len(values)}}
	for i, v := range values {
		for _, r := range v {
			a.data = binary.LittleEndian.AppendUint32(a.data, uint32(r)) //nolint:gosec // no rune is negative
		}
		a.data = append(a.data, make([]byte, 4*longest*(i+1)-len(a.data))...)
	}
	return a
}

func text(key, value string) array {
	a := texts(key, []string{value})
	a.shape = nil
	return a
}

// npz packs arrays like numpy.savez_compressed
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
func npz(arrays ...array) ([]byte, error) {
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	for _, a := range arrays {
		entry, err := archive.Create(a.key + ".npy")
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(append(a.header(), a.data...)); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return file.Bytes(), err
}

// header returns an npy 1.0 header, padded so that the data begins at a
// multiple of 64 bytes.
func (a array) header() []byte {
	var shape strings.Builder
	for _, n := range a.shape {
		fmt.Fprintf(&shape, "%d, ", n) // Python allows a trailing comma
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", a.dtype, shape.String())
	const before = 10 // magic, version, length
	padded := (before+len(head)+1+63)/64*64 - before
	head += strings.Repeat(" ", padded-len(head)-1) + "\n"
	return append(binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(head))), head...) //nolint:gosec // a few hundred at most
}

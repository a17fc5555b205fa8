package npz_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
)

// entry is an entry of a zip file that a test writes. archive/zip cannot write
// broken entries, or small entries as zip64.
type entry struct {
	name       string
	data       string
	stored     bool
	zip64      bool    // the sizes are in an extra field of the directory
	descriptor bool    // the local header does not have sizes; they follow the data
	again      bool    // the directory refers to the previous entry; no data is written
	method     uint16  // instead of stored or DEFLATE
	size       *uint64 // the data size in the directory
	sum        *uint32 // the checksum in the directory
}

// array returns an npy 1.0 entry.
func array(key, descr, shape, data string) entry {
	return entry{name: key + ".npy", data: npy("{'descr': '"+descr+"', 'fortran_order': False, 'shape': "+shape+", }", data)}
}

// npy returns an npy 1.0 array with this header.
func npy(head, data string) string {
	return "\x93NUMPY\x01\x00" + string(little(uint16(len(head)))) + head + data
}

// tuple formats a shape like Python.
func tuple(shape []int) string {
	text := strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", ", ")
	if len(shape) == 1 {
		text += ","
	}
	return "(" + text + ")"
}

// archive returns a zip file with these entries.
func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var file, directory []byte
	before := 0
	for _, e := range entries {
		packed, method := []byte(e.data), zip.Store
		if !e.stored {
			packed, method = deflated(t, e.data), zip.Deflate
		}
		if e.method != 0 {
			method = e.method
		}
		size, sum := uint64(len(e.data)), crc32.ChecksumIEEE([]byte(e.data))
		if e.size != nil {
			size = *e.size
		}
		if e.sum != nil {
			sum = *e.sum
		}
		sizes := little(sum, uint32(len(packed)), uint32(size))
		var flags uint16
		if e.descriptor {
			flags = 1 << 3
		}
		name := []byte(e.name)
		version := []uint16{45, flags, method, 0, 0}
		if !e.again {
			before = len(file)
			local := sizes
			if e.descriptor {
				local = make([]byte, 12)
			}
			file = append(file, little(uint32(0x04034b50), version, local, uint16(len(name)), uint16(0), name, packed)...)
			if e.descriptor {
				file = append(file, little(uint32(0x08074b50), sizes)...)
			}
		}
		offset, extra := uint32(before), []byte{}
		if e.zip64 {
			sizes, offset = little(sum, ^uint32(0), ^uint32(0)), ^uint32(0)
			extra = little(uint16(1), uint16(24), size, uint64(len(packed)), uint64(before))
		}
		directory = append(directory, little(uint32(0x02014b50), uint16(45), version, sizes, uint16(len(name)), uint16(len(extra)),
			make([]byte, 10), offset, name, extra)...)
	}
	return slices.Concat(file, directory, directoryEnd(uint64(len(entries)), uint64(len(directory)), uint64(len(file))))
}

// directoryEnd returns the end of a zip64 file.
func directoryEnd(count, size, offset uint64) []byte {
	return little(
		uint32(0x06064b50), uint64(44), uint16(45), uint16(45), uint64(0), count, count, size, offset,
		uint32(0x07064b50), uint32(0), offset+size, uint32(1),
		uint32(0x06054b50), uint32(0), ^uint16(0), ^uint16(0), ^uint32(0), ^uint32(0), uint16(0))
}

// little encodes numbers and slices of numbers one after the other, in
// little-endian order.
func little(values ...any) []byte {
	var data []byte
	for _, v := range values {
		var err error
		if data, err = binary.Append(data, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return data
}

func deflated(t testing.TB, data string) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		_, err = io.WriteString(w, data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// unzipped returns the contents of the entries of a zip file.
func unzipped(t testing.TB, data []byte) map[string][]byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string][]byte{}
	for _, f := range r.File {
		content, err := f.Open()
		if err == nil {
			entries[f.Name], err = io.ReadAll(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return entries
}

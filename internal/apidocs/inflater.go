package apidocs

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

func isGzip(s string) bool { return strings.HasPrefix(s, "\x1f\x8b") }

// inflater reads the content of a gzip file without having all of it in memory.
// It can seek, as http.ServeContent requires, because the last four bytes of a
// gzip file contain the length of its content (RFC 1952, section 2.3.1).
type inflater struct {
	stored string
	size   int64
	offset int64 // where the next Read starts

	unpacked *gzip.Reader
	at       int64 // current position of unpacked
}

func newInflater(stored string) *inflater {
	size := binary.LittleEndian.Uint32([]byte(stored[len(stored)-4:]))
	return &inflater{stored: stored, size: int64(size)}
}

// Seek only stores the position. The next Read moves to it.
func (f *inflater) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	f.offset = offset
	return offset, nil
}

func (f *inflater) Read(p []byte) (int, error) {
	if f.offset >= f.size {
		return 0, io.EOF
	}
	if f.unpacked == nil || f.at > f.offset {
		unpacked, err := gzip.NewReader(strings.NewReader(f.stored))
		if err != nil {
			return 0, err
		}
		f.unpacked, f.at = unpacked, 0
	}
	skipped, err := io.CopyN(io.Discard, f.unpacked, f.offset-f.at)
	f.at += skipped
	if err != nil {
		return 0, err
	}
	n, err := f.unpacked.Read(p)
	f.at += int64(n)
	f.offset = f.at
	return n, err
}

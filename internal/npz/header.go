package npz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	// maxHeader is the maximum size of the header of an array, in bytes. It is
	// also the limit of NumPy (_MAX_HEADER_SIZE).
	maxHeader = 10_000
	// maxDimensions was the limit of NumPy (NPY_MAXDIMS) until 2.0.
	maxDimensions = 32
)

// header describes the array of an npy entry.
type header struct {
	items   dtype
	fortran bool
	shape   []int
	bytes   int // of the header itself
}

// readHeader reads the header. The reader is then at the first item of the
// array.
func readHeader(r io.Reader) (header, error) {
	var start [12]byte // magic, two bytes of version, length
	if _, err := io.ReadFull(r, start[:10]); err != nil {
		return header{}, damaged(err)
	}
	if string(start[:6]) != "\x93NUMPY" {
		return header{}, errors.New("is not a NumPy array; save it with numpy.savez")
	}
	size, length := 10, uint32(binary.LittleEndian.Uint16(start[8:]))
	switch [2]byte(start[6:]) {
	case [2]byte{1, 0}:
	case [2]byte{2, 0}, [2]byte{3, 0}: // they differ only in the names of fields, which only records have
		size = 12
		if _, err := io.ReadFull(r, start[10:]); err != nil {
			return header{}, damaged(err)
		}
		length = binary.LittleEndian.Uint32(start[8:])
	default:
		return header{}, fmt.Errorf("has version %d.%d of the npy format, and 1.0, 2.0 and 3.0 can be read; save it with numpy.savez",
			start[6], start[7])
	}
	if length > maxHeader {
		return header{}, fmt.Errorf("has a header of %d bytes, and %d are allowed; save it anew with numpy.savez", length, maxHeader)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return header{}, damaged(err)
	}
	head, err := parseHeader(string(text))
	head.bytes = size + len(text)
	return head, err
}

// errHeader is the error for a header that NumPy never writes.
var errHeader = errors.New("its header is not as NumPy writes it ({'descr': …, 'fortran_order': …, 'shape': …}); save it anew with numpy.savez")

// parseHeader parses the literal of a Python dict. The dict must have the three
// keys of a header. Only spaces may follow it.
func parseHeader(text string) (header, error) {
	var head header
	seen := map[string]bool{}
	p := &parser{rest: text}
	if !p.skip("{") {
		return header{}, errHeader
	}
	for !p.skip("}") {
		key, ok := p.text()
		if !ok || seen[key] || !p.skip(":") {
			return header{}, errHeader
		}
		seen[key] = true
		if err := p.value(&head, key); err != nil {
			return header{}, err
		}
		if p.skip(",") {
			continue
		}
		if !p.skip("}") {
			return header{}, errHeader
		}
		break
	}
	if p.trim(); p.rest != "" || len(seen) != 3 {
		return header{}, errHeader
	}
	return head, nil
}

// parser parses a Python literal.
type parser struct {
	rest string
}

// trim removes the spaces before the next token.
func (p *parser) trim() {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n\f")
}

// skip removes token if it is next.
func (p *parser) skip(token string) bool {
	p.trim()
	rest, ok := strings.CutPrefix(p.rest, token)
	p.rest = rest
	return ok
}

// text parses a string. It does not support escapes, because NumPy does not
// write any here.
func (p *parser) text() (string, bool) {
	for _, quote := range []string{"'", `"`} {
		if p.skip(quote) {
			text, rest, ok := strings.Cut(p.rest, quote)
			p.rest = rest
			return text, ok && !strings.ContainsAny(text, "\\\r\n")
		}
	}
	return "", false
}

// value parses the value of a key.
func (p *parser) value(head *header, key string) (err error) {
	switch key {
	case "descr":
		if p.skip("[") || p.skip("(") {
			return errors.New("holds records (a structured dtype), which are not read; save each field as an array of its own")
		}
		descr, ok := p.text()
		if !ok {
			return errHeader
		}
		head.items, err = parseDtype(descr)
	case "fortran_order":
		head.fortran = p.skip("True")
		if !head.fortran && !p.skip("False") {
			return errHeader
		}
	case "shape":
		head.shape, err = p.shape()
	default:
		return errHeader
	}
	return err
}

// shape parses a tuple of sizes: (), (3,), (3, 4).
func (p *parser) shape() ([]int, error) {
	if !p.skip("(") {
		return nil, errHeader
	}
	shape := []int{}
	for !p.skip(")") {
		if p.skip("-") {
			return nil, errors.New("has a negative dimension; save it anew with numpy.savez")
		}
		digits := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789"))
		n, err := strconv.Atoi(p.rest[:digits])
		if errors.Is(err, strconv.ErrRange) {
			return nil, errors.New("has a dimension beyond all memory; save it anew with numpy.savez")
		}
		if err != nil {
			return nil, errHeader
		}
		if shape = append(shape, n); len(shape) > maxDimensions {
			return nil, fmt.Errorf("has more than %d dimensions; save it with fewer", maxDimensions)
		}
		p.rest = p.rest[digits:]
		if !p.skip(",") && (len(shape) == 1 || !strings.HasPrefix(p.rest, ")")) { // (3) is not a tuple
			return nil, errHeader
		}
	}
	return shape, nil
}

// dtype is the type of an array's items.
type dtype struct {
	descr string // in the notation of NumPy, such as <f4
	kind  byte   // NumPy's letter: f, i, u, b, U, S; O and others cannot be read
	size  int    // of an item, in bytes
	big   bool   // big-endian
}

// numberSizes has the supported number types and their sizes in bytes.
var numberSizes = map[string]int{
	"f2": 2, "f4": 4, "f8": 8, "i1": 1, "i2": 2, "i4": 4, "i8": 8, "u1": 1, "u2": 2, "u4": 4, "u8": 8, "b1": 1,
}

// parseDtype parses an array protocol type string: a byte order, a letter, and
// a size. The size counts code points for U and bytes for other types. For an
// unsupported type, only the kind is set.
func parseDtype(descr string) (dtype, error) {
	unknown := fmt.Errorf("holds items of a type that is not known (%.40q); save it as an array of numbers or text", descr)
	if len(descr) < 2 {
		return dtype{}, unknown
	}
	items := dtype{descr: descr, kind: descr[1], big: descr[0] == '>'}
	switch items.kind {
	case 'O', 'c', 'm', 'M', 'V':
		return items, nil
	case 'U', 'S':
		n, err := strconv.ParseUint(descr[2:], 10, 29) // four times this number of bytes fits into any int
		if err != nil || n == 0 {                      // NumPy writes "" as <U1; zero bytes would allow unlimited items
			return dtype{}, unknown
		}
		items.size = int(n)
		if items.kind == 'U' {
			items.size *= 4
		}
	default:
		var ok bool
		if items.size, ok = numberSizes[descr[1:]]; !ok {
			return dtype{}, unknown
		}
	}
	// NumPy writes | for items without a byte order. It never writes =, the
	// order of the machine that wrote the file, because readers do not know that
	// order.
	noOrder := items.kind == 'S' || items.size == 1
	if !strings.ContainsRune("<>", rune(descr[0])) && (descr[0] != '|' || !noOrder) {
		return dtype{}, unknown
	}
	return items, nil
}

// String describes the items for a person.
func (d dtype) String() string {
	switch d.kind {
	case 'O':
		return "Python objects (a pickle), which are never read"
	case 'f':
		return "floats (" + d.descr + ")"
	case 'i', 'u':
		return "integers (" + d.descr + ")"
	case 'b':
		return "booleans"
	case 'U', 'S':
		return "text (" + d.descr + ")"
	case 'c':
		return "complex numbers"
	case 'm', 'M':
		return "times"
	default:
		return "raw bytes (dtype V)"
	}
}

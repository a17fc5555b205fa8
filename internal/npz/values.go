package npz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// floats decodes numbers as floats.
func floats[T float32 | float64](values []T, raw []byte, items dtype) error {
	if items.kind != 'f' {
		ints(values, raw, items)
		return nil
	}
	littleEndian(raw, items.size, items.big)
	switch items.size {
	case 2:
		for i := range values {
			values[i] = T(FromHalf(binary.LittleEndian.Uint16(raw[2*i:])))
		}
	case 4:
		for i := range values {
			values[i] = T(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
		}
	case 8:
		for i := range values {
			values[i] = T(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	}
	return nil
}

// halves decodes numbers as the bits of half floats.
func halves(values []uint16, raw []byte, items dtype) error {
	if items.kind == 'f' && items.size == 2 {
		littleEndian(raw, items.size, items.big)
		for i := range values {
			values[i] = binary.LittleEndian.Uint16(raw[2*i:])
		}
		return nil
	}
	// A float64 holds each number exactly, or the number is far outside the
	// range of a half float.
	var exact [512]float64
	for len(values) > 0 {
		n := min(len(exact), len(values))
		if err := floats(exact[:n], raw[:n*items.size], items); err != nil {
			return err
		}
		for i, v := range exact[:n] {
			values[i] = ToHalf(v)
		}
		values, raw = values[n:], raw[n*items.size:]
	}
	return nil
}

// exactInts decodes integers that fit into an int64.
func exactInts(values []int64, raw []byte, items dtype) error {
	ints(values, raw, items)
	if items.kind == 'u' && items.size == 8 && slices.ContainsFunc(values, func(v int64) bool { return v < 0 }) {
		return fmt.Errorf("holds a number beyond %d; save it as an array of np.int64", int64(math.MaxInt64))
	}
	return nil
}

// ints decodes integers and booleans.
func ints[T int64 | float32 | float64](values []T, raw []byte, items dtype) {
	littleEndian(raw, items.size, items.big)
	if items.kind == 'i' {
		signed(values, raw, items.size)
		return
	}
	unsigned(values, raw, items.size)
	if items.kind == 'b' {
		for i, v := range values {
			values[i] = min(v, 1) // for Python, any byte except 0 is true
		}
	}
}

//nolint:gosec // the highest bit is the sign
func signed[T int64 | float32 | float64](values []T, raw []byte, size int) {
	switch size {
	case 1:
		for i := range values {
			values[i] = T(int8(raw[i]))
		}
	case 2:
		for i := range values {
			values[i] = T(int16(binary.LittleEndian.Uint16(raw[2*i:])))
		}
	case 4:
		for i := range values {
			values[i] = T(int32(binary.LittleEndian.Uint32(raw[4*i:])))
		}
	case 8:
		for i := range values {
			values[i] = T(int64(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	}
}

func unsigned[T int64 | float32 | float64](values []T, raw []byte, size int) {
	switch size {
	case 1:
		for i := range values {
			values[i] = T(raw[i])
		}
	case 2:
		for i := range values {
			values[i] = T(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	case 4:
		for i := range values {
			values[i] = T(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case 8:
		for i := range values {
			values[i] = T(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	}
}

// littleEndian reverses the bytes of big-endian numbers.
func littleEndian(raw []byte, size int, big bool) {
	if !big || size == 1 {
		return
	}
	for number := range slices.Chunk(raw, size) {
		slices.Reverse(number)
	}
}

// FromHalf returns the value of a half float. It is exact.
func FromHalf(half uint16) float32 {
	sign := uint32(half&0x8000) << 16
	exponent := uint32(half>>10) & 0x1f
	fraction := uint32(half & 0x3ff)
	switch exponent {
	case 0: // 0, or subnormal
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 0x1f: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	default:
		return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
	}
}

// ToHalf returns the bits of the nearest half float, with ties to even.
//
//nolint:gosec // the conversions keep the bits that they need
func ToHalf(v float64) uint16 {
	bits := math.Float64bits(v)
	sign := uint16(bits>>48) & 0x8000
	magnitude := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return sign | 0x7e00 | uint16(bits>>42)&0x3ff
	case magnitude >= 65520: // half-way between the greatest value and the next one
		return sign | 0x7c00
	case magnitude < 0x1p-14: // subnormal: a multiple of 2⁻²⁴
		return sign | uint16(math.RoundToEven(magnitude*0x1p24))
	default:
		const dropped = 52 - 10 // bits of the fraction
		scaled := math.Float64bits(magnitude) - (1023-15)<<52
		scaled += 1<<(dropped-1) - 1 + scaled>>dropped&1 // a carry correctly goes into the exponent
		return sign | uint16(scaled>>dropped)
	}
}

// texts decodes text and removes the NULs at its end.
func texts(values []string, raw []byte, items dtype) error {
	for i := range values {
		item := raw[i*items.size : (i+1)*items.size]
		var ok bool
		if items.kind == 'U' {
			values[i], ok = fromUTF32(item, items)
		} else {
			values[i] = strings.TrimRight(string(item), "\x00")
			ok = utf8.ValidString(values[i])
		}
		if !ok {
			return errors.New("holds text that is not Unicode; save it as an array of str, such as np.array(names)")
		}
	}
	return nil
}

// fromUTF32 returns the text of code points of four bytes each. ok is false if
// one of them is not a valid code point.
func fromUTF32(item []byte, items dtype) (string, bool) {
	littleEndian(item, 4, items.big)
	at := func(i int) rune { return rune(binary.LittleEndian.Uint32(item[4*i:])) } //nolint:gosec // a negative one is refused
	end := len(item) / 4
	for end > 0 && at(end-1) == 0 {
		end--
	}
	size := 0
	for i := range end {
		n := utf8.RuneLen(at(i))
		if n < 0 {
			return "", false
		}
		size += n
	}
	var text strings.Builder
	text.Grow(size)
	for i := range end {
		text.WriteRune(at(i))
	}
	return text.String(), true
}

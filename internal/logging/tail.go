package logging

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
)

// Limits of one call of Tail, so that the contents of the file cannot use up
// the memory.
const (
	tailBlock = 64 << 10 // bytes read at a time
	tailMost  = 16 << 20 // bytes read at most
)

// Tail returns the last n lines of file, oldest first, without line ends. It
// reads backwards from the end, so its cost depends on the size of the result
// and not on the size of the file. It replaces bytes that are not valid UTF-8.
// If the lines are longer than 16 MiB in total, Tail omits the oldest ones or
// cuts off their beginning.
func Tail(file *os.File, n int) ([]string, error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	return tailBefore(file, end, n)
}

// tailBefore is like Tail for a file that ends at end.
func tailBefore(file *os.File, end int64, n int) ([]string, error) {
	var blocks [][]byte // from the end of the file to its beginning
	newlines, start := 0, end
	for start > 0 && newlines <= n && end-start < tailMost {
		size := min(tailBlock, start)
		block := make([]byte, size)
		// If the file was truncated in the meantime, the read returns fewer
		// bytes. Tail then uses those.
		read, err := file.ReadAt(block, start-size)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		start -= size
		blocks = append(blocks, block[:read])
		newlines += bytes.Count(block[:read], []byte("\n"))
	}
	var text strings.Builder
	text.Grow(int(end - start))
	for _, block := range slices.Backward(blocks) {
		text.Write(block)
	}
	if text.Len() == 0 {
		return nil, nil
	}
	lines := linesOf(text.String())
	return lines[max(0, len(lines)-n):], nil
}

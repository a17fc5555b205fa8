package logging

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
)

// Bounds of one tail: memory must not follow what someone wrote to the file.
const (
	tailBlock = 64 << 10 // bytes read at a time
	tailMost  = 16 << 20 // bytes read at most
)

// Tail gives the last n lines of file, oldest first, without line ends. It
// reads backwards from the end, so its cost grows with what it gives and not
// with the file. Bytes that are no UTF-8 are replaced. Of lines so long that
// they pass 16 MiB in sum, the oldest are left out or cut at their front.
func Tail(file *os.File, n int) ([]string, error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	var blocks [][]byte // from the end of the file backwards
	newlines, start := 0, end
	for start > 0 && newlines <= n && end-start < tailMost {
		size := min(tailBlock, start)
		block := make([]byte, size)
		// A file cut short meanwhile ends early: what there was is shown.
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
	whole := strings.TrimSuffix(text.String(), "\n")
	lines := strings.Split(strings.ToValidUTF8(whole, "\uFFFD"), "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
	}
	return lines, nil
}

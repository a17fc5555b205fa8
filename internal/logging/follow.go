package logging

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
)

// Follower returns the lines that are added to a log file. It is not safe for
// concurrent use.
type Follower struct {
	file *os.File
	read int64  // bytes of the file that were read
	rest []byte // the beginning of a line whose end is not written yet
}

// Follow returns the last n lines of file, as [Tail] does, and a Follower for
// those after them. The Follower closes the file.
func Follow(file *os.File, n int) ([]string, *Follower, error) {
	f := &Follower{file: file}
	var err error
	if f.read, err = file.Seek(0, io.SeekEnd); err != nil {
		return nil, f, err
	}
	lines, err := tailBefore(file, f.read, n)
	return lines, f, err
}

// Lines returns the lines that were added since the last call, oldest first, in
// the form of [Tail]. After a rotation it goes on in the new file. If more than
// 16 MiB were added, it omits the oldest lines.
func (f *Follower) Lines() ([]string, error) {
	lines, err := f.added()
	if err != nil {
		return nil, err
	}
	now, err := f.file.Stat()
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(f.file.Name())
	if err != nil || os.SameFile(info, now) || !info.Mode().IsRegular() {
		return lines, nil //nolint:nilerr // after a rotation there is no file until the next line
	}
	next, err := os.Open(f.file.Name())
	if err != nil {
		return lines, nil //nolint:nilerr // the next call tries again
	}
	_ = f.file.Close() // only read
	f.file, f.read, f.rest = next, 0, nil
	more, err := f.added()
	return append(lines, more...), err
}

// added returns the lines that were added to the open file.
func (f *Follower) added() ([]string, error) {
	info, err := f.file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < f.read { // the file was emptied
		f.read, f.rest = 0, nil
	}
	if info.Size()-f.read > tailMost {
		f.read, f.rest = info.Size()-tailMost, nil
	}
	added := make([]byte, info.Size()-f.read)
	n, err := f.file.ReadAt(added, f.read)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	f.read += int64(n)
	text := slices.Concat(f.rest, added[:n])
	end := bytes.LastIndexByte(text, '\n') + 1
	f.rest = bytes.Clone(text[end:])
	if len(f.rest) > tailMost {
		f.rest = nil // not a log
	}
	if end == 0 {
		return nil, nil
	}
	return linesOf(string(text[:end])), nil
}

// linesOf returns the lines of a text that is not empty, without line ends.
// It replaces bytes that are not valid UTF-8.
func linesOf(text string) []string {
	lines := strings.Split(strings.ToValidUTF8(strings.TrimSuffix(text, "\n"), "\uFFFD"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
	}
	return lines
}

// Close closes the file.
func (f *Follower) Close() error { return f.file.Close() }

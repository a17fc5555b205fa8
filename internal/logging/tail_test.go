package logging

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// wantTail returns the expected result of Tail. It reads everything.
func wantTail(content string, n int) []string {
	if content == "" {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(content, "\n"), "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		lines[i] = strings.ToValidUTF8(strings.TrimSuffix(line, "\r"), "\uFFFD")
	}
	return lines
}

// tailOf writes content to a file and returns its tail.
func tailOf(t testing.TB, content string, n int) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.log")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return tail(t, path, n)
}

func tail(t testing.TB, path string, n int) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := Tail(file, n)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// show shortens a tail for a test failure.
func show(lines []string) string {
	return fmt.Sprintf("%d lines: %.300q", len(lines), strings.Join(lines, "\n"))
}

// numbered returns count lines. length is the length of a line, including the
// line end.
func numbered(count, length int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "%-*d\n", length-1, i)
	}
	return text.String()
}

func TestTail(t *testing.T) {
	t.Parallel()
	const block = tailBlock
	tests := []struct {
		name, content string
		n             int
		want          []string // nil to compare only with wantTail
	}{
		{"empty file", "", 5, nil},
		{"one line", "a\n", 1, []string{"a"}},
		{"one line without its end", "a", 1, []string{"a"}},
		{"last line without its end", "a\nb", 1, []string{"b"}},
		{"exactly n", "a\nb\nc\n", 3, []string{"a", "b", "c"}},
		{"exactly n without the last end", "a\nb\nc", 3, []string{"a", "b", "c"}},
		{"fewer than there are", "a\nb\nc\n", 2, []string{"b", "c"}},
		{"more than there are", "a\nb\n", 10_000, []string{"a", "b"}},
		{"no line", "a\nb\n", 0, []string{}},
		{"one empty line", "\n", 1, []string{""}},
		{"empty lines", "\n\n\n", 2, []string{"", ""}},
		{"all empty lines", "\n\n\n", 9, []string{"", "", ""}},
		{"empty line last", "a\n\n", 1, []string{""}},
		{"Windows line ends", "a\r\nb\r\nc\r\n", 2, []string{"b", "c"}},
		{"Windows line ends without the last", "a\r\nb", 2, []string{"a", "b"}},
		{"carriage return in a line", "a\rb\n", 1, []string{"a\rb"}},
		{"not UTF-8", "a\xff\xfeb\n\xc3\n", 2, []string{"a\uFFFDb", "\uFFFD"}},
		{"NUL", "a\x00b\n", 1, []string{"a\x00b"}},
		{"markup", "<b>&\n", 1, []string{"<b>&"}},

		{"a block", strings.Repeat("x", block-1) + "\n", 1, nil},
		{"a block and a line", "a\n" + strings.Repeat("x", block-1) + "\n", 1, nil},
		{"line end first in a block", "a\n" + strings.Repeat("x", block-2) + "\n", 1, nil},
		{"line end last in a block", "a\nb\n" + strings.Repeat("x", block), 2, nil},
		{"character across two blocks", strings.Repeat("界", block), 1, nil},
		{"character across two blocks, longer by one", "x" + strings.Repeat("界", block), 1, nil},
		{"character across two blocks, longer by two", "xy" + strings.Repeat("界", block) + "\nz\n", 2, nil},
		{"lines of a block", numbered(5, block), 3, nil},
		{"lines longer than a block", numbered(5, block+1), 3, nil},
		{"lines shorter than a block", numbered(5, block-1), 3, nil},
		{"a line of many blocks", "a\n" + strings.Repeat("x", 20*block) + "\nb\n", 2, nil},
		{"many lines", numbered(50_000, 64), 10_000, nil},
		{"all of many lines", numbered(2_000, 100), 2_000, nil},
		{"all but one of many lines", numbered(2_000, 100), 1_999, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, want := tailOf(t, tt.content, tt.n), wantTail(tt.content, tt.n)
			if tt.want != nil && !slices.Equal(want, tt.want) {
				t.Fatalf("the test's own reading gives %q, want %q", want, tt.want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("last %d lines of %.60q\n got %s\nwant %s", tt.n, tt.content, show(got), show(want))
			}
		})
	}
}

func TestTail_RandomContents(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{"\n", "\r\n", "\n\n", "a", "界", "\xff", "\r", "time=1 level=INFO msg=line\n"}
	path := filepath.Join(t.TempDir(), "server.log")
	for range 100 {
		var content strings.Builder
		for range random.IntN(40) {
			switch random.IntN(8) {
			case 0:
				content.WriteString(strings.Repeat("x", random.IntN(2*tailBlock)))
			case 1:
				content.WriteString(strings.Repeat(pieces[random.IntN(len(pieces))], random.IntN(500)))
			default:
				content.WriteString(pieces[random.IntN(len(pieces))])
			}
		}
		if err := os.WriteFile(path, []byte(content.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 2, random.IntN(50), random.IntN(1000)} {
			if got, want := tail(t, path, n), wantTail(content.String(), n); !slices.Equal(got, want) {
				t.Fatalf("seed %d: last %d lines of %d bytes\n got %s\nwant %s", seed, n, content.Len(), show(got), show(want))
			}
		}
	}
}

// If the lines exceed the limit, they are cut off at the beginning.
func TestTail_IsBounded(t *testing.T) {
	t.Parallel()
	path := sparseFile(t, 40<<20, strings.Repeat("界", 1000)+"\nlast\n")
	lines := tail(t, path, 10)
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	if len(lines) != 2 || lines[1] != "last" || !strings.HasSuffix(lines[0], "界") || size > tailMost+tailBlock {
		t.Errorf("got %d lines of %d bytes", len(lines), size)
	}
	for _, line := range lines {
		if !utf8.ValidString(line) {
			t.Error("a line is no UTF-8")
		}
	}
}

// sparseFile creates a file of size bytes that ends with text. The bytes before
// text are a hole, which does not use disk space.
func sparseFile(t testing.TB, size int64, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte(text), size-int64(len(text))); err != nil {
		t.Fatal(err)
	}
	return path
}

// The cost depends on the lines that are returned, not on the size of the file.
// For a file that is a thousand times as large, Tail must not read one more
// byte.
func TestTail_CostDoesNotGrowWithTheFile(t *testing.T) {
	text := numbered(5_000, 100)
	allocated := map[int64]float64{}
	for _, size := range []int64{1 << 20, 1 << 30} {
		path := sparseFile(t, size, text)
		allocated[size] = testing.AllocsPerRun(5, func() { tail(t, path, 1000) })
	}
	// Each block that Tail reads is an allocation.
	if small, large := allocated[1<<20], allocated[1<<30]; large > small+2 {
		t.Errorf("%v allocations for 1 MB, %v for 1 GB", small, large)
	}
}

// While lines are written, a tail consists of lines in order. Only the last one
// may be incomplete.
func TestTail_WhileTheFileGrows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "server.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const lines = 20_000
	line := func(i int) string { return fmt.Sprintf("line %d %s", i, strings.Repeat("x", i%97)) }
	written := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < lines && err == nil; i++ {
			_, err = file.WriteString(line(i) + "\n")
		}
		written <- err
	}()
	for done := false; !done; {
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
		got := tail(t, path, 1000)
		for i, text := range got {
			var first int
			if _, err := fmt.Sscanf(got[0], "line %d", &first); err != nil && len(got) > 1 {
				t.Fatalf("the first of %d lines is %q", len(got), got[0])
			}
			if want := line(first + i); text != want && (i < len(got)-1 || !strings.HasPrefix(want, text)) {
				t.Fatalf("line %d of %d is %q, want %q", i, len(got), text, want)
			}
		}
		if done && (len(got) != 1000 || got[999] != line(lines-1)) {
			t.Errorf("at the end: %d lines, the last %q", len(got), got[len(got)-1])
		}
	}
}

// If the file is truncated during the read, as some log tools do, this is not
// an error.
func TestTail_WhileTheFileIsEmptied(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "server.log")
	content := []byte(numbered(5_000, 100))
	stop := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if err := os.WriteFile(path, content, 0o600); err != nil { // truncates it first
				ended <- err
				return
			}
		}
	}()
	for range 500 {
		file, err := os.Open(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		lines, err := Tail(file, 4_000)
		file.Close()
		if err != nil || len(lines) > 4_000 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestTail_ClosedFile(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if lines, err := Tail(file, 1); err == nil {
		t.Errorf("got %q and no error", lines)
	}
}

// FuzzTail checks that the tail of any file equals the result of reading all of
// it.
func FuzzTail(f *testing.F) {
	for _, content := range []string{"", "\n", "a", "a\r\nb", "\r", "\xff\n", "界\n\n", "time=1 level=INFO msg=x\n"} {
		f.Add([]byte(content), uint16(1), uint16(3))
		f.Add([]byte(content), uint16(30_000), uint16(900))
	}
	file, err := os.Create(filepath.Join(f.TempDir(), "server.log"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { file.Close() })
	f.Fuzz(func(t *testing.T, piece []byte, times, n uint16) {
		content := bytes.Repeat(piece, min(int(times), (3*tailBlock)/(len(piece)+1)+1))
		if err := file.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(content, 0); err != nil {
			t.Fatal(err)
		}
		got, err := Tail(file, int(n))
		if err != nil {
			t.Fatal(err)
		}
		if want := wantTail(string(content), int(n)); !slices.Equal(got, want) {
			t.Errorf("got %s, want %s", show(got), show(want))
		}
	})
}

func BenchmarkTail(b *testing.B) {
	text := numbered(5_000, 100)
	for _, size := range []int64{1 << 20, 1 << 30} {
		for _, n := range []int{10, 1000} {
			b.Run(fmt.Sprintf("file=%dMB/lines=%d", size>>20, n), func(b *testing.B) {
				path := sparseFile(b, size, text)
				b.ReportAllocs()
				for b.Loop() {
					tail(b, path, n)
				}
			})
		}
	}
}

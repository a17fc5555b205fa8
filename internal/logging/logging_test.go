package logging

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
)

// open opens a log with a file in a temporary folder of the test.
func open(t *testing.T, options Options) *Log {
	t.Helper()
	if options.Console == nil {
		options.Console = io.Discard
	}
	if options.MaxSizeMB == 0 {
		options.MaxSizeMB, options.MaxFiles = 1, 1
	}
	log, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

func readLines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return splitLines(string(data))
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func TestOpen_LevelsAreSeparate(t *testing.T) {
	t.Parallel()
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	for _, consoleLevel := range levels {
		for _, fileLevel := range levels {
			t.Run(fmt.Sprintf("console %v, file %v", consoleLevel, fileLevel), func(t *testing.T) {
				t.Parallel()
				var console bytes.Buffer
				path := filepath.Join(t.TempDir(), "server.log")
				log := open(t, Options{Console: &console, ConsoleLevel: consoleLevel, Path: path, FileLevel: fileLevel})
				for _, level := range levels {
					log.Log(t.Context(), level, "line")
				}
				log.Flush()
				check := func(where string, lines []string, least slog.Level) {
					t.Helper()
					for _, level := range levels {
						has := slices.ContainsFunc(lines, func(line string) bool {
							return strings.Contains(line, " level="+level.String()+" msg=line")
						})
						if want := level >= least; has != want {
							t.Errorf("%s has %v: %t, want %t; it is %q", where, level, has, want, lines)
						}
					}
				}
				check("console", splitLines(console.String()), consoleLevel)
				check("file", readLines(t, path), fileLevel)
			})
		}
	}
}

func TestOpen_WithoutAFile(t *testing.T) {
	t.Parallel()
	var console bytes.Buffer
	log := open(t, Options{Console: &console})
	log.Info("line")
	if !strings.Contains(console.String(), "msg=line") {
		t.Errorf("console %q", &console)
	}
}

func TestOpen_MakesTheFolderForTheGroupOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b", "server.log")
	open(t, Options{Path: path}).Info("line")
	for name, allowed := range map[string]os.FileMode{path: 0o640, filepath.Dir(path): 0o750} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&^allowed != 0 {
			t.Errorf("%s has mode %v, more than %v", name, info.Mode().Perm(), allowed)
		}
	}
}

func TestOpen_GoesOnWithTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "server.log")
	for _, time := range []string{"first", "second"} {
		log := open(t, Options{Path: path})
		log.Info("opened", "the", time)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	lines := readLines(t, path)
	if len(lines) != 2 || !strings.Contains(lines[0], "the=first") || !strings.Contains(lines[1], "the=second") {
		t.Errorf("the file holds %q", lines)
	}
}

func TestOpen_UnwritablePath(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(file, "server.log"):         "log folder " + file + " cannot be made: ",
		filepath.Join(file, "logs", "server.log"): "log folder " + filepath.Join(file, "logs") + " cannot be made: ",
		folder: "log file " + folder + " cannot be written: ",
	} {
		log, err := Open(Options{Console: io.Discard, Path: path, MaxSizeMB: 1, MaxFiles: 1})
		if log != nil || err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, %v; want %q", path, log, err, want)
		}
	}
}

// The file is rotated before it exceeds its maximum size. The newest lines are
// kept in order and without gaps.
func TestRotation(t *testing.T) {
	t.Parallel()
	const (
		maxFiles = 2
		lineSize = 1 << 10
		lines    = 5 << 20 / lineSize // 5 MB in files of 1 MB
	)
	folder := t.TempDir()
	path := filepath.Join(folder, "server.log")
	log := open(t, Options{ConsoleLevel: slog.LevelError, Path: path, MaxSizeMB: 1, MaxFiles: maxFiles})
	for i := range lines {
		log.Info("line", "number", i, "filler", strings.Repeat("x", lineSize))
	}
	if err := log.Close(); err != nil { // waits for the removal of old files
		t.Fatal(err)
	}
	rotated, err := filepath.Glob(filepath.Join(folder, "server-*.log")) // sorted; the names contain the time
	if err != nil {
		t.Fatal(err)
	}
	if len(rotated) != maxFiles {
		t.Errorf("%d rotated files are kept, want %d: %q", len(rotated), maxFiles, rotated)
	}
	var kept []string
	for _, file := range append(rotated, path) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 1<<20 || file != path && info.Size() < 1<<20-pendingMost {
			t.Errorf("%s has %d bytes, want about 1 MB", file, info.Size())
		}
		kept = append(kept, readLines(t, file)...)
	}
	for i, line := range kept {
		if want := fmt.Sprintf(" number=%d ", lines-len(kept)+i); !strings.Contains(line, want) {
			t.Fatalf("line %d of %d that are kept lacks %q: %.80s", i, len(kept), want, line)
		}
	}
}

// Any text from a client stays one line of printable text, in the file and on
// the console. It cannot forge a line or send an escape sequence to the
// operator's terminal.
func TestLog_Injection(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"a\nlevel=ERROR msg=forged", "a\r\nb", "a\rb", "a\x00b", "\x1b[2Jgone", "\x1b]0;title\x07", "a\u2028b", "a\u2029b", "a\u0085b",
		"\u202edlrow", "\xff\xfe", `a" level=ERROR msg="forged`, "a=b", "\t\v\f\b\x7f", "",
	} {
		t.Run(fmt.Sprintf("%q", value), func(t *testing.T) {
			t.Parallel()
			var console bytes.Buffer
			path := filepath.Join(t.TempDir(), "server.log")
			log := open(t, Options{Console: &console, Path: path})
			log.Info("request", "value", value, "error", fmt.Errorf("cause: %s", value), "list", []string{value})
			log.Flush()
			for where, lines := range map[string][]string{"file": readLines(t, path), "console": splitLines(console.String())} {
				if len(lines) != 1 {
					t.Fatalf("%s: %d lines: %q", where, len(lines), lines)
				}
				if strings.ContainsFunc(lines[0], func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%s: not printable: %q", where, lines[0])
				}
				if strings.Contains(lines[0], " level=ERROR msg=") && !strings.Contains(lines[0], `"`) {
					t.Errorf("%s: forged: %q", where, lines[0])
				}
			}
		})
	}
}

func TestLog_Concurrent(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 100
	var console bytes.Buffer
	path := filepath.Join(t.TempDir(), "server.log")
	log := open(t, Options{Console: &console, Path: path})
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				log.Info("line", "writer", w, "number", i, "end", true)
			}
		})
	}
	group.Wait()
	log.Flush()
	for where, lines := range map[string][]string{"file": readLines(t, path), "console": splitLines(console.String())} {
		seen := map[string]bool{}
		for _, line := range lines {
			_, rest, _ := strings.Cut(line, " msg=line ")
			seen[rest] = true
			if !strings.HasPrefix(line, "time=") || !strings.HasSuffix(line, " end=true") {
				t.Errorf("%s: torn line %q", where, line)
			}
		}
		if len(seen) != writers*each || len(lines) != writers*each {
			t.Errorf("%s: %d lines, %d different ones, want %d", where, len(lines), len(seen), writers*each)
		}
	}
}

func TestClose_Twice(t *testing.T) {
	t.Parallel()
	log := open(t, Options{Path: filepath.Join(t.TempDir(), "server.log")})
	log.Info("line")
	for range 2 {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}
}

// blocked is a console that blocks every write until it is opened.
type blocked struct {
	open  chan struct{}
	wrote bytes.Buffer
}

func (b *blocked) Write(p []byte) (int, error) {
	<-b.open
	return b.wrote.Write(p)
}

// If the console blocks, no lines are lost and they do not fill the memory,
// because callers wait.
func TestLog_WaitsForASlowConsole(t *testing.T) {
	t.Parallel()
	console := &blocked{open: make(chan struct{})}
	log := open(t, Options{Console: console, Path: filepath.Join(t.TempDir(), "server.log")})
	const count = 2000
	filler := strings.Repeat("x", 1000) // pendingMost is less than the number of lines times this length
	var group sync.WaitGroup
	var logged atomic.Int64
	group.Go(func() {
		for i := range count {
			log.Info("line", "number", i, "filler", filler)
			logged.Add(1)
		}
	})
	waiting := func() int {
		log.console.mu.Lock()
		defer log.console.mu.Unlock()
		return len(log.console.pending)
	}
	for waiting() < pendingMost-2*len(filler) && logged.Load() < count {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond) // enough time for many more lines
	if got := waiting(); got > pendingMost {
		t.Errorf("lines that wait: got %d bytes, want %d at the most", got, pendingMost)
	}
	close(console.open)
	group.Wait()
	log.Flush()
	lines := splitLines(console.wrote.String())
	if len(lines) != count {
		t.Fatalf("lines: got %d, want %d", len(lines), count)
	}
	for i, line := range lines {
		if !strings.Contains(line, fmt.Sprintf(" number=%d ", i)) {
			t.Fatalf("line %d: got %s, want it in its place", i, line[:80])
		}
	}
}

func TestLog_AfterClose(t *testing.T) {
	t.Parallel()
	var console bytes.Buffer
	folder := filepath.Join(t.TempDir(), "logs")
	log := open(t, Options{Console: &console, Path: filepath.Join(folder, "server.log")})
	log.Info("before")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(console.String(), "msg=before") {
		t.Errorf("the console after the close: got %q, want what was logged", console.String())
	}
	log.Info("after")
	if !strings.Contains(console.String(), "msg=after") {
		t.Errorf("the console after the close: got %q, want also what came later", console.String())
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("what came later made the file anew: %v", err)
	}
}

// A warning must be written immediately, so that even a crash right after it
// does not lose it.
func TestLog_WarningsAreWrittenAtOnce(t *testing.T) {
	t.Parallel()
	var console bytes.Buffer
	path := filepath.Join(t.TempDir(), "server.log")
	log := open(t, Options{Console: &console, Path: path})
	for i := range 20 { // also during a pause between two writes
		log.Info("line", "number", i)
		log.Warn("warned", "number", i)
		want := fmt.Sprintf("msg=warned number=%d", i)
		if got := readLines(t, path); !strings.Contains(got[len(got)-1], want) || !strings.Contains(console.String(), want) {
			t.Fatalf("got the last line %q, want %q", got[len(got)-1], want)
		}
	}
}

//go:build unix

package logging

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fill logs size bytes in lines of 1 KiB.
func fill(log *Log, size int) {
	line := strings.Repeat("x", 1<<10)
	for range size >> 10 {
		log.Info("line", "text", line)
	}
	log.Flush()
}

// Whatever other programs do to the file, lines must go to the file at the
// path.
func TestOpen_PathLeadsElsewhere(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(t *testing.T, path string) error{
		"removed": func(_ *testing.T, path string) error { return os.Remove(path) },
		"renamed": func(_ *testing.T, path string) error { return os.Rename(path, path+".1") },
		"renamed and made anew": func(t *testing.T, path string) error {
			t.Helper()
			if err := os.Rename(path, path+".1"); err != nil {
				return err
			}
			return os.WriteFile(path, nil, 0o600)
		},
		"removed with its folder": func(_ *testing.T, path string) error { return os.RemoveAll(filepath.Dir(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "logs", "server.log")
			log := open(t, Options{Path: path})
			log.Info("before")
			log.Flush()
			if err := move(t, path); err != nil {
				t.Fatal(err)
			}
			log.Info("after")
			log.Flush()
			if lines := readLines(t, path); len(lines) != 1 || !strings.Contains(lines[0], "msg=after") {
				t.Errorf("the file holds %q", lines)
			}
		})
	}
}

// A link to a file must remain a link. Its target is rotated in its own folder.
func TestOpen_LinkToAFile(t *testing.T) {
	t.Parallel()
	folder, elsewhere := t.TempDir(), t.TempDir()
	path := filepath.Join(folder, "server.log")
	if err := os.Symlink(filepath.Join(elsewhere, "real.log"), path); err != nil {
		t.Fatal(err)
	}
	fill(open(t, Options{Path: path}), 3<<20)
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	if rotated, err := filepath.Glob(filepath.Join(elsewhere, "real-*.log")); err != nil || len(rotated) == 0 {
		t.Errorf("nothing was rotated: %v", err)
	}
}

// A pipe must receive every line and must never be renamed.
func TestOpen_Pipe(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	pipe, path := filepath.Join(folder, "pipe"), filepath.Join(folder, "server.log")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pipe, path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Console: io.Discard, Path: path, MaxSizeMB: 1}); err == nil || !strings.Contains(err.Error(), "no program reads") {
		t.Errorf("without a reader: got %v", err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	log, err := Open(Options{Console: io.Discard, Path: path, MaxSizeMB: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan int, 1)
	go func() {
		lines := 0
		for scanner := bufio.NewScanner(reader); scanner.Scan(); {
			lines++
		}
		got <- lines
	}()
	fill(log, 3<<20)
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	if lines := <-got; lines != 3<<10 {
		t.Errorf("the reader got %d lines, want %d", lines, 3<<10)
	}
	for _, name := range []string{pipe, path} {
		info, err := os.Lstat(name)
		if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSymlink) == 0 {
			t.Errorf("%s is %v, %v", name, info, err)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("got the files %v, %v", entries, err)
	}
}

// If two servers use the same file, the second one logs this, no line is lost,
// and the second one rotates the file only after the first one has ended.
func TestOpen_TwoOfOneFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "server.log")
	rotated := func() []string {
		names, err := filepath.Glob(filepath.Join(folder, "server-*.log"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	first, err := Open(Options{Console: io.Discard, Path: path, MaxSizeMB: 1, MaxFiles: 9})
	if err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	second := open(t, Options{Console: &console, Path: path, MaxSizeMB: 1, MaxFiles: 9})
	second.Flush()
	if !strings.Contains(console.String(), "another server writes this log file") {
		t.Errorf("the second says %q", console.String())
	}
	fill(second, 2<<20)
	if names := rotated(); len(names) != 0 {
		t.Errorf("the second made %v", names)
	}
	fill(first, 1<<19) // rotates the lines of the second one
	first.Info("of the first")
	first.Flush()
	second.Info("of the second")
	second.Flush()
	if text := strings.Join(readLines(t, path), "\n"); !strings.Contains(text, "of the first") || !strings.Contains(text, "of the second") {
		t.Errorf("the file holds %d bytes, and not both", len(text))
	}
	before := len(rotated())
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	fill(second, 2<<20)
	if names := rotated(); len(names) <= before {
		t.Errorf("after the end of the first the second made nothing beside %v", names)
	}
}

// brokenConsole is a console for which every write fails.
type brokenConsole struct{}

func (brokenConsole) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// signalling reports each write.
type signalling struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

func (s *signalling) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.written <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *signalling) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// waitFor waits until text was written.
func waitFor(t *testing.T, text string, read func() string, changed <-chan struct{}) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for !strings.Contains(read(), text) {
		select {
		case <-changed:
		case <-time.After(pause): // a file does not report writes
		case <-timeout:
			t.Fatalf("%q does not come; got %q", text, read())
		}
	}
}

// A failure of the console is logged once, in the file. The file continues to
// work.
func TestOpen_BrokenConsole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "server.log")
	log := open(t, Options{Console: brokenConsole{}, Path: path})
	const warning = "standard error cannot be written"
	for range 3 {
		log.Info("line")
		log.Flush()
	}
	waitFor(t, warning, func() string { log.Flush(); return strings.Join(readLines(t, path), "\n") }, nil)
	log.Info("last")
	log.Flush()
	text := strings.Join(readLines(t, path), "\n")
	if strings.Count(text, warning) != 1 || strings.Count(text, "msg=line") != 3 || !strings.Contains(text, "msg=last") {
		t.Errorf("the file holds %s", text)
	}
}

// The report of a failure is written even if the log is closed at once.
func TestOpen_BrokenConsoleAtTheEnd(t *testing.T) {
	t.Parallel()
	for n := range 50 { // so that a report which comes too late in some runs does so in one of these
		path := filepath.Join(t.TempDir(), "server.log")
		log, err := Open(Options{Console: brokenConsole{}, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		log.Info("line")
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(readLines(t, path), "\n"); strings.Count(text, "standard error cannot be written") != 1 {
			t.Fatalf("log %d holds %s", n, text)
		}
	}
}

// A failure of the file is logged on the console.
func TestOpen_BrokenFile(t *testing.T) {
	t.Parallel()
	const full = "/dev/full" // exists on Linux
	if _, err := os.Stat(full); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	console := &signalling{written: make(chan struct{}, 1)}
	log, err := Open(Options{Console: console, Path: full})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("line")
	waitFor(t, "the log file cannot be written", console.String, console.written)
	if err := log.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("close: got %v", err)
	}
}

//go:build unix

// The tests in this folder build the real program and run it as a child
// process, so they test the same binary that users run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// deadline is the maximum time for anything that should happen soon, on a busy
// machine.
const deadline = 30 * time.Second

// buildFolder is the folder in which the program is built. It is removed after
// all tests.
var buildFolder string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if buildFolder, err = os.MkdirTemp("", "web-backend-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(buildFolder)                      //nolint:errcheck // an error cannot be reported here
		if err := os.Chmod(buildFolder, 0o755); err != nil { // some tests run the program as another user
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// buildFlags are the flags of go build, in addition to the output path.
var buildFlags = []string{"-buildvcs=false"}

// raceDetector reports whether the program is built with the race detector.
var raceDetector bool

// build builds the program once. It is static like the releases, unless it has
// the race detector.
var build = sync.OnceValues(func() (path string, err error) {
	if err := lookAtSources(); err != nil {
		return "", err
	}
	path = filepath.Join(buildFolder, "web-backend")
	args := append([]string{"build", "-o", path}, buildFlags...)
	command := exec.Command("go", append(args, ".")...)
	if !raceDetector { // the race detector needs cgo
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return path, nil
})

// lookAtSources opens every file that the program is built from. The test cache
// of Go keeps a result until a file changes that the test itself has opened,
// and does not notice files that a child process opens.
func lookAtSources() error {
	const module = "../.."
	for _, folder := range []string{"cmd", "internal", "configs", "go.mod", "go.sum"} {
		err := filepath.WalkDir(filepath.Join(module, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			return file.Close()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// childAttributes make child processes end with this process, if the system
// supports it.
var childAttributes *syscall.SysProcAttr

// process is the running program. Each has a separate folder.
type process struct {
	url, address   string
	folder         string
	command        *exec.Cmd
	stdout, stderr *stream
	exited         chan struct{} // closed when the process has ended and all its output is read
	killed         bool          // the test killed the process on purpose
}

// start starts the program in folder and does not wait. If the program still
// runs when the test ends, it is killed.
func start(t testing.TB, folder string, args ...string) *process {
	t.Helper()
	return startWith(t, folder, nil, args...)
}

// startWith does the same as start, with additional environment variables.
func startWith(t testing.TB, folder string, environment []string, args ...string) *process {
	t.Helper()
	return startAs(t, folder, childAttributes, environment, args...)
}

// startAs does the same as startWith, for a process with other attributes, for
// example another user.
func startAs(t testing.TB, folder string, attributes *syscall.SysProcAttr, environment []string, args ...string) *process {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, args...)
	command.Dir, command.Env = folder, []string{"WEB_BACKEND_PORT=0", "GORACE=atexit_sleep_ms=0"}
	command.Env = append(command.Env, environment...)
	command.SysProcAttr = attributes
	return launch(t, folder, command)
}

// launch starts a command in the same way as start. The files of the command
// are in folder.
func launch(t testing.TB, folder string, command *exec.Cmd) *process {
	t.Helper()
	p := &process{folder: folder, command: command, stdout: newStream(), stderr: newStream(), exited: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = p.stdout, p.stderr
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait() // the process state has the same information
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // most processes have already ended
		<-p.exited
		for _, sign := range []string{"panic", "DATA RACE", "goroutine "} {
			if strings.Contains(p.stderr.String(), sign) {
				t.Errorf("the program printed %q:\n%s", sign, p.stderr.last(20_000))
			}
		}
		if t.Failed() && !p.killed {
			t.Logf("the program in %s\nstdout:\n%s\nstderr:\n%s", folder, p.stdout.last(2000), p.stderr.last(4000))
		}
	})
	return p
}

var announced = regexp.MustCompile(`listening on (http://(\S+))\n`)

// serve starts the program and waits until it prints its address.
func serve(t testing.TB, folder string, args ...string) *process {
	t.Helper()
	return serveWith(t, folder, nil, args...)
}

// manyTries turns off the limits on login attempts and makes password hashes
// cheap.
var manyTries = []string{
	"WEB_BACKEND_RATE_LIMIT_ADDRESS_PER_MINUTE=0", "WEB_BACKEND_RATE_LIMIT_USERNAME_PER_MINUTE=0",
	"WEB_BACKEND_PASSWORD_HASH_MEMORY_KIB=64", "WEB_BACKEND_PASSWORD_HASH_ITERATIONS=1",
}

// serveWith does the same as serve, with additional environment variables.
func serveWith(t testing.TB, folder string, environment []string, args ...string) *process {
	t.Helper()
	p := startWith(t, folder, environment, args...)
	match := p.stdout.wait(t, announced, p.exited)
	p.url, p.address = match[1], match[2]
	return p
}

// signal sends a signal. It does nothing if the process has ended.
func (p *process) signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// wait waits until the program has ended.
func (p *process) wait(t testing.TB) *os.ProcessState {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(deadline):
		t.Fatalf("the program does not end; stderr:\n%s", p.stderr)
	}
	return p.command.ProcessState
}

// stop asks the program to end and checks that it shuts down correctly.
func (p *process) stop(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if state := p.wait(t); state.ExitCode() != 0 {
		t.Fatalf("the program ended with %v", state)
	}
}

// kill ends the program abruptly, as a power cut would.
func (p *process) kill(t testing.TB) {
	t.Helper()
	p.killed = true
	p.signal(t, os.Kill)
	p.wait(t)
}

// client sends requests without keeping connections open, because such
// connections would outlive a server.
var client = &http.Client{
	Timeout:       deadline,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// received is the response to a request.
type received struct {
	status int
	header http.Header
	body   string
}

// send sends a request, which is a POST of JSON if there is a body. The error
// is the error of the connection.
func (p *process) send(ctx context.Context, path, body string) (received, error) {
	return p.sendAs(ctx, "", path, body)
}

// sendAs does the same as send, with an access token, or "" for none.
func (p *process) sendAs(ctx context.Context, token, path, body string) (received, error) {
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return p.sendWith(ctx, header, path, body)
}

// sendWith does the same as send, with additional headers.
func (p *process) sendWith(ctx context.Context, header http.Header, path, body string) (received, error) {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return received{}, err
	}
	maps.Copy(request.Header, header)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return received{}, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return received{response.StatusCode, response.Header, string(data)}, err
}

// must sends a request that has to succeed, and returns the body of the
// response.
func (p *process) must(t testing.TB, path, body string) string {
	t.Helper()
	got, err := p.send(t.Context(), path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", path, body, err)
	}
	if got.status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", path, body, got.status, got.body)
	}
	return got.body
}

// loopback returns an address of this machine that no other test uses. Ports
// are allocated per address, so a server can return on its port.
func loopback() string {
	if runtime.GOOS == "linux" {
		return "127.0.0.2"
	}
	return "127.0.0.1"
}

// stream collects the output of a child process. It can be read while the
// process runs.
type stream struct {
	mutex   sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed at the next write
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

func (s *stream) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	return s.text.Write(p)
}

func (s *stream) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.String()
}

// last returns the end of the output.
func (s *stream) last(size int) string {
	text := s.String()
	return text[max(0, len(text)-size):]
}

// wait waits until the output matches pattern, and returns the groups of the
// match. The test fails if the process ends first.
func (s *stream) wait(t testing.TB, pattern *regexp.Regexp, exited <-chan struct{}) []string {
	t.Helper()
	timeout := time.After(deadline)
	for ended := false; ; {
		s.mutex.Lock()
		match, changed := pattern.FindStringSubmatch(s.text.String()), s.changed
		s.mutex.Unlock()
		if match != nil {
			return match
		}
		if ended {
			t.Fatalf("the program ended without printing %v", pattern)
		}
		select {
		case <-changed:
		case <-exited:
			ended = true
		case <-timeout:
			t.Fatalf("the program does not print %v", pattern)
		}
	}
}

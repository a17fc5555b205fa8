//go:build failpoints

package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// deadline is the maximum time for anything that should happen soon, on a busy
// machine.
const deadline = 30 * time.Second

// childAttributes make child processes end with this process, if the system
// supports it.
var childAttributes *syscall.SysProcAttr

// server is the running program. Each has a separate folder.
type server struct {
	address string
	command *exec.Cmd
	output  *console
	exited  chan struct{}
	client  *http.Client
}

// console collects the output of a child process.
type console struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{} // contains an element after a write
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p...)
	// The tests only look at the end of the output.
	if most := 1 << 20; len(c.text) > 2*most {
		c.text = append(c.text[:0], c.text[len(c.text)-most:]...)
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

var listens = regexp.MustCompile(`listening on http://(\S+)\n`)

// cheap makes password hashes cheap, turns off the limits on login attempts,
// and sets a master key for provider keys.
var cheap = []string{
	"WEB_BACKEND_RATE_LIMIT_ADDRESS_PER_MINUTE=0", "WEB_BACKEND_RATE_LIMIT_USERNAME_PER_MINUTE=0",
	"WEB_BACKEND_PASSWORD_HASH_MEMORY_KIB=64", "WEB_BACKEND_PASSWORD_HASH_ITERATIONS=1",
	"WEB_BACKEND_MASTER_KEY=" + strings.Repeat("5a", 32),
}

// serve starts a program in folder and waits until it prints its address. If
// the program still runs when the test ends, it is killed. serve returns nil if
// the program ended before it printed its address.
func serve(t testing.TB, program func() (string, error), folder string, environment ...string) *server {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, "serve")
	command.Dir = folder
	command.Env = append([]string{"WEB_BACKEND_PORT=0", "WEB_BACKEND_HOST=127.0.0.1"}, append(cheap, environment...)...)
	command.SysProcAttr = childAttributes
	s := &server{
		command: command, output: &console{changed: make(chan struct{}, 1)}, exited: make(chan struct{}),
		client: &http.Client{Timeout: deadline, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	command.Stdout, command.Stderr = s.output, s.output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = command.Wait() // the process state has the same information
		close(s.exited)
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // most processes have already ended
		<-s.exited
		s.client.CloseIdleConnections()
		text := s.output.String()
		for _, sign := range []string{"panic", "DATA RACE", "goroutine "} {
			if strings.Contains(text, sign) {
				t.Errorf("the program printed %q:\n%s", sign, text[max(0, len(text)-20_000):])
			}
		}
		if t.Failed() {
			t.Logf("the program in %s printed at the end:\n%s", folder, text[max(0, len(text)-3000):])
		}
	})
	timeout := time.After(deadline)
	for {
		if match := listens.FindStringSubmatch(s.output.String()); match != nil {
			s.address = match[1]
			return s
		}
		select {
		case <-s.output.changed:
		case <-s.exited:
			return nil
		case <-timeout:
			t.Fatalf("the program does not listen:\n%s", s.output)
		}
	}
}

// end sends a signal and waits until the process has ended.
func (s *server) end(t testing.TB, signal os.Signal) *os.ProcessState {
	t.Helper()
	_ = s.command.Process.Signal(signal) // the process may have ended
	select {
	case <-s.exited:
	case <-time.After(deadline):
		t.Fatalf("the program does not end after %v:\n%s", signal, s.output)
	}
	s.client.CloseIdleConnections()
	return s.command.ProcessState
}

// send sends a request: a POST of JSON if body is not nil, otherwise a GET. If
// the status is 200 and target is not nil, it decodes the response into target.
// The error is the error of the connection.
func (s *server) send(ctx context.Context, path string, body, target any) (status int, err error) {
	method, reader := http.MethodGet, io.Reader(nil)
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		method, reader = http.MethodPost, bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, reader)
	if err != nil {
		return 0, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if response.StatusCode == http.StatusOK && target != nil && len(data) > 0 {
		if err := json.Unmarshal(data, target); err != nil {
			return response.StatusCode, fmt.Errorf("%s: %w", path, err)
		}
	}
	return response.StatusCode, nil
}

// must sends a request that has to succeed.
func (s *server) must(t testing.TB, path string, body, target any) {
	t.Helper()
	status, err := s.send(t.Context(), path, body, target)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: got status %d, error %v", path, status, err)
	}
}

// memory returns a value of /proc/PID/status in bytes, or 0 if the system does
// not have it.
func (s *server) memory(name string) int64 {
	return procStatus(s.command.Process.Pid, name) << 10
}

func procStatus(pid int, name string) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			number, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return number
		}
	}
	return 0
}

type fields = map[string]any

const v1 = "/api/v1/"

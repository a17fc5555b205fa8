package mongotest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTimeout is long enough for a cold start on a busy machine.
const startTimeout = time.Minute

// Flags of tools/mongodb/launch.py.
const (
	flagData      = "--data"
	flagPort      = "--port"
	flagAnonymous = "--anonymous"
)

// process is a running SecantusDB. It ends with this process.
type process struct {
	pid     int
	address string
	started chan struct{} // closed when it listens, or when it ended before that
	ended   chan struct{}
}

// startEngine starts SecantusDB and waits until it listens.
func startEngine(flags ...string) (*process, error) {
	l, err := launched()
	if err != nil {
		return nil, err
	}
	p, err := l.request(flags)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.started:
	case <-time.After(startTimeout):
		return nil, fmt.Errorf("SecantusDB did not listen within %s", startTimeout)
	}
	if p.address == "" {
		return nil, fmt.Errorf("SecantusDB ended before it listened: %s", lastLine(l.complaint.String()))
	}
	return p, nil
}

// launcher is the one process that starts all servers of this process
// (launch.py --many). It watches its standard input. Only this process holds
// the other end, so the launcher ends when this process ends. The servers end
// with the launcher.
type launcher struct {
	complaint complaint

	mu       sync.Mutex
	requests io.Writer
	servers  map[string]*process // by name
	ended    error               // why the launcher does not run
}

// launched installs SecantusDB if needed and starts the launcher, once.
var launched = sync.OnceValues(func() (*launcher, error) {
	tools, err := toolsFolder()
	if err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("python3"); err != nil {
		return nil, err
	}
	var complaint bytes.Buffer
	install := exec.Command(filepath.Join(tools, "install.sh")) //nolint:gosec // our own script, and pip limits its time
	install.Stderr = &complaint
	python, err := install.Output()
	if err != nil {
		return nil, fmt.Errorf("SecantusDB could not be installed: %w: %s", err, lastLine(complaint.String()))
	}
	l := &launcher{servers: map[string]*process{}}
	command := exec.Command(strings.TrimSpace(string(python)), filepath.Join(tools, "launch.py"), "--many") //nolint:gosec // our own script
	command.Stderr = &l.complaint
	if l.requests, err = command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			l.respond(lines.Text())
		}
		l.end(command.Wait())
	}()
	return l, nil
})

// request asks for a server with these flags.
func (l *launcher) request(flags []string) (*process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return nil, l.ended
	}
	name := strconv.Itoa(len(l.servers))
	line, err := json.Marshal(append([]string{name}, flags...))
	if err != nil {
		return nil, err
	}
	p := &process{started: make(chan struct{}), ended: make(chan struct{})}
	l.servers[name] = p
	_, err = l.requests.Write(append(line, '\n'))
	return p, err
}

// respond handles a line from the launcher.
func (l *launcher) respond(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, event, _ := strings.Cut(line, " ")
	p := l.servers[name]
	if p == nil {
		return // not a line that launch.py describes
	}
	if pid, ok := strings.CutPrefix(event, "is "); ok {
		p.pid, _ = strconv.Atoi(pid)
	}
	if address, ok := strings.CutPrefix(event, "listening on "); ok {
		p.address = address
	}
	if p.pid != 0 && p.address != "" {
		p.start()
	}
	if event == "ended" {
		p.end()
	}
}

// end marks all servers as ended, as the launcher is.
func (l *launcher) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = fmt.Errorf("the launcher of SecantusDB ended: %w: %s", err, lastLine(l.complaint.String()))
	for _, p := range l.servers {
		p.end()
	}
}

// start marks the process as started. The launcher's lock is held.
func (p *process) start() {
	select {
	case <-p.started:
	default:
		close(p.started)
	}
}

// end marks the process as ended. The launcher's lock is held.
func (p *process) end() {
	p.start()
	select {
	case <-p.ended:
	default:
		close(p.ended)
	}
}

// kill kills the process, unless it has ended, and waits for its end.
func (p *process) kill() error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	running, err := os.FindProcess(p.pid)
	if err != nil {
		return err
	}
	defer running.Release() //nolint:errcheck // an error changes nothing
	if err := running.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// complaint keeps what a process writes to its standard error.
type complaint struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (c *complaint) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *complaint) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// toolsFolder looks for tools/mongodb in the folder of the test and its
// parents.
func toolsFolder() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		tools := filepath.Join(folder, "tools", "mongodb")
		if _, err := os.Stat(filepath.Join(tools, "install.sh")); err == nil {
			return tools, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("tools/mongodb/install.sh is not there")
		}
		folder = parent
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// uri returns the connection string of the administrator that launch.py
// creates.
func (p *process) uri(anonymous bool) string {
	user := "root:root@"
	if anonymous {
		user = ""
	}
	return "mongodb://" + user + p.address + "/?authSource=admin&directConnection=true"
}

// OwnServer is a server for one test. The test may kill it, restart it with the
// same port and data, and freeze it.
type OwnServer struct {
	Server
	flags   []string
	process *process
}

// Own starts a server for one test. It ends with the test. If anonymous is set,
// it requires no login. It is always SecantusDB, because a test cannot control
// the server in TEST_MONGODB_URI.
func Own(t testing.TB, anonymous bool) *OwnServer {
	t.Helper()
	s := &OwnServer{flags: []string{flagData, t.TempDir()}}
	if anonymous {
		s.flags = append(s.flags, flagAnonymous)
	}
	started, err := startEngine(s.flags...)
	if err != nil && os.Getenv("TEST_MONGODB_URI") != "" {
		t.Skipf("no SecantusDB, which this test needs beside the server of TEST_MONGODB_URI: %v", err)
	}
	if err != nil {
		unavailable(t, err)
	}
	s.process, s.uri = started, started.uri(anonymous)
	t.Cleanup(func() { s.Kill(t) })
	return s
}

// Kill ends the server at once, without a clean shutdown.
func (s *OwnServer) Kill(t testing.TB) {
	t.Helper()
	if err := s.process.kill(); err != nil {
		t.Errorf("kill the MongoDB server of the test: %v", err)
	}
}

// Restart starts a killed server again, on the same port and data.
func (s *OwnServer) Restart(t testing.TB) {
	t.Helper()
	_, port, _ := strings.Cut(s.process.address, ":")
	started, err := startEngine(append(slices.Clone(s.flags), flagPort, port)...)
	if err != nil {
		t.Fatalf("restart the MongoDB server of the test: %v", err)
	}
	s.process = started
}

// Freeze stops the server. It keeps its connections but does not respond until
// [OwnServer.Thaw]. Freeze skips the test on systems that cannot freeze a
// process.
func (s *OwnServer) Freeze(t testing.TB) {
	t.Helper()
	err := freeze(s.process.pid)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("a process cannot be frozen on this system")
	}
	if err != nil {
		t.Fatalf("freeze the MongoDB server of the test: %v", err)
	}
}

// Thaw resumes a frozen server.
func (s *OwnServer) Thaw(t testing.TB) {
	t.Helper()
	if err := thaw(s.process.pid); err != nil {
		t.Fatalf("thaw the MongoDB server of the test: %v", err)
	}
}

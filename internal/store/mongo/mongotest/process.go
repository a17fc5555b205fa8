package mongotest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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

// process is a running SecantusDB. It ends with this process, because it
// watches its standard input, and only this process holds the other end.
type process struct {
	command *exec.Cmd
	address string
	ended   chan struct{}
}

// startEngine installs SecantusDB if needed, starts it, and waits until it
// listens.
func startEngine(flags ...string) (*process, error) {
	tools, err := toolsFolder()
	if err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("python3"); err != nil {
		return nil, err
	}
	var complaint bytes.Buffer
	install := exec.Command(filepath.Join(tools, "install.sh")) //nolint:gosec,noctx // our own script, and pip limits its time
	install.Stderr = &complaint
	python, err := install.Output()
	if err != nil {
		return nil, fmt.Errorf("SecantusDB could not be installed: %w: %s", err, lastLine(complaint.String()))
	}
	launch := append([]string{filepath.Join(tools, "launch.py")}, flags...)
	command := exec.Command(strings.TrimSpace(string(python)), launch...) //nolint:gosec,noctx // it outlives the test that starts it
	if slices.Contains(flags, flagData) {
		killWithParent(command) // otherwise it first has to remove its own folder
	}
	return start(command)
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

// start runs launch.py and waits until it listens.
func start(command *exec.Cmd) (*process, error) {
	p := &process{command: command, ended: make(chan struct{})}
	var complaint bytes.Buffer
	command.Stderr = &complaint
	if _, err := command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go func() {
		// killWithParent uses this thread as the parent, not this process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.ended)
		if err := command.Start(); err != nil {
			started <- err
			return
		}
		lines := bufio.NewScanner(output)
		lines.Scan()
		address, listens := strings.CutPrefix(lines.Text(), "listening on ")
		if listens {
			p.address = address
			started <- nil
		}
		_, _ = io.Copy(io.Discard, output)
		err := command.Wait()
		if !listens {
			started <- fmt.Errorf("SecantusDB ended before it listened (%w): %s", err, lastLine(complaint.String()))
		}
	}()
	select {
	case err := <-started:
		return p, err
	case <-time.After(startTimeout):
		_ = command.Process.Kill()
		return nil, fmt.Errorf("SecantusDB did not listen within %s", startTimeout)
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
	if err := s.process.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill the MongoDB server of the test: %v", err)
	}
	<-s.process.ended
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
	err := freeze(s.process.command)
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
	if err := thaw(s.process.command); err != nil {
		t.Fatalf("thaw the MongoDB server of the test: %v", err)
	}
}

package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildFolder is the folder in which the program is built. It is removed after
// all tests.
var buildFolder string

// build builds the program once, as users run it.
var build = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(buildFolder, "web-backend")
	command := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./cmd/web-backend")
	command.Dir = filepath.Join("..", "..")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return path, nil
})

// childAttributes make child processes end with this process, if the system
// supports it.
var childAttributes *syscall.SysProcAttr

// server is the running program. Each has a separate folder.
type server struct {
	url, logFile string

	mongoDB bool   // the store is MongoDB
	kill    func() // ends the program, and returns when it has ended
}

// basePath is an environment variable that gives the server a base path.
const basePath = "WEB_BACKEND_BASE_PATH=/stack/characters"

var announced = regexp.MustCompile(`listening on (http://\S+)\n`)

// serve starts the program on a free port, with additional environment
// variables, and waits until it prints its address.
func serve(t *testing.T, environment ...string) *server {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	command := exec.Command(path)
	command.Dir, command.Env = folder, append([]string{"WEB_BACKEND_PORT=0"}, environment...)
	command.SysProcAttr = childAttributes
	output := &console{}
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait() // its output says why it ended
		close(ended)
	}()
	kill := func() {
		_ = command.Process.Kill() // the process may have ended
		<-ended
	}
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("the program printed\n%s", output)
		}
	})
	s := &server{
		logFile: filepath.Join(folder, "logs", "server.log"), mongoDB: slices.Contains(environment, "WEB_BACKEND_OPERATOR_TOKEN="+operatorToken), kill: kill,
	}
	eventually(t, "the program to listen", func() bool {
		select {
		case <-ended:
			t.Fatal("the program ended")
		default:
		}
		match := announced.FindStringSubmatch(output.String())
		if match != nil {
			s.url = match[1]
		}
		return match != nil
	})
	return s
}

var client = &http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true}}

// send sends a request, which is a POST of JSON if there is a body. It returns
// the body of the response.
func (s *server) send(t *testing.T, path string, body any, header ...string) string {
	t.Helper()
	method, content := http.MethodGet, []byte(nil)
	if body != nil {
		method = http.MethodPost
		var err error
		if content, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(received)
}

// decode sends a request and decodes its response.
func decode[T any](t *testing.T, s *server, path string, body any) T {
	t.Helper()
	var value T
	if received := s.send(t, path, body); json.Unmarshal([]byte(received), &value) != nil {
		t.Fatalf("%s: got %s", path, received)
	}
	return value
}

func (s *server) operatorToken(t *testing.T) string {
	t.Helper()
	if s.mongoDB {
		return operatorToken
	}
	file, err := os.ReadFile(filepath.Join(filepath.Dir(s.logFile), "..", "data", "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(file))
}

// appendLog appends lines to the log, as another program could.
func (s *server) appendLog(t *testing.T, lines ...string) {
	t.Helper()
	file, err := os.OpenFile(s.logFile, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.WriteString(file, strings.Join(lines, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
}

// console collects the output of the program, which can be read while the
// program runs.
type console struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.text.Write(p)
}

func (c *console) String() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.text.String()
}

// record returns a log line with the current time, in the format of the
// program.
func record(level, message string) string {
	return "time=" + time.Now().Format(time.RFC3339) + " level=" + level + " msg=" + message
}

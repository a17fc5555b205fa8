package clients

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildFolder is the folder in which the program is built. It is removed after
// all tests.
var buildFolder string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if buildFolder, err = os.MkdirTemp("", "web-backend-clients-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(buildFolder) //nolint:errcheck // an error cannot be reported here
		return m.Run()
	}())
}

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

var announced = regexp.MustCompile(`listening on (http://\S+)\n`)

// startTime is the maximum time until the program listens.
const startTime = 30 * time.Second

// serve starts the program in a separate folder on a free port, with additional
// environment variables. It returns the URL that the program prints.
func serve(t *testing.T, environment ...string) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path)
	command.Dir, command.Env = t.TempDir(), append([]string{"WEB_BACKEND_PORT=0"}, environment...)
	command.SysProcAttr = childAttributes
	output := &console{listening: make(chan string, 1)}
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait() // its output says why it ended
		close(ended)
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // the process may have ended
		<-ended
		if t.Failed() {
			t.Logf("the program printed\n%s", output)
		}
	})
	select {
	case url := <-output.listening:
		return url
	case <-ended:
		t.Fatal("the program ended")
	case <-time.After(startTime):
		t.Fatal("the program does not listen")
	}
	return ""
}

// console collects the output of the program. It sends the URL of the server
// once.
type console struct {
	mutex     sync.Mutex
	text      bytes.Buffer
	found     bool
	listening chan string
}

func (c *console) Write(p []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.text.Write(p)
	if match := announced.FindSubmatch(c.text.Bytes()); match != nil && !c.found {
		c.found = true
		c.listening <- string(match[1])
	}
	return len(p), nil
}

func (c *console) String() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.text.String()
}

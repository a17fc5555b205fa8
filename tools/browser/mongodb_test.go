package browser

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// engine is the MongoDB server of all tests. It ends with this process, because
// it watches its standard input.
type engine struct {
	address string
	input   io.Closer // kept, because the collection of an unused pipe closes it
}

// startEngine starts the MongoDB engine of the product's tests, once.
var startEngine = sync.OnceValues(func() (*engine, error) {
	if _, err := exec.LookPath("python3"); err != nil {
		return nil, err
	}
	tools := filepath.Join("..", "mongodb")
	python, err := exec.Command(filepath.Join(tools, "install.sh")).Output()
	if err != nil {
		return nil, fmt.Errorf("install the engine: %w", err)
	}
	command := exec.Command(strings.TrimSpace(string(python)), filepath.Join(tools, "launch.py"), "--anonymous")
	command.SysProcAttr, command.Stderr = childAttributes, os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	_, address, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	if !found {
		return nil, errors.Join(fmt.Errorf("the engine printed %q", line), err, command.Wait())
	}
	return &engine{address, input}, nil
})

// operatorToken is that of the servers on MongoDB, which do not create one.
const operatorToken = "the-operator-of-the-tests-in-a-browser"

// onMongoDB returns environment variables with which the program uses a new
// database of the engine. Without Python, it skips the test, or fails it if CI
// is "true".
func onMongoDB(t *testing.T) []string {
	t.Helper()
	e, err := startEngine()
	if err != nil {
		const remedy = "install python3 (3.11 to 3.13, with venv)"
		if os.Getenv("CI") == "true" {
			t.Fatalf("no MongoDB to test with: %v; %s", err, remedy)
		}
		t.Skipf("SKIPPED: the pages were NOT tested with MongoDB: %v; %s", err, remedy)
	}
	return []string{
		"MONGODB_URI=mongodb://" + e.address + "/?directConnection=true",
		"MONGODB_DATABASE=browser-" + rand.Text()[:8],
		"MONGODB_TIMEOUT=25s", // on a busy machine
		"WEB_BACKEND_OPERATOR_TOKEN=" + operatorToken,
	}
}

// onBothStores runs a test with the embedded store and with MongoDB. With
// MongoDB the server also has a base path.
func onBothStores(t *testing.T, test func(*testing.T, *server)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, serve(t))
	})
	t.Run("MongoDB with a base path", func(t *testing.T) {
		t.Parallel()
		test(t, serve(t, append(onMongoDB(t), basePath)...))
	})
}

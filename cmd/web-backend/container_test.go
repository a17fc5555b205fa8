//go:build linux

package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"web-backend/internal/store/mongo/mongotest"
)

// These tests do what a container does, without a container engine. They run
// the static program in a separate root folder that contains nothing else, as
// the user of the image and with the environment of the Dockerfile. Only the
// port is different.

// image describes the last stage of the Dockerfile.
type image struct {
	user        uint32
	environment []string
	healthcheck []string
	command     []string // entry point and arguments
}

var (
	envLine    = regexp.MustCompile(`(?m)^ENV (\S+=\S*)$`)
	userLine   = regexp.MustCompile(`(?m)^USER (\d+):(\d+)$`)
	healthLine = regexp.MustCompile(`(?m)^HEALTHCHECK .*CMD \[(.*)\]$`)
	entryLine  = regexp.MustCompile(`(?m)^(?:ENTRYPOINT|CMD) \[(.*)\]$`)
)

// readImage reads the Dockerfile.
func readImage(t *testing.T) image {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, stage, found := strings.Cut(string(text), "\nFROM scratch\n")
	if !found {
		t.Fatal("the last stage of the Dockerfile does not start from scratch")
	}
	var made image
	for _, match := range envLine.FindAllStringSubmatch(stage, -1) {
		made.environment = append(made.environment, match[1])
	}
	words := func(list string) (words []string) {
		for word := range strings.SplitSeq(list, ",") {
			words = append(words, strings.Trim(word, ` "`))
		}
		return words
	}
	for _, match := range entryLine.FindAllStringSubmatch(stage, -1) {
		made.command = append(made.command, words(match[1])...)
	}
	user, health := userLine.FindStringSubmatch(stage), healthLine.FindStringSubmatch(stage)
	if len(made.environment) == 0 || len(made.command) == 0 || user == nil || health == nil {
		t.Fatalf("the Dockerfile lacks ENV, USER, ENTRYPOINT or HEALTHCHECK: %+v, %v, %v", made, user, health)
	}
	id, err := strconv.ParseUint(user[1], 10, 32)
	if err != nil || id == 0 || user[1] != user[2] {
		t.Fatalf("USER is %s:%s, %v", user[1], user[2], err)
	}
	made.user, made.healthcheck = uint32(id), words(health[1])
	return made
}

// buildStatic returns the program as it is in the image. With the race detector
// the program would need libraries that the image does not have.
var buildStatic = sync.OnceValues(func() (path string, err error) {
	if !raceDetector {
		return build()
	}
	path = filepath.Join(buildFolder, "web-backend-static")
	command := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return path, nil
})

// container is a root folder with the contents of the image, and a port that
// replaces port 80.
type container struct {
	image
	root        string
	environment []string
}

// newContainer creates a container with these environment variables, as with
// `docker run -e`.
func newContainer(t *testing.T, variables ...string) container {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the container's start is not tested: only root may change root folder and user")
	}
	program, err := buildStatic()
	if err != nil {
		t.Fatal(err)
	}
	c := container{image: readImage(t), root: t.TempDir()}
	if err := os.Chmod(c.root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(program, filepath.Join(c.root, "web-backend")); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"data", "logs"} {
		path := filepath.Join(c.root, folder)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, int(c.user), int(c.user)); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := "WEB_BACKEND_PORT=" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	c.environment = append(append(c.environment, c.image.environment...), port) // of two values the last one is used
	c.environment = append(c.environment, variables...)
	return c
}

// launch starts a program of the container inside the container.
func (c container) launch(t *testing.T, words []string) *process {
	t.Helper()
	command := exec.Command(words[0], words[1:]...)
	command.Dir, command.Env = "/", c.environment // no HOME, no PATH
	command.SysProcAttr = &syscall.SysProcAttr{
		Chroot: c.root, Pdeathsig: syscall.SIGKILL,
		Credential: &syscall.Credential{Uid: c.user, Gid: c.user},
	}
	return launch(t, c.root, command)
}

var announcedAnywhere = regexp.MustCompile(`listening on http://\[::\]:(\d+)\n`)

// serve starts the container and waits until the program prints its address.
func (c container) serve(t *testing.T) *process {
	t.Helper()
	p := c.launch(t, c.command)
	port := p.stdout.wait(t, announcedAnywhere, p.exited)[1]
	p.address = "127.0.0.1:" + port
	p.url = "http://" + p.address
	return p
}

// checkHealth runs the health check of the image.
func (c container) checkHealth(t *testing.T, want int) {
	t.Helper()
	p := c.launch(t, c.healthcheck)
	if state := p.wait(t); state.ExitCode() != want {
		t.Errorf("the health check ends with %v, want %d: %s%s", state, want, p.stdout, p.stderr)
	}
}

// use creates a user or, if again is set, finds the data of the earlier start.
func use(t *testing.T, p *process, again bool) {
	t.Helper()
	if !again {
		p.must(t, "/api/v1/create_user", `{"user_id": "ada"}`)
		p.must(t, "/api/v1/update_user_config", `{"user_id": "ada", "openai_api_key": "k", "timezone": "Europe/Berlin"}`)
	}
	if got := len(p.characterIDs(t, "ada")); got != 8 {
		t.Errorf("ada has %d characters, want the 8 that are built in", got)
	}
	if got := p.must(t, "/api/v1/get_available_llm/ada", ""); got != `{"options":["openai"]}` {
		t.Errorf("ada's language models are %s", got)
	}
	if got := p.must(t, "/docs", ""); !strings.Contains(got, "<html") {
		t.Errorf("/docs is %s", got)
	}
}

func TestContainer_Embedded(t *testing.T) {
	t.Parallel()
	c := newContainer(t)
	for _, want := range []string{"WEB_BACKEND_HOST=0.0.0.0", "WEB_BACKEND_PORT=80"} { // for -p 80:80
		if !strings.Contains(strings.Join(c.image.environment, "\n")+"\n", want+"\n") {
			t.Errorf("the image lacks %s", want)
		}
	}
	for _, again := range []bool{false, true} { // `docker restart`
		p := c.serve(t)
		c.checkHealth(t, 0)
		use(t, p, again)
		p.stop(t)
		c.checkHealth(t, 1)
	}
	for _, name := range []string{"data/web-backend.db", "data/operator.token", "logs/server.log"} {
		if info, err := os.Stat(filepath.Join(c.root, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	entries, err := os.ReadDir(c.root)
	if err != nil || len(entries) != 3 {
		t.Errorf("beside program, data and logs there are %v, %v", entries, err)
	}
}

// The variables of the image of the Python original are all that MongoDB needs.
func TestContainer_MongoDB(t *testing.T) {
	t.Parallel()
	server := mongotest.Own(t, false)
	u, err := url.Parse(server.URI())
	if err != nil {
		t.Fatal(err)
	}
	c := newContainer(t, "MONGODB_HOST="+u.Hostname(), "MONGODB_PORT="+u.Port(),
		"MONGODB_USERNAME=web_user", "MONGODB_PASSWORD="+applicationPassword, "MONGODB_DATABASE=web",
		"MONGODB_AUTH_DATABASE=admin", "MONGODB_ADMIN_USERNAME=root", "MONGODB_ADMIN_PASSWORD=root",
		"MONGODB_TIMEOUT=25s") // the engine is slow when many tests run
	p := c.serve(t)
	c.checkHealth(t, 0)
	use(t, p, false)
	p.stop(t)
	if entries, err := os.ReadDir(filepath.Join(c.root, "data")); err != nil || len(entries) > 0 {
		t.Errorf("on MongoDB the data folder has %v, %v", entries, err)
	}
	if log := p.stdout.String() + p.stderr.String(); strings.Contains(log, applicationPassword) {
		t.Errorf("the password is printed:\n%s", log)
	}
}

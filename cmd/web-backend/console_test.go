//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// If the reader of the console goes away, the server continues. The log
// continues in the file, with one warning.
func TestConsole_ReaderGoesAway(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, "serve")
	command.Dir, command.Env = folder, []string{"WEB_BACKEND_PORT=0"}
	command.SysProcAttr = childAttributes
	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	writer.Close()
	output := newStream()
	gone := make(chan struct{})
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := reader.Read(buffer)
			_, _ = output.Write(buffer[:n])
			if err != nil {
				close(gone)
				return
			}
		}
	}()
	p := &process{command: command, stdout: output}
	match := output.wait(t, announced, gone)
	p.url, p.address = match[1], match[2]
	output.wait(t, regexp.MustCompile(`server started`), gone)
	reader.Close()
	<-gone
	for range 3 {
		p.must(t, "/api/v1/create_user", `{}`)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
	log, err := os.ReadFile(filepath.Join(folder, "logs", "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(log); strings.Count(text, "standard error cannot be written") != 1 ||
		strings.Count(text, "route=/api/v1/create_user") != 3 || !strings.Contains(text, "server stopped") {
		t.Errorf("the log is %s", text)
	}
}

// The log path may be a link to standard output, as in an image. The lines are
// written there, and the link is not replaced.
func TestConsole_LogPathIsStandardOutput(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/stdout"); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	folder := t.TempDir()
	link := filepath.Join(folder, "logs", "server.log")
	if err := os.Mkdir(filepath.Dir(link), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/stdout", link); err != nil {
		t.Fatal(err)
	}
	p := serve(t, folder)
	p.must(t, "/api/v1/create_user", `{"user_id": "ada"}`)
	for _, path := range []string{"/tail_log/10", "/dowload_log_file"} {
		if got, err := p.send(t.Context(), path, ""); err != nil || got.status != 503 || !strings.Contains(got.body, "a pipe or a device") {
			t.Errorf("%s: got %d %s, %v", path, got.status, got.body, err)
		}
	}
	p.stop(t)
	if want := "embedded, in " + filepath.Join(folder, "data", "web-backend.db") + "\n"; !strings.Contains(p.stdout.String(), want) {
		t.Errorf("the start does not say %q", want) // relative paths depend on the folder of the start
	}
	if text := p.stdout.String(); !strings.Contains(text, "route=/api/v1/create_user status=200") || !strings.Contains(text, "server stopped") {
		t.Errorf("standard output is %s", text)
	}
	if target, err := os.Readlink(link); err != nil || target != "/dev/stdout" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}

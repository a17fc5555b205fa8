//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tour is the section "## Tour" of README.md. These tests run its fenced
// blocks of language console:
//
//	$ command, which may continue
//	> on lines that begin with this character
//	the output, in which … stands for any text within a line,
//	…
//	and a line that contains only … stands for any number of lines.

// readme is the file that contains the tour.
const readme = "../../README.md"

// step is one command of the tour.
type step struct {
	line    int // line of the file, counted from 1
	command string
	want    []string
}

const (
	tourHeading  = "## Tour"
	consoleFence = "```console"
	ellipsis     = "…"
)

// parseTour reads the steps of the tour.
func parseTour(markdown string) ([]step, error) {
	var steps []step
	inTour, inFence, inConsole := false, false, false
	for i, line := range strings.Split(markdown, "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case strings.HasPrefix(line, "```"):
			inFence = !inFence
			inConsole = inFence && inTour && line == consoleFence
			if inConsole {
				steps = append(steps, step{}) // a separator, so that output only belongs to a command of the same block
			}
		case !inFence && strings.HasPrefix(line, "## "):
			inTour = line == tourHeading
		case !inConsole:
		case strings.HasPrefix(line, "$ "):
			steps = append(steps, step{line: i + 1, command: line[2:]})
		default:
			last := &steps[len(steps)-1]
			switch continued := strings.HasPrefix(line, "> "); {
			case last.line == 0:
				return nil, fmt.Errorf("line %d: a console block begins with %q, not with a command", i+1, line)
			case continued && len(last.want) == 0:
				last.command += "\n" + line[2:]
			default:
				last.want = append(last.want, line)
			}
		}
	}
	if inFence {
		return nil, errors.New("the last block is not closed")
	}
	var commands []step
	for _, s := range steps {
		if s.line > 0 {
			commands = append(commands, s)
		}
	}
	if len(commands) == 0 {
		return nil, fmt.Errorf("there is no command in a %s block under %s", consoleFence, tourHeading)
	}
	return commands, nil
}

// matches reports whether the output of a command matches the tour.
func matches(want, got []string) bool {
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range want {
		if line == ellipsis {
			pattern.WriteString(`(?:[^\n]*\n)*`)
			continue
		}
		for i, part := range strings.Split(line, ellipsis) {
			if i > 0 {
				pattern.WriteString(`[^\n]*`)
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
		pattern.WriteString(`\n`)
	}
	pattern.WriteString(`\z`)
	text := strings.Join(got, "\n")
	if len(got) > 0 {
		text += "\n"
	}
	return regexp.MustCompile(pattern.String()).MatchString(text)
}

// outputLines returns the lines of the output of a command, without empty lines
// at the end.
func outputLines(output string) []string {
	output = strings.TrimRight(strings.ReplaceAll(output, "\r\n", "\n"), "\n")
	if output == "" {
		return nil
	}
	return strings.Split(output, "\n")
}

// runTour runs the steps in one bash process and returns the output of each
// step. It calls between after each step except the last. The error is the
// error of bash. If bash fails, its last output belongs to the step after those
// returned.
func runTour(t *testing.T, steps []step, url string, between func()) (outputs [][]string, err error) {
	t.Helper()
	const marker = "--- end of step 9c6d2f51 ---"
	var script strings.Builder
	script.WriteString("exec </dev/null 2>&1\n")
	for _, s := range steps {
		fmt.Fprintf(&script, "%s\nprintf '\\n%%s\\n' '%s'\nread -r _ <&3\n", s.command, marker)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "tour.sh")
	if err := os.WriteFile(path, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	goAhead, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer tell.Close()
	bash := exec.CommandContext(t.Context(), "bash", "-eu", path)
	bash.Dir, bash.ExtraFiles = folder, []*os.File{goAhead}
	bash.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "LC_ALL=C.UTF-8", "URL=" + url}
	bash.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // includes all processes that bash starts
	bash.Cancel = func() error { return syscall.Kill(-bash.Process.Pid, syscall.SIGKILL) }
	printed, err := bash.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bash.Start(); err != nil {
		t.Fatal(err)
	}
	goAhead.Close()
	timeout := time.AfterFunc(deadline, func() { _ = bash.Cancel() })
	defer timeout.Stop()

	var output strings.Builder
	for reader := bufio.NewReader(printed); len(outputs) < len(steps); {
		line, err := reader.ReadString('\n')
		if line != marker+"\n" {
			output.WriteString(line)
		} else {
			outputs = append(outputs, outputLines(output.String()))
			output.Reset()
			timeout.Reset(deadline) // the deadline of one step
			if len(outputs) < len(steps) && between != nil {
				between()
			}
			if _, err := io.WriteString(tell, "go on\n"); err != nil {
				return outputs, err
			}
		}
		if err != nil {
			break
		}
	}
	if _, err := io.Copy(&output, printed); err != nil {
		return outputs, err
	}
	err = bash.Wait()
	if len(outputs) == len(steps) && err == nil {
		return outputs, nil
	}
	if err == nil {
		err = errors.New("too early")
	}
	return append(outputs, outputLines(output.String())), fmt.Errorf("bash ended: %w", err)
}

// checkTour runs the tour and returns the differences from the expected output.
func checkTour(t *testing.T, steps []step, url string, between func()) (differences []string) {
	t.Helper()
	outputs, err := runTour(t, steps, url, between)
	for i, got := range outputs[:min(len(outputs), len(steps))] {
		s := steps[i]
		if !matches(s.want, got) {
			differences = append(differences, fmt.Sprintf("line %d: $ %s\n--- got\n%s\n--- want\n%s",
				s.line, s.command, strings.Join(got, "\n"), strings.Join(s.want, "\n")))
		}
	}
	if err != nil {
		s := steps[min(max(1, len(outputs)), len(steps))-1]
		differences = append(differences, fmt.Sprintf("line %d: $ %s\n%v", s.line, s.command, err))
	}
	return differences
}

// needTools skips the test, or fails it in CI, if the machine does not have the
// programs that the commands of the tour need.
func needTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("the tour of README.md needs %s, and this machine has none", tool)
		}
		t.Skipf("SKIPPED: the tour of README.md was NOT tested, because this machine has no %s", tool)
	}
}

func readTour(t *testing.T) []step {
	t.Helper()
	needTools(t)
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := parseTour(string(data))
	if err != nil {
		t.Fatalf("%s: %v", readme, err)
	}
	return steps
}

// The commands in the README print the output that the README shows.
func TestReadmeTour(t *testing.T) {
	t.Parallel()
	steps := readTour(t)
	p := serve(t, t.TempDir())
	for _, difference := range checkTour(t, steps, p.url, nil) {
		t.Errorf("%s, %s", readme, difference)
	}
}

// The tour also works if the server is killed and started again between every
// two steps: no data is lost.
func TestTourSurvivesRestart(t *testing.T) {
	t.Parallel()
	steps := readTour(t)
	folder := t.TempDir()
	p := serve(t, folder, "--host", loopback())
	url, restarts := p.url, 0
	_, port, _ := strings.Cut(p.address, ":")
	restart := func() {
		// A killed process loses the log lines of its last moment, and the tour
		// shows the log. Reading the log first writes the earlier lines to the
		// file.
		readLog(t, url)
		p.kill(t)
		p = serve(t, folder, "--host", loopback(), "--port", port)
		restarts++
	}
	for _, difference := range checkTour(t, steps, url, restart) {
		t.Errorf("%s with restarts, %s", readme, difference)
	}
	if restarts != len(steps)-1 || p.url != url {
		t.Errorf("%d restarts between %d steps, at the end on %s rather than %s", restarts, len(steps), p.url, url)
	}
}

func readLog(t *testing.T, url string) {
	t.Helper()
	response, err := http.Get(url + "/tail_log/1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the log responds %d and ends with %v", response.StatusCode, err)
	}
}

package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Bash at a terminal completes what somebody types.
func TestCompletion_AtATerminal(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("SKIPPED: completion at a terminal was NOT tested, because this machine has no bash")
	}
	p := &place{folder: t.TempDir()}
	script, work, environment := completionPlace(t, p, "bash")
	person, program := pseudoterminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	shell := exec.CommandContext(ctx, "bash", "--norc", "--noprofile", "-i")
	shell.Dir, shell.Env = work, slices.Concat(environment, []string{"TERM=dumb", "PS1="})
	shell.Stdin, shell.Stdout, shell.Stderr = program, program, program
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = shell.Wait() }()
	program.Close() // the shell has its own; when it ends, so does the reading
	shown := bufio.NewReader(person)
	if _, err := fmt.Fprintf(person, "source %s\n", script); err != nil {
		t.Fatal(err)
	}
	// Control-A goes to the start of the line, so that the shell prints it.
	for _, tt := range []struct{ typed, want string }{
		{"web-backend us\tsh\t--us\t", "= web-backend user show --username"},
		{"web-backend serve --access g\t", "= web-backend serve --access guarded"},
		{"web-backend serve --access=g\t", "= web-backend serve --access=guarded"},
		{"web-backend openapi --out=he\t", "= web-backend openapi --out=here.yaml"},
		{"web-backend motion check fo\t", "= web-backend motion check folder/"},
	} {
		if _, err := io.WriteString(person, tt.typed+"\x01echo = \n"); err != nil {
			t.Fatal(err)
		}
		got := ""
		for !strings.HasPrefix(got, "= ") {
			line, err := shown.ReadString('\n')
			if err != nil {
				t.Fatalf("%q: %v", tt.typed, err)
			}
			got = strings.TrimSpace(line)
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.typed, got, tt.want)
		}
	}
}

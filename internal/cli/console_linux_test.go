package cli_test

import (
	"bufio"
	"context"
	"html"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"web-backend/internal/cli"
)

// On a terminal, the start prints a link that signs in. It is not in the log.
func TestServe_PrintsALinkOnATerminal(t *testing.T) {
	t.Parallel()
	person, program := pseudoterminal(t)
	p := &place{folder: t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- cli.Main(ctx, []string{"serve", "--port", "0"}, p.streams("", program, p)) }()
	link := ""
	for lines := bufio.NewScanner(person); link == "" && lines.Scan(); {
		if _, rest, found := strings.Cut(lines.Text(), "sign in once"); found {
			link = strings.Fields(rest)[0]
		}
	}
	useLink(t, link)
	cancel()
	if status := <-ended; status != 0 {
		t.Errorf("the server ended with %d", status)
	}
	log, err := os.ReadFile(filepath.Join(p.folder, "server.log"))
	if err != nil || strings.Contains(string(log)+p.printed(), "wbc_") {
		t.Errorf("the log has a code: %v\n%s", err, log)
	}
}

// On a terminal with a display, the link opens in the browser. It is not in the
// arguments of a process.
//
//nolint:paralleltest // PATH and TMPDIR are those of the process
func TestConsole_OpensTheBrowser(t *testing.T) {
	bin, temporary := t.TempDir(), t.TempDir()
	opened := filepath.Join(bin, "opened")
	if err := syscall.Mkfifo(opened, 0o600); err != nil {
		t.Fatal(err)
	}
	opener := "#!/bin/sh\necho \"$* $(cat \"$1\")\" >'" + opened + "'\n"
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(opener), 0o700); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(opened, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pipe.Close() })
	system := os.Getenv("PATH")
	t.Setenv("TMPDIR", temporary)
	token := map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": "an operator token of the test", "DISPLAY": ":0"}
	noDisplay := map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": token["WEB_BACKEND_OPERATOR_TOKEN"]}

	for _, tt := range []struct {
		name, path string
		env        map[string]string
		file       bool // standard output is no terminal
		args       []string
		opens      bool
	}{
		{"told not to", bin, token, false, []string{"console", "--no-browser"}, false},
		{"no terminal", bin, token, true, []string{"console"}, false},
		{"no display", bin, noDisplay, false, []string{"console"}, false},
		{"no browser", t.TempDir(), token, false, []string{"console"}, false},
		{"a display", bin + string(filepath.ListSeparator) + system, token, false, []string{"console"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", tt.path)
			person, out := pseudoterminal(t)
			if tt.file {
				if person, out, err = os.Pipe(); err != nil {
					t.Fatal(err)
				}
			}
			p := &place{folder: t.TempDir(), env: tt.env}
			if status := cli.Main(t.Context(), tt.args, p.streams("", out, p)); status != 0 || p.printed() != "" {
				t.Fatalf("status %d: %s", status, p.printed())
			}
			link, err := bufio.NewReader(person).ReadString('\n')
			link = strings.TrimSpace(link)
			if err != nil || !strings.Contains(link, "/console/sign-in?code=wbc_") {
				t.Fatalf("printed %q, %v", link, err)
			}
			left, err := filepath.Glob(filepath.Join(temporary, "*.html"))
			if err != nil {
				t.Fatal(err)
			}
			if !tt.opens {
				if len(left) != 0 {
					t.Errorf("made %q", left)
				}
				return
			}
			if err := pipe.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(pipe).ReadString('\n')
			argument, page, _ := strings.Cut(line, " ")
			if err != nil || len(left) != 1 || filepath.Dir(argument) != temporary || !strings.Contains(html.UnescapeString(page), `content="0; url=`+link+`"`) {
				t.Fatalf("the browser got %q with %q, %v; in the folder are %q", argument, page, err, left)
			}
			if info, err := os.Stat(argument); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file: %v, %v", info, err)
			}
		})
	}
}

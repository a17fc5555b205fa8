//go:build unix

package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

const heldBody = `{"user_id": "held"}`

// hold sends a request without its body, and returns when the handler runs,
// because the server then asks for the body.
func hold(t *testing.T, p *process) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", p.address, deadline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /api/v1/create_user HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: 19\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q, %v", line, err)
	}
	return conn, reader
}

// waitForRefusal waits until the program accepts no connections.
func waitForRefusal(t *testing.T, p *process) {
	t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); {
		conn, err := net.DialTimeout("tcp", p.address, time.Second)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatal("the program still accepts connections")
}

func TestStop_FinishesRunningRequests(t *testing.T) {
	t.Parallel()
	signals := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}
	if !signal.Ignored(syscall.SIGHUP) { // as it is below nohup
		signals = append(signals, syscall.SIGHUP)
	}
	for _, sent := range signals {
		t.Run(sent.String(), func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			p := serve(t, folder)
			conn, reader := hold(t, p)
			p.signal(t, sent)
			waitForRefusal(t, p)
			if _, err := p.send(t.Context(), "/health", ""); err == nil {
				t.Error("a new request gets a response")
			}
			if _, err := io.WriteString(conn, heldBody); err != nil {
				t.Fatal(err)
			}
			received, err := io.ReadAll(reader)
			if err != nil || !strings.Contains(string(received), "HTTP/1.1 200 OK\r\n") ||
				!strings.HasSuffix(string(received), "\r\n\r\n"+`{"user_id":"held"}`) {
				t.Errorf("the running request got %q, %v", received, err)
			}
			if state := p.wait(t); state.ExitCode() != 0 {
				t.Errorf("the program ended with %v", state)
			}
			if log := p.stderr.String(); !strings.Contains(log, `msg="server stopping"`) || !strings.Contains(log, `msg="server stopped"`) {
				t.Errorf("the log is\n%s", log)
			}
			if entries, err := os.ReadDir(folder + "/data"); err != nil || len(entries) > 4 {
				t.Errorf("beside database, lock, master key and operator token there are files: %v, %v", entries, err)
			}
			if got := serve(t, folder).must(t, "/api/v1/list_users", ""); got != `{"user_id_list":["held"],"user_name_list":[""]}` {
				t.Errorf("after a restart: %s", got)
			}
		})
	}
}

// An idle connection, which a browser or a proxy keeps open, does not delay
// shutdown.
func TestStop_ClosesIdleConnections(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	conn, err := net.DialTimeout("tcp", p.address, deadline)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
		t.Fatalf("got %q, %v", line, err)
	}
	start := time.Now()
	p.stop(t)
	if took := time.Since(start); took > 9*time.Second { // the deadline for requests is 10 s
		t.Errorf("stopping took %v", took)
	}
}

func TestStop_SecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			p := serve(t, folder)
			hold(t, p)
			start := time.Now()
			p.signal(t, signal)
			waitForRefusal(t, p) // the program has received the first signal and waits for the request
			select {
			case <-p.exited:
				t.Fatalf("the program did not wait for the running request: %v", p.command.ProcessState)
			default:
			}
			// The second signal may arrive before the program has stopped
			// handling the first.
			again := time.NewTicker(10 * time.Millisecond)
			defer again.Stop()
			for ended := false; !ended; {
				p.signal(t, signal)
				select {
				case <-p.exited:
					ended = true
				case <-again.C:
				}
				if took := time.Since(start); took > 9*time.Second {
					t.Fatalf("the program still runs %v after two signals", took)
				}
			}
			status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || !status.Signaled() || status.Signal() != signal {
				t.Errorf("the program ended with %v", p.command.ProcessState)
			}
			if got := serve(t, folder).must(t, "/api/v1/list_users", ""); got != `{"user_id_list":[],"user_name_list":[]}` {
				t.Errorf("after a restart: %s", got)
			}
		})
	}
}

//go:build failpoints

package torture

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"web-backend/internal/backend"
)

// dial opens a connection that is closed when the test ends.
func dial(t testing.TB, s *server) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// served returns the 99th percentile of the time that a normal client waits for
// each of its requests.
func served(t testing.TB, s *server, requests int) (p99 time.Duration) {
	t.Helper()
	waits := make([]time.Duration, requests)
	for i := range waits {
		began := time.Now()
		s.must(t, v1+"list_characters/ada", nil, nil)
		waits[i] = time.Since(began)
	}
	slices.Sort(waits)
	return waits[len(waits)*99/100]
}

func serveAda(t testing.TB, environment ...string) *server {
	t.Helper()
	s := serve(t, product, t.TempDir(), environment...)
	if s == nil {
		t.Fatal("the server does not start")
	}
	s.must(t, v1+"create_user", fields{"user_id": "ada"}, nil)
	return s
}

// Thousands of connections that send no request cost little and do not affect
// normal clients.
func TestNetwork_IdleConnections(t *testing.T) {
	t.Parallel()
	connections := length(1000, 5000)
	s := serveAda(t)
	before := s.memory("VmRSS")
	for range connections {
		conn := dial(t, s)
		if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	p99 := served(t, s, 300)
	after := s.memory("VmRSS")
	if each := (after - before) / int64(connections); each > 64<<10 {
		t.Errorf("an idle connection costs %d bytes, want 64 KB at the most", each)
	}
	figure("network: idle connections", "%d: %d KB of memory each, a healthy client's p99 %s",
		connections, max(0, after-before)>>10/int64(connections), p99.Round(100*time.Microsecond))
}

// flood opens connections from the addresses that from returns. Each connection
// sends text and waits for the first byte of a response or for the end. The
// connections stay open until the test ends, unless the server closes them. The
// test is skipped if the system does not allow so many connections.
func flood(t *testing.T, s *server, connections int, text string, from func(n int) net.IP) {
	t.Helper()
	var group sync.WaitGroup
	var next atomic.Int64
	errs := make(chan error, 1)
	for range 16 {
		group.Go(func() {
			for n := int(next.Add(1)) - 1; n < connections; n = int(next.Add(1)) - 1 {
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from(n)}, Timeout: deadline}
				conn, err := dialer.DialContext(t.Context(), "tcp", s.address)
				if err != nil {
					select {
					case errs <- err:
					default:
					}
					return
				}
				t.Cleanup(func() { _ = conn.Close() })
				_, _ = io.WriteString(conn, text) // the connection may already be closed
				_, _ = conn.Read(make([]byte, 1))
			}
		})
	}
	group.Wait()
	select {
	case err := <-errs:
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Skipf("NOT TESTED: %d connections from addresses of 127.0.0.0/8 cannot be opened here: %v", connections, err)
		}
		t.Fatal(err)
	default:
	}
}

// Ten thousand connections that received one response and then stay open, from
// one address and from forty addresses, do not prevent new clients from being
// served.
func TestBounds_Connections(t *testing.T) {
	t.Parallel()
	const connections = 10_000 // the maximum number of connections
	for name, from := range map[string]func(n int) net.IP{
		"one address":     func(int) net.IP { return net.IPv4(127, 0, 0, 2) },
		"forty addresses": func(n int) net.IP { return net.IPv4(127, 0, 1, byte(n%40)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serveAda(t)
			began := time.Now()
			flood(t, s, connections, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", from)
			took := time.Since(began)
			s.client.Transport = &http.Transport{DisableKeepAlives: true} // a separate connection for each request
			p99 := served(t, s, 300)                                      // fails if a client waits for more than half a minute
			if lines := strings.Count(s.output.String(), "max_connections"); lines > 5 {
				t.Errorf("the flood left %d lines in the log", lines)
			}
			figure("bounds: connections from "+name, "%d connections in %s, %d MB at the most; a new client's p99 %s",
				connections, took.Round(100*time.Millisecond), s.memory("VmHWM")>>20, p99.Round(100*time.Microsecond))
		})
	}
}

// A client that sends a header or a body byte by byte is cut off in time.
func TestNetwork_SlowSendersAreCutOff(t *testing.T) {
	t.Parallel()
	s := serveAda(t, "WEB_BACKEND_READ_HEADER_TIMEOUT=1s", "WEB_BACKEND_READ_TIMEOUT=2s")
	senders := length(200, 2000)
	var group sync.WaitGroup
	var longest atomic.Int64
	for n := range senders {
		conn := dial(t, s)
		slow := "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + strings.Repeat("x", 1000)
		if n%2 == 0 {
			head := "POST /api/v1/create_user HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
			if _, err := io.WriteString(conn, head); err != nil {
				t.Fatal(err)
			}
			slow = strings.Repeat(" ", 1000)
		}
		group.Go(func() {
			began := time.Now()
			for i := range slow {
				if _, err := io.WriteString(conn, slow[i:i+1]); err != nil {
					break // the client was cut off
				}
				time.Sleep(50 * time.Millisecond)
			}
			longest.Store(max(longest.Load(), int64(time.Since(began))))
		})
	}
	p99 := served(t, s, 300)
	group.Wait()
	if got := time.Duration(longest.Load()); got > deadline {
		t.Errorf("a slow sender was served for %s, want 2 s and a little", got)
	}
	figure("network: slow senders", "%d, cut off within %s at limits of 1 and 2 s; a healthy client's p99 %s",
		senders, time.Duration(longest.Load()).Round(100*time.Millisecond), p99.Round(100*time.Microsecond))
}

// Requests that arrive together get their responses in order.
func TestNetwork_Pipelining(t *testing.T) {
	t.Parallel()
	s := serveAda(t)
	conn := dial(t, s)
	const requests = 1000
	paths := []string{v1 + "list_characters/ada", "/health", "/nothing", v1 + "get_available_llm/ada"}
	statuses := []int{200, 200, 404, 200}
	go func() {
		var text strings.Builder
		for n := range requests {
			fmt.Fprintf(&text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: %d\r\n\r\n", paths[n%4], n)
		}
		_, _ = io.WriteString(conn, text.String()) // the responses show whether it worked
	}()
	reader := bufio.NewReader(conn)
	for n := range requests {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", n, err)
		}
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != statuses[n%4] || response.Header.Get("X-Request-Id") != fmt.Sprint(n) {
			t.Fatalf("answer %d: got status %d to request %s, error %v", n, response.StatusCode, response.Header.Get("X-Request-Id"), err)
		}
	}
	figure("network: pipelined requests", "%d, responses in order", requests)
}

// goroutines returns the number of goroutines of the server, from its own
// metrics.
func goroutines(t *testing.T, s *server) (count int) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(s.command.Dir, "data", "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if n, _ := fmt.Sscanf(lines.Text(), "go_goroutines %d", &count); n == 1 {
			return count
		}
	}
	t.Fatal("there is no metric of goroutines")
	return 0
}

// Clients that disconnect in the middle of a response leave nothing behind.
func TestNetwork_ClientsThatLeave(t *testing.T) {
	t.Parallel()
	s := serveAda(t)
	s.must(t, "/health", nil, nil)
	before := goroutines(t, s)
	leavers := length(300, 5000)
	for n := range leavers {
		conn := dial(t, s)
		_, _ = io.WriteString(conn, "GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if n%2 == 0 {
			_, _ = io.ReadFull(conn, make([]byte, 100))
		}
		_ = conn.(*net.TCPConn).SetLinger(0) // reset the connection instead of closing it normally
		_ = conn.Close()
	}
	after := 0
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if after = goroutines(t, s); after <= before+2 {
			break
		}
	}
	if after > before+2 {
		t.Errorf("after %d clients that left there are %d goroutines, %d before", leavers, after, before)
	}
	figure("network: clients that left during a response", "%d; goroutines %d before, %d after", leavers, before, after)
}

// accountAnswer is the response of an account operation.
type accountAnswer struct {
	AuthCode int    `json:"auth_code"`
	AuthMsg  string `json:"auth_msg"`
}

// If the server gets ten times more logins than it can hash, each login is
// refused or waits. Other requests are served in the meantime, memory is
// bounded, and the server works normally as soon as the load ends.
func TestNetwork_Overload(t *testing.T) {
	t.Parallel()
	s := serveAda(t, "WEB_BACKEND_PASSWORD_HASH_MEMORY_KIB=19456", "WEB_BACKEND_PASSWORD_HASH_ITERATIONS=2")
	s.must(t, v1+"register_user", fields{"username": "ada", "password": firstPassword}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	var done, refused, other atomic.Int64
	const clients = 400
	for range clients {
		group.Go(func() {
			for ctx.Err() == nil {
				var answer accountAnswer
				status, err := s.send(ctx, v1+"authenticate_user", fields{"username": "ada", "password": firstPassword}, &answer)
				switch {
				case err != nil:
				case status == http.StatusOK && answer.AuthCode == http.StatusOK:
					done.Add(1)
				case status == http.StatusOK && strings.Contains(answer.AuthMsg, "try again in") || status == http.StatusServiceUnavailable:
					refused.Add(1)
					time.Sleep(10 * time.Millisecond)
				default:
					other.Add(1)
				}
			}
		})
	}
	p99 := served(t, s, length(300, 5000))
	for end := time.Now().Add(deadline); (done.Load() == 0 || refused.Load() == 0) && time.Now().Before(end); {
		served(t, s, 1)
	}
	peak := s.memory("VmHWM")
	cancel()
	group.Wait()
	// The server notices that the clients have gone, and forgets those that
	// waited.
	began := time.Now()
	var last accountAnswer
	for last.AuthCode != http.StatusOK && time.Since(began) < deadline {
		if _, err := s.send(t.Context(), v1+"authenticate_user", fields{"username": "ada", "password": firstPassword}, &last); err != nil {
			t.Fatal(err)
		}
	}
	recovered := time.Since(began)
	if last.AuthCode != http.StatusOK {
		t.Errorf("a login %s after the flood: got %v, want auth_code 200", recovered, last)
	}
	if done.Load() == 0 || refused.Load() == 0 || other.Load() > 0 {
		t.Errorf("of %d clients at once %d logins succeeded, %d were refused, %d got another response", clients, done.Load(), refused.Load(), other.Load())
	}
	if peak > 300<<20 {
		t.Errorf("the server took %d MB, want 300 MB at the most", peak>>20)
	}
	figure("network: overload", "%d clients that log in: %d logins, %d refused; peak memory %d MB, a healthy client's p99 %s, "+
		"a login afterwards %s", clients, done.Load(), refused.Load(), peak>>20, p99.Round(time.Millisecond), recovered.Round(time.Millisecond))
}

// A server that is asked to stop under full load responds to every request that
// it has accepted. A request without a response had no effect.
func TestStop_UnderLoadFailsNothing(t *testing.T) {
	t.Parallel()
	rounds := length(5, 100)
	var answered atomic.Int64
	for round := range rounds {
		folder := t.TempDir()
		s := serve(t, product, folder)
		if s == nil {
			t.Fatal("the server does not start")
		}
		var group sync.WaitGroup
		const clients = 16
		var dropped [clients]string // for each client, the user of its request without a response
		var begun sync.WaitGroup
		begun.Add(clients)
		for n := range clients {
			group.Go(func() {
				conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address)
				if err != nil {
					t.Error(err)
					begun.Done()
					return
				}
				defer conn.Close()
				reader := bufio.NewReader(conn)
				for i := 0; ; i++ {
					dropped[n] = fmt.Sprintf("user-%d-%d", n, i)
					body := fmt.Sprintf(`{"user_id":%q}`, dropped[n])
					_, err := fmt.Fprintf(conn, "POST /api/v1/create_user HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
					if i == 3 {
						begun.Done()
					}
					if err != nil {
						return // the connection was closed before the request was sent
					}
					response, err := http.ReadResponse(reader, nil)
					if err != nil {
						return // the server had closed the connection
					}
					_, err = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
					if err != nil || response.StatusCode != http.StatusOK {
						t.Errorf("round %d: got status %d, error %v", round, response.StatusCode, err)
						return
					}
					answered.Add(1)
					dropped[n] = ""
					if response.Close {
						return // the server announced that it stops
					}
				}
			})
		}
		begun.Wait()
		if state := s.end(t, syscall.SIGTERM); state.ExitCode() != 0 {
			t.Errorf("round %d: the server ended with %v", round, state)
		}
		group.Wait()
		store := openStore(t, filepath.Join(folder, "data"))
		for _, user := range dropped {
			if user == "" {
				continue
			}
			if _, err := store.UserConfig(t.Context(), user); !errors.Is(err, backend.NotFound) {
				t.Errorf("round %d: %s was made, and nobody was told (error %v)", round, user, err)
			}
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	figure("stop: under load", "%d times; %d requests with a response, none done without one", rounds, answered.Load())
}

package connections_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/connections"
)

// deadline is the maximum time for events that should happen soon, even on a
// busy machine.
const deadline = 20 * time.Second

// fakeListener accepts the connections and errors that are sent to it.
type fakeListener struct {
	given  chan any
	closed chan struct{}
}

func newFakeListener(given ...any) *fakeListener {
	l := &fakeListener{make(chan any, 100), make(chan struct{})}
	for _, one := range given {
		l.given <- one
	}
	return l
}

func (l *fakeListener) Accept() (net.Conn, error) {
	select {
	case one := <-l.given:
		if err, ok := one.(error); ok {
			return nil, err
		}
		return one.(net.Conn), nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *fakeListener) Close() error   { close(l.closed); return nil }
func (l *fakeListener) Addr() net.Addr { return &net.TCPAddr{} }

// fakeConn is a connection from a given address.
type fakeConn struct {
	net.Conn // nil

	from   string
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.from), 40000))
}

func (c *fakeConn) Close() error { c.closed = true; return nil }

// accept accepts connections until there are no more.
func accept(t *testing.T, b *connections.Bound, conns ...any) (accepted []net.Conn) {
	t.Helper()
	l := b.Listener(newFakeListener(append(conns, io.EOF)...))
	for {
		conn, err := l.Accept()
		if errors.Is(err, io.EOF) {
			return accepted
		}
		if err != nil {
			t.Fatal(err)
		}
		accepted = append(accepted, conn)
	}
}

func newBound(t *testing.T, most, perAddress int, log io.Writer) *connections.Bound {
	t.Helper()
	proxies, err := auth.ParseProxies([]string{"192.0.2.0/28"})
	if err != nil {
		t.Fatal(err)
	}
	return connections.New(connections.Options{
		Max: most, PerAddress: perAddress, Proxies: proxies, Log: slog.New(slog.NewTextHandler(log, nil))})
}

func TestBound_PerAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		perAddress int
		from       []string
		closed     []string
	}{
		{"one address", 2, []string{"198.51.100.7", "198.51.100.7", "198.51.100.7", "198.51.100.8"}, []string{"198.51.100.7"}},
		{"IPv4 in IPv6", 1, []string{"198.51.100.7", "::ffff:198.51.100.7"}, []string{"::ffff:198.51.100.7"}},
		{"IPv6 by /64", 1, []string{"2001:db8::1", "2001:db8::2:2", "2001:db8:0:1::1"}, []string{"2001:db8::2:2"}},
		{"trusted proxies", 1, []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1", "::ffff:192.0.2.1"}, nil},
		{"what forwards on this machine", 1, []string{"127.0.0.1", "127.0.0.1", "::1", "::1", "::ffff:127.0.0.1"}, nil},
		{"other loopback addresses", 1, []string{"127.0.0.2", "127.0.0.2"}, []string{"127.0.0.2"}},
		{"no bound", 0, slices.Repeat([]string{"198.51.100.7"}, 20), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var conns []any
			for _, from := range tt.from {
				conns = append(conns, &fakeConn{from: from})
			}
			b := newBound(t, 100, tt.perAddress, t.Output())
			accepted := accept(t, b, conns...)
			var closed []string
			for _, conn := range conns {
				if c := conn.(*fakeConn); c.closed {
					closed = append(closed, c.from)
				}
			}
			if !slices.Equal(closed, tt.closed) || len(accepted) != len(conns)-len(closed) {
				t.Errorf("closed %v, accepted %d; want %v closed and the others accepted", closed, len(accepted), tt.closed)
			}
			want := connections.Stats{Open: int64(len(accepted)), Refused: int64(len(closed))}
			if got := b.Stats(); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			for range 2 { // a second Close has no effect
				for _, conn := range accepted {
					_ = conn.Close()
				}
			}
			if got := b.Stats().Open; got != 0 {
				t.Errorf("when all are closed: got %d open", got)
			}
			if again := accept(t, b, &fakeConn{from: tt.from[0]}); len(again) != 1 {
				t.Error("no connection is accepted when all are closed")
			}
		})
	}
}

// Many excess connections must log only one line of each kind.
func TestBound_LogsLittle(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := newBound(t, 10, 2, &log)
	for range 100 {
		accept(t, b, &fakeConn{from: "2001:db8::1"}, &fakeConn{from: "127.0.0.1"}, syscall.EMFILE)
	}
	for _, want := range []string{"client=2001:db8::/64 max_connections_per_address=2", "max_connections=10", "ulimit -n"} {
		if strings.Count(log.String(), want) == 0 {
			t.Errorf("no line has %q", want)
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 3 {
		t.Errorf("got %d lines, want 3:\n%s", lines, log.String())
	}
}

// If the process does not have a free file descriptor, a waiting connection is
// closed.
func TestBound_NoDescriptors(t *testing.T) {
	t.Parallel()
	b := newBound(t, 10, 0, t.Output())
	first, second := &fakeConn{from: "127.0.0.1"}, &fakeConn{from: "127.0.0.1"}
	if accepted := accept(t, b, first, syscall.EMFILE, second); len(accepted) != 2 || !first.closed || second.closed {
		t.Errorf("accepted %d, closed the first %t, the second %t; want 2, true, false", len(accepted), first.closed, second.closed)
	}
	l := newBound(t, 10, 0, t.Output()).Listener(newFakeListener(syscall.EMFILE))
	if _, err := l.Accept(); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("with nothing to close: got error %v, want the system's", err)
	}
}

// testServer is an HTTP server with a Bound.
type testServer struct {
	*httptest.Server

	bound   *connections.Bound
	states  chan http.ConnState // the states that the Bound has received
	held    chan struct{}       // receives an element for each request to /hold that has begun
	release chan struct{}
	taken   chan net.Conn // hijacked by /hijack
}

func newTestServer(t *testing.T, b *connections.Bound, start func(*httptest.Server)) *testServer {
	t.Helper()
	s := &testServer{bound: b, states: make(chan http.ConnState, 1000), held: make(chan struct{}, 100),
		release: make(chan struct{}), taken: make(chan net.Conn, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	mux.HandleFunc("/hold", func(http.ResponseWriter, *http.Request) { s.held <- struct{}{}; <-s.release })
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		s.taken <- conn
	})
	s.Server = httptest.NewUnstartedServer(mux)
	s.Server.Listener = b.Listener(s.Server.Listener)
	s.Server.EnableHTTP2 = true
	b.Apply(s.Server.Config)
	inner := s.Server.Config.ConnState
	s.Server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		inner(conn, state)
		s.states <- state
	}
	start(s.Server)
	t.Cleanup(s.Server.Close)
	t.Cleanup(sync.OnceFunc(func() { close(s.release) }))
	return s
}

// wait waits until the Bound has received a state.
func (s *testServer) wait(t *testing.T, want http.ConnState) {
	t.Helper()
	for timeout := time.After(deadline); ; {
		select {
		case got := <-s.states:
			if got == want {
				return
			}
		case <-timeout:
			t.Fatalf("no connection becomes %s", want)
		}
	}
}

// client is a plain connection to a server.
type client struct {
	net.Conn
	*bufio.Reader
}

func (s *testServer) dial(t *testing.T) client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Server.Listener.Addr().String(), deadline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	return client{conn, bufio.NewReader(conn)}
}

func (c client) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func (c client) send(t *testing.T, path string) {
	t.Helper()
	if _, err := io.WriteString(c.Conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

func (c client) expectOK(t *testing.T) {
	t.Helper()
	response, err := http.ReadResponse(c.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s, %v", response.Status, err)
	}
}

func (c client) expectClosed(t *testing.T) {
	t.Helper()
	var timeout net.Error
	if response, err := io.ReadAll(c); len(response) > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("got %q, %v; want the end of the connection", response, err)
	}
}

// The connection that has waited longest is closed, but never one within a
// request. A connection that has sent no data or only half a header also counts
// as waiting.
func TestBound_DropsTheLongestWaiting(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newBound(t, 4, 0, t.Output()), (*httptest.Server).Start)
	busy := s.dial(t)
	busy.send(t, "/hold")
	<-s.held
	silent := s.dial(t)
	s.wait(t, http.StateNew)
	half := s.dial(t)
	if _, err := io.WriteString(half.Conn, "GET / HTTP/1.1\r\nHost: lo"); err != nil {
		t.Fatal(err)
	}
	idle := s.dial(t)
	idle.send(t, "/")
	idle.expectOK(t)
	s.wait(t, http.StateIdle)

	for _, oldest := range []client{silent, half, idle} {
		newer := s.dial(t)
		newer.send(t, "/")
		newer.expectOK(t)
		oldest.expectClosed(t)
		s.wait(t, http.StateIdle)
	}
	if got, want := s.bound.Stats(), (connections.Stats{Open: 4, Dropped: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.release <- struct{}{}
	busy.expectOK(t)
}

// If all connections are within a request, a new one waits until one of them
// ends.
func TestBound_AllBusy(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newBound(t, 2, 0, t.Output()), (*httptest.Server).Start)
	first, second := s.dial(t), s.dial(t)
	for _, c := range []client{first, second} {
		c.send(t, "/hold")
		<-s.held
	}
	third := s.dial(t)
	third.send(t, "/")
	s.release <- struct{}{} // one of the two requests ends, and its connection then waits
	third.expectOK(t)
	if got, want := s.bound.Stats(), (connections.Stats{Open: 2, Dropped: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.release <- struct{}{}
	first.expectOK(t)
	second.expectOK(t)
}

// Closing the listener also closes a new connection that waits for room.
func TestBound_CloseWhileAllAreBusy(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newBound(t, 1, 0, t.Output()), (*httptest.Server).Start)
	first := s.dial(t)
	first.send(t, "/hold")
	<-s.held
	second := s.dial(t)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Config.Shutdown(t.Context()) }()
	second.expectClosed(t)
	s.release <- struct{}{}
	first.expectOK(t)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A hijacked connection is counted until its owner closes it.
func TestBound_Hijacked(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newBound(t, 1, 0, t.Output()), (*httptest.Server).Start)
	first := s.dial(t)
	first.send(t, "/hijack")
	taken := <-s.taken
	if got, want := s.bound.Stats(), (connections.Stats{Open: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	second := s.dial(t)
	second.send(t, "/")
	if _, err := io.WriteString(taken, "x"); err != nil {
		t.Fatal(err)
	}
	if b, err := first.ReadByte(); err != nil || b != 'x' {
		t.Fatalf("got %q, %v", b, err)
	}
	taken.Close()
	second.expectOK(t)
	if got := s.bound.Stats(); got.Dropped != 0 {
		t.Errorf("got %+v, want none dropped", got)
	}
}

// With HTTP/2 over TLS, a connection without a request is waiting, and a
// connection with a request is not.
func TestBound_HTTP2(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newBound(t, 2, 0, t.Output()), (*httptest.Server).StartTLS)
	get := func(path string) (*http.Response, error) {
		transport := s.Server.Client().Transport.(*http.Transport).Clone()
		t.Cleanup(transport.CloseIdleConnections)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			return nil, err
		}
		return (&http.Client{Transport: transport, Timeout: deadline}).Do(request)
	}
	answered := make(chan error, 1)
	go func() {
		response, err := get("/hold")
		if err == nil {
			err = response.Body.Close()
		}
		answered <- err
	}()
	<-s.held
	for range 5 { // each on a separate connection, which stays open
		response, err := get("/")
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.ProtoMajor != 2 {
			t.Fatalf("got %s, %v", response.Proto, err)
		}
	}
	s.release <- struct{}{}
	if err := <-answered; err != nil {
		t.Errorf("the request that had begun: %v", err)
	}
	if got := s.bound.Stats().Dropped; got != 4 {
		t.Errorf("got %d dropped, want 4", got)
	}
}

// A connection that exceeds the limit of its address is closed before the TLS
// handshake.
func TestBound_RefusesBeforeTLS(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newBound(t, 10, 1, t.Output()), (*httptest.Server).StartTLS)
	from := func() net.Conn {
		dialer := net.Dialer{Timeout: deadline, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		conn, err := dialer.DialContext(t.Context(), "tcp", s.Server.Listener.Addr().String())
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Skip("this system has no address 127.0.0.2")
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	first := from()
	s.wait(t, http.StateNew)
	second := from()
	config := &tls.Config{RootCAs: s.Server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}
	if err := tls.Client(second, config).HandshakeContext(t.Context()); err == nil {
		t.Error("the second connection reaches TLS")
	}
	if err := tls.Client(first, config).HandshakeContext(t.Context()); err != nil {
		t.Errorf("the first connection: %v", err)
	}
}

// If a connection is closed to make room at the moment when its request
// arrives, the request is not executed, because it cannot get a response.
func TestBound_DoesNothingForADroppedConnection(t *testing.T) {
	t.Parallel()
	read, dropped := make(chan struct{}), make(chan struct{})
	s := newTestServer(t, newBound(t, 1, 0, t.Output()), func(server *httptest.Server) {
		var once sync.Once
		inner := server.Config.ConnState
		server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
			if state == http.StateActive { // the header was read, but the Bound has not received the state yet
				once.Do(func() { read <- struct{}{}; <-dropped })
			}
			inner(conn, state)
		}
		server.Start()
	})
	first := s.dial(t)
	first.send(t, "/hold")
	<-read
	second := s.dial(t)
	first.expectClosed(t)
	close(dropped)
	s.wait(t, http.StateClosed)
	select {
	case <-s.held:
		t.Error("the request of a connection that was closed is done")
	default:
	}
	second.send(t, "/")
	second.expectOK(t)
}

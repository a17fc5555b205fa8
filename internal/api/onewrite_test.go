package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/store/storetest"
)

// countingListener counts the writes to its connections.
type countingListener struct {
	net.Listener

	writes atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countingConn{conn, l}, err
}

type countingConn struct {
	net.Conn

	listener *countingListener
}

func (c countingConn) Write(p []byte) (int, error) {
	c.listener.writes.Add(1)
	return c.Conn.Write(p)
}

// characterServer returns a server with a character whose document has about
// size bytes, and the path of the document.
func characterServer(t *testing.T, size int) (s *server, listener *countingListener, path string) {
	t.Helper()
	s = newHandler(t)
	characters := storetest.Characters("ada", 1)
	characters[0].Prompt = strings.Repeat("x", size)
	if err := s.store.CreateUser(t.Context(), storetest.UserConfig("ada"), characters); err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewUnstartedServer(s.handler)
	listener = &countingListener{Listener: s.http.Listener}
	s.http.Listener, s.http.Config.ConnContext = api.OneWrite(listener), api.OneWriteContext
	s.http.Config.WriteTimeout = 300 * time.Millisecond
	s.http.Start()
	t.Cleanup(s.http.Close)
	return s, listener, "/api/v1/get_character_config/ada/" + characters[0].CharacterID
}

func TestOneWrite(t *testing.T) {
	t.Parallel()
	for size, most := range map[int]int64{10: 1, 8 << 10: 1, 50 << 10: 1, 100 << 10: 3} {
		s, listener, path := characterServer(t, size)
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} { // on the same connection
			before := listener.writes.Load()
			r := httpRequest(t, method, path, "")
			r.URL.Scheme, r.URL.Host, r.RequestURI = "http", s.http.Listener.Addr().String(), ""
			response, err := s.http.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil || response.ContentLength < int64(size) || method == http.MethodGet && int64(len(body)) != response.ContentLength {
				t.Errorf("%s of %d bytes: got %d of %d bytes, error %v", method, size, len(body), response.ContentLength, err)
			}
			if writes := listener.writes.Load() - before; writes > most {
				t.Errorf("%s of %d bytes: got %d writes, want %d at the most", method, size, writes, most)
			}
		}
	}
}

// Requests that arrive together get their responses one after the other, in order.
func TestOneWrite_Pipelined(t *testing.T) {
	t.Parallel()
	s, _, path := characterServer(t, 8<<10)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const count = 5
	for i := range count {
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: number-%d\r\n\r\n", path, i)
	}
	reader := bufio.NewReader(conn)
	for i := range count {
		response, err := http.ReadResponse(reader, nil) //nolint:bodyclose // the connection is closed
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if id := response.Header.Get("X-Request-ID"); err != nil || id != fmt.Sprint("number-", i) || len(body) < 8<<10 {
			t.Errorf("response %d: got id %q, %d bytes, error %v", i, id, len(body), err)
		}
	}
}

// If a client does not read, it never gets another response after an incomplete
// one.
func TestOneWrite_EndsAConnectionThatTakesNothing(t *testing.T) {
	t.Parallel()
	const size = 55 << 10
	s, _, path := characterServer(t, size)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const count = 500 // many more than fit in the buffers of a connection
	go func() {
		for range count {
			if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
				return
			}
		}
	}()
	time.Sleep(time.Second) // longer than the write timeout
	reader, whole := bufio.NewReader(conn), 0
	for ; whole < count; whole++ {
		response, err := http.ReadResponse(reader, nil) //nolint:bodyclose // the connection is closed
		if err != nil {
			break
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			break
		}
		if response.StatusCode != http.StatusOK || len(body) < size || body[0] != '{' || body[len(body)-1] != '}' {
			t.Fatalf("response %d: got status %d and %d bytes, want a whole one or the end", whole, response.StatusCode, len(body))
		}
	}
	if whole == 0 || whole == count {
		t.Errorf("whole responses: got %d, want some and then the end of the connection", whole)
	}
}

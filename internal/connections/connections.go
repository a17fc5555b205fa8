// Package connections limits the connections of a server, so that a client with
// many connections does not block other clients.
package connections

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"web-backend/internal/auth"
)

// lineInterval is the minimum time between two log lines about the same limit.
const lineInterval = time.Minute

// Options configure the limits.
type Options struct {
	Max        int // maximum at the same time; at least 1
	PerAddress int // maximum of these from one address; 0 for no limit
	// Proxies connect on behalf of many clients, so PerAddress does not apply to
	// them.
	Proxies auth.Proxies
	Log     *slog.Logger
}

// Bound keeps the connections of one server within its options:
//
//   - If an address already has PerAddress connections, a new connection from
//     it is closed at once. [auth.RateKey] defines what counts as one address.
//   - If there are already Max connections, a new one replaces the connection
//     that has waited longest for a request, or for the rest of a request's
//     header. The replaced connection is closed. It may never have sent any
//     data: silent connections cost the same as idle ones.
//   - If all Max connections are within a request, the new one waits until one
//     of these requests ends. The duration of requests is limited.
//
// A hijacked connection never counts as waiting. It is counted until it is
// closed. A Bound is safe for concurrent use.
type Bound struct {
	options Options

	mu        sync.Mutex
	changed   sync.Cond // signaled when a connection is closed or begins to wait
	open      int
	byAddress map[string]int // only the addresses to which PerAddress applies
	waiting   list.List      // of *connection; the one that has waited longest is first
	refused   int64
	dropped   int64

	refusedLine, fullLine, descriptorsLine rate.Sometimes
}

// New returns a Bound for one server. Pass [Bound.Listener] to the server's
// Serve method, and the server to [Bound.Apply].
func New(options Options) *Bound {
	b := &Bound{
		options: options, byAddress: map[string]int{},
		refusedLine:     rate.Sometimes{Interval: lineInterval},
		fullLine:        rate.Sometimes{Interval: lineInterval},
		descriptorsLine: rate.Sometimes{Interval: lineInterval},
	}
	b.changed.L = &b.mu
	return b
}

// Stats are the counts of a [Bound].
type Stats struct {
	Open    int64 // connections now
	Refused int64 // closed at once, because their address had too many
	Dropped int64 // closed while they waited for a request, to make room for a new one
}

// Stats returns the current counts.
func (b *Bound) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Stats{Open: int64(b.open), Refused: b.refused, Dropped: b.dropped}
}

// Apply makes server report to b which connections wait for a request. The
// server must not be serving yet.
func (b *Bound) Apply(server *http.Server) {
	server.ConnState = b.changeState
	inner := server.ConnContext
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if inner != nil {
			ctx = inner(ctx, conn)
		}
		if c := find(conn); c != nil {
			ctx = context.WithValue(ctx, connectionKey{}, c)
		}
		return ctx
	}
	server.Handler = abortDropped(server.Handler)
}

type connectionKey struct{}

// abortDropped calls next, unless the connection was closed at the moment when
// its request arrived. Such a request is not executed, because it cannot get a
// response.
func abortDropped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok && c.closed.Load() {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

// changeState is the ConnState hook of the server. An incomplete header does
// not change the state.
func (b *Bound) changeState(conn net.Conn, state http.ConnState) {
	c := find(conn)
	if c == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch state {
	case http.StateActive:
		b.stopWaiting(c)
	case http.StateIdle:
		b.wait(c)
	default: // new connections already wait, and Close forgets every connection
	}
}

// find returns the connection of b inside conn, which TLS and other layers may
// wrap. It returns nil if there is none.
func find(conn net.Conn) *connection {
	for {
		switch c := conn.(type) {
		case *connection:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// Listener returns a listener that accepts the connections of inner within the
// limits. A Bound has only one listener. Only one goroutine may call Accept, as
// in [http.Server].
func (b *Bound) Listener(inner net.Listener) net.Listener {
	return &listener{Listener: inner, bound: b}
}

type listener struct {
	net.Listener

	bound  *Bound
	closed bool // guarded by bound.mu
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) && l.bound.freeDescriptor() {
			continue // the connection can still be accepted
		}
		if err != nil {
			return nil, err
		}
		c, err := l.admit(conn)
		if err != nil {
			return nil, err
		}
		if c != nil {
			return c, nil
		}
	}
}

// Close closes the listener. It also ends an Accept that waits for room.
func (l *listener) Close() error {
	l.bound.mu.Lock()
	l.closed = true
	l.bound.changed.Signal()
	l.bound.mu.Unlock()
	return l.Listener.Close()
}

// admit adds conn to the bound. It returns nil if its address has too many
// connections. It waits while all other connections are within a request.
func (l *listener) admit(conn net.Conn) (*connection, error) {
	b := l.bound
	c := &connection{Conn: conn, bound: b, address: b.addressOf(conn)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.address != "" && b.byAddress[c.address] >= b.options.PerAddress {
		_ = conn.Close() // no data was sent or read
		b.refused++
		b.refusedLine.Do(func() {
			b.options.Log.Warn("connections are closed, as their address has too many",
				"client", c.address, "max_connections_per_address", b.options.PerAddress, "closed_so_far", b.refused,
				"remedy", "if it is a proxy, list it in trusted_proxies; if many people share it, raise the bound")
		})
		return nil, nil // not a connection, and not an error that stops accepting
	}
	for b.open >= b.options.Max {
		b.fullLine.Do(func() {
			b.options.Log.Warn("max_connections is reached: those that wait for a request are closed for new ones",
				"max_connections", b.options.Max, "waiting", b.waiting.Len(), "closed_so_far", b.dropped)
		})
		if b.dropOldest() {
			break
		}
		if l.closed {
			_ = conn.Close() // the connection would not be served
			return nil, net.ErrClosed
		}
		b.changed.Wait()
	}
	b.open++
	if c.address != "" {
		b.byAddress[c.address]++
	}
	b.wait(c)
	return c, nil
}

// freeDescriptor closes a waiting connection when the process cannot open more
// files. It returns false if no connection waits.
func (b *Bound) freeDescriptor() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.descriptorsLine.Do(func() {
		b.options.Log.Warn("the system gives this process no more file descriptors: those that wait for a request are closed for new ones",
			"open", b.open, "max_connections", b.options.Max, "remedy", "raise the limit of open files (ulimit -n), or lower max_connections")
	})
	return b.dropOldest()
}

// dropOldest closes the connection that has waited longest. It returns false if
// none waits. The caller holds b.mu.
func (b *Bound) dropOldest() bool {
	oldest := b.waiting.Front()
	if oldest == nil {
		return false
	}
	c := oldest.Value.(*connection) //nolint:forcetypeassert // nothing else is in the list
	b.forget(c)
	b.dropped++
	_ = c.Conn.Close() // closing a socket does not block
	return true
}

// wait appends c to the connections that wait for a request. The caller holds
// b.mu.
func (b *Bound) wait(c *connection) {
	if c.place == nil && !c.closed.Load() {
		c.place = b.waiting.PushBack(c)
		b.changed.Signal()
	}
}

// stopWaiting removes c from the connections that wait. The caller holds b.mu.
func (b *Bound) stopWaiting(c *connection) {
	if c.place != nil {
		b.waiting.Remove(c.place)
		c.place = nil
	}
}

// forget removes c from the counts. The caller holds b.mu.
func (b *Bound) forget(c *connection) {
	if c.closed.Swap(true) {
		return
	}
	b.stopWaiting(c)
	b.open--
	if c.address != "" {
		if b.byAddress[c.address]--; b.byAddress[c.address] == 0 {
			delete(b.byAddress, c.address)
		}
	}
	b.changed.Signal()
}

// addressOf returns the address under which conn counts for PerAddress, or ""
// if PerAddress does not apply to it.
//
// The addresses 127.0.0.1 and ::1 are exempt. Programs that forward connections
// to a server on the same machine use them: an unlisted proxy, a tunnel or a
// probe. With a limit, one client behind such a program could block all others
// and the probe. A program on the machine itself has easier ways to do harm.
func (b *Bound) addressOf(conn net.Conn) string {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || b.options.PerAddress == 0 {
		return ""
	}
	addr := tcp.AddrPort().Addr().WithZone("").Unmap()
	if addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || addr == netip.IPv6Loopback() || b.options.Proxies.Trusts(addr) {
		return ""
	}
	return auth.RateKey(addr)
}

// connection is one connection that the Bound counts.
type connection struct {
	net.Conn

	bound   *Bound
	address string        // see addressOf
	place   *list.Element // element of bound.waiting; nil within a request; guarded by bound.mu
	closed  atomic.Bool   // whether it is no longer counted; changed under bound.mu
}

func (c *connection) Close() error {
	c.bound.mu.Lock()
	c.bound.forget(c)
	c.bound.mu.Unlock()
	return c.Conn.Close()
}

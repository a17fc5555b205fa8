// Package connections bounds the connections of a server so that whoever opens
// many of them keeps nobody else out.
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

// lineInterval is how often the log tells of each kind of excess.
const lineInterval = time.Minute

// Options say how many connections there may be.
type Options struct {
	Max        int // at once; at least 1
	PerAddress int // of these, from one address; 0 for no bound
	// Proxies speak for many clients: PerAddress does not hold for them.
	Proxies auth.Proxies
	Log     *slog.Logger
}

// Bound holds the connections of one server within its options:
//
//   - A connection from an address that has PerAddress of them is closed at
//     once. An address is what [auth.RateKey] makes of it.
//   - When there are Max, the connection that has waited longest for a request,
//     or for the rest of a request's header, is closed for the new one. It may
//     never have sent anything: silent connections cost the same as idle ones.
//   - When all of them are within a request, the new one waits for the first of
//     them that ends. Requests are bounded in time.
//
// A hijacked connection is never taken for waiting, and counts until it is
// closed. A Bound is safe for concurrent use.
type Bound struct {
	options Options

	mu        sync.Mutex
	changed   sync.Cond // signaled when a connection was closed, or begins to wait
	open      int
	byAddress map[string]int // of the addresses that PerAddress holds for
	waiting   list.List      // of *connection, the one that waited longest first
	refused   int64
	dropped   int64

	refusedLine, fullLine, descriptorsLine rate.Sometimes
}

// New makes a Bound for one server: give [Bound.Listener] to its Serve, and the
// server to [Bound.Apply].
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
	Refused int64 // closed at once, as their address had too many
	Dropped int64 // closed while they waited, for a new one
}

// Stats gives the counts so far.
func (b *Bound) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Stats{Open: int64(b.open), Refused: b.refused, Dropped: b.dropped}
}

// Apply makes server, which is not serving yet, tell b which connections wait
// for a request.
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

// abortDropped serves next, except to a connection that was closed in the
// moment in which its request came: what cannot be answered is not done.
func abortDropped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok && c.closed.Load() {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

// changeState is the server's ConnState. A header that is not complete yet
// leaves the state as it was.
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
	default: // new ones wait already, and all are forgotten by Close
	}
}

// find gives the connection of b below conn, which TLS and others may wrap; nil
// for none.
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

// Listener gives the connections of inner that are within the bound. A Bound
// has one listener, of which one goroutine accepts, as [http.Server] does.
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
			continue // the connection is still there to be accepted
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

// Close also ends an Accept that waits for a place.
func (l *listener) Close() error {
	l.bound.mu.Lock()
	l.closed = true
	l.bound.changed.Signal()
	l.bound.mu.Unlock()
	return l.Listener.Close()
}

// admit makes conn one of the bound; nil if its address has too many. It waits
// while all others are within a request.
func (l *listener) admit(conn net.Conn) (*connection, error) {
	b := l.bound
	c := &connection{Conn: conn, bound: b, address: b.addressOf(conn)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.address != "" && b.byAddress[c.address] >= b.options.PerAddress {
		_ = conn.Close() // nothing was sent or read
		b.refused++
		b.refusedLine.Do(func() {
			b.options.Log.Warn("connections are closed, as their address has too many",
				"client", c.address, "max_connections_per_address", b.options.PerAddress, "closed_so_far", b.refused,
				"remedy", "if it is a proxy, list it in trusted_proxies; if many people share it, raise the bound")
		})
		return nil, nil // no connection, and no reason to stop accepting
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
			_ = conn.Close() // nobody would serve it
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

// freeDescriptor closes a connection when the process may open nothing more;
// false if none waits.
func (b *Bound) freeDescriptor() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.descriptorsLine.Do(func() {
		b.options.Log.Warn("the system gives this process no more file descriptors: those that wait for a request are closed for new ones",
			"open", b.open, "max_connections", b.options.Max, "remedy", "raise the limit of open files (ulimit -n), or lower max_connections")
	})
	return b.dropOldest()
}

// dropOldest closes the connection that has waited longest; false if none
// waits. b.mu is held.
func (b *Bound) dropOldest() bool {
	oldest := b.waiting.Front()
	if oldest == nil {
		return false
	}
	c := oldest.Value.(*connection) //nolint:forcetypeassert // nothing else is in the list
	b.forget(c)
	b.dropped++
	_ = c.Conn.Close() // a socket's does not block
	return true
}

// wait puts c behind those that wait for a request. b.mu is held.
func (b *Bound) wait(c *connection) {
	if c.place == nil && !c.closed.Load() {
		c.place = b.waiting.PushBack(c)
		b.changed.Signal()
	}
}

// stopWaiting takes c out of those that wait. b.mu is held.
func (b *Bound) stopWaiting(c *connection) {
	if c.place != nil {
		b.waiting.Remove(c.place)
		c.place = nil
	}
}

// forget stops counting c. b.mu is held.
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

// addressOf gives what conn counts as among PerAddress; "" if that does not
// hold for it.
//
// 127.0.0.1 and ::1 are exempt. Whatever forwards to a server on its own
// machine comes from there: a proxy that nobody listed, a tunnel, a probe. A
// bound would let one client behind it keep out all others, and the probe; a
// program on the machine itself has easier ways to harm.
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

// connection is one within the bound.
type connection struct {
	net.Conn

	bound   *Bound
	address string        // see addressOf
	place   *list.Element // in bound.waiting; nil within a request; guarded by bound.mu
	closed  atomic.Bool   // no longer counted; changed under bound.mu
}

func (c *connection) Close() error {
	c.bound.mu.Lock()
	c.bound.forget(c)
	c.bound.mu.Unlock()
	return c.Conn.Close()
}

package api

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// OneWrite makes an answer of some KB leave in one write to the connection.
// net/http has a buffer of 4 KB, so that it writes such an answer in two, of
// which each costs a system call here and may wake up the client for a part of
// what it waits for.
//
// It wraps the listener of a server whose ConnContext is [OneWriteContext].
func OneWrite(listener net.Listener) net.Listener { return oneWriteListener{listener} }

// OneWriteContext lets a request find its connection.
func OneWriteContext(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*oneWriteConn); ok {
		return context.WithValue(ctx, oneWriteKey{}, c)
	}
	return ctx
}

type oneWriteKey struct{}

type oneWriteListener struct{ net.Listener }

func (l oneWriteListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &oneWriteConn{Conn: conn}, nil
}

// oneWriteConn is a connection whose writes can be held together.
type oneWriteConn struct {
	net.Conn

	held *[]byte // nil unless the goroutine that answers a request holds its writes
}

// NetConn is the connection below, as of a [crypto/tls.Conn].
func (c *oneWriteConn) NetConn() net.Conn { return c.Conn }

func (c *oneWriteConn) Write(p []byte) (int, error) {
	if c.held == nil {
		return c.Conn.Write(p)
	}
	*c.held = append(*c.held, p...)
	return len(p), nil
}

// heldBuffers are of the size of the largest answer that is held.
var heldBuffers = sync.Pool{New: func() any {
	buffer := make([]byte, 0, heldMost+4<<10)
	return &buffer
}}

// An answer is held if it does not fit into net/http's buffer, and copying it
// costs less than a write.
const (
	heldLeast = 3 << 10
	heldMost  = 60 << 10
)

// writeHeld is w.Write for a whole body whose length the header states. Where
// it can, it sends header and body in one write.
func writeHeld(w http.ResponseWriter, r *http.Request, body []byte) {
	c, ok := r.Context().Value(oneWriteKey{}).(*oneWriteConn)
	if !ok || len(body) < heldLeast || len(body) > heldMost || r.ProtoMajor != 1 {
		_, _ = w.Write(body)
		return
	}
	c.held = heldBuffers.Get().(*[]byte) //nolint:forcetypeassert // nothing else is in the pool
	defer func() {
		held := c.held
		c.held = nil
		if _, err := c.Conn.Write(*held); err != nil {
			_ = c.Close() // net/http, which was told that all went well, must not go on after half an answer
		}
		*held = (*held)[:0]
		heldBuffers.Put(held)
	}()
	_, _ = w.Write(body)
	_ = http.NewResponseController(w).Flush()
}

package api

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// OneWrite returns a listener whose connections can send a response of a few KB
// in one write. net/http has a buffer of 4 KB, so it sends such a response in
// two writes. Each write costs a system call here, and the first may wake up
// the client before the response is complete.
//
// The ConnContext of the server must be [OneWriteContext].
func OneWrite(listener net.Listener) net.Listener { return oneWriteListener{listener} }

// OneWriteContext stores conn in the context so that a request can find its
// connection.
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

// oneWriteConn is a connection that can hold back writes and send them
// together.
type oneWriteConn struct {
	net.Conn

	held *[]byte // nil unless the goroutine that sends a response is holding its writes
}

// NetConn returns the underlying connection, like the method of
// [crypto/tls.Conn].
func (c *oneWriteConn) NetConn() net.Conn { return c.Conn }

func (c *oneWriteConn) Write(p []byte) (int, error) {
	if c.held == nil {
		return c.Conn.Write(p)
	}
	*c.held = append(*c.held, p...)
	return len(p), nil
}

// heldBuffers contains buffers that are large enough for the largest held
// response.
var heldBuffers = sync.Pool{New: func() any {
	buffer := make([]byte, 0, heldMost+4<<10)
	return &buffer
}}

// A response is held if it does not fit into the buffer of net/http and if
// copying it costs less than a write.
const (
	heldLeast = 3 << 10
	heldMost  = 60 << 10
)

// writeHeld is like w.Write for a complete body whose length is set in the
// header. If possible, it sends header and body in one write.
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
			_ = c.Close() // net/http has seen no error; it must not continue after an incomplete response
		}
		*held = (*held)[:0]
		heldBuffers.Put(held)
	}()
	_, _ = w.Write(body)
	_ = http.NewResponseController(w).Flush()
}

package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"web-backend/internal/motion"
)

// Limits of a session. The times are those of the original server.
const (
	maxMotionRequest   = 64 << 10         // bytes per message; messages of the client have less than 100
	maxPipelined       = 16               // requests that wait for the previous one
	motionPingInterval = 20 * time.Second // also keeps proxies from closing an idle connection
	motionPongTimeout  = 20 * time.Second
	motionIdleTimeout  = 15 * time.Minute // without a request; the client closes the connection when it has all files
	motionReadyWait    = 30 * time.Second // for the first generation; the client waits 60 s
	motionChunk        = 256 << 10        // bytes of a file in memory per client
)

// errStopping ends all sessions when the server stops.
var errStopping = closing{websocket.StatusServiceRestart, "the server stops"}

// errIdle ends a session without requests.
var errIdle = closing{websocket.StatusGoingAway, "no request came for too long"}

// closing is the reason why a session ends. It is sent to the client.
type closing struct {
	code   websocket.StatusCode
	reason string
}

func (c closing) Error() string { return c.reason }

// motionSession is one connection for downloading motion files. The client
// sends a request, receives the whole response, and sends the next request.
//
// Three goroutines share it. One reads, and also responds to pings and to a
// close at once. One sends pings. The third runs serve and is the only one that
// writes messages.
type motionSession struct {
	api  *API
	conn *websocket.Conn

	ctx  context.Context //nolint:containedctx // of the session; ends when the client goes or the server stops
	end  context.CancelCauseFunc
	gone context.Context //nolint:containedctx // ends when it is useless to send the rest of a message
	left context.CancelCauseFunc

	requests chan []byte

	version *motion.Generation // of the last version request that got a response

	begun, sent atomic.Int64 // bytes of messages: all that were begun, and all that were sent completely
}

func newMotionSession(a *API, conn *websocket.Conn) *motionSession {
	s := &motionSession{api: a, conn: conn, requests: make(chan []byte, maxPipelined)}
	s.ctx, s.end = context.WithCancelCause(a.motion.stopping)
	s.gone, s.left = context.WithCancelCause(a.motion.aborting)
	conn.SetReadLimit(maxMotionRequest)
	return s
}

// serve handles requests until the client disconnects, the server stops, or a
// request gets no response. It returns the reason for the log, or "" if the
// client closed the connection.
func (s *motionSession) serve() string {
	defer func() { // also after a panic: nothing else closes this connection
		s.end(nil)
		s.left(nil)
		_ = s.conn.CloseNow()
	}()
	read := make(chan error, 1)
	go func() {
		err := s.read()
		s.end(err)
		if _, ours := errors.AsType[closing](err); !ours { // otherwise the client is still reading
			s.left(err)
		}
		read <- err
	}()
	go s.ping()
	err := s.respondAll()
	s.end(err)
	cause := context.Cause(s.ctx)
	c, told := errors.AsType[closing](cause)
	if told {
		_ = s.conn.Close(c.code, c.reason)
	} else {
		_ = s.conn.CloseNow()
	}
	switch websocket.CloseStatus(<-read) { //nolint:exhaustive // other codes do not matter
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		if !errors.Is(cause, errIdle) { // the client repeats the code of errIdle
			return ""
		}
	}
	switch {
	case errors.Is(err, errSlow):
		return errSlow.Error()
	case told:
		return c.reason
	}
	return errBroken.Error()
}

// read passes requests to serve. The error is the reason why it stopped.
func (s *motionSession) read() error {
	for {
		kind, message, err := s.conn.Read(context.Background()) // a context that ends would close the connection without a reason
		if err != nil {
			return err
		}
		if kind != websocket.MessageBinary {
			return closing{websocket.StatusUnsupportedData, "want binary messages"}
		}
		select {
		case s.requests <- message:
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
}

// ping pings the client at regular intervals. It does not ping while the client
// may still be reading messages, because the pong of a slow client would come
// too late. During that time, the time limits of the messages detect whether
// the client is gone.
func (s *motionSession) ping() {
	ticker := time.NewTicker(s.api.motion.pingInterval)
	defer ticker.Stop()
	var before int64
	for {
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			return
		}
		begun := s.begun.Load()
		reading := begun != s.sent.Load() || begun-before > motionChunk
		before = begun
		if reading {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), motionPongTimeout) // see read
		err := s.conn.Ping(ctx)
		cancel()
		// If too many requests precede a pong, it is read only after their
		// responses.
		if err != nil && len(s.requests) < maxPipelined {
			s.end(closing{websocket.StatusInternalError, "no pong came"})
			return
		}
	}
}

// respondAll handles the requests in order.
func (s *motionSession) respondAll() error {
	idle := time.NewTimer(s.api.motion.idleTimeout)
	defer idle.Stop()
	for {
		idle.Reset(s.api.motion.idleTimeout)
		select {
		case message := <-s.requests:
			if err := s.respond(message); err != nil {
				return err
			}
		case <-idle.C:
			return errIdle
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
}

func (s *motionSession) respond(message []byte) error {
	request, err := motion.ParseRequest(message)
	if err != nil {
		return s.failed(request, err)
	}
	generation, err := s.generationFor(request)
	if err != nil {
		return s.failed(request, err)
	}
	if request.IsDownload() {
		release, err := s.waitForTurn()
		if err != nil {
			return s.failed(request, err)
		}
		defer release()
	}
	for message, err := range generation.Respond(s.ctx, request) {
		if err == nil {
			err = s.send(message)
		}
		if err == nil {
			err = context.Cause(s.ctx)
		}
		if err != nil {
			return s.failed(request, err)
		}
	}
	return nil
}

// generationFor returns the generation for a request. Downloads after a version
// request use the generation of that request.
func (s *motionSession) generationFor(request motion.Request) (*motion.Generation, error) {
	if s.version != nil && request.IsDownload() {
		return s.version, nil
	}
	generation, err := s.api.motion.options.Library.Wait(s.ctx, motionReadyWait)
	if err == nil && !request.IsDownload() {
		s.version = generation
	}
	return generation, err
}

// waitForTurn waits until this download may run. The caller must call release.
func (s *motionSession) waitForTurn() (release func(), err error) {
	m := s.api.motion
	m.waiting.Add(1)
	err = m.slots.Acquire(s.ctx, 1)
	m.waiting.Add(-1)
	if err != nil {
		return nil, err
	}
	m.downloads.Add(1)
	return func() {
		m.downloads.Add(-1)
		m.slots.Release(1)
	}, nil
}

// send writes a message. Its time limit grows with the size of the message: it
// is one write timeout, and one more for each full MiB.
func (s *motionSession) send(message motion.Message) error {
	if err := s.api.motion.paced(s.ctx, message.Size()); err != nil {
		return err
	}
	ctx := s.gone
	if timeout := s.api.options.WriteTimeout; timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout*time.Duration(1+message.Size()>>20), errSlow)
		defer cancel()
	}
	s.begun.Add(message.Size())
	err := s.write(ctx, message)
	switch {
	case errors.Is(err, errBroken) && context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	s.sent.Add(message.Size())
	s.api.motion.sent.Add(message.Size())
	return nil
}

// errSlow and errBroken are not sent to the client, because the connection is
// already closed.
var (
	errSlow   = errors.New("the client took too long to read a response")
	errBroken = errors.New("the connection broke off")
)

// write sends a message. The error wraps errBroken unless it comes from the
// file.
func (s *motionSession) write(ctx context.Context, message motion.Message) error {
	if message.File == nil {
		return broken(s.conn.Write(ctx, websocket.MessageBinary, message.Head))
	}
	w, err := s.conn.Writer(ctx, websocket.MessageBinary)
	if err == nil {
		_, err = w.Write(message.Head)
	}
	if err != nil {
		return broken(err)
	}
	chunk := make([]byte, min(motionChunk, message.File.Size()))
	for left := message.File.Size(); left > 0; left -= int64(len(chunk)) {
		chunk = chunk[:min(int64(len(chunk)), left)]
		_, err := io.ReadFull(message.File, chunk)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // the file has become shorter
			return motion.ErrChanged
		case err != nil:
			return err
		}
		if _, err := w.Write(chunk); err != nil {
			return broken(err)
		}
	}
	return broken(w.Close())
}

func broken(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errBroken, err)
}

// failed returns the error that ends the session. It logs unexpected errors.
func (s *motionSession) failed(request motion.Request, err error) error {
	cause := context.Cause(s.ctx)
	var refused *motion.RequestError
	switch {
	case errors.Is(err, errSlow):
		return err
	case cause != nil:
		return cause
	case errors.As(err, &refused):
		return closing{websocket.StatusPolicyViolation, refused.Error()}
	case errors.Is(err, motion.ErrNotReady), errors.Is(err, motion.ErrChanged):
		return closing{websocket.StatusTryAgainLater, err.Error()}
	case errors.Is(err, errBroken):
		return err
	}
	s.api.log.LogAttrs(s.ctx, slog.LevelError, "motion file download failed", slog.String("request", request.String()), slog.String("error", err.Error()))
	return closing{websocket.StatusInternalError, "the response could not be created; the log of the server says why"}
}

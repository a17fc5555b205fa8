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

// The limits of a session. The times are those of the original's server.
const (
	maxMotionRequest   = 64 << 10         // bytes of a message; those of the client have less than 100
	maxPipelined       = 16               // requests that wait for the one before
	motionPingInterval = 20 * time.Second // which also keeps proxies from closing an idle connection
	motionPongTimeout  = 20 * time.Second
	motionIdleTimeout  = 15 * time.Minute // without a request; the client closes as soon as it has all
	motionReadyWait    = 30 * time.Second // for the first generation; the client waits 60 s
	motionChunk        = 256 << 10        // bytes of a file that are in memory for one client
)

// errStopping ends sessions when the server stops.
var errStopping = closing{websocket.StatusServiceRestart, "the server stops"}

// errIdle ends a session that nobody uses.
var errIdle = closing{websocket.StatusGoingAway, "no request came for too long"}

// closing is why a session ends, as the client is told.
type closing struct {
	code   websocket.StatusCode
	reason string
}

func (c closing) Error() string { return c.reason }

// motionSession is one connection on which motion files are downloaded: the
// client sends a request, gets the whole answer, and sends the next one.
//
// Three goroutines share it: one reads, which also answers pings and a close at
// once; one pings; and serve, which alone writes messages.
type motionSession struct {
	api  *API
	conn *websocket.Conn

	ctx  context.Context //nolint:containedctx // of the session; ends when the client goes or the server stops
	end  context.CancelCauseFunc
	gone context.Context //nolint:containedctx // ends when a message that is being sent is in vain
	left context.CancelCauseFunc

	requests chan []byte

	version *motion.Generation // of the last answered version request

	begun, sent atomic.Int64 // bytes of messages: of those that were begun, and of those that were sent
}

func newMotionSession(a *API, conn *websocket.Conn) *motionSession {
	s := &motionSession{api: a, conn: conn, requests: make(chan []byte, maxPipelined)}
	s.ctx, s.end = context.WithCancelCause(a.motion.stopping)
	s.gone, s.left = context.WithCancelCause(a.motion.aborting)
	conn.SetReadLimit(maxMotionRequest)
	return s
}

// serve answers requests until the client goes, the server stops, or one cannot
// be answered. It gives why it ended, for the log; "" if the client closed.
func (s *motionSession) serve() string {
	defer func() { // after a panic, too: nobody else closes this connection
		s.end(nil)
		s.left(nil)
		_ = s.conn.CloseNow()
	}()
	read := make(chan error, 1)
	go func() {
		err := s.read()
		s.end(err)
		if _, ours := errors.AsType[closing](err); !ours { // else the client still reads
			s.left(err)
		}
		read <- err
	}()
	go s.ping()
	err := s.answerAll()
	s.end(err)
	cause := context.Cause(s.ctx)
	c, told := errors.AsType[closing](cause)
	if told {
		_ = s.conn.Close(c.code, c.reason)
	} else {
		_ = s.conn.CloseNow()
	}
	switch websocket.CloseStatus(<-read) { //nolint:exhaustive // what else it is does not matter
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		if !errors.Is(cause, errIdle) { // whose code the client repeats
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

// read passes on requests. The error is why there are no more.
func (s *motionSession) read() error {
	for {
		kind, message, err := s.conn.Read(context.Background()) // a context that ends would close without a word
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

// ping asks the client for a sign of life now and then. It does not while the
// client may still be reading what it was sent: a slow one would answer too
// late. Then the time limits of messages tell whether it is there.
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
		// A pong that comes behind too many requests is read after their answers.
		if err != nil && len(s.requests) < maxPipelined {
			s.end(closing{websocket.StatusInternalError, "no pong came"})
			return
		}
	}
}

// answerAll answers the requests in their order.
func (s *motionSession) answerAll() error {
	idle := time.NewTimer(s.api.motion.idleTimeout)
	defer idle.Stop()
	for {
		idle.Reset(s.api.motion.idleTimeout)
		select {
		case message := <-s.requests:
			if err := s.answer(message); err != nil {
				return err
			}
		case <-idle.C:
			return errIdle
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
}

func (s *motionSession) answer(message []byte) error {
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
	for message, err := range generation.Answer(s.ctx, request) {
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

// generationFor gives the generation that answers a request: what follows a
// version is of that version.
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

// waitForTurn waits until this download is one of those that run at once.
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

// send writes a message within a time that grows with its size: the write
// timeout for each MiB.
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

// errSlow and errBroken are told to nobody: the connection is closed already.
var (
	errSlow   = errors.New("the client took too long to read an answer")
	errBroken = errors.New("the connection broke off")
)

// write sends a message. The error is errBroken, unless it is one of the file.
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
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // somebody made it shorter
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

// failed gives what the session ends with. What is not the client's fault goes
// to the log, too.
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
	return closing{websocket.StatusInternalError, "the answer could not be made; the log of the server says why"}
}

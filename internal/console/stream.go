package console

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"web-backend/internal/auth"
)

const (
	maxStreams       = 16
	streamInterval   = 500 * time.Millisecond // between two reads of the log
	streamHeartbeat  = 15 * time.Second       // the longest time without an event, because proxies close silent connections
	streamWriteLimit = 10 * time.Second       // for one event, for a browser that does not read
)

// streams counts the open streams and ends them.
type streams struct {
	slots chan struct{}
	ended chan struct{}
	end   func()
}

func newStreams() *streams {
	ended := make(chan struct{})
	return &streams{make(chan struct{}, maxStreams), ended, sync.OnceFunc(func() { close(ended) })}
}

// EndStreams ends the responses that would go on for as long as a browser
// shows the page. It must be called when the server shuts down.
func (c *Console) EndStreams() { c.streams.end() }

// streamLog sends the lines that the page shows, and then new lines as they are
// logged. It sends rows of the page in server-sent events. It reads the log
// file, so a browser that does not read the stream delays nothing else.
func (v *visit) streamLog() error {
	v.options.Gate.Quiet(v.r.Context())
	v.options.Gate.Lasting(v.r.Context())
	form, filter := v.logForm(v.r.URL.Query())
	if form.LinesProblem != "" || form.TextProblem != "" {
		return &pageError{http.StatusUnprocessableEntity, "unreadable", nil}
	}
	out := &eventWriter{w: v.w, control: http.NewResponseController(v.w)}
	select {
	case v.streams.slots <- struct{}{}:
		defer func() { <-v.streams.slots }()
	default:
		// A script cannot read the reason in a response with another status.
		v.w.Header().Set("Content-Type", "text/event-stream")
		_ = out.send("busy", "-") // an error means that the client has disconnected
		return nil
	}
	lines, follower, err := v.options.Log.Follow(filter.reach())
	if err != nil {
		return &pageError{http.StatusServiceUnavailable, "log_stream_ended", err}
	}
	defer follower.Close() //nolint:errcheck // only read
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.Header().Set("X-Accel-Buffering", "no") // nginx sends each event at once
	// The read timeout of the server must not apply any more. A connection without
	// deadlines has no such timeout, so an error does not matter.
	_ = out.control.SetReadDeadline(time.Time{})
	chosen, _ := filter.choose(lines)
	if out.send("tail", v.rows(chosen)) != nil || v.r.Method == http.MethodHead {
		return nil
	}
	v.followLog(follower, filter, out)
	return nil
}

// followLog sends new lines until the browser has left, the session or the
// stream is ended, or the log cannot be read. The browser then asks again.
func (v *visit) followLog(follower LogFollower, filter logFilter, out *eventWriter) {
	ticker := time.NewTicker(streamInterval)
	defer ticker.Stop()
	for {
		select {
		case <-v.r.Context().Done():
			return
		case <-v.streams.ended:
			return
		case <-ticker.C:
		}
		if v.options.Tickets.Check(auth.SessionTicket, v.session()) == 0 {
			_ = out.send("end", "-")
			return
		}
		lines, err := follower.Lines()
		if err != nil {
			return
		}
		chosen, _ := filter.choose(lines)
		if len(chosen) == 0 && time.Since(out.last) < streamHeartbeat {
			continue
		}
		if out.send("lines", v.rows(chosen)) != nil {
			return
		}
	}
}

// rows returns lines as rows of the page.
func (v *visit) rows(lines []logLine) string {
	var rows bytes.Buffer
	if err := v.views[v.language]["log"].ExecuteTemplate(&rows, "lines", lines); err != nil {
		panic(err) // cannot happen: the page has shown lines
	}
	return rows.String()
}

// eventWriter sends server-sent events.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    time.Time // of the last event
}

// send sends one event, within streamWriteLimit. The first error ends the
// stream, after which the browser waits before it asks again.
func (e *eventWriter) send(event, data string) error {
	e.last = time.Now()
	if err := e.control.SetWriteDeadline(e.last.Add(streamWriteLimit)); err != nil {
		return err
	}
	data = strings.NewReplacer("\r", " ", "\n", "\ndata: ").Replace(strings.TrimSuffix(data, "\n"))
	if _, err := fmt.Fprintf(e.w, "retry: 5000\nevent: %s\ndata: %s\n\n", event, data); err != nil { //nolint:gosec // the template escapes data
		return err
	}
	return e.control.Flush()
}

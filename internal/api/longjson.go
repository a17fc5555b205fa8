package api

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// listChunk is how many bytes of a list are collected before they are sent. A
// shorter list is sent at once, with its length.
const listChunk = 64 << 10

// longJSON writes JSON of any length piece by piece. An error after the first
// chunk closes the connection, so that a client does not mistake a part for the
// complete list.
type longJSON struct {
	w     http.ResponseWriter
	r     *http.Request
	out   io.Writer
	chunk bytes.Buffer
	sent  bool
	err   error // the first error before anything was sent
}

func (a *API) newLongJSON(w http.ResponseWriter, r *http.Request) *longJSON {
	return &longJSON{w: w, r: r, out: a.longResponse(w)}
}

// text appends JSON unchanged.
func (j *longJSON) text(json string) {
	j.chunk.WriteString(json)
	j.send()
}

// element appends the value at position i of a list, unless err is not nil. It
// reports whether the list continues.
func (j *longJSON) element(i int, value any, err error) bool {
	if i > 0 {
		j.chunk.WriteByte(',')
	}
	if err == nil {
		err = encodeJSON(&j.chunk, value)
	}
	switch {
	case err != nil && j.sent:
		requestFrom(j.r.Context()).err = err
		panic(http.ErrAbortHandler)
	case err != nil:
		j.err = err
		return false
	}
	j.send()
	return true
}

// send sends the collected bytes if there are enough of them.
func (j *longJSON) send() {
	if j.chunk.Len() < listChunk {
		return
	}
	if !j.sent {
		j.w.Header().Set("Content-Type", "application/json")
		j.sent = true
	}
	if _, err := j.chunk.WriteTo(j.out); err != nil {
		panic(http.ErrAbortHandler) // the client has disconnected
	}
}

// end sends the rest. The error is one that occurred before anything was sent.
func (j *longJSON) end() error {
	switch {
	case j.err != nil:
		return j.err
	case j.sent:
		_, _ = j.chunk.WriteTo(j.out) // an error means that the client has disconnected
	default:
		writeBytes(j.w, http.StatusOK, "application/json", j.chunk.Bytes())
	}
	return nil
}

// longResponse returns a writer that gives each write the full write timeout. A
// long response to a slow client is therefore not cut off while data is still
// flowing.
func (a *API) longResponse(w http.ResponseWriter) io.Writer {
	return deadlineWriter{w, http.NewResponseController(w), a.options.WriteTimeout}
}

type deadlineWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (w deadlineWriter) Write(p []byte) (int, error) {
	if w.timeout > 0 {
		// A connection without deadlines, such as the recorder of a test, does
		// not need one.
		_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout))
	}
	return w.ResponseWriter.Write(p)
}

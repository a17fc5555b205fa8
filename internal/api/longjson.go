package api

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// listChunk is how much of a list is gathered before it is sent, in bytes. A
// shorter list goes out whole, with its length.
const listChunk = 64 << 10

// longJSON writes JSON of any length while it is made. A fault after the first
// chunk breaks off the connection: nobody must take a part for the whole.
type longJSON struct {
	w     http.ResponseWriter
	r     *http.Request
	out   io.Writer
	chunk bytes.Buffer
	sent  bool
	err   error // the first, before anything was sent
}

func (a *API) newLongJSON(w http.ResponseWriter, r *http.Request) *longJSON {
	return &longJSON{w: w, r: r, out: a.longAnswer(w)}
}

// text adds JSON as it is.
func (j *longJSON) text(json string) {
	j.chunk.WriteString(json)
	j.send()
}

// element adds the value at position i of a list, unless there is an error. It
// reports whether the list goes on.
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

// send sends what was gathered once it is enough.
func (j *longJSON) send() {
	if j.chunk.Len() < listChunk {
		return
	}
	if !j.sent {
		j.w.Header().Set("Content-Type", "application/json")
		j.sent = true
	}
	if _, err := j.chunk.WriteTo(j.out); err != nil {
		panic(http.ErrAbortHandler) // a client that went away
	}
}

// end sends the rest. The error is one from before anything was sent.
func (j *longJSON) end() error {
	switch {
	case j.err != nil:
		return j.err
	case j.sent:
		_, _ = j.chunk.WriteTo(j.out) // a client that went away
	default:
		writeBytes(j.w, http.StatusOK, "application/json", j.chunk.Bytes())
	}
	return nil
}

// longAnswer gives a writer that allows each write the whole write timeout, so
// that a long answer to a slow client is not cut off while it moves.
func (a *API) longAnswer(w http.ResponseWriter) io.Writer {
	return deadlineWriter{w, http.NewResponseController(w), a.options.WriteTimeout}
}

type deadlineWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (w deadlineWriter) Write(p []byte) (int, error) {
	if w.timeout > 0 {
		// A connection without deadlines (a test's recorder) needs none.
		_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout))
	}
	return w.ResponseWriter.Write(p)
}

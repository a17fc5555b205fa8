package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// endpoint is one typed function behind a route: what it takes, what it
// answers, and how it is called.
type endpoint struct {
	level    auth.Level // who may call it
	request  reflect.Type
	response reflect.Type
	handle   func(w http.ResponseWriter, r *http.Request) error
}

// serve adapts fn to HTTP: the request is decoded into an In, faults and
// errors become the error shape of contract §1, and the Out is written as JSON
// unless it is a [reply] that writes itself.
func serve[In, Out any](a *API, level auth.Level, fn func(ctx context.Context, in *In) (Out, error)) endpoint {
	plan := newPlan(reflect.TypeFor[In]())
	return endpoint{
		level:    level,
		request:  reflect.TypeFor[In](),
		response: reflect.TypeFor[Out](),
		handle: func(w http.ResponseWriter, r *http.Request) error {
			in := new(In)
			guard, err := a.guardOf(r, level)
			if err == nil {
				err = guard.beforeDecoding(in)
			}
			limit := a.options.MaxBodyBytes
			if err == nil && guard.isTry(in) {
				limit = min(limit, maxAccountBody)
				_ = a.limitAddress(guard.info) // told below, in the language of the body
			}
			if err != nil {
				return err
			}
			received, err := a.receive(w, r, limit, plan, in)
			defer received.release()
			if guard.info.overLimit > 0 {
				err = guard.afterLimit(in)
			}
			if err == nil {
				err = guard.afterDecoding(in)
			}
			if err == nil && r.Method == http.MethodPost {
				err = a.limitWrites(in)
			}
			if err != nil {
				return err
			}
			out, err := fn(r.Context(), in)
			if err != nil {
				return withInput(err, plan, r, received)
			}
			if plan.missed(received) {
				guard.info.unknownFields = true
				w.Header().Set(warningHeader, unknownFieldsText)
			}
			if wait := guard.info.retryAfter; wait > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(wait))
			}
			if self, ok := any(out).(reply); ok {
				return self.write(a, w, r)
			}
			return writeJSON(w, http.StatusOK, out)
		},
	}
}

// warningHeader tells of what was done, but may not be what was meant.
const warningHeader = "X-Warning"

const unknownFieldsText = "the body asks for nothing that is known: its fields were ignored, but for a user_id; is a name misspelt?"

// missed reports whether all that a body asked for was ignored: it has fields, but
// none that the request type has, other than the one that says whom it is about.
func (p *plan) missed(received *body) bool {
	if received == nil || !received.ignored || len(p.body) == 0 {
		return false
	}
	return !slices.ContainsFunc(p.body, func(f field) bool {
		return received.members[f.name] != nil && (!f.required || f.name != "user_id")
	})
}

// receive reads a body of at most limit bytes and fills in. It returns the body,
// for a later error to show; the caller releases it, also after an error.
func (a *API) receive(w http.ResponseWriter, r *http.Request, limit int64, plan *plan, in any) (*body, error) {
	if r.Method != http.MethodPost {
		return nil, plan.decode(r, nil, in)
	}
	received, err := a.readBody(w, r, limit) // also where nothing of it is used: a page must not send a form
	if err != nil {
		return received, err
	}
	if received.large == nil {
		return received, plan.decode(r, received, in)
	}
	if busy := a.bodies.decode(r.Context(), func() { err = plan.decode(r, received, in) }); busy != nil {
		return received, busy
	}
	return received, err
}

// reply is an answer that writes itself. An error that it returns becomes the
// answer, so it must not have written anything by then.
type reply interface {
	write(a *API, w http.ResponseWriter, r *http.Request) error
}

// none is the request type of an endpoint that takes nothing.
type none struct{}

// empty is the answer of success with nothing to say: 200 without a body
// (contract §1).
type empty struct{}

func (empty) write(_ *API, w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// characterDocument is a stored character, which is JSON already.
type characterDocument []byte

func (d characterDocument) write(_ *API, w http.ResponseWriter, r *http.Request) error {
	setContent(w.Header(), "application/json", len(d))
	w.WriteHeader(http.StatusOK)
	writeHeld(w, r, d)
	return nil
}

// writeJSON answers with v as JSON. The error is that of encoding; nothing is
// written then.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var buf bytes.Buffer
	if err := encodeJSON(&buf, v); err != nil {
		return err
	}
	writeBytes(w, status, "application/json", buf.Bytes())
	return nil
}

// encodeJSON appends v to buf without a line end and without escaping <, >
// and &: the answer is no HTML.
func encodeJSON(buf *bytes.Buffer, v any) error {
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - 1)
	return nil
}

// writeBytes answers with a whole body; with its length stated, it does not go
// out chunked. A failed write is the client's going away: there is nobody to
// tell.
func writeBytes(w http.ResponseWriter, status int, contentType string, body []byte) {
	setContent(w.Header(), contentType, len(body))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func setContent(header http.Header, contentType string, length int) {
	header["Content-Type"] = valueOf(contentType)
	header["Content-Length"] = []string{strconv.Itoa(length)}
}

// jsonType is shared by all answers, as [securityHeaders] are.
var jsonType = []string{"application/json"}

// valueOf gives the value of the header Content-Type.
func valueOf(contentType string) []string {
	if contentType == jsonType[0] {
		return jsonType
	}
	return []string{contentType}
}

// withInput adds to a fault that the domain found what its 422 shows: where
// the field stands and what was received.
func withInput(err error, plan *plan, r *http.Request, received *body) error {
	if e, ok := errors.AsType[*validationError](err); ok {
		return e.withBody(received)
	}
	if faultTypes[backend.KindOf(err)] == "" {
		return err
	}
	return plan.invalidField(err, r, received)
}

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

// endpoint is the typed function of a route: its request type, its response
// type, and its handler.
type endpoint struct {
	level    auth.Level // who may call it
	request  reflect.Type
	response reflect.Type
	handle   func(w http.ResponseWriter, r *http.Request) error
}

// serve adapts fn to HTTP. It decodes the request into an In, converts faults
// and errors to the error form of the contract, and writes the Out as JSON
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
				_ = a.limitAddress(guard.info) // reported below, in the language of the body
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

// warningHeader warns that the request succeeded but may not have done what the
// client wanted.
const warningHeader = "X-Warning"

const unknownFieldsText = "the body contains no known setting: its fields, apart from user_id, were ignored; is a name misspelt?"

// missed reports whether everything that a body asked for was ignored: the body
// has fields that the request type does not have. Apart from a required
// user_id, it has no field that the request type has.
func (p *plan) missed(received *body) bool {
	if received == nil || !received.ignored || len(p.body) == 0 {
		return false
	}
	return !slices.ContainsFunc(p.body, func(f field) bool {
		return received.members[f.name] != nil && (!f.required || f.name != "user_id")
	})
}

// receive reads a body of at most limit bytes and decodes the request into in.
// It returns the body because a later error may show it. The caller must
// release the body, even after an error.
func (a *API) receive(w http.ResponseWriter, r *http.Request, limit int64, plan *plan, in any) (*body, error) {
	if r.Method != http.MethodPost {
		return nil, plan.decode(r, nil, in)
	}
	received, err := a.readBody(w, r, limit) // even if the body is not used: this refuses a form that a page sends
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

// reply is a response that writes itself. If write returns an error, the error
// becomes the response, so write must not have written anything before.
type reply interface {
	write(a *API, w http.ResponseWriter, r *http.Request) error
}

// none is the request type of an endpoint without parameters.
type none struct{}

// empty is the response to a successful request that returns no data: status
// 200 without a body (contract §1).
type empty struct{}

func (empty) write(_ *API, w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// characterDocument is a stored character, which is already JSON.
type characterDocument []byte

func (d characterDocument) write(_ *API, w http.ResponseWriter, r *http.Request) error {
	setContent(w.Header(), "application/json", len(d))
	w.WriteHeader(http.StatusOK)
	writeHeld(w, r, d)
	return nil
}

// writeJSON writes a response with v as JSON. If v cannot be encoded, it
// returns the error and writes nothing.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var buf bytes.Buffer
	if err := encodeJSON(&buf, v); err != nil {
		return err
	}
	writeBytes(w, status, "application/json", buf.Bytes())
	return nil
}

// encodeJSON appends v to buf without a line end. It does not escape <, > and
// &, because the response is not HTML.
func encodeJSON(buf *bytes.Buffer, v any) error {
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - 1)
	return nil
}

// writeBytes writes a response with a complete body. It sets the length, so the
// response is not chunked. It ignores a failed write, which means that the
// client has disconnected.
func writeBytes(w http.ResponseWriter, status int, contentType string, body []byte) {
	setContent(w.Header(), contentType, len(body))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func setContent(header http.Header, contentType string, length int) {
	header["Content-Type"] = valueOf(contentType)
	header["Content-Length"] = []string{strconv.Itoa(length)}
}

// jsonType is shared by all responses, like the values of [securityHeaders].
var jsonType = []string{"application/json"}

// valueOf returns the value of the header Content-Type.
func valueOf(contentType string) []string {
	if contentType == jsonType[0] {
		return jsonType
	}
	return []string{contentType}
}

// withInput converts a fault that the domain found to a 422 error that shows
// where the field is and what was received. It returns other errors unchanged.
func withInput(err error, plan *plan, r *http.Request, received *body) error {
	if e, ok := errors.AsType[*validationError](err); ok {
		return e.withBody(received)
	}
	if faultTypes[backend.KindOf(err)] == "" {
		return err
	}
	return plan.invalidField(err, r, received)
}

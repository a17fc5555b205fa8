package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"web-backend/internal/backend"
)

// kindStatus says which status each kind of error is answered with.
var kindStatus = map[backend.Kind]int{
	backend.Internal:     http.StatusInternalServerError,
	backend.NotFound:     http.StatusNotFound,
	backend.Exists:       http.StatusBadRequest, // contract §2, create_user
	backend.ReadOnly:     http.StatusForbidden,
	backend.Invalid:      http.StatusUnprocessableEntity,
	backend.TooLong:      http.StatusUnprocessableEntity,
	backend.Full:         http.StatusUnprocessableEntity,
	backend.Unauthorized: http.StatusUnauthorized,
	backend.Forbidden:    http.StatusForbidden,
	backend.TooMany:      http.StatusTooManyRequests,
	backend.Unavailable:  http.StatusServiceUnavailable,
}

// errorMessage is the one shape of every error answer (contract §1).
type errorMessage[Detail any] struct {
	Message string `json:"message" required:"true" description:"Kind of error."`
	Code    int    `json:"code" required:"true" description:"The HTTP status."`
	Detail  Detail `json:"detail" required:"true" description:"What went wrong."`
}

// errorDetail is the detail of every error but a 422.
type errorDetail struct {
	Error string `json:"error" required:"true" description:"What went wrong, in words."`
}

// validationDetail is the detail of a 422.
type validationDetail struct {
	Errors []fault         `json:"errors" required:"true" nullable:"false" description:"Every fault of the request."`
	Body   json.RawMessage `json:"body" required:"true" description:"The body as received, without secrets; null for a request without a body, for one that is not JSON, and for one of more than 16 KiB."`
}

// internalErrorText is all that a client learns of an unexpected error.
const internalErrorText = "the server met an unexpected error; its log has the cause under this answer's X-Request-ID"

// httpError is an error of HTTP itself, which the domain has no kind for.
type httpError struct {
	status int
	text   string
	cause  error
	header [2]string // name and value of a header of the answer; empty for none
}

func (e *httpError) Error() string {
	if e.cause != nil {
		return e.text + ": " + e.cause.Error()
	}
	return e.text
}

func (e *httpError) Unwrap() error { return e.cause }

// validationError is a request whose parts do not have the right shape.
type validationError struct {
	faults []fault
	body   *body
}

// withBody completes faults that were found after decoding: a missing field
// shows the body (contract §1).
func (e *validationError) withBody(received *body) error {
	e.body = received
	for i := range e.faults {
		e.faults[i].Input = received.show()
	}
	return e
}

func (e *validationError) Error() string { return fmt.Sprintf("%d validation faults", len(e.faults)) }

// faultTypes are the types of the faults that the domain finds.
var faultTypes = map[backend.Kind]string{
	backend.Invalid: "literal_error", backend.TooLong: "string_too_long", backend.Full: "too_long",
}

// invalidField turns such a fault into the 422 of its field.
func (p *plan) invalidField(err error, r *http.Request, received *body) error {
	domain, _ := errors.AsType[*backend.Error](err)
	place, input := "body", jsonNull
	for _, f := range p.path {
		if f.name == domain.Field {
			place, input = "path", shown(quoted(pathValue(r, f.name)))
		}
	}
	if received != nil && received.members[domain.Field] != nil {
		if input = redactedJSON; !isSecret(domain.Field) {
			input = shown(received.members[domain.Field])
		}
	}
	return &validationError{body: received, faults: []fault{
		{Type: faultTypes[domain.Kind], Loc: []any{place, domain.Field}, Msg: domain.Message, Input: input},
	}}
}

// answerError writes the answer of err. The cause of an answer of 500 and
// above goes to the request's log line, and to no client.
func (a *API) answerError(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, internalErrorText
	if e, ok := errors.AsType[*validationError](err); ok {
		mustWriteJSON(w, http.StatusUnprocessableEntity, errorMessage[validationDetail]{
			"Validation Error", http.StatusUnprocessableEntity, e.detail()})
		return
	}
	if e, ok := errors.AsType[*httpError](err); ok {
		status, text = e.status, e.text
		if e.header[0] != "" {
			w.Header().Set(e.header[0], e.header[1])
		}
	} else if e, ok := errors.AsType[*backend.Error](err); ok && e.Kind != backend.Internal && kindStatus[e.Kind] != 0 {
		status, text = kindStatus[e.Kind], e.Message
	}
	if status >= http.StatusInternalServerError {
		requestFrom(r.Context()).err = err
	}
	if status == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1") // seconds; the domain says no time
	}
	mustWriteJSON(w, status, errorMessage[errorDetail]{messageOf(status), status, errorDetail{text}})
}

// messageOf is the message that clients expect beside a status.
func messageOf(status int) string {
	if status == http.StatusInternalServerError {
		return "Internal Server Error"
	}
	return fmt.Sprintf("HTTP Error %d", status)
}

// mustWriteJSON writes an error answer, which is made of texts and valid JSON.
func mustWriteJSON(w http.ResponseWriter, status int, v any) {
	if err := writeJSON(w, status, v); err != nil {
		panic(err)
	}
}

// detail shows the faults and the body, without secrets. A body that is not
// JSON, or is long, is not shown.
func (e *validationError) detail() validationDetail {
	return validationDetail{Errors: e.faults, Body: e.body.show()}
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.answerError(w, r, &httpError{status: http.StatusNotFound, text: "there is nothing at this path; see " + a.docsPath() + " for what there is"})
}

// methodNotAllowed answers a known path with another method. HEAD is allowed
// wherever GET is.
func (a *API) methodNotAllowed(methods []string) http.Handler {
	allow := strings.Replace(strings.Join(methods, ", "), http.MethodGet, http.MethodGet+", "+http.MethodHead, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		a.answerError(w, r, &httpError{status: http.StatusMethodNotAllowed, text: "this path does not take " + methodOf(r, "this method")})
	})
}

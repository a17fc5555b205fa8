package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"web-backend/internal/backend"
)

// kindStatus maps each kind of error to the status of its response.
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

// errorMessage is the form of all error responses (contract §1).
type errorMessage[Detail any] struct {
	Message string `json:"message" required:"true" description:"Kind of error."`
	Code    int    `json:"code" required:"true" description:"The HTTP status."`
	Detail  Detail `json:"detail" required:"true" description:"What went wrong."`
}

// errorDetail is the detail of every error except a 422.
type errorDetail struct {
	Error string `json:"error" required:"true" description:"What went wrong, as a sentence."`
}

// validationDetail is the detail of a 422.
type validationDetail struct {
	Errors []fault         `json:"errors" required:"true" nullable:"false" description:"All faults of the request."`
	Body   json.RawMessage `json:"body" required:"true" description:"The body as received, without secrets; null for a request without a body, for one that is not JSON, and for one of more than 16 KiB."`
}

// internalErrorText is the only text that a client gets for an unexpected
// error.
const internalErrorText = "the server met an unexpected error; its log has the cause under this response's X-Request-ID"

// httpError is an error at the HTTP level, for which the domain has no kind.
type httpError struct {
	status int
	text   string
	cause  error
	header [2]string // name and value of a response header; empty for none
}

func (e *httpError) Error() string {
	if e.cause != nil {
		return e.text + ": " + e.cause.Error()
	}
	return e.text
}

func (e *httpError) Unwrap() error { return e.cause }

// validationError is the error of a request that does not have the required
// structure.
type validationError struct {
	faults []fault
	body   *body
}

// withBody completes faults that were found after decoding: the fault of a
// missing field shows the body (contract §1).
func (e *validationError) withBody(received *body) error {
	e.body = received
	for i := range e.faults {
		e.faults[i].Input = received.show()
	}
	return e
}

// Error names each fault but does not show what was received.
func (e *validationError) Error() string {
	const most = 5
	var texts []string
	for i, f := range e.faults {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(e.faults)-most))
			break
		}
		var place []string
		for _, step := range f.Loc {
			place = append(place, fmt.Sprint(step))
		}
		texts = append(texts, strings.Join(place, ".")+": "+withoutQuotes(f.Msg))
	}
	return strings.Join(texts, "; ")
}

var quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// withoutQuotes replaces quoted parts of a text. They come from the client and
// may be secret, such as a user id that gives access to the data of the user.
func withoutQuotes(text string) string { return quotedText.ReplaceAllString(text, "…") }

// faultTypes are the fault types of errors that the domain finds.
var faultTypes = map[backend.Kind]string{
	backend.Invalid: "literal_error", backend.TooLong: "string_too_long", backend.Full: "too_long",
}

// invalidField converts an error in faultTypes to the 422 error for its field.
func (p *plan) invalidField(err error, r *http.Request, received *body) error {
	domain, _ := errors.AsType[*backend.Error](err)
	place, input := "body", jsonNull
	for _, f := range p.path {
		if f.name == domain.Field {
			place, input = "path", shown(quoted(pathValue(r, f.name)))
		}
	}
	for _, f := range p.query {
		if f.name == domain.Field {
			value, _ := queryValue(r.URL.Query(), f.name)
			place, input = "query", shown(quoted(value))
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

// writeError writes the response for err. If the status is 500 or above, the
// cause is added to the log line of the request but not sent to the client.
func (a *API) writeError(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, internalErrorText
	if e, ok := errors.AsType[*validationError](err); ok {
		requestFrom(r.Context()).fault = e.Error()
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
	} else {
		requestFrom(r.Context()).fault = withoutQuotes(text)
	}
	if status == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1") // seconds; the domain does not set a time
	}
	mustWriteJSON(w, status, errorMessage[errorDetail]{messageOf(status), status, errorDetail{text}})
}

// messageOf returns the message that clients expect with a status.
func messageOf(status int) string {
	if status == http.StatusInternalServerError {
		return "Internal Server Error"
	}
	return fmt.Sprintf("HTTP Error %d", status)
}

// mustWriteJSON writes an error response. It panics if v cannot be encoded,
// which does not happen for texts and valid JSON.
func mustWriteJSON(w http.ResponseWriter, status int, v any) {
	if err := writeJSON(w, status, v); err != nil {
		panic(err)
	}
}

// detail returns the faults and the body, without secrets. It does not show a
// body that is not JSON or that is too long.
func (e *validationError) detail() validationDetail {
	return validationDetail{Errors: e.faults, Body: e.body.show()}
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.writeError(w, r, &httpError{status: http.StatusNotFound, text: "there is nothing at this path; see " + a.docsPath() + " for what there is"})
}

// unknownPath handles a path that is not registered in mux. If the path only
// has an extra slash at its end, the client is redirected, as in FastAPI. The
// Location is relative because a proxy may serve the API below another path.
func (a *API) unknownPath(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		short := *r.URL
		var slash bool
		if short.RawPath, slash = strings.CutSuffix(r.URL.EscapedPath(), "/"); !slash {
			a.notFound(w, r)
			return
		}
		short.Path = strings.TrimSuffix(r.URL.Path, "/")
		if _, found := mux.Handler(&http.Request{Method: r.Method, Host: r.Host, URL: &short}); found == "" || found == "/" {
			a.notFound(w, r)
			return
		}
		sent := requestFrom(r.Context()).url
		to := url.URL{Path: "x", RawQuery: sent.RawQuery}
		_ = redirect("../"+path.Base(sent.EscapedPath())+strings.TrimPrefix(to.String(), "x")).write(a, w, r)
	}
}

// methodNotAllowed handles a known path that is requested with another method.
// HEAD is allowed for every path that allows GET.
func (a *API) methodNotAllowed(methods []string) http.Handler {
	allow := strings.Replace(strings.Join(methods, ", "), http.MethodGet, http.MethodGet+", "+http.MethodHead, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		a.writeError(w, r, &httpError{status: http.StatusMethodNotAllowed, text: "this path does not take " + methodOf(r, "this method")})
	})
}

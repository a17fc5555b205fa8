package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"
)

// maxDrain is how much of a body that is too large is read and thrown away
// before the answer, in bytes: a client that is still sending would otherwise
// see a broken connection in place of the 413.
const maxDrain = 16 << 20

// Texts of errors of a body.
const (
	unreadableText = "the request body could not be read to its end"
	notJSONText    = "the Content-Type must be application/json"
)

// readBody reads a JSON body of at most MaxBodyBytes.
func (a *API) readBody(r *http.Request) ([]byte, error) {
	limit := a.options.MaxBodyBytes
	tooLarge := &httpError{status: http.StatusRequestEntityTooLarge,
		text: fmt.Sprintf("the request body is larger than %d bytes", limit)}
	if r.ContentLength > limit && r.Header.Get("Expect") != "" {
		return nil, tooLarge // the client waits for leave to send it, and gets none
	}
	buf := bytes.NewBuffer(make([]byte, 0, max(0, min(r.ContentLength, limit))+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
		return nil, &httpError{status: http.StatusBadRequest, text: unreadableText, cause: err}
	}
	if int64(buf.Len()) > limit {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
		return nil, tooLarge
	}
	if err := checkContentType(r.Header, buf.Len()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// checkContentType gives a 415 unless the body is declared as plain JSON. An
// absent declaration is accepted only of an empty body, which is answered as
// missing.
func checkContentType(header http.Header, length int) error {
	declared := header.Get("Content-Type")
	mediaType, _, err := mime.ParseMediaType(declared)
	isJSON := err == nil && (mediaType == "application/json" ||
		strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json"))
	encoding := header.Get("Content-Encoding")
	switch {
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return &httpError{status: http.StatusUnsupportedMediaType, text: "the request body must not be compressed"}
	case !isJSON && (declared != "" || length > 0):
		return &httpError{status: http.StatusUnsupportedMediaType, text: notJSONText}
	}
	return nil
}

// decodeBody fills target from a JSON object. Unknown fields are ignored; of
// fields that stand twice the last one counts.
func (p *plan) decodeBody(body []byte, target reflect.Value) []fault {
	if len(bytes.TrimSpace(body)) == 0 {
		return []fault{missingBody}
	}
	if offset := invalidUTF8(body); offset >= 0 {
		return []fault{invalidJSON(offset, "invalid UTF-8")}
	}
	var members map[string]json.RawMessage
	err := json.Unmarshal(body, &members)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return []fault{invalidJSON(syntaxOffset(syntax, body), syntax.Error())}
	}
	if err != nil {
		return []fault{{"model_attributes_type", []any{"body"},
			"Input should be a valid dictionary or object to extract fields from", redact(body)}}
	}
	if members == nil {
		return []fault{missingBody}
	}
	var faults []fault
	for _, f := range p.body {
		fault := f.decode(members[f.name], target, "body")
		if fault == nil {
			continue
		}
		switch {
		case fault.Type == "missing":
			fault.Input = redact(body)
		case isSecret(f.name):
			fault.Input = redactedJSON
		}
		faults = append(faults, *fault)
	}
	return faults
}

// missingBody is the fault of an empty body and of null.
var missingBody = fault{"missing", []any{"body"}, "Field required", json.RawMessage("null")}

// invalidJSON is the fault of a body that is not JSON; nothing of it is shown.
func invalidJSON(offset int, reason string) fault {
	return fault{"json_invalid", []any{"body", offset}, "JSON decode error: " + reason, json.RawMessage("{}")}
}

// syntaxOffset is where the error lies, counted in bytes from 0. The decoder
// counts the bytes that it has read, the offending one included.
func syntaxOffset(err *json.SyntaxError, body []byte) int {
	if offset := int(err.Offset); offset < len(body) || !strings.Contains(err.Error(), "unexpected end") {
		return max(0, offset-1)
	}
	return len(body)
}

// invalidUTF8 is the offset of the first byte that is no UTF-8, or -1.
func invalidUTF8(body []byte) int {
	if utf8.Valid(body) {
		return -1
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
}

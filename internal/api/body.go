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
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
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

// body is what a request was sent.
type body struct {
	raw     []byte
	members map[string]json.RawMessage // the fields that the request type has, as they came
	ignored bool                       // there are other fields
	shown   json.RawMessage            // see show
	large   *largeBody                 // nil for a body of at most freeBody
}

// show returns the body as an error response shows it. It is made once,
// whatever the number of faults: the body of a stranger must not cost more than
// its size.
func (b *body) show() json.RawMessage {
	if b == nil {
		return jsonNull
	}
	if b.shown == nil {
		b.shown = jsonNull
		if len(b.raw) <= maxShown && utf8.Valid(b.raw) && json.Valid(b.raw) { // json.Valid takes any bytes within a text
			b.shown = shown(b.raw)
		}
	}
	return b.shown
}

// release returns the room that the body took. A nil body has none.
func (b *body) release() {
	if b != nil && b.large != nil {
		b.large.release()
	}
}

// maxShown is how many bytes of a value an error response shows. A longer one
// is shown as null.
const maxShown = 16 << 10

var jsonNull = json.RawMessage("null")

// shown returns a JSON value as an error response shows it: without secrets.
func shown(raw json.RawMessage) json.RawMessage {
	if len(raw) > maxShown {
		return jsonNull
	}
	return redact(raw)
}

// readBody reads a JSON body of at most limit bytes. The caller releases its
// large, also after an error.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, limit int64) (*body, error) {
	received := &body{}
	tooLarge := &httpError{status: http.StatusRequestEntityTooLarge,
		text: fmt.Sprintf("the request body is larger than %d bytes", limit)}
	if r.ContentLength > limit && r.Header.Get("Expect") != "" {
		return received, tooLarge // the client waits for leave to send it, and gets none
	}
	err := a.readAll(w, r, limit, received)
	if refusal, ok := errors.AsType[*httpError](err); ok {
		return received, refusal
	}
	if err != nil {
		return received, &httpError{status: http.StatusBadRequest, text: unreadableText, cause: err}
	}
	if int64(len(received.raw)) > limit {
		received.raw = nil
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
		return received, tooLarge
	}
	if err := checkContentType(r.Header, len(received.raw)); err != nil {
		return received, err
	}
	received.raw = bytes.TrimPrefix(received.raw, byteOrderMark)
	return received, nil
}

// byteOrderMark may begin a body, as it may for Python's json.loads.
var byteOrderMark = []byte("\xef\xbb\xbf")

// readAll reads the body, at most one byte beyond the limit. A large one takes
// its room when its first freeBody bytes are here.
func (a *API) readAll(w http.ResponseWriter, r *http.Request, limit int64, received *body) error {
	most, size := limit+1, int64(bytes.MinRead)
	if r.ContentLength >= 0 {
		most, size = min(most, r.ContentLength+1), freeBody // the last read needs room to meet the end
	}
	buf := make([]byte, 0, min(most, size))
	for int64(len(buf)) <= limit {
		if size := int64(cap(buf)); int64(len(buf)) == size {
			grown := min(4*size, freeBody)
			if size >= freeBody {
				grown = most
				stop := func() { _ = http.NewResponseController(w).SetReadDeadline(time.Now()) }
				var err error
				if received.large, err = a.bodies.enter(r.Context(), most, stop); err != nil {
					return err
				}
			}
			buf = append(make([]byte, 0, min(grown, most)), buf...)
		}
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		received.raw = buf
		if err != nil && received.large != nil {
			err = received.large.arrived(err)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
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
func (p *plan) decodeBody(received *body, target reflect.Value) []fault {
	raw := bytes.TrimSpace(received.raw)
	if len(raw) == 0 {
		return []fault{missingBody}
	}
	if offset := invalidUTF8(received.raw); offset >= 0 {
		return []fault{invalidJSON(offset, "invalid UTF-8")}
	}
	// jsontext checks four times as fast as encoding/json, whose words for what is wrong clients know.
	if !jsontext.Value(received.raw).IsValid(anyJSON...) {
		var value json.RawMessage
		if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(received.raw, &value)); ok {
			return []fault{invalidJSON(syntaxOffset(syntax, received.raw), syntax.Error())}
		}
	}
	if string(raw) == "null" {
		return []fault{missingBody}
	}
	if raw[0] != '{' {
		return []fault{{"model_attributes_type", []any{"body"},
			"Input should be a valid dictionary or object to extract fields from", received.show()}}
	}
	received.members, received.ignored = p.membersOf(raw)
	var faults []fault
	for _, f := range p.body {
		fault := f.decode(received.members[f.name], target, "body")
		if fault == nil {
			continue
		}
		switch {
		case fault.Type == "missing":
			fault.Input = received.show()
		case isSecret(f.name):
			fault.Input = redactedJSON
		}
		faults = append(faults, *fault)
	}
	return faults
}

// membersOf returns those members of a valid JSON object that the plan has
// fields for, and whether there are others. These, which a stranger chooses,
// leave nothing in memory.
func (p *plan) membersOf(object []byte) (members map[string]json.RawMessage, others bool) {
	members = make(map[string]json.RawMessage, len(p.names))
	rest := object[1:]
	for {
		rest = bytes.TrimLeft(rest, ", \t\r\n")
		if rest[0] == '}' {
			return members, others
		}
		quoted := rest[:valueLength(rest)]
		rest = bytes.TrimLeft(rest[len(quoted):], ": \t\r\n")
		value := rest[:valueLength(rest)]
		rest = rest[len(value):]
		name := quoted[1 : len(quoted)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name, _ = jsontext.AppendUnquote(nil, quoted) // what is no text is no name of ours
		}
		if p.names[string(name)] {
			members[string(name)] = value
		} else {
			others = true
		}
	}
}

// valueLength is how long the value is with which valid JSON begins.
func valueLength(valid []byte) int {
	depth := 0
	for i := 0; i < len(valid); i++ {
		switch valid[i] {
		case '"':
			for i++; valid[i] != '"'; i++ {
				if valid[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
			if depth < 0 {
				return i // of the object in which a number, true, false or null is last
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(valid)
}

// anyJSON makes jsontext take what encoding/json takes.
var anyJSON = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// missingBody is the fault of an empty body and of null.
var missingBody = fault{"missing", []any{"body"}, "Field required", jsonNull}

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

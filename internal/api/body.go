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

	"web-backend/internal/backend"
)

// maxDrain is how many bytes of a body that is too large are read and discarded
// before the response. Without this, a client that is still sending would see a
// broken connection instead of the 413.
const maxDrain = 16 << 20

// Error texts for request bodies.
const (
	unreadableText = "the request body could not be read to its end"
	notJSONText    = "the Content-Type must be application/json"
)

// body is a request body.
type body struct {
	raw     []byte
	members map[string]json.RawMessage // the raw values of fields that the request type has
	ignored bool                       // whether there are other fields
	shown   json.RawMessage            // see show
	large   *largeBody                 // nil for a body of at most freeBody
}

// show returns the body in the form that an error response shows. It is
// computed only once, even if there are many faults. Otherwise an unknown
// client could cause much work with a small body.
func (b *body) show() json.RawMessage {
	if b == nil {
		return jsonNull
	}
	if b.shown == nil {
		b.shown = jsonNull
		if len(b.raw) <= maxShown && utf8.Valid(b.raw) && json.Valid(b.raw) { // json.Valid accepts invalid UTF-8
			b.shown = shown(b.raw)
		}
	}
	return b.shown
}

// release gives back the memory that the body reserved. The body may be nil.
func (b *body) release() {
	if b != nil && b.large != nil {
		b.large.release()
	}
}

// maxShown is the maximum size of a value that an error response shows, in
// bytes. A larger value is shown as null.
const maxShown = 16 << 10

var jsonNull = json.RawMessage("null")

// shown returns a JSON value in the form that an error response shows, without
// secrets.
func shown(raw json.RawMessage) json.RawMessage {
	if len(raw) > maxShown {
		return jsonNull
	}
	return redact(raw)
}

// readBody reads a JSON body of at most limit bytes. The caller must release
// the returned body, even after an error.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, limit int64) (*body, error) {
	received := &body{}
	tooLarge := &httpError{status: http.StatusRequestEntityTooLarge,
		text: fmt.Sprintf("the request body is larger than %d bytes", limit)}
	if r.ContentLength > limit && r.Header.Get("Expect") != "" {
		return received, tooLarge // the client waits for permission to send, and does not get it
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

// byteOrderMark is accepted at the start of a body, as in Python's json.loads.
var byteOrderMark = []byte("\xef\xbb\xbf")

// readAll reads the body, at most one byte more than limit. A large body
// reserves memory in bodyRoom after its first freeBody bytes have arrived.
func (a *API) readAll(w http.ResponseWriter, r *http.Request, limit int64, received *body) error {
	most, size := limit+1, int64(bytes.MinRead)
	if r.ContentLength >= 0 {
		most, size = min(most, r.ContentLength+1), freeBody // the last read needs a free byte to see the end
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

// checkContentType returns a 415 error unless the body is declared as
// uncompressed JSON. The declaration may be absent only if the body is empty;
// such a body is later reported as missing.
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

// decodeBody decodes a JSON object into target. It ignores unknown fields, except
// in a character. If a field occurs twice, the last value is used.
func (p *plan) decodeBody(received *body, target reflect.Value) []fault {
	raw := bytes.TrimSpace(received.raw)
	if len(raw) == 0 {
		return []fault{missingBody}
	}
	if offset := invalidUTF8(received.raw); offset >= 0 {
		return []fault{invalidJSON(offset, orWide(received.raw, "invalid UTF-8"))}
	}
	// jsontext checks four times as fast as encoding/json. Invalid JSON is
	// decoded again with encoding/json, because clients know its error texts.
	if !jsontext.Value(received.raw).IsValid(anyJSON...) {
		var value json.RawMessage
		if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(received.raw, &value)); ok {
			return []fault{invalidJSON(syntaxOffset(syntax, received.raw), orWide(received.raw, syntax.Error()))}
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
	if p.character != nil {
		character, err := backend.ParseCharacter(raw)
		target.FieldByIndex(p.character).Set(reflect.ValueOf(character))
		faults = append(faults, characterFaults(err, received)...)
	}
	return faults
}

// characterFaults returns the faults of a character that is the whole body.
func characterFaults(err error, received *body) (faults []fault) {
	found, _ := errors.AsType[backend.CharacterFaults](err)
	for _, f := range found {
		bad := fault{Loc: []any{"body", f.Field}, Input: received.show()}
		if raw := received.members[f.Field]; raw != nil {
			bad.Input = shown(raw)
		}
		switch f.Kind {
		case backend.FieldMissing:
			bad.Type, bad.Msg = "missing", "Field required"
			bad.Input = received.show()
		case backend.FieldUnknown:
			// The log shows the location, but no quoted text: a name may be secret.
			bad.Type, bad.Loc, bad.Msg = "extra_forbidden", []any{"body"}, fmt.Sprintf("Extra inputs are not permitted: %q", f.Field)
		case backend.FieldOfWrongType:
			bad.Type, bad.Msg = wrongTypes[f.Want].Type, wrongTypes[f.Want].Msg
		case backend.FieldNotText:
			bad.Type, bad.Msg = "string_type", invalidTextMessage
		case backend.NoCharacterJSON: // cannot happen: the body is a valid object
			bad = invalidJSON(0, f.Error())
		}
		faults = append(faults, bad)
	}
	return faults
}

// wrongTypes are the faults for the types of a character's fields.
var wrongTypes = map[reflect.Kind]fault{
	reflect.String:  {Type: "string_type", Msg: "Input should be a valid string"},
	reflect.Bool:    {Type: "bool_type", Msg: "Input should be a valid boolean"},
	reflect.Float64: {Type: "float_type", Msg: "Input should be a valid number"},
	reflect.Int32:   {Type: "int_type", Msg: "Input should be a valid integer"},
}

// membersOf returns the members of a valid JSON object that the plan has fields
// for, and whether there are others. It does not store the others, because the
// client controls how many there are.
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
			name, _ = jsontext.AppendUnquote(nil, quoted) // an invalid string does not match any field name
		}
		if p.names[string(name)] {
			members[string(name)] = value
		} else {
			others = true
		}
	}
}

// valueLength returns the length of the first value in valid JSON.
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
				return i // the end of the enclosing object: its last value is a number, true, false or null
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

// anyJSON makes jsontext accept everything that encoding/json accepts.
var anyJSON = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// missingBody is the fault for an empty body and for null.
var missingBody = fault{"missing", []any{"body"}, "Field required", jsonNull}

// invalidJSON returns the fault for a body that is not JSON. The fault does not
// show the body.
func invalidJSON(offset int, reason string) fault {
	return fault{"json_invalid", []any{"body", offset}, "JSON decode error: " + reason, json.RawMessage("{}")}
}

// orWide returns reason, or a better reason if body is not UTF-8 but an encoding
// with more than one byte for each character: it begins with a byte order mark
// of UTF-16, or has a NUL among the bytes of its first character.
func orWide(body []byte, reason string) string {
	if bytes.HasPrefix(body, []byte("\xff\xfe")) || bytes.HasPrefix(body, []byte("\xfe\xff")) ||
		bytes.IndexByte(body[:min(2, len(body))], 0) >= 0 {
		return "the body is UTF-16 or UTF-32, want UTF-8"
	}
	return reason
}

// syntaxOffset returns the offset of the error in bytes, starting at 0. The
// decoder counts the bytes that it has read, including the invalid one.
func syntaxOffset(err *json.SyntaxError, body []byte) int {
	if offset := int(err.Offset); offset < len(body) || !strings.Contains(err.Error(), "unexpected end") {
		return max(0, offset-1)
	}
	return len(body)
}

// invalidUTF8 returns the offset of the first byte that is not valid UTF-8, or
// -1.
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

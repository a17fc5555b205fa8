package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// faultOf returns one fault of a 422 response.
func faultOf(kind, place, name string, input any) string {
	text, err := json.Marshal(input)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"type":%q,"loc":[%q,%q],"msg":"<text>","input":%s}`, kind, place, name, text)
}

// validation returns the body of a 422 response.
func validation(body string, faults ...string) string {
	return fmt.Sprintf(`{"message":"Validation Error","code":422,"detail":{"errors":[%s],"body":%s}}`,
		strings.Join(faults, ","), body)
}

// invalidJSON returns the response to a body that is not JSON.
func invalidJSON(offset int) string {
	return validation("null", fmt.Sprintf(`{"type":"json_invalid","loc":["body",%d],"msg":"<text>","input":{}}`, offset))
}

// missing is the response to a request without a body.
var missing = validation("null", `{"type":"missing","loc":["body"],"msg":"Field required","input":null}`)

// notAnObject returns the response to JSON that is not an object.
func notAnObject(body string) string {
	return validation(body, `{"type":"model_attributes_type","loc":["body"],"msg":"<text>","input":`+body+`}`)
}

// The response to a request that does not have the required structure lists all
// faults, in the terms that clients know.
func TestDecode(t *testing.T) {
	t.Parallel()
	const prompt = "POST update_character_prompt"
	s := newServer(t).withUser(t)
	s.run(
		t,
		exchange{name: "missing fields", request: prompt, body: `{"prompt":"x"}`, status: 422, want: validation(
			`{"prompt":"x"}`,
			faultOf("missing", "body", "user_id", map[string]any{"prompt": "x"}),
			faultOf("missing", "body", "character_id", map[string]any{"prompt": "x"}),
		)},
		exchange{
			name: "faults of all kinds at once", request: "POST update_character_tts", status: 422,
			body: `{"user_id":null,"character_id":["x"],"tts_adapter":true,"voice_speed":"fast","other":1e999}`,
			want: "", contains: []string{
				`{"type":"string_type","loc":["body","user_id"],"msg":"Input should be a valid string","input":null}`,
				`{"type":"string_type","loc":["body","character_id"],"msg":"Input should be a valid string","input":["x"]}`,
				`{"type":"string_type","loc":["body","tts_adapter"],"msg":"Input should be a valid string","input":true}`,
				`{"type":"missing","loc":["body","voice"],"msg":"Field required","input":{`,
				`{"type":"float_parsing","loc":["body","voice_speed"],`, `"input":"fast"}`, `"other":1e999`,
			},
		},
		exchange{
			name: "null is no text", request: prompt, status: 422,
			body: `{"user_id":"ada","character_id":"$own","prompt":null}`,
			want: validation(`{"user_id":"ada","character_id":"$own","prompt":null}`, faultOf("string_type", "body", "prompt", nil)),
		},
		exchange{
			name: "operator", request: prompt, body: `{"user_id":{"$ne":""},"character_id":{"$gt":""},"prompt":"x"}`, status: 422,
			want: validation(`{"user_id":{"$ne":""},"character_id":{"$gt":""},"prompt":"x"}`,
				faultOf("string_type", "body", "user_id", map[string]any{"$ne": ""}),
				faultOf("string_type", "body", "character_id", map[string]any{"$gt": ""})),
		},
		exchange{
			name: "shape before existence", request: prompt, body: `{"user_id":"nobody","character_id":"x"}`, status: 422,
			want: validation(`{"user_id":"nobody","character_id":"x"}`,
				faultOf("missing", "body", "prompt", map[string]any{"user_id": "nobody", "character_id": "x"})),
		},
		exchange{
			name: "shape before read-only", request: prompt, body: `{"user_id":"ada","character_id":"$readonly"}`, status: 422,
		},
		exchange{name: "other case is another field", request: prompt, body: `{"User_ID":"ada","character_id":"x","prompt":"x"}`, status: 422, want: validation(
			`{"User_ID":"ada","character_id":"x","prompt":"x"}`,
			faultOf("missing", "body", "user_id", map[string]any{"User_ID": "ada", "character_id": "x", "prompt": "x"}),
		)},
		exchange{name: "white space around", request: prompt, body: " \t\r\n{\"user_id\" : \"ada\" , \"character_id\":\"$own\",\n\"prompt\":\"x\" } \n", status: 200, want: noBody},
		exchange{name: "escaped name", request: prompt, body: `{"\u0075ser_id":"ada","character_id":"$own","prompt":"x"}`, status: 200, want: noBody},

		exchange{name: "no body", request: prompt, body: ``, status: 422, want: missing},
		exchange{name: "white space", request: prompt, body: " \n\t", status: 422, want: missing},
		exchange{name: "null", request: prompt, body: `null`, status: 422, want: missing},
		exchange{name: "null in white space", request: prompt, body: ` null `, status: 422, want: missing},
		exchange{name: "list", request: prompt, body: `[]`, status: 422, want: notAnObject(`[]`)},
		exchange{name: "list of an object", request: prompt, body: `[{"user_id":"ada"}]`, status: 422, want: notAnObject(`[{"user_id":"ada"}]`)},
		exchange{name: "text", request: prompt, body: `"x"`, status: 422, want: notAnObject(`"x"`)},
		exchange{name: "number", request: prompt, body: `5`, status: 422, want: notAnObject(`5`)},
		exchange{name: "true", request: prompt, body: `true`, status: 422, want: notAnObject(`true`)},

		exchange{name: "open object", request: prompt, body: `{`, status: 422, want: invalidJSON(1)},
		exchange{name: "open text", request: prompt, body: `{"user_id":"ad`, status: 422, want: invalidJSON(14)},
		exchange{name: "open text in an array of many bytes", request: prompt, body: `["长`, status: 422, want: invalidJSON(5)},
		exchange{name: "word", request: prompt, body: `nothing`, status: 422, want: invalidJSON(1)},
		exchange{name: "form", request: prompt, body: `user_id=ada`, status: 422, want: invalidJSON(0)},
		exchange{name: "single quotes", request: prompt, body: `{'user_id':'ada'}`, status: 422, want: invalidJSON(1)},
		exchange{name: "comma at the end", request: prompt, body: `{"user_id":"ada",}`, status: 422, want: invalidJSON(17)},
		exchange{name: "two values", request: prompt, body: `{} {}`, status: 422, want: invalidJSON(3)},
		exchange{name: "NaN", request: prompt, body: `{"user_id":NaN}`, status: 422, want: invalidJSON(11)},
		exchange{name: "Infinity", request: prompt, body: `{"user_id":-Infinity}`, status: 422, want: invalidJSON(12)},
		exchange{name: "bare control character", request: prompt, body: "{\"user_id\":\"a\nb\"}", status: 422, want: invalidJSON(13)},
		exchange{name: "bare NUL", request: prompt, body: "{\"user_id\":\"a\x00b\"}", status: 422, want: invalidJSON(13)},
		exchange{name: "short escape", request: prompt, body: `{"user_id":"\u12"}`, status: 422, want: invalidJSON(16)},
		exchange{name: "UTF-16", request: prompt, body: "{\x00}\x00", status: 422, want: invalidJSON(1)},
		exchange{name: "invalid UTF-8", request: prompt, body: "{\"user_id\":\"a\xffb\"}", status: 422, want: invalidJSON(13)},
		exchange{name: "invalid UTF-8 in an unknown field", request: prompt, body: "{\"長\":\"\xed\xa0\x80\"}", status: 422, want: invalidJSON(8)},
		exchange{name: "invalid UTF-8 in a name", request: prompt, body: "{\"\xc0\x80\":1}", status: 422, want: invalidJSON(2)},
		exchange{
			name: "secret in a body that is not JSON", request: "POST update_user_config", status: 422,
			body: `{"user_id":"ada","xai_api_key":"hidden"`, want: invalidJSON(39), absent: []string{"hidden", "ada"},
		},
	)
}

// If a field occurs twice, the last value is used.
func TestDecode_DuplicateFields(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.withUser(t)
	s.run(
		t,
		exchange{
			name: "the last one counts", request: "POST update_character_prompt", status: 200, want: noBody,
			body: `{"user_id":5,"user_id":"nobody","user_id":"ada","character_id":"$own","prompt":"first","prompt":"last"}`,
		},
		exchange{name: "read back", request: "GET get_character_config/ada/$own", status: 200, contains: []string{`"prompt":"last"`}},
		exchange{
			name: "the last one is at fault", request: "POST update_character_prompt", status: 422,
			body: `{"user_id":"ada","character_id":"$own","prompt":"x","prompt":5}`,
			want: validation(`{"user_id":"ada","character_id":"$own","prompt":5}`, faultOf("string_type", "body", "prompt", 5)),
		},
		exchange{
			name: "of an optional one null is absent", request: "POST update_character_memory", status: 200, want: noBody,
			body: `{"user_id":"ada","character_id":"$own","memory_adapter":"a","memory_model_override":"x","memory_model_override":null}`,
		},
		exchange{name: "read back null", request: "GET get_character_config/ada/$own", status: 200, contains: []string{`"memory_model_override":""`}},
	)
}

func TestDecode_ContentType(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	notJSON := failure(415, "the Content-Type must be application/json")
	for _, test := range []struct {
		name   string
		header http.Header
		body   string
		status int
		want   string
	}{
		{"plain", http.Header{"Content-Type": {"application/json"}}, `{}`, 200, `{"user_id":"<uuid>"}`},
		{"with a character set", http.Header{"Content-Type": {"application/json; charset=utf-8"}}, `{}`, 200, ""},
		{"upper case", http.Header{"Content-Type": {"Application/JSON"}}, `{}`, 200, ""},
		{"a kind of JSON", http.Header{"Content-Type": {"application/vnd.api+json"}}, `{}`, 200, ""},
		{"identity", http.Header{"Content-Encoding": {"identity"}}, `{}`, 200, ""},
		{"none, no body", http.Header{"Content-Type": nil}, ``, 422, missing},
		{"none", http.Header{"Content-Type": nil}, `{}`, 415, notJSON},
		{"empty", http.Header{"Content-Type": {""}}, `{}`, 415, notJSON},
		{"form", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, `user_id=ada`, 415, notJSON},
		{"form, no body", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, ``, 415, notJSON},
		{"text", http.Header{"Content-Type": {"text/plain"}}, `{}`, 415, notJSON},
		{"text json", http.Header{"Content-Type": {"text/json"}}, `{}`, 415, notJSON},
		{"looks like JSON", http.Header{"Content-Type": {"application/jsonp"}}, `{}`, 415, notJSON},
		{"no media type", http.Header{"Content-Type": {";;"}}, `{}`, 415, notJSON},
		{"multipart", http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, `--x--`, 415, notJSON},
		{"compressed", http.Header{"Content-Encoding": {"gzip"}}, "\x1f\x8b", 415, failure(415, "the request body must not be compressed")},
	} {
		s.run(t, exchange{
			name: test.name, request: "POST create_user", header: test.header, body: test.body,
			status: test.status, want: test.want,
		})
	}
}

// The depth and the size of a body are limited. A client that exceeds a limit
// gets a response.
func TestDecode_Bounds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nested := func(opening, closing string, depth int) string {
		return `{"user_id":"u","x":` + strings.Repeat(opening, depth) + "1" + strings.Repeat(closing, depth) + "}"
	}
	padded := func(size int) string { // {"x":"…"} of size bytes
		return `{"x":"` + strings.Repeat("x", size-8) + `"}`
	}
	s.run(
		t,
		exchange{name: "nested 100,000 deep", request: "POST create_user", body: nested("[", "]", 100_000), status: 422, contains: []string{"json_invalid"}, absent: []string{"[[["}},
		exchange{name: "objects 100,000 deep", request: "POST create_user", body: nested(`{"a":`, "}", 100_000), status: 422, contains: []string{"json_invalid"}},
		exchange{name: "open 100,000 deep", request: "POST create_user", body: strings.Repeat("[", 100_000), status: 422, contains: []string{"json_invalid"}},
		exchange{name: "nested 100 deep", request: "POST create_user", body: nested("[", "]", 100), status: 200},
		exchange{name: "nested 5,000 deep", request: "POST delete_character", body: nested("[", "]", 5_000), status: 422, contains: []string{"[[["}},
		exchange{name: "as large as it may be", request: "POST create_user", body: padded(testBodyLimit), status: 200},
		exchange{
			name: "a byte larger", request: "POST create_user", body: padded(testBodyLimit + 1), status: 413,
			want: failure(413, "the request body is larger than 1048576 bytes"),
		},
		exchange{name: "10 MB", request: "POST create_user", body: padded(10 << 20), status: 413},
		exchange{name: "10 MB that is no JSON", request: "POST create_user", body: strings.Repeat("\x00", 10<<20), status: 413},
		exchange{name: "a small limit holds for names as well", request: "POST create_user", body: `{"` + strings.Repeat("x", testBodyLimit) + `":1}`, status: 413},
	)
}

// The decoder and the encoder have the same maximum depth, so a body that can
// be decoded can also be shown.
func TestDecode_DeepestBody(t *testing.T) {
	t.Parallel()
	s := newHandler(t)
	for depth := 9_999; depth <= 10_001; depth++ {
		body := strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
		got := s.serve(httpRequest(t, "POST", "/api/v1/delete_character", body))
		kind := `"type":"missing"`
		if depth > 10_000 {
			kind = `"type":"json_invalid"`
		}
		if got.status != 422 || !strings.Contains(got.body, kind) {
			t.Errorf("a body that is %d deep: got %d %s, want 422 with %s", depth, got.status, brief(got.body), kind)
		}
	}
}

// A client that sends everything before it reads gets the response to a body
// that is too large, whether its length is announced or it is chunked.
func TestDecode_TooLargeForASlowReader(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := strings.Repeat("x", 10<<20)
	for name, request := range map[string]string{
		"with its length": "Content-Length: 10485760\r\n\r\n" + body,
		"in chunks":       "Transfer-Encoding: chunked\r\n\r\nA00000\r\n" + body + "\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			got := s.raw(t, "POST /api/v1/create_user HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+request)
			want := failure(413, "the request body is larger than 1048576 bytes")
			if difference := differ(want, got.body); got.status != 413 || difference != "" {
				t.Errorf("10 MB %s\ngot  %d %s\nwant 413 %s", name, got.status, got.body, want)
			}
		})
	}
}

// An incomplete body is an error of the client and changes nothing.
func TestDecode_BodyBreaksOff(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.raw(t, "POST /api/v1/create_user HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: 100\r\n\r\n{\"user_id\":\"ada\"}")
	want := failure(400, "the request body could not be read to its end")
	if difference := differ(want, got.body); got.status != 400 || difference != "" {
		t.Errorf("a body that breaks off\ngot  %d %s\nwant 400 %s", got.status, got.body, want)
	}
	s.run(t, exchange{name: "nobody was made", request: "GET list_users", status: 200, want: `{"user_id_list":[],"user_name_list":[]}`})
}

// A client that asks for permission to send too much is refused before it sends
// the body.
func TestBody_ExpectContinue(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	connection, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_, err = fmt.Fprintf(connection, "POST /api/v1/create_user HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", testBodyLimit+1)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Fatalf("got %v, %v, want 413 at once", response, err)
	}
	response.Body.Close()
}

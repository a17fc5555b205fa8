package api_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/auth"
)

// largeBody returns JSON of about n bytes with a field that no route uses.
func largeBody(n int) string { return `{"x":[0` + strings.Repeat(",0", n/2) + `]}` }

// A large body without the required fields is decoded only once. The response
// does not show it, even if many fields are missing.
func TestBody_LargeIsNotShown(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	operations, _ := api.New(nil, nil, api.Options{}).Routes()
	for _, operation := range operations {
		path, isPost := strings.CutPrefix(operation, "POST ")
		if !isPost {
			continue
		}
		t.Run(strings.TrimPrefix(path, "/api/v1/"), func(t *testing.T) {
			t.Parallel()
			got := s.send(t, operation, largeBody(testBodyLimit-100), http.Header{"Authorization": {"Bearer " + operatorToken.Reveal()}})
			if len(got.body) > 2000 || strings.Contains(got.body, "[0") {
				t.Errorf("%s: got %d and %d bytes, want a short response without the body: %s", operation, got.status, len(got.body), brief(got.body))
			}
		})
	}
}

// A value longer than 16 KiB is shown as null. A shorter one is shown as it was
// sent.
func TestBody_ShownUpTo16KiB(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	long := strings.Repeat("a", 16<<10)
	missing := `{"type":"missing","loc":["body","user_id"],"msg":"Field required","input":%s}`
	s.run(t,
		exchange{name: "a field", request: "POST delete_character", status: 422,
			body: `{"user_id":["` + long + `"],"character_id":[1]}`,
			want: `{"message":"Validation Error","code":422,"detail":{"body":null,"errors":[` +
				`{"type":"string_type","loc":["body","user_id"],"msg":"<text>","input":null},` +
				`{"type":"string_type","loc":["body","character_id"],"msg":"<text>","input":[1]}]}}`},
		exchange{name: "a body that is too long by one byte", request: "POST delete_character", status: 422,
			body: `{"character_id":"` + long[:16<<10-len(`{"character_id":""}`)+1] + `"}`,
			want: `{"message":"Validation Error","code":422,"detail":{"body":null,"errors":[` + fmt.Sprintf(missing, "null") + `]}}`},
		exchange{name: "a body that is just short enough", request: "POST delete_character", status: 422,
			body:     `{"character_id":"` + long[:16<<10-len(`{"character_id":""}`)] + `"}`,
			contains: []string{`"body":{"character_id":"aaa`, `"input":{"character_id":"aaa`}},
	)
}

// An attempt on an account has a small maximum body size. It counts before the
// body is read, and the log shows the address whatever the body contains.
func TestBody_TriesCountBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	for path, overLimit := range map[string]int{"register_user": 200, "authenticate_user": 200, "update_user_password": 200, "delete_user": 429} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, withOptions(func(o *api.Options) {
				o.Access.Mode = auth.Strict
				o.Access.AddressTries = auth.NewRateLimit(1, 3, 10, time.Now)
			}))
			s.run(t,
				exchange{name: "too large", request: "POST " + path, body: largeBody(16 << 10), status: 413,
					want: failure(413, "the request body is larger than 16384 bytes")},
				exchange{name: "not JSON", request: "POST " + path, body: "{", status: 422},
				exchange{name: "fields are missing", request: "POST " + path, body: "{}", status: 422},
				exchange{name: "one too many", request: "POST " + path, body: "{}", status: overLimit, contains: []string{"ry again in "}},
				exchange{name: "and not JSON", request: "POST " + path, body: "{", status: overLimit, contains: []string{"ry again in "}},
				exchange{name: "and too large", request: "POST " + path, body: largeBody(16 << 10), status: overLimit, contains: []string{"ry again in "}},
			)
			if log := s.stop(t); strings.Count(log, "client=127.0.0.1") != 6 {
				t.Errorf("want client=127.0.0.1 in each of the six lines:\n%s", log)
			}
		})
	}
}

// Slow clients keep the space for large bodies only until another client needs
// it.
func TestBody_SlowSendersGiveWay(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.run(t, exchange{name: "make a user", request: "POST create_user", body: `{"user_id":"ada"}`, status: 200})
	half := strings.Repeat("x", testBodyLimit*3/4)
	statuses := make(chan string, 40) // there is space for 16 of them
	for range cap(statuses) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		go func() { // the server does not read all of it
			_, _ = fmt.Fprintf(conn, "POST /api/v1/create_user HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
				"Content-Length: %d\r\n\r\n%s", testBodyLimit, half)
		}()
		go func() {
			if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				response.Body.Close()
				statuses <- response.Status + ", Retry-After " + response.Header.Get("Retry-After")
			}
		}()
	}
	s.run(t, exchange{name: "a large body meanwhile", request: "POST update_user_config", status: 200, want: noBody,
		body: `{"user_id":"ada","unknown":"` + strings.Repeat("x", 800<<10) + `"}`})
	if first, want := <-statuses, "503 Service Unavailable, Retry-After 1"; first != want {
		t.Errorf("the first slow sender got %s, want %s", first, want)
	}
}

// A byte order mark before a body is ignored, as in Python's json.loads.
func TestBody_ByteOrderMark(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const mark = "\ufeff"
	s.run(t,
		exchange{name: "object", request: "POST create_user", body: mark + `{"user_id":"ada"}`, status: 200, want: `{"user_id":"ada"}`},
		exchange{
			name: "fault", request: "POST create_user", body: mark + `{"user_id":5}`, status: 422,
			want: validation(`{"user_id":5}`, faultOf("string_type", "body", "user_id", 5)),
		},
		exchange{name: "alone", request: "POST create_user", body: mark, status: 422, contains: []string{`"missing"`}},
		exchange{name: "twice", request: "POST create_user", body: mark + mark + `{}`, status: 422, contains: []string{`"json_invalid"`}},
		exchange{name: "within", request: "POST create_user", body: `{` + mark + `}`, status: 422, contains: []string{`"json_invalid"`}},
		exchange{name: "of a text", request: "POST create_user", body: `{"user_id":"` + mark + `x"}`, status: 200, want: `{"user_id":"` + mark + `x"}`},
	)
}

// The fault for a body in UTF-16 or UTF-32 names the encoding.
func TestBody_OtherUnicodeEncodings(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const want = `"msg":"JSON decode error: the body is UTF-16 or UTF-32, want UTF-8"`
	for name, body := range map[string]string{
		"UTF-16, little-endian":            "\xff\xfe{\x00}\x00",
		"UTF-16, big-endian":               "\xfe\xff\x00{\x00}",
		"UTF-16, little-endian, unmarked":  "{\x00}\x00",
		"UTF-16, big-endian, unmarked":     "\x00{\x00}",
		"UTF-32, little-endian":            "\xff\xfe\x00\x00{\x00\x00\x00}\x00\x00\x00",
		"UTF-32, big-endian":               "\x00\x00\xfe\xff\x00\x00\x00{\x00\x00\x00}",
		"UTF-16, white space at the begin": " \x00{\x00}\x00",
	} {
		s.exchange(t, exchange{name: name, request: "POST create_user", body: body, status: 422, contains: []string{want}})
	}
	s.exchange(t, exchange{
		name: "Latin-1", request: "POST create_user", body: "{\"user_id\":\"caf\xe9\"}", status: 422,
		contains: []string{`"msg":"JSON decode error: invalid UTF-8"`},
	})
}

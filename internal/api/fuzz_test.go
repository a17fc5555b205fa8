package api_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/api"
)

// Every operation responds to any body as the document specifies, never with a
// 500, and without secrets in the response.
func FuzzDecodeBody(f *testing.F) {
	for i := range posts() {
		for _, body := range []string{
			``, `{}`, `[]`, `null`, `{"user_id":"ada"}`, `{"user_id":5,"password":"` + planted + `"}`,
			`{"user_id":"ada","character_id":"x","voice_speed":" 1.5 ","tts_adapter":"t","voice":""}`,
			`{"user_id":"\ud83d\ude00\ud800","prompt":"\u0000","openai_api_key":["` + planted + `"]}`,
			`{"a":[{"new_password":{"` + planted + `":1e999}}],"PASSWORD":"` + planted + `","b":NaN}`,
			`{"timezone":"Europe/Berlin","xai_api_key":"` + planted + `","xai_api_key":null,"user_id":"ada"}`,
			"{\"user_id\":\"\xff\"}", strings.Repeat(`{"a":[`, 50), `{"user_id":"ada"} {"password":"` + planted + `"}`,
			`{"p\u0061ssword":"` + planted + `","user_id":{"$ne":""},"character_id":null,"memory_adapter":true}`,
		} {
			f.Add(byte(i), []byte(body))
		}
	}
	s := newHandler(f, unlogged)
	operations := posts()
	f.Fuzz(func(t *testing.T, index byte, body []byte) {
		o := operations[int(index)%len(operations)]
		r := httptest.NewRequestWithContext(t.Context(), o.method, o.path, strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		got := s.serve(r)
		if fault := got.fault(o.method, o.path); fault != "" || got.status >= 500 {
			t.Fatalf("%s %q\ngot  %d %s\n%s", o.name(), body, got.status, got.body, fault)
		}
		if strings.Contains(got.body, planted) && !showable(body) {
			t.Fatalf("%s %q\ngot  %d %s\nwant no secret in it", o.name(), body, got.status, got.body)
		}
		if got.status == http.StatusUnprocessableEntity {
			checkFaults(t, got.body)
		}
	})
}

// showable reports whether the planted text occurs in a body at a place where
// it is not a secret.
func showable(body []byte) bool {
	var value any
	return json.Unmarshal(body, &value) == nil && shows(value)
}

func shows(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(v, planted)
	case []any:
		return slices.ContainsFunc(v, shows)
	case map[string]any:
		for name, member := range v {
			isSecret := slices.ContainsFunc(secretFields, func(field string) bool {
				return strings.EqualFold(field, strings.TrimSpace(name))
			})
			if strings.Contains(name, planted) || !isSecret && shows(member) {
				return true
			}
		}
	}
	return false
}

// checkFaults checks that the faults have types that clients know.
func checkFaults(t *testing.T, body string) {
	t.Helper()
	var reply struct {
		Detail struct {
			Errors []struct {
				Type string
				Loc  []any
				Msg  string
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &reply); err != nil || len(reply.Detail.Errors) == 0 {
		t.Fatalf("got a 422 without faults: %s, error %v", body, err)
	}
	kinds := []string{
		"missing", "string_type", "float_parsing", "float_type", "int_parsing", "json_invalid", "literal_error",
		"model_attributes_type", "string_too_short", "greater_than_equal", "extra_forbidden", "bool_type", "int_type",
	}
	for _, fault := range reply.Detail.Errors {
		if !slices.Contains(kinds, fault.Type) || len(fault.Loc) == 0 || fault.Msg == "" {
			t.Errorf("got the fault %+v, want one of the kinds %q with a place and a message", fault, kinds)
		}
	}
}

// Any path gets a response that the document specifies, or a 404 or 405. A
// redirect is always relative.
func FuzzPath(f *testing.F) {
	for _, o := range apiDocument().operations() {
		if o.path != "/openapi.json" { // making the document is slow
			f.Add(o.method, o.path)
			f.Add("HEAD", o.examplePath())
		}
	}
	for _, path := range []string{
		"/", "//", "/..", "/.", "*", "/%2e%2e/", "/api/v1/list_characters/a%2Fb", "/api/v1/list_characters/%00%ff", "/?x=%zz", "/#x",
		"/tail_log/-1", "/tail_log/1e9", "/tail_log/0x5", "/api/v1/list_characters/a%2Fb\"c", "/api/v1/list_characters/日本%2Fx",
		"http://other.example/health", "http://other.example", "/api/v1/get_character_config/a/%2e%2e%2f", "/;", "/%", "/\\..\\health",
		"/api/v1/list_characters/" + strings.Repeat("%E9%95%B7", 1000), "/health?refresh", "/api/v1/list_users/",
	} {
		f.Add("GET", path)
		f.Add("POST", path)
	}
	s := newHandler(f, unlogged)
	if err := os.WriteFile(s.logFile, []byte("line\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	s.serve(httpRequest(f, "POST", "/api/v1/create_user", `{"user_id":"ada"}`))
	f.Fuzz(func(t *testing.T, method, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil || strings.ContainsAny(target, " \r\n") {
			t.Skip("the HTTP server refuses it")
		}
		got := s.serve(r.WithContext(t.Context()))
		if got.status >= 500 || got.status < 400 && got.status != 200 &&
			(got.status != 307 || got.header.Get("Location") != "docs" && !strings.HasPrefix(got.header.Get("Location"), "../")) {
			t.Fatalf("%s %q\ngot  %d %v %s", method, target, got.status, got.header, got.body)
		}
		path := r.URL.EscapedPath()
		if fault := got.fault(r.Method, path); fault != "" && !strings.HasSuffix(path, "/") {
			t.Fatalf("%s %q\ngot  %d %v %s\n%s", method, target, got.status, got.header, got.body, fault)
		}
	})
}

// membersOf finds the same members of an object as encoding/json.
func FuzzMembersOf(f *testing.F) {
	for _, object := range []string{
		`{}`, `{ }`, `{"a":1}`, ` { "a" : 1 , "b" : [ 1 , { "a" : "}" } ] , "a" : null } `, `{"a":-1.5e9,"b":true}`,
		`{"\u0061":"\"","b\\":"\\","c":"\\\""}`, `{"a":{"b":{"c":[[],{}]}},"":""}`, "{\n\t\"a\":\r\n[]}", `{"\ud800":"\ud83d\ude00"}`,
	} {
		f.Add(object)
	}
	f.Fuzz(func(t *testing.T, object string) {
		object = strings.TrimSpace(object)
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(object), &want) != nil || want == nil {
			t.Skip("not a JSON object")
		}
		names := map[string]bool{}
		for name := range want {
			names[name] = true
		}
		if got := api.MembersOf([]byte(object), names); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", object, got, want)
		}
	})
}

// The check accepts the same JSON as encoding/json, whose error texts the
// faults contain.
func FuzzValidBody(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":1e999}`, `{"a":01}`, `{"a":-}`, `{"a":"\x"}`, `{"a":"` + "\n" + `"}`,
		`nul`, `1 2`, ``, ` `, " {} \n", "\u00a0{}", "{}\u0085", `"\u12"`, `{"a":,}`, `[1,]`, "\ufeff{}", "{\"a\":\"\x7f\"}", `{"a":"\/"}`, strings.Repeat("[", 10_001),
		strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, want := api.ValidBody(body), json.Valid(body); got != want {
			t.Errorf("%q: got valid %v, want %v", body, got, want)
		}
	})
}

//go:build failpoints

package torture

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// place is where a client can send a text: a field of a body, or a part of a
// path.
type place struct {
	method, path string
	field        string
	inPath       bool
	required     map[string]any // the other required fields, with valid values
}

func (p place) String() string {
	name := p.method + " " + p.path + " " + p.field
	if p.inPath {
		name += " in the path" // the body may have a field with the same name
	}
	return name
}

// apiDocument is the part of the OpenAPI document that these tests read.
type apiDocument struct {
	Paths map[string]map[string]struct {
		Parameters []struct {
			Name, In string
			Example  any
		}
		RequestBody struct {
			Content map[string]struct{ Schema schema }
		}
	}
	Components struct{ Schemas map[string]schema }
}

type schema struct {
	Ref        string `json:"$ref"`
	Properties map[string]struct{ Example any }
	Required   []string
	AllOf      []schema
}

// places returns all places of an API. The list comes from the document, so a
// new field is tested as soon as it is in the document.
func places(document apiDocument) (all []place) {
	for path, methods := range document.Paths {
		for method, operation := range methods {
			for _, parameter := range operation.Parameters {
				if parameter.In == "path" {
					all = append(all, place{method: strings.ToUpper(method), path: path, field: parameter.Name, inPath: true})
				}
			}
			body := document.resolve(operation.RequestBody.Content["application/json"].Schema)
			for name := range body.Properties {
				p := place{method: strings.ToUpper(method), path: path, field: name, required: map[string]any{}}
				for _, other := range body.Required {
					p.required[other] = body.Properties[other].Example
					if p.required[other] == nil {
						p.required[other] = "x"
					}
				}
				all = append(all, p)
			}
		}
	}
	slices.SortFunc(all, func(a, b place) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// resolve follows the reference of a schema.
func (d apiDocument) resolve(s schema) schema {
	if s.Ref != "" {
		s = d.Components.Schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
	}
	for _, part := range s.AllOf {
		part = d.resolve(part)
		s.Required = append(s.Required, part.Required...)
		if s.Properties == nil {
			s.Properties = part.Properties
			continue
		}
		maps.Copy(s.Properties, part.Properties)
	}
	return s
}

// knownFor creates what requests to a place need: a separate user, with a
// character that may be changed.
func (p place) knownFor(t *testing.T, s *server) map[string]any {
	t.Helper()
	user := p.String()
	s.must(t, v1+"create_user", fields{"user_id": user}, nil)
	var list struct {
		IDs []string `json:"character_id_list"`
	}
	s.must(t, v1+"list_characters/"+url.PathEscape(user), nil, &list)
	var made struct {
		ID string `json:"character_id"`
	}
	s.must(t, v1+"duplicate_character", fields{"user_id": user, "character_id": list.IDs[0]}, &made)
	known := map[string]any{"user_id": user, "n_lines": "5", "username": "ada", "password": firstPassword, "character_id": made.ID}
	if strings.Contains(p.path, "delete") { // do not delete what other requests need
		known["user_id"] = "nobody"
	}
	for name := range p.required {
		if value, ok := known[name]; ok {
			p.required[name] = value
		}
	}
	return known
}

// request returns a request with text at the place.
func (p place) request(s *server, text string, known map[string]any) (*http.Request, error) {
	path := p.path
	for strings.Contains(path, "{") {
		before, rest, _ := strings.Cut(path, "{")
		name, after, _ := strings.Cut(rest, "}")
		value := fmt.Sprint(known[name])
		if p.inPath && name == p.field {
			value = text
		}
		path = before + strings.ReplaceAll(url.PathEscape(value), "{", "%7B") + after
	}
	var body io.Reader
	if !p.inPath {
		sent := map[string]any{}
		maps.Copy(sent, p.required)
		sent[p.field] = text
		data, err := json.Marshal(sent)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequest(p.method, "http://"+s.address+path, body)
	if err == nil && body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, err
}

// maxHeader is the default of max_header_bytes. net/http itself refuses longer
// headers, in plain text, and closes the connection (docs/operations.md).
const maxHeader = 262_144

func refusedByLibrary(t *testing.T, response *http.Response, err error) {
	t.Helper()
	if err != nil {
		return // the connection was closed while the path was still being sent
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a path of more than %d bytes: got status %d", maxHeader, response.StatusCode)
	}
}

// refusedStatuses are the statuses with which the server may refuse what a
// client sent.
var refusedStatuses = []int{400, 401, 403, 404, 413, 415, 422, 429}

// Every text of the list, in every field of every endpoint, is stored unchanged
// or refused. The server never fails, and the text does not get into a header
// or forge a log line.
func TestHostile_EveryTextInEveryField(t *testing.T) {
	t.Parallel()
	if len(attacks) < 300 {
		t.Fatalf("there are %d attacks, want at least 300", len(attacks))
	}
	folder := t.TempDir()
	s := serve(t, product, folder)
	if s == nil {
		t.Fatal("the server does not start")
	}
	var document apiDocument
	s.must(t, "/openapi.json", nil, &document)
	all := places(document)
	if len(all) < 60 {
		t.Fatalf("the document has %d fields: %v", len(all), all)
	}
	each := length(4, 1) // in CI each text is sent in every fourth field
	var sent, taken, failed atomic.Int64
	var created sync.Map
	var group sync.WaitGroup
	limit := make(chan struct{}, 4)
	try := func(n int, p place) {
		group.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			known := p.knownFor(t, s)
			for at, a := range attacks {
				if at%each != n%each {
					continue
				}
				if failed.Load() > 20 {
					return
				}
				request, err := p.request(s, a.text, known)
				if err != nil {
					t.Errorf("%v, %s: %v", p, a.class, err)
					return
				}
				response, err := s.client.Do(request)
				if len(request.URL.EscapedPath()) > maxHeader {
					refusedByLibrary(t, response, err)
					continue
				}
				if err != nil {
					failed.Add(1)
					t.Errorf("%v, %s %.80q: %v", p, a.class, a.text, err)
					continue
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				sent.Add(1)
				ok := response.StatusCode < 300
				if ok {
					taken.Add(1)
				}
				if err != nil || !ok && !slices.Contains(refusedStatuses, response.StatusCode) || response.Header.Get("X-Injected") != "" ||
					response.Header.Get("X-Request-Id") == "" {
					failed.Add(1)
					t.Errorf("%v, %s %.80q: got status %d, headers %v, %.200s, error %v", p, a.class, a.text, response.StatusCode, response.Header, body, err)
				}
				if ok && p.path == v1+"create_user" && p.field == "user_id" {
					created.Store(a.text, true)
				}
				if ok {
					if err := readBack(t, s, p, a.text, known); err != nil {
						failed.Add(1)
						t.Error(err)
					}
				}
			}
		})
	}
	// Deletions come last, so that everything that was stored is there until
	// then.
	deletes := func(p place) bool { return strings.Contains(p.path, "delete") }
	for n, p := range all {
		if !deletes(p) {
			try(n, p)
		}
	}
	group.Wait()
	var users struct {
		IDs []string `json:"user_id_list"`
	}
	s.must(t, v1+"list_users", nil, &users)
	created.Range(func(id, _ any) bool {
		if !slices.Contains(users.IDs, id.(string)) {
			t.Errorf("the user %.80q was created and is not in the list", id)
		}
		return true
	})
	for n, p := range all {
		if deletes(p) {
			try(n, p)
		}
	}
	group.Wait()
	s.end(t, syscall.SIGTERM)
	lines := checkLog(t, filepath.Join(folder, "logs"))
	if err := checkIntegrity(filepath.Join(folder, "data")); err != nil {
		t.Error(err)
	}
	figure("hostile: attack strings", "%d, %d fields: %d requests, %d taken as they are, %d failures; %d log lines, none forged",
		len(attacks), len(all), sent.Load(), taken.Load(), failed.Load(), lines)
}

// readBack compares what is stored of a character with what was sent.
func readBack(t *testing.T, s *server, p place, text string, known map[string]any) error {
	t.Helper()
	at := slices.IndexFunc(settings, func(what setting) bool { return v1+what.operation == p.path && what.sent == p.field })
	if at < 0 {
		return nil
	}
	var stored map[string]any
	path := fmt.Sprintf("%sget_character_config/%s/%s", v1, url.PathEscape(fmt.Sprint(known["user_id"])), known["character_id"])
	if _, err := s.send(t.Context(), path, nil, &stored); err != nil {
		return err
	}
	if got := stored[settings[at].field]; got != text {
		return fmt.Errorf("%v: sent %.80q, stored %.80q", p, text, got)
	}
	return nil
}

// checkLog fails if a line of the log was not written by the server, or if it
// contains a control character for a terminal.
func checkLog(t *testing.T, folder string) (lines int) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			lines++
			if !strings.HasPrefix(line, "time=") || strings.Contains(line, "msg=forged") || strings.ContainsAny(line, "\x1b\x00\r\x7f") {
				t.Errorf("a forged line in the log: %.200q", line)
			}
		}
	}
	return lines
}

// Bodies that grow when they are decompressed or parsed are refused at once.
func TestHostile_Bombs(t *testing.T) {
	t.Parallel()
	s := serveAda(t)
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	if _, err := writer.Write(make([]byte, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	const size = 1 << 20
	bombs := []struct {
		name, encoding string
		body           []byte
	}{
		{"zip bomb", "gzip", zipped.Bytes()},
		{"deep lists", "", bytes.Repeat([]byte("["), size)},
		{"deep objects", "", bytes.Repeat([]byte(`{"a":`), size/5)},
		{"one field many times", "", append(append([]byte(`{"x":1`), bytes.Repeat([]byte(`,"user_id":1`), size/13)...), '}')},
		{"many fields", "", manyFields(size / 20)},
		{"a long number", "", append(append([]byte(`{"user_id":`), bytes.Repeat([]byte("9"), size-20)...), '}')},
		{"escapes", "", append(append([]byte(`{"user_id":"`), bytes.Repeat([]byte(`\u0041`), size/6-10)...), '"', '}')},
		{"white space", "", bytes.Repeat([]byte(" "), size)},
		{"too large", "", bytes.Repeat([]byte("a"), 4*size)},
	}
	var slowest time.Duration
	for _, bomb := range bombs {
		request, err := http.NewRequest(http.MethodPost, "http://"+s.address+v1+"create_user", bytes.NewReader(bomb.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if bomb.encoding != "" {
			request.Header.Set("Content-Encoding", bomb.encoding)
		}
		began := time.Now()
		response, err := s.client.Do(request)
		if err != nil {
			t.Errorf("%s: %v", bomb.name, err)
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		slowest = max(slowest, time.Since(began))
		if response.StatusCode == http.StatusOK && bomb.name != "escapes" || response.StatusCode >= 500 {
			t.Errorf("%s: got status %d", bomb.name, response.StatusCode)
		}
	}
	s.must(t, "/health", nil, nil)
	peak := s.memory("VmHWM")
	if peak > 150<<20 {
		t.Errorf("the server took %d MB, want 150 MB at the most", peak>>20)
	}
	figure("hostile: bombs", "%d; the slowest response took %s, peak memory %d MB", len(bombs), slowest.Round(time.Millisecond), peak>>20)
}

func manyFields(count int) []byte {
	var text bytes.Buffer
	text.WriteByte('{')
	for n := range count {
		fmt.Fprintf(&text, `"field %d":%d,`, n, n)
	}
	text.WriteString(`"user_id":1}`)
	return text.Bytes()
}

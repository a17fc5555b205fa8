package api_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
)

// failingStore is a store in which each call runs fail and returns its error.
type failingStore struct {
	backend.Store

	fail func() error
}

var _ backend.Store = failingStore{}

// failing wraps the store so that it fails with err.
func failing(err error) option {
	return wrapped(func(store backend.Store) backend.Store {
		return failingStore{store, func() error { return err }}
	})
}

// panicking wraps the store so that it panics with value.
func panicking(value any) option {
	return wrapped(func(store backend.Store) backend.Store {
		return failingStore{store, func() error { panic(value) }}
	})
}

func (f failingStore) CreateUser(context.Context, backend.UserConfig, []backend.Character) error {
	return f.fail()
}
func (f failingStore) CreateCredential(context.Context, backend.Credential) error { return f.fail() }
func (f failingStore) DeleteUser(context.Context, string) error                   { return f.fail() }
func (f failingStore) Users(context.Context, backend.UserFilter) iter.Seq2[backend.User, error] {
	return func(yield func(backend.User, error) bool) { yield(backend.User{}, f.fail()) }
}

func (f failingStore) UserConfig(context.Context, string) (backend.UserConfig, error) {
	return backend.UserConfig{}, f.fail()
}

func (f failingStore) UserData(context.Context, []string) ([]backend.UserData, error) {
	return nil, f.fail()
}

func (f failingStore) SetUpUser(context.Context, backend.UserConfig, []backend.Character) error {
	return f.fail()
}

func (f failingStore) Credential(context.Context, string) (backend.Credential, error) {
	return backend.Credential{}, f.fail()
}

func (f failingStore) ReplacePassword(context.Context, backend.Credential, backend.Secret, backend.TokenFate) error {
	return f.fail()
}

func (f failingStore) SetDisabled(context.Context, string, bool) error { return f.fail() }

func (f failingStore) CreateToken(context.Context, backend.Token, backend.Credential) error {
	return f.fail()
}

func (f failingStore) Token(context.Context, backend.TokenHash, time.Time) (backend.Token, error) {
	return backend.Token{}, f.fail()
}

func (f failingStore) UserTokens(context.Context, string, time.Time) ([]backend.Token, error) {
	return nil, f.fail()
}
func (f failingStore) DeleteToken(context.Context, backend.TokenHash) error { return f.fail() }

func (f failingStore) UpdateUserConfig(context.Context, string, backend.UserConfigPatch) error {
	return f.fail()
}

func (f failingStore) CharacterNames(context.Context, string) ([]backend.CharacterName, error) {
	return nil, f.fail()
}

func (f failingStore) CharacterSummaries(context.Context, string) ([]backend.CharacterSummary, error) {
	return nil, f.fail()
}

func (f failingStore) Character(context.Context, backend.CharacterKey) (backend.Character, error) {
	return backend.Character{}, f.fail()
}

func (f failingStore) UserPage(context.Context, backend.UserOrder, string, int) ([]backend.PositionedUser, error) {
	return nil, f.fail()
}

func (f failingStore) CharacterDocument(context.Context, backend.CharacterKey) ([]byte, error) {
	return nil, f.fail()
}

func (f failingStore) CopyCharacter(context.Context, backend.CharacterKey, int, func(backend.Character) backend.Character) error {
	return f.fail()
}

func (f failingStore) AddCharacter(context.Context, backend.Character, int) error { return f.fail() }

func (f failingStore) UpdateCharacter(context.Context, backend.CharacterKey, backend.CharacterPatch) error {
	return f.fail()
}
func (f failingStore) DeleteCharacter(context.Context, backend.CharacterKey) error { return f.fail() }
func (f failingStore) Ping(context.Context) error                                  { return f.fail() }

// needStore returns the operations that use the store. A new operation is
// included unless it is excluded by name here.
func needStore() []*operation {
	var all []*operation
	for _, o := range apiDocument().operations() {
		switch o.OperationID {
		case "health", "metrics", "redirect_to_docs", "get_openapi_document", "tail_log", "download_log_file", "motion_keywords", "list_providers":
		default:
			all = append(all, o)
		}
	}
	return all
}

// sessionOperations need a user token in every access mode.
var sessionOperations = []string{"logout", "list_sessions", "end_sessions"}

// accountOperations are operations of operators on a user who has an account.
var accountOperations = []string{"disable_user", "enable_user", "end_user_sessions"}

// operatorOperations need an operator token in every access mode.
var operatorOperations = append([]string{"set_user_password", "find_users"}, accountOperations...)

// needsOperator reports whether the route of a path needs an operator token in
// every access mode.
func needsOperator(urlPath string) bool {
	return slices.Contains(operatorOperations, path.Base(urlPath)) || urlPath == "/metrics"
}

// exampleExchange returns the example request of an operation in the document.
func (o *operation) exampleExchange(t *testing.T) exchange {
	t.Helper()
	x := exchange{request: o.method + " " + o.examplePath()}
	if o.RequestBody != nil {
		x.body = encode(t, o.example())
	}
	if slices.Contains(sessionOperations, o.OperationID) {
		x.header = bearer("wbt_example")
	}
	return x
}

// Every kind of error has its status, in the common form of errors. An unknown
// kind is an unexpected error.
func TestErrorKinds(t *testing.T) {
	t.Parallel()
	statuses := map[backend.Kind]int{
		backend.Internal: 500, backend.NotFound: 404, backend.Exists: 400, backend.ReadOnly: 403, backend.Invalid: 422, backend.TooLong: 422, backend.Full: 422,
		backend.Unauthorized: 401, backend.Forbidden: 403, backend.TooMany: 429, backend.Unavailable: 503,
	}
	const unexpected = "the server met an unexpected error; its log has the cause under this response's X-Request-ID"
	for _, kind := range append(backend.Kinds, backend.Kind(len(backend.Kinds)), backend.Kind(255)) {
		t.Run(fmt.Sprintf("%d %v", kind, kind), func(t *testing.T) {
			t.Parallel()
			status, known := statuses[kind]
			if !known && kind < backend.Kind(len(backend.Kinds)) {
				t.Fatalf("no row of this test has kind %v", kind)
			}
			if !known {
				status = 500
			}
			want := failure(status, "said by the test")
			switch status {
			case 422:
				types := map[backend.Kind]string{backend.Invalid: "literal_error", backend.TooLong: "string_too_long", backend.Full: "too_long"}
				want = validation("null",
					`{"type":"`+types[kind]+`","loc":["path","user_id"],"msg":"said by the test","input":"a/b"}`)
			case 500:
				want = failure(500, unexpected)
			}
			s := newHandler(t, failing(&backend.Error{
				Kind: kind, Message: "said by the test", Field: "user_id", Cause: errors.New("hidden cause"),
			}))
			got := s.serve(httpRequest(t, "GET", "/api/v1/list_characters/a%2Fb", ""))
			if difference := differ(want, got.body); got.status != status || difference != "" {
				t.Errorf("kind %d\ngot  %d %s\nwant %d %s\n%s", kind, got.status, got.body, status, want, difference)
			}
			log := s.logLines()
			if strings.Contains(log, "hidden cause") != (status >= 500) || strings.Contains(log, "stack=") {
				t.Errorf("kind %d: got the log %s\nwant the cause of a 500 and above in it, and no stack", kind, log)
			}
		})
	}
}

// A value that the domain refuses is shown in the same way as a value of the
// wrong type.
func TestInvalidField(t *testing.T) {
	t.Parallel()
	const body = `{"user_id":"ada","timezone":"Europe/Berlin","openai_api_key":"` + planted + `"}`
	for field, input := range map[string]any{"timezone": "Europe/Berlin", "openai_api_key": "***", "xai_api_key": nil} {
		s := newServer(t, failing(&backend.Error{Kind: backend.Invalid, Message: "said by the test", Field: field}))
		s.run(t, exchange{
			name: field, request: "POST update_user_config", body: body, status: 422,
			want: validation(`{"user_id":"ada","timezone":"Europe/Berlin","openai_api_key":"***"}`, faultOf("literal_error", "body", field, input)),
		})
	}
}

// If the store is unavailable, every operation that uses it says so. An
// unexpected error of the store is not shown to the client.
func TestStoreErrors(t *testing.T) {
	t.Parallel()
	const cause = "dial mongodb://user:pass@host/admin: refused"
	for _, test := range []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{
			"unavailable",
			&backend.Error{Kind: backend.Unavailable, Message: "the store does not respond now; try again", Cause: errors.New(cause)},
			503, failure(503, "the store does not respond now; try again"),
		},
		{
			"unknown", errors.New(cause), 500,
			failure(500, "the server met an unexpected error; its log has the cause under this response's X-Request-ID"),
		},
		{
			"internal", &backend.Error{Kind: backend.Internal, Message: cause}, 500,
			failure(500, "the server met an unexpected error; its log has the cause under this response's X-Request-ID"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, failing(test.err))
			var ids []string
			for _, o := range needStore() {
				x := o.exampleExchange(t)
				x.name, x.status, x.want, x.absent = o.name(), test.status, test.want, []string{"mongodb", "pass", "errors."}
				t.Run(x.name, func(t *testing.T) {
					ids = append(ids, s.exchange(t, x).header.Get("X-Request-ID"))
				})
			}
			log := s.stop(t)
			for i, id := range ids {
				line := linesWith(log, "request_id="+id)
				if len(line) != 1 || !strings.Contains(line[0], "level=ERROR") || !strings.Contains(line[0], cause) {
					t.Errorf("%s\ngot the log lines %q\nwant one with level=ERROR and the cause", needStore()[i].name(), line)
				}
			}
		})
	}
}

// linesWith returns the lines of a log that contain text.
func linesWith(log, text string) []string {
	var found []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// A panic gets the response of an unexpected error, wherever it occurs.
func TestPanic(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"text": "index of the test", "error": errors.New("index of the test"), "type": struct{ Index string }{"index of the test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, panicking(value))
			var ids []string
			for _, o := range needStore() {
				x := o.exampleExchange(t)
				x.name, x.status = o.name(), 500
				x.want = failure(500, "the server met an unexpected error; its log has the cause under this response's X-Request-ID")
				x.absent = []string{"goroutine", ".go", "index of the test", "failingStore", "runtime", "panic"}
				t.Run(x.name, func(t *testing.T) {
					ids = append(ids, s.exchange(t, x).header.Get("X-Request-ID"))
				})
			}
			s.run(t, exchange{name: "the server lives", request: "GET /health", status: 200, want: `"OK"`})
			log := s.stop(t)
			for i, id := range ids {
				lines := linesWith(log, "request_id="+id)
				if len(lines) != 1 || !strings.Contains(lines[0], "level=ERROR") || !strings.Contains(lines[0], "status=500") ||
					!strings.Contains(lines[0], "index of the test") || !strings.Contains(lines[0], "failingStore") {
					t.Errorf("%s\ngot the log lines %q\nwant one with level=ERROR, the panic and its stack",
						needStore()[i].name(), lines)
				}
			}
		})
	}
}

// If a handler aborts with http.ErrAbortHandler, the client gets no response
// and the server continues to run.
func TestPanic_ErrAbortHandler(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]error{
		"itself": http.ErrAbortHandler, "wrapped": fmt.Errorf("list: %w", http.ErrAbortHandler),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHandler(t, panicking(value))
			defer func() {
				if got := recover(); got == nil || !errors.Is(got.(error), http.ErrAbortHandler) {
					t.Errorf("got the panic %v, want %v", got, value)
				}
			}()
			got := s.serve(httpRequest(t, "GET", "/api/v1/list_characters/ada", ""))
			t.Errorf("got the response %d %s, want none", got.status, got.body)
		})
	}
}

// panickingList is a store whose list of users panics after a few users.
type panickingList struct{ backend.Store }

func (panickingList) Users(context.Context, backend.UserFilter) iter.Seq2[backend.User, error] {
	return func(yield func(backend.User, error) bool) {
		for range 2000 {
			if !yield(backend.User{UserID: strings.Repeat("x", 100)}, nil) {
				return
			}
		}
		panic("middle of the list")
	}
}

// A panic after the response has begun closes the connection, so that no client
// takes a part for the complete response.
func TestPanic_WithinTheResponse(t *testing.T) {
	t.Parallel()
	s := newServer(t, wrapped(func(store backend.Store) backend.Store { return panickingList{store} }))
	request := httpRequest(t, "GET", s.http.URL+"/api/v1/list_users", "")
	request.RequestURI = ""
	response, err := noRedirect.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 1<<20)
	n := 0
	for err == nil {
		var read int
		read, err = response.Body.Read(body[n:])
		n += read
	}
	response.Body.Close()
	if !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("got %d bytes and the error %v, want a response that breaks off", n, err)
	}
	lines := linesWith(s.stop(t), "request_id="+response.Header.Get("X-Request-ID"))
	if len(lines) != 1 || !strings.Contains(lines[0], "level=ERROR") || !strings.Contains(lines[0], "middle of the list") {
		t.Errorf("got the log lines %q, want one with level=ERROR and the panic", lines)
	}
}

// If a client disconnects, the request ends without an error of the server, and
// the log says so once.
func TestClientGone(t *testing.T) {
	t.Parallel()
	s := newHandler(t)
	s.serve(httpRequest(t, "POST", "/api/v1/create_user", `{"user_id":"ada"}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := s.serve(httpRequest(t, "GET", "/api/v1/list_characters/ada", "").WithContext(ctx))
	if want := failure(503, "<text>"); got.status != 503 || differ(want, got.body) != "" {
		t.Errorf("got  %d %s\nwant 503 %s", got.status, got.body, want)
	}
}

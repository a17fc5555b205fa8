package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"web-backend/configs/characters"
	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/logging"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/telemetry"
)

// storeOpener opens a new, empty store that is closed at the end of the test.
type storeOpener struct {
	name string
	open func(t testing.TB) backend.Store
}

// The stores. storetest ensures that they behave the same, so a test runs on
// the embedded store. It also runs on MongoDB only if it tests a whole session
// through the API and the store.
var (
	embedded = storeOpener{"embedded", func(t testing.TB) backend.Store {
		t.Helper()
		store, err := sqlite.Open(t.TempDir(), sqlite.Keys(masterkey.NewRing(masterkey.Generate())))
		if err != nil {
			t.Fatalf("open the embedded store: %v", err)
		}
		return store
	}}
	mongoDB = storeOpener{"mongodb", func(t testing.TB) backend.Store {
		t.Helper()
		server := mongotest.Engine(t)
		store, err := mongo.Open(mongo.Options{
			URI: backend.NewSecret(server.URI()), Database: server.Database(t),
			CredentialCollection: "UserCredentials", UserCollection: "UserConfigs", CharacterCollection: "CharacterConfigs",
			Timeout: time.Minute, MaxPoolSize: 2, // many tests share one engine
		})
		if err != nil {
			t.Fatalf("open the store on MongoDB: %v", err)
		}
		if warnings, err := store.EnsureIndexes(t.Context()); err != nil || len(warnings) > 0 {
			t.Fatalf("make the indexes: %v, %v", warnings, err)
		}
		return store
	}}
)

// onBothStores runs test with a server on each of the stores.
func onBothStores(t *testing.T, test func(t *testing.T, s *server), options ...option) {
	t.Helper()
	for _, store := range []storeOpener{embedded, mongoDB} {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			test(t, newServer(t, append([]option{onStore(store)}, options...)...))
		})
	}
}

// config contains the settings of a server that options change.
type config struct {
	api.Options

	store storeOpener
	wrap  func(backend.Store) backend.Store
	now   func() time.Time
	log   logging.Options
	mount func(*api.API)

	accounts backend.AccountRules
	limits   backend.Limits
	hash     auth.PasswordParams
}

// cheapHash makes hashing fast enough for tests with hundreds of passwords.
var cheapHash = auth.PasswordParams{MemoryKiB: 8, Iterations: 1, Parallelism: 1}

type option func(*config)

func onStore(store storeOpener) option { return func(c *config) { c.store = store } }

// wrapped wraps the real store with a store of the test.
func wrapped(wrap func(backend.Store) backend.Store) option {
	return func(c *config) { c.wrap = wrap }
}

// at stops the clock of the server.
func at(now time.Time) option {
	return func(c *config) { c.now = func() time.Time { return now } }
}

// unlogged discards the log, for a server that gets very many requests.
func unlogged(c *config) { c.log = logging.Options{Console: io.Discard} }

func withOptions(change func(*api.Options)) option {
	return func(c *config) { change(&c.Options) }
}

// server is an API with a real store and a real log.
type server struct {
	handler  http.Handler
	api      *api.API
	http     *httptest.Server // nil if it does not listen
	store    backend.Store
	logFile  string
	console  *safeBuffer
	flushLog func()
	names    map[string]string // values of $name in an exchange

	writeTimeout time.Duration
}

const testBodyLimit = 1 << 20

// newServer starts a server that stops at the end of the test.
func newServer(t testing.TB, options ...option) *server {
	t.Helper()
	s := newHandler(t, options...)
	s.http = httptest.NewUnstartedServer(s.handler)
	s.http.Config.WriteTimeout = s.writeTimeout
	s.http.Listener, s.http.Config.ConnContext = api.OneWrite(s.http.Listener), api.OneWriteContext
	s.http.Start()
	t.Cleanup(func() {
		s.http.Close()
		s.api.CloseMotionSessions(context.Background()) // the sessions log until then
	})
	return s
}

// newHandler returns a server that does not listen.
func newHandler(t testing.TB, options ...option) *server {
	t.Helper()
	s := &server{logFile: filepath.Join(t.TempDir(), "server.log"), console: &safeBuffer{}, names: map[string]string{}}
	metrics := telemetry.NewMetrics(telemetry.Build{Version: "test"})
	c := config{
		Options: api.Options{
			MaxBodyBytes: testBodyLimit, LogFile: s.logFile,
			Observer: telemetry.NewObserver(metrics, nil), Metrics: metrics.Write,
			Access: api.AccessOptions{
				Mode: auth.Guarded, LocalOperator: true, OperatorTokens: auth.NewOperatorTokens([]backend.Secret{operatorToken}),
			},
		},
		store:    embedded,
		accounts: backend.AccountRules{PasswordMinLength: 8, TokenLifetime: 7 * 24 * time.Hour, NewToken: auth.NewToken},
		hash:     cheapHash,
		log:      logging.Options{Console: s.console, Path: s.logFile, MaxSizeMB: 100, MaxFiles: 1},
	}
	for _, option := range options {
		option(&c)
	}
	s.store, s.writeTimeout = c.store.open(t), c.WriteTimeout
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	log, err := logging.Open(c.log)
	if err != nil {
		t.Fatalf("open the log: %v", err)
	}
	t.Cleanup(func() { _ = log.Close() })
	c.FlushLog, s.flushLog = log.Flush, log.Flush
	store := s.store
	if c.wrap != nil {
		store = c.wrap(store)
	}
	defaults := backend.Defaults{UserConfig: backend.UserConfig{Timezone: backend.DefaultTimezone}}
	if defaults.Characters, err = characters.All(); err != nil {
		t.Fatalf("read the default characters: %v", err)
	}
	s.api = api.New(backend.New(store, backend.Options{
		Defaults: defaults, Accounts: c.accounts, Limits: c.limits, Passwords: auth.NewPasswords(c.hash), Now: c.now,
	}), log.Logger, c.Options)
	if c.mount != nil {
		c.mount(s.api)
	}
	s.handler = s.api.Handler()
	return s
}

// stop waits for all requests, including their log lines, and returns the log
// of the console and of the file.
func (s *server) stop(t testing.TB) string {
	t.Helper()
	s.http.Close()
	console := s.logLines()
	file, err := os.ReadFile(s.logFile)
	if err != nil {
		t.Fatalf("read the log: %v", err)
	}
	if console != string(file) {
		t.Errorf("the console and the log file differ:\n%s\nand:\n%s", console, file)
	}
	return string(file)
}

// logLines returns the log so far.
func (s *server) logLines() string {
	s.flushLog()
	return s.console.String()
}

// exchange is one request and the expected response. In request, body and
// expected texts, $name is replaced by one of the server's names.
type exchange struct {
	name     string
	request  string // method and path; a path without a leading slash is below /api/v1/
	header   http.Header
	body     string
	status   int
	want     string   // the body, see differ; "" for any body, noBody for none
	contains []string // texts that the body must contain
	absent   []string // texts that the body must not contain
}

// noBody is the expected body of an empty response, which must declare its
// length as 0.
const noBody = "no body"

// response is the response to a request.
type response struct {
	status int
	header http.Header
	body   string
}

// run makes the exchanges in order, each as a subtest.
func (s *server) run(t *testing.T, exchanges ...exchange) {
	t.Helper()
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) { s.exchange(t, x) })
	}
}

// exchange makes one request and checks the response.
func (s *server) exchange(t testing.TB, x exchange) response {
	t.Helper()
	expand := s.expander()
	got := s.send(t, expand(x.request), expand(x.body), x.header)
	report := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %s\ngot  %d %s\nwant %d %s\n%s", expand(x.request), brief(expand(x.body)),
			got.status, brief(got.body), x.status, brief(expand(x.want)), fmt.Sprintf(format, args...))
	}
	if got.status != x.status {
		report("the status differs")
	}
	switch difference := ""; {
	case x.want == noBody && (got.body != "" || got.header.Get("Content-Length") != "0"):
		report("the body is not empty, or Content-Length is not 0 but %q", got.header.Get("Content-Length"))
	case x.want != "" && x.want != noBody:
		if difference = differ(expand(x.want), got.body); difference != "" {
			report("the body differs: %s", difference)
		}
	}
	for _, text := range x.contains {
		if !strings.Contains(got.body, expand(text)) {
			report("the body lacks %q", brief(expand(text)))
		}
	}
	for _, text := range x.absent {
		if strings.Contains(got.body, expand(text)) {
			report("the body holds %q", brief(expand(text)))
		}
	}
	return got
}

// expander returns a function that replaces the names of the server.
func (s *server) expander() func(string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(s.names)) {
		pairs = append(pairs, "$"+name, s.names[name])
	}
	return strings.NewReplacer(pairs...).Replace
}

// send sends a request unchanged and checks the rules for all responses.
func (s *server) send(t testing.TB, request, body string, header http.Header) response {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	if !strings.HasPrefix(path, "/") {
		path = "/api/v1/" + path
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.http.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", brief(request), err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if header == nil && needsOperator(r.URL.Path) {
		header = bearer(operatorToken.Reveal())
	}
	maps.Copy(r.Header, header)
	res, err := noRedirect.Do(r)
	if err != nil {
		t.Fatalf("%s %s: got no response: %v", brief(request), brief(body), err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: the response ended early: %v", brief(request), brief(body), err)
	}
	got := response{res.StatusCode, res.Header, string(content)}
	if fault := got.fault(method, path); fault != "" {
		t.Errorf("%s %s\ngot  %d %v %s\nwant a response in the form of all responses\n%s",
			brief(request), brief(body), got.status, got.header, brief(got.body), fault)
	}
	return got
}

// raw sends bytes and then reads one response, like a client that does not send
// and read at the same time.
func (s *server) raw(t testing.TB, request string) response {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatalf("%s: could not be sent: %v", brief(request), err)
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatalf("%s: got no response: %v", brief(request), err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: the response ended early: %v", brief(request), err)
	}
	return response{res.StatusCode, res.Header, string(body)}
}

var noRedirect = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
}

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// fault checks the rules for all responses (contract §1): a request id, the
// common form of errors, and nothing that is not in the OpenAPI document.
func (a response) fault(method, path string) string {
	if id := a.header.Values("X-Request-ID"); len(id) != 1 || !requestID.MatchString(id[0]) {
		return fmt.Sprintf("X-Request-ID is %q", id)
	}
	if method == http.MethodHead {
		return ""
	}
	if a.status >= http.StatusBadRequest {
		if fault := a.errorFault(); fault != "" {
			return fault
		}
	}
	return apiDocument().fault(method, path, a)
}

// errorFault returns how the response differs from the common form of errors.
func (a response) errorFault() string {
	if contentType := a.header.Get("Content-Type"); contentType != "application/json" {
		return "the Content-Type of an error is " + contentType
	}
	want := failure(a.status, "<text>")
	if a.status == http.StatusUnprocessableEntity {
		want = `{"message":"Validation Error","code":422,"detail":{"errors":"<list>","body":"<any>"}}`
	}
	return differ(want, a.body)
}

// failure returns the body of an error response.
func failure(status int, text string) string {
	message := fmt.Sprintf("HTTP Error %d", status)
	if status == http.StatusInternalServerError {
		message = "Internal Server Error"
	}
	return fmt.Sprintf(`{"message":%s,"code":%d,"detail":{"error":%s}}`, quote(message), status, quote(text))
}

// quote returns text as a JSON string.
func quote(text string) string {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // cannot happen: any text can be encoded
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

// placeholders replace values in an expected body that tests cannot know.
var placeholders = map[string]*regexp.Regexp{
	"<text>": regexp.MustCompile(`(?s).+`),
	"<uuid>": regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
	"<time>": regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}$`),
}

// differ compares two JSON texts by value and returns the first difference, or
// "" if there is none. "<any>" and "<list>" in want match any value and any
// list; see also placeholders.
func differ(want, got string) string {
	wanted, err := parse(want)
	if err != nil {
		panic(fmt.Sprintf("a wanted body is no JSON: %v: %s", err, want))
	}
	gotten, err := parse(got)
	if err != nil {
		return fmt.Sprintf("got no JSON: %v", err)
	}
	return differAt("", wanted, gotten)
}

// parse decodes one JSON value. A number that is too large for a float64 stays
// a json.Number, because a response may contain it.
func parse(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return withFloats(value), nil
}

func withFloats(value any) any {
	switch v := value.(type) {
	case json.Number:
		if number, err := v.Float64(); err == nil {
			return number
		}
	case map[string]any:
		for name, member := range v {
			v[name] = withFloats(member)
		}
	case []any:
		for i, element := range v {
			v[i] = withFloats(element)
		}
	}
	return value
}

func differAt(place string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || !slices.Equal(slices.Sorted(maps.Keys(w)), slices.Sorted(maps.Keys(g))) {
			return fmt.Sprintf("%s: got %s, want the members %q", place, brief(fmt.Sprint(got)), slices.Sorted(maps.Keys(w)))
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			if difference := differAt(place+"."+name, w[name], g[name]); difference != "" {
				return difference
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: got %s, want %d elements", place, brief(fmt.Sprint(got)), len(w))
		}
		for i := range w {
			if difference := differAt(fmt.Sprintf("%s[%d]", place, i), w[i], g[i]); difference != "" {
				return difference
			}
		}
		return ""
	case string:
		if w == "<any>" || w == "<list>" && reflect.ValueOf(got).Kind() == reflect.Slice {
			return ""
		}
		if text, ok := got.(string); ok && placeholders[w] != nil && placeholders[w].MatchString(text) {
			return ""
		}
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf("%s: got %s, want %s", place, brief(fmt.Sprintf("%#v", got)), brief(fmt.Sprintf("%#v", want)))
	}
	return ""
}

// brief shortens a long text for a message.
func brief(text string) string {
	const most = 1500
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
}

// object returns a JSON object. members are alternating names and raw JSON
// values. A member with the value "" is omitted.
func object(members ...string) string {
	var parts []string
	for i := 0; i < len(members); i += 2 {
		if members[i+1] != "" {
			parts = append(parts, quote(members[i])+":"+members[i+1])
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// segment escapes an id for a path. It also escapes dots, because "." and ".."
// would be removed otherwise.
func segment(id string) string {
	var path strings.Builder
	for _, b := range []byte(id) {
		if b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '-' {
			path.WriteByte(b)
		} else {
			fmt.Fprintf(&path, "%%%02X", b)
		}
	}
	return path.String()
}

// withUser makes the user ada. $readonly is a default character of ada, and
// $own a copy that can be changed.
func (s *server) withUser(t testing.TB) *server {
	t.Helper()
	s.createUser(t, "ada")
	s.names["readonly"] = s.characterIDs(t, "ada")[0]
	s.names["own"] = s.duplicate(t, "ada", s.names["readonly"])
	return s
}

func (s *server) createUser(t testing.TB, userID string) {
	t.Helper()
	s.exchange(t, exchange{
		request: "POST create_user", body: object("user_id", quote(userID)),
		status: 200, want: object("user_id", quote(userID)),
	})
}

// duplicate copies a character and returns the id of the copy.
func (s *server) duplicate(t testing.TB, userID, characterID string) string {
	t.Helper()
	var reply struct {
		CharacterID string `json:"character_id"`
	}
	s.decode(t, exchange{
		request: "POST duplicate_character",
		body:    object("user_id", quote(userID), "character_id", quote(characterID)), status: 200,
	}, &reply)
	return reply.CharacterID
}

// characterIDs returns the ids of the characters of a user.
func (s *server) characterIDs(t testing.TB, userID string) []string {
	t.Helper()
	var reply struct {
		IDs []string `json:"character_id_list"`
	}
	s.decode(t, exchange{request: "GET list_characters/" + segment(userID), status: 200}, &reply)
	return reply.IDs
}

// character returns a character of ada.
func (s *server) character(t testing.TB, id string) map[string]any {
	t.Helper()
	var reply map[string]any
	s.decode(t, exchange{request: "GET get_character_config/ada/" + id, status: 200}, &reply)
	return reply
}

// decode makes an exchange and decodes the response body into target.
func (s *server) decode(t testing.TB, x exchange, target any) {
	t.Helper()
	got := s.exchange(t, x)
	if err := json.Unmarshal([]byte(got.body), target); err != nil {
		t.Fatalf("%s: got %s, want JSON: %v", x.request, brief(got.body), err)
	}
}

// encode returns a value as JSON.
func encode(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("encode %v: %v", value, err)
	}
	return string(text)
}

// safeBuffer is a buffer that is safe for concurrent use.
type safeBuffer struct {
	mutex sync.Mutex
	buf   bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buf.String()
}

// serve handles a request without a network.
func (s *server) serve(r *http.Request) response {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return response{w.Code, w.Header(), w.Body.String()}
}

// httpRequest returns a request for serve.
func httpRequest(t testing.TB, method, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

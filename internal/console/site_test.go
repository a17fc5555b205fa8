package console_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/console"
	"web-backend/internal/logging"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/transfer"
)

const (
	operatorToken = "wbo_the-operator-token-of-the-tests"
	username      = "anna"
	otherUsername = "berta"
	password      = "correct horse battery"
	maxForm       = 1 << 20
)

// settings are what a test changes of a site.
type settings struct {
	mode     auth.Mode
	basePath string
	cors     bool
	pairs    *auth.RateLimit
	status   console.Status
	mongoDB  bool
	tls      bool
	names    []string      // of the default characters
	noLog    bool          // there is no log file
	timeout  time.Duration // of the server, for reading and for writing
	logLines []string      // of the log file
	limits   backend.Limits

	configuration console.Configuration
	backups       console.Backups
	motion        func() console.Motion // nil if there are no motion files
	lastHour      func() []console.Minute
	away          *awayStore                        // the store, if a test takes it away
	wrap          func(backend.Store) backend.Store // or nil
	closed        bool                              // only operators create accounts; the site then has no users
}

// awayStore is a store that knows neither tokens nor user data while it is away.
type awayStore struct {
	backend.Store

	away atomic.Bool
}

func (s *awayStore) Token(ctx context.Context, hash backend.TokenHash, now time.Time) (backend.Token, error) {
	if s.away.Load() {
		return backend.Token{}, errAway
	}
	return s.Store.Token(ctx, hash, now)
}

func (s *awayStore) UserData(ctx context.Context, userIDs []string) ([]backend.UserData, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.Store.UserData(ctx, userIDs)
}

func (s *awayStore) UpdateUserConfig(ctx context.Context, userID string, patch backend.UserConfigPatch) error {
	if s.away.Load() {
		return errAway
	}
	return s.Store.UpdateUserConfig(ctx, userID, patch)
}

func (s *awayStore) AddCharacter(ctx context.Context, character backend.Character, most int) error {
	if s.away.Load() {
		return errAway
	}
	return s.Store.AddCharacter(ctx, character, most)
}

var errAway = &backend.Error{Kind: backend.Unavailable, Message: "the store is away"}

// site is a server with the API and the console, on a real store.
type site struct {
	url     string // with the base path
	service *backend.Service
	store   backend.Store
	tickets *auth.Tickets
	userID  string // of the user username
	http    *httptest.Server
	log     *buffer // of the server; the log file has other lines
	logFile string
	console *console.Console
}

func newSite(t *testing.T, s settings) *site {
	t.Helper()
	if s.mode == 0 {
		s.mode = auth.Guarded
	}
	made := &site{log: &buffer{}, logFile: filepath.Join(t.TempDir(), "server.log")}
	if !s.noLog {
		made.appendLog(t, s.logLines...)
	}
	log, err := logging.Open(logging.Options{Console: made.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	characters := []backend.Character{}
	for _, name := range s.names {
		character := backend.NewCharacter()
		character.CharacterName, character.SceneName = name, name
		characters = append(characters, character)
	}
	store := openStore(t, s.mongoDB)
	made.store = store
	if s.away != nil {
		s.away.Store, store = store, s.away
	}
	if s.wrap != nil {
		store = s.wrap(store)
	}
	made.service = backend.New(store, backend.Options{
		Limits:    s.limits,
		Defaults:  backend.Defaults{UserConfig: backend.UserConfig{Timezone: backend.DefaultTimezone}, Characters: characters},
		Passwords: auth.NewPasswords(auth.PasswordParams{MemoryKiB: 8, Iterations: 1, Parallelism: 1}),
		Accounts:  backend.AccountRules{PasswordMinLength: 8, TokenLifetime: time.Hour, NewToken: auth.NewToken, RegistrationClosed: s.closed},
	})
	if !s.closed {
		made.userID = made.register(t, username)
		made.register(t, otherUsername)
	}
	operators := auth.NewOperatorTokens([]backend.Secret{backend.NewSecret(operatorToken)})
	made.tickets = auth.NewTickets(operators, time.Now)
	handler := api.New(made.service, log.Logger, api.Options{
		MaxBodyBytes: maxForm, LogFile: made.logFile, BasePath: s.basePath, EnableCORS: s.cors,
		Access: api.AccessOptions{Mode: s.mode, OperatorTokens: operators, PairTries: s.pairs},
	})
	made.console = console.New(made.service, console.Options{
		Gate: handler, Tickets: made.tickets, MaxFormBytes: maxForm, Status: func(context.Context) console.Status { return s.status },
		ExportUser: func(ctx context.Context, w io.Writer, userID string) error {
			return transfer.WriteUser(ctx, w, store, userID)
		},
		Configuration: s.configuration, Backups: s.backups, Motion: s.motion, LastHour: s.lastHour,
		Log: console.Log{Tail: handler.TailLog, Download: handler.ServeLog, Follow: func(n int) ([]string, console.LogFollower, error) {
			return handler.FollowLog(n)
		}},
	})
	handler.Mount("/console", made.console.Handler())
	made.http = httptest.NewUnstartedServer(handler.Handler())
	made.http.Config.ReadTimeout, made.http.Config.WriteTimeout = s.timeout, s.timeout
	if s.tls {
		made.http.StartTLS()
	} else {
		made.http.Start()
	}
	t.Cleanup(made.http.Close)
	made.url = made.http.URL + s.basePath
	return made
}

// register creates an account and returns its user id.
func (s *site) register(t *testing.T, username string) string {
	t.Helper()
	id, err := s.service.Register(t.Context(), username, backend.NewSecret(password))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// userPath returns the path of the page of the user username.
func (s *site) userPath() string { return "/console/users/" + s.userID }

// appendLog adds lines to the log file.
func (s *site) appendLog(t *testing.T, lines ...string) {
	t.Helper()
	file, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if _, err = file.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err = file.Close(); err != nil {
		t.Fatal(err)
	}
}

func openStore(t *testing.T, mongoDB bool) backend.Store {
	t.Helper()
	var store backend.Store
	var err error
	if mongoDB {
		server := mongotest.Engine(t)
		store, err = mongo.Open(mongo.Options{
			URI: backend.NewSecret(server.URI()), Database: server.Database(t),
			CredentialCollection: "UserCredentials", UserCollection: "UserConfigs", CharacterCollection: "CharacterConfigs",
			Timeout: time.Minute, MaxPoolSize: 2,
		})
	} else {
		store, err = sqlite.Open(t.TempDir(), sqlite.Keys(masterkey.NewRing(masterkey.Generate())))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// browser keeps cookies like a browser, and follows no redirects.
type browser struct {
	site   *site
	client *http.Client
	header http.Header
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{site: s, header: http.Header{}, client: &http.Client{
		Jar: jar, Transport: s.http.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// received is a response. to is the address that it redirects to.
type received struct {
	status int
	header http.Header
	body   string
	to     string
}

// get and post send a request to a path below the base path. fields are
// alternating names and values.

func (b *browser) get(t *testing.T, path string) received {
	t.Helper()
	return b.send(t, http.MethodGet, path, nil)
}

func (b *browser) post(t *testing.T, path string, fields ...string) received {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.send(t, http.MethodPost, path, form)
}

func (b *browser) send(t *testing.T, method, path string, form url.Values) received {
	t.Helper()
	mediaType := ""
	if form != nil {
		mediaType = "application/x-www-form-urlencoded"
	}
	return b.sendBody(t, method, path, mediaType, form.Encode())
}

func (b *browser) sendBody(t *testing.T, method, path, mediaType, content string) received {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.site.url+path, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, b.header)
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	response, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := received{status: response.StatusCode, header: response.Header, body: string(body)}
	if to, err := response.Location(); err == nil {
		got.to = strings.TrimPrefix(to.String(), b.site.url)
	}
	return got
}

// signInUser, signInOther and signInOperator sign in and check that it worked.

func (b *browser) signInUser(t *testing.T) received {
	t.Helper()
	return b.signedIn(t, b.post(t, "/console/sign-in", "username", username, "password", password))
}

func (b *browser) signInOther(t *testing.T) received {
	t.Helper()
	return b.signedIn(t, b.post(t, "/console/sign-in", "username", otherUsername, "password", password))
}

func (b *browser) signInOperator(t *testing.T) received {
	t.Helper()
	return b.signedIn(t, b.post(t, "/console/sign-in", "token", operatorToken))
}

func (b *browser) signedIn(t *testing.T, got received) received {
	t.Helper()
	if got.status != http.StatusSeeOther || got.to != "/console/overview" {
		t.Fatalf("signing in: %d, to %q: %s", got.status, got.to, got.body)
	}
	return got
}

// session returns the value of the session cookie.
func (b *browser) session(t *testing.T) string {
	t.Helper()
	address, err := url.Parse(b.site.url + "/console/overview")
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range b.client.Jar.Cookies(address) {
		if cookie.Name == "web_backend_session" {
			return cookie.Value
		}
	}
	return ""
}

// isSignedOut checks that the overview leads to the page for signing in.
func (b *browser) isSignedOut(t *testing.T) {
	t.Helper()
	if got := b.get(t, "/console/overview"); got.status != http.StatusSeeOther || !strings.HasPrefix(got.to, "/console/sign-in") {
		t.Errorf("the overview: %d, to %q; want the page for signing in", got.status, got.to)
	}
}

// stop waits for all requests and returns the log.
func (s *site) stop() string {
	s.http.Close()
	return s.log.String()
}

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

package app_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"web-backend/internal/app"
	"web-backend/internal/backend"
	"web-backend/internal/config"
)

// deadline is the maximum time for anything that must happen soon, on a busy
// machine.
const deadline = 20 * time.Second

// stream is an output that can be read while the server writes to it.
type stream struct {
	mutex   sync.Mutex
	text    strings.Builder
	written chan struct{} // closed at the first write
	once    sync.Once
}

func newStream() *stream { return &stream{written: make(chan struct{})} }

func (s *stream) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	n, err := s.text.Write(p)
	s.once.Do(func() { close(s.written) })
	return n, err
}

func (s *stream) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.String()
}

// testConfig returns a configuration with a free port and with all files in a
// folder of the test.
func testConfig(t *testing.T) *config.Config {
	t.Helper()
	cfg := config.Default()
	folder := t.TempDir()
	cfg.Port, cfg.DataDir, cfg.Log.Path = 0, filepath.Join(folder, "data"), filepath.Join(folder, "logs", "server.log")
	return cfg
}

// server is a running [app.Run].
type server struct {
	url, address string
	console, log *stream
	stop         context.CancelFunc
	result       chan error
}

var urlPattern = regexp.MustCompile(`listening on (https?://(\S+))`)

// run starts a server and waits until it listens. The server is stopped when
// the test ends.
func run(t *testing.T, cfg *config.Config) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{console: newStream(), log: newStream(), stop: cancel, result: make(chan error, 1)}
	go func() { s.result <- app.Run(ctx, cfg, app.Build{Version: "1.2.3", Commit: "abc"}, s.console, s.log) }()
	t.Cleanup(func() {
		cancel()
		if err := s.wait(t); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-s.console.written:
	case err := <-s.result:
		s.result <- err
		t.Fatalf("Run ended at once: %v", err)
	case <-time.After(deadline):
		t.Fatal("the server does not announce itself")
	}
	match := urlPattern.FindStringSubmatch(s.console.String())
	if match == nil {
		t.Fatalf("no address in %q", s.console.String())
	}
	s.url, s.address = match[1], match[2]
	return s
}

// wait returns the result of Run. It may be called more than once.
func (s *server) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.result:
		s.result <- err
		return err
	case <-time.After(deadline):
		t.Fatal("Run does not end")
		return nil
	}
}

// send sends a request. A request with a body is a POST of JSON.
func (s *server) send(t *testing.T, path, body string) (status int, received string) {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// dial opens a plain connection and writes text to it.
func (s *server) dial(t *testing.T, text string) net.Conn {
	t.Helper()
	return s.dialFrom(t, net.IPv4(127, 0, 0, 1), text)
}

// dialFrom does the same as dial, from a given address of this machine. It
// skips the test if the address does not exist, because only Linux has all of
// 127.0.0.0/8.
func (s *server) dialFrom(t *testing.T, from net.IP, text string) net.Conn {
	t.Helper()
	dialer := net.Dialer{Timeout: deadline, LocalAddr: &net.TCPAddr{IP: from}}
	conn, err := dialer.DialContext(t.Context(), "tcp", s.address)
	if err != nil {
		if runtime.GOOS != "linux" && !from.Equal(net.IPv4(127, 0, 0, 1)) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// hold sends a request whose body is not complete. It returns when the handler
// runs, because the server then asks for the body.
func (s *server) hold(t *testing.T) net.Conn {
	t.Helper()
	conn := s.dial(t, "POST /api/v1/create_user HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: 16\r\nExpect: 100-continue\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q, %v", line, err)
	}
	return conn
}

func TestRun_AnnouncesItselfAndServes(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	s := run(t, cfg)
	if status, body := s.send(t, "/health", ""); status != http.StatusOK || body != `"OK"` {
		t.Errorf("/health: %d %s", status, body)
	}
	for _, want := range []string{s.url + "\n", s.url + "/docs\n", "embedded", cfg.DataDir, cfg.Log.Path} {
		if !strings.Contains(s.console.String(), want) {
			t.Errorf("the console lacks %q:\n%s", want, s.console)
		}
	}
	s.stop()
	if err := s.wait(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	data, err := os.ReadFile(cfg.Log.Path)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"file": string(data), "console": s.log.String()} {
		for _, want := range []string{`msg="server started"`, "route=/health status=200", `msg="server stopping"`, `msg="server stopped"`} {
			if strings.Count(text, want) != 1 {
				t.Errorf("the log on %s has not one %q:\n%s", where, want, text)
			}
		}
	}
}

func TestRun_StopsBeforeTheFirstRequest(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		console := newStream()
		if err := app.Run(ctx, cfg, app.Build{}, console, io.Discard); err != nil {
			t.Fatal(err)
		}
		// Nothing of the server is left: the same port and folder can be used
		// at once.
		_, port, err := net.SplitHostPort(urlPattern.FindStringSubmatch(console.String())[2])
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Port, err = strconv.Atoi(port); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRun_FinishesRunningRequests(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	s := run(t, cfg)
	held := s.hold(t)
	s.stop()
	waitForRefusal(t, s.address)
	if _, err := io.WriteString(held, `{"user_id": "a"}`); err != nil {
		t.Fatal(err)
	}
	received, err := io.ReadAll(held)
	if err != nil || !strings.Contains(string(received), "HTTP/1.1 200 OK") || !strings.HasSuffix(string(received), `{"user_id":"a"}`) {
		t.Errorf("the running request got %q, %v", received, err)
	}
	if err := s.wait(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, list := run(t, cfg).send(t, "/api/v1/list_users", ""); list != `{"user_id_list":["a"],"user_name_list":[""]}` {
		t.Errorf("after a restart: %s", list)
	}
}

func TestRun_BreaksOffRequestsAtTheDeadline(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Limits.ShutdownTimeout = time.Millisecond
	s := run(t, cfg)
	held := s.hold(t)
	s.stop()
	if err := s.wait(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	if !strings.Contains(s.log.String(), `level=WARN msg="requests were broken off at the deadline"`) {
		t.Errorf("the log does not say so:\n%s", s.log)
	}
	if received, _ := io.ReadAll(held); strings.Contains(string(received), "200 OK") {
		t.Errorf("the request that was broken off got %q", received)
	}
}

// waitForRefusal waits until no process listens on address.
func waitForRefusal(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatalf("%s still accepts connections", address)
}

func TestRun_CannotStart(t *testing.T) {
	t.Parallel()
	blocker, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blocker.Close() })
	inUse := testConfig(t)
	run(t, inUse)

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*config.Config)
		want   []string
	}{
		{"no MongoDB responds", func(c *config.Config) {
			c.Store, c.MongoDB.Host, c.MongoDB.Port = config.StoreMongoDB, "127.0.0.1", 1
			c.MongoDB.Timeout, c.MongoDB.StartupTimeout = 200*time.Millisecond, 0
		}, []string{"MongoDB at 127.0.0.1:1", "no server responded", "mongodb_host"}},
		{"store of no kind", func(c *config.Config) { c.Store = "third" }, []string{`no kind "third"`, "want one of embedded, mongodb"}},
		{"port in use", func(c *config.Config) { c.Port = blocker.Addr().(*net.TCPAddr).Port },
			[]string{"cannot listen on " + blocker.Addr().String(), "address already in use"}},
		{"address of another machine", func(c *config.Config) { c.Host = "192.0.2.1" }, []string{"cannot listen on 192.0.2.1:0"}},
		{"data folder under a file", func(c *config.Config) { c.DataDir = filepath.Join(file, "data") },
			[]string{"data folder " + filepath.Join(file, "data") + " cannot be made", "not a directory"}},
		{"data folder in use", func(c *config.Config) { c.DataDir = inUse.DataDir },
			[]string{"data folder " + inUse.DataDir + " is in use by another web-backend process"}},
		{"log under a file", func(c *config.Config) { c.Log.Path = filepath.Join(file, "server.log") },
			[]string{"log folder " + file + " cannot be made"}},
		{"log is a folder", func(c *config.Config) { c.Log.Path = filepath.Dir(file) },
			[]string{"log file " + filepath.Dir(file) + " cannot be written"}},
		{"operator token file is empty", func(c *config.Config) { writeToken(t, c, "\n", 0o600) }, []string{"operator.token is empty"}},
		{"operator token file is weak", func(c *config.Config) { writeToken(t, c, "weak\n", 0o600) },
			[]string{"operator.token", "one has 4 bytes, want 16 to 1024"}},
		{"operator token file is a folder", func(c *config.Config) {
			if err := os.MkdirAll(filepath.Join(c.DataDir, "operator.token"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"operator.token is not a file"}},
		{"user config is missing", func(c *config.Config) { c.DefaultUserConfigPath = file + ".json" },
			[]string{"default_user_config_path", file + ".json"}},
		{"characters are missing", func(c *config.Config) { c.DefaultCharacterConfigPaths = []string{file + ".json"} },
			[]string{"default_character_config_paths", file + ".json"}},
		{"character is empty", func(c *config.Config) { c.DefaultCharacterConfigPaths = []string{file} },
			[]string{"default_character_config_paths", file}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			tt.change(cfg)
			console := newStream()
			ctx, cancel := context.WithTimeout(t.Context(), deadline) // in case the server starts
			defer cancel()
			err := app.Run(ctx, cfg, app.Build{}, console, io.Discard)
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") || console.String() != "" {
				t.Errorf("error %q, console %q", err, console)
			}
		})
	}
}

// With the embedded store, the first start creates an operator token. The path
// of its file is printed, but the token is not. Later starts use the same
// token.
func TestRun_MakesAnOperatorToken(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	path := filepath.Join(cfg.DataDir, "operator.token")
	var first string
	for range 2 {
		s := run(t, cfg)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		token := strings.TrimSpace(string(data))
		if first == "" {
			first = token
		}
		if len(token) < 40 || token != first {
			t.Fatalf("got the token %q, want a long one that stays, %q", token, first)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
		}
		for token, want := range map[string]int{token: http.StatusOK, token + "x": http.StatusUnauthorized, "": http.StatusUnauthorized} {
			if status := s.listUsersVia(t, token); status != want {
				t.Errorf("list_users from outside with the token %q: got %d, want %d", token, status, want)
			}
		}
		s.stop()
		if err := s.wait(t); err != nil {
			t.Error(err)
		}
		if !strings.Contains(s.console.String(), "operator token "+path+"\n") {
			t.Errorf("the console does not name the file:\n%s", s.console)
		}
		if said := s.console.String() + s.log.String(); strings.Contains(said, token) {
			t.Errorf("the token is shown:\n%s", said)
		}
	}
}

// listUsersVia calls an operator's route in the way that a client from outside
// does.
func (s *server) listUsersVia(t *testing.T, token string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/list_users", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-For", "203.0.113.7")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// Configured tokens replace the created token.
func TestRun_ConfiguredOperatorTokens(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Access.OperatorToken = backend.NewSecret("the old token of mine,\nthe next token of mine\n")
	s := run(t, cfg)
	for token, want := range map[string]int{
		"the old token of mine": 200, "the next token of mine": 200, "the old token of mine,": 401, "": 401,
	} {
		if status := s.listUsersVia(t, token); status != want {
			t.Errorf("with the token %q: got %d, want %d", token, status, want)
		}
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "operator.token")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a token was made as well: %v", err)
	}
	if !strings.Contains(s.console.String(), "operator token from the configuration\n") {
		t.Errorf("the console does not say where the token is from:\n%s", s.console)
	}
}

// The file of the created token may contain several tokens while one token
// replaces another.
func TestRun_KeptOperatorTokens(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	writeToken(t, cfg, "the old token of mine\nthe next token of mine\n", 0o600)
	s := run(t, cfg)
	for token, want := range map[string]int{"the old token of mine": 200, "the next token of mine": 200, "": 401} {
		if status := s.listUsersVia(t, token); status != want {
			t.Errorf("with the token %q: got %d, want %d", token, status, want)
		}
	}
}

// Access settings that the operator may not have intended are logged.
func TestRun_WarnsOfAccess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*testing.T, *config.Config)
		want   string // text in a warning; "" for no warning
	}{
		"guarded":                    {func(*testing.T, *config.Config) {}, ""},
		"guarded, reached by others": {func(_ *testing.T, c *config.Config) { c.Host = "0.0.0.0" }, "local_operator: false"},
		"guarded, behind a proxy": {func(_ *testing.T, c *config.Config) {
			c.Host, c.Access.TrustedProxies = "0.0.0.0", []string{"10.0.0.1"}
		}, ""},
		"guarded, no exemption": {func(_ *testing.T, c *config.Config) { c.Host, c.Access.LocalOperator = "0.0.0.0", false }, ""},
		"open on loopback":      {func(_ *testing.T, c *config.Config) { c.Access.Mode = "open" }, "access is open"},
		"strict":                {func(_ *testing.T, c *config.Config) { c.Access.Mode = "strict" }, ""},
		"CORS":                  {func(_ *testing.T, c *config.Config) { c.EnableCORS = true }, ""},
		"strict, and CORS": {func(_ *testing.T, c *config.Config) {
			c.Access.Mode, c.EnableCORS = "strict", true
		}, "the DLP3D web client is locked out"},
		"token that others may read": {func(t *testing.T, c *config.Config) {
			t.Helper()
			writeToken(t, c, "a token of more than 32 characters", 0o644)
		}, "may be read by others"},
		"short token": {func(t *testing.T, c *config.Config) {
			t.Helper()
			writeToken(t, c, "a token of more than 16", 0o600)
		}, "operator token is short"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			test.change(t, cfg)
			s := run(t, cfg)
			if log := s.log.String(); strings.Contains(log, "level=WARN") != (test.want != "") || !strings.Contains(log, test.want) {
				t.Errorf("got the log\n%s\nwant a warning of %q", log, test.want)
			}
		})
	}
}

// writeToken writes a token to the data folder before the first start.
func writeToken(t *testing.T, cfg *config.Config, token string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cfg.DataDir, "operator.token")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// If the start fails, everything that was opened is closed.
func TestRun_CannotStart_LeavesNothingOpen(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	cfg := testConfig(t)
	good := cfg.DataDir
	for range 3 {
		cfg.Port, cfg.DataDir = port, filepath.Join(cfg.Log.Path, "data") // opened after the log and the port
		if err := app.Run(t.Context(), cfg, app.Build{}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "data folder") {
			t.Fatalf("got %v, want a complaint about the data folder", err)
		}
	}
	cfg.DataDir = good
	run(t, cfg)
}

func TestRun_WithoutALogFile(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Log.Path = ""
	s := run(t, cfg)
	if !strings.Contains(s.console.String(), "log            none\n") {
		t.Errorf("console:\n%s", s.console)
	}
	for _, path := range []string{"/tail_log/5", "/dowload_log_file"} {
		if status, body := s.send(t, path, ""); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if !strings.Contains(s.log.String(), "server started") {
		t.Errorf("the log on the console is %q", s.log)
	}
}

func TestRun_DefaultsOfNewUsers(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	character := func(name string) string {
		return write(name+".json", fmt.Sprintf(`{"character_name": %q, "scene_name": "vast", "tts_adapter": "huoshan", "voice": "",
			"avatar": "KQ-default", "asr_adapter": "huoshan", "classification_adapter": "xai_classification",
			"conversation_adapter": "xai_agent", "prompt": "You are.", "reaction_adapter": "xai_reaction", "memory_adapter": "xai_memory"}`, name))
	}
	cfg.DefaultUserConfigPath = write("user.json", `{"xai_api_key": "secret-of-the-team", "timezone": "Europe/Berlin"}`)
	cfg.DefaultCharacterConfigPaths = []string{character("Second"), character("First")}
	cfg.DefaultTimezone = "Europe/Rome" // takes precedence over the file
	s := run(t, cfg)
	if status, body := s.send(t, "/api/v1/create_user", `{"user_id": "a"}`); status != http.StatusOK {
		t.Fatalf("create_user: %d %s", status, body)
	}
	if _, body := s.send(t, "/api/v1/list_characters/a", ""); !strings.HasSuffix(body, `"character_name_list":["Second","First"]}`) {
		t.Errorf("list_characters: %s", body)
	}
	if _, body := s.send(t, "/api/v1/get_available_llm/a", ""); body != `{"options":["xai"]}` {
		t.Errorf("get_available_llm: %s", body)
	}
	if _, body := s.send(t, "/api/v1/get_user_config/a", ""); !strings.Contains(body, `"timezone":"Europe/Rome"`) {
		t.Errorf("get_user_config: %s", body)
	}
	data, err := os.ReadFile(cfg.Log.Path)
	if err != nil || bytes.Contains(data, []byte("secret-of-the-team")) {
		t.Errorf("the log shows a key, or: %v", err)
	}
	if want := "First.json field=scene_name nearest=Vast\n"; !bytes.Contains(data, []byte(want)) {
		t.Errorf("the log does not warn of the scene with %q:\n%s", want, data)
	}
}

// Every limit of the configuration has an effect on the server.
func TestRun_Limits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*config.Limits)
		check  func(*testing.T, *server)
	}{
		{"max_body_bytes", func(l *config.Limits) { l.MaxBodyBytes = 1024 }, func(t *testing.T, s *server) {
			body := `{"user_id": "a", "filler": "` + strings.Repeat("x", 1024) + `"}`
			if status, received := s.send(t, "/api/v1/create_user", body); status != http.StatusRequestEntityTooLarge {
				t.Errorf("got %d %s", status, received)
			}
		}},
		{"max_header_bytes", func(l *config.Limits) { l.MaxHeaderBytes = 4096 }, func(t *testing.T, s *server) {
			conn := s.dial(t, "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Filler: "+strings.Repeat("x", 16<<10)+"\r\n\r\n")
			if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, " 431 ") {
				t.Errorf("got %q, %v", line, err)
			}
		}},
		{"read_header_timeout", func(l *config.Limits) { l.ReadHeaderTimeout = 50 * time.Millisecond }, func(t *testing.T, s *server) {
			wantClosed(t, s.dial(t, "GET /health HTTP/1.1\r\nHost: te"))
		}},
		{"read_timeout", func(l *config.Limits) { l.ReadTimeout = 50 * time.Millisecond }, func(t *testing.T, s *server) {
			wantClosed(t, s.dial(t, "POST /api/v1/create_user HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
				"Content-Length: 16\r\n\r\n{"))
		}},
		{"idle_timeout", func(l *config.Limits) { l.IdleTimeout = 50 * time.Millisecond }, func(t *testing.T, s *server) {
			wantClosed(t, s.dial(t, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		}},
		{"max_connections", func(l *config.Limits) { l.MaxConnections = 2 }, func(t *testing.T, s *server) {
			const request = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
			held := s.hold(t)
			idle := s.dial(t, request)
			expectOK(t, bufio.NewReader(idle))
			expectOK(t, bufio.NewReader(s.dial(t, request)))
			wantClosed(t, idle)
			if _, err := io.WriteString(held, `{"user_id": "a"}`); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(held).ReadString('\n'); !strings.Contains(line, " 200 ") {
				t.Errorf("the request that had begun: got %q, %v", line, err)
			}
		}},
		{"max_connections_per_address", func(l *config.Limits) { l.MaxConnectionsPerAddress = 1 }, func(t *testing.T, s *server) {
			const request = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
			first := s.dialFrom(t, net.IPv4(127, 0, 0, 2), request)
			answers := bufio.NewReader(first)
			expectOK(t, answers)
			wantClosed(t, s.dialFrom(t, net.IPv4(127, 0, 0, 2), ""))
			expectOK(t, bufio.NewReader(s.dialFrom(t, net.IPv4(127, 0, 0, 3), request)))
			for range 3 { // 127.0.0.1 is exempt
				expectOK(t, bufio.NewReader(s.dial(t, request)))
			}
			if _, err := io.WriteString(first, request); err != nil {
				t.Fatal(err)
			}
			expectOK(t, answers)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			tt.change(&cfg.Limits)
			tt.check(t, run(t, cfg))
		})
	}
}

// A client that opens the maximum number of connections, from one address or
// from many, and leaves them idle, does not make other clients wait.
func TestRun_IdleConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const request = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, from := range map[string]func(i int) net.IP{
		"one address":    func(int) net.IP { return net.IPv4(127, 0, 0, 2) },
		"many addresses": func(i int) net.IP { return net.IPv4(127, 0, 1, byte(i)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Limits.MaxConnections, cfg.Limits.MaxConnectionsPerAddress = 50, 10
			cfg.Access.OperatorToken = backend.NewSecret(operatorToken)
			s := run(t, cfg)
			for i := range 100 {
				conn := s.dialFrom(t, from(i), "")
				_, _ = io.WriteString(conn, request) // the connection may already be closed
				_, _ = bufio.NewReader(conn).ReadString('\n')
			}
			expectOK(t, bufio.NewReader(s.dialFrom(t, net.IPv4(127, 0, 0, 3), request))) // succeeds long before idle_timeout
			page := s.metrics(t)
			counts := map[string]int{}
			for _, match := range connectionsPattern.FindAllStringSubmatch(page, -1) {
				counts[match[1]], _ = strconv.Atoi(match[2])
			}
			// The attacker has 10 connections, or the maximum. The client and
			// this test have one each.
			want := map[string]int{"": 12, "_refused_total": 90, "_dropped_total": 0}
			if name == "many addresses" {
				want = map[string]int{"": 50, "_refused_total": 0, "_dropped_total": 52}
			}
			if !maps.Equal(counts, want) {
				t.Errorf("the metrics say %v, want %v", counts, want)
			}
		})
	}
}

var connectionsPattern = regexp.MustCompile(`(?m)^webbackend_http_connections(\S*) (\d+)$`)

// "OPTIONS *" is handled by the server's own code, not by net/http.
func TestRun_OptionsOfTheServer(t *testing.T) {
	t.Parallel()
	s := run(t, testConfig(t))
	conn := s.dial(t, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: asterisk\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusNotFound || !strings.Contains(string(body), `"code":404`) {
		t.Errorf("got %s %s, %v", response.Status, body, err)
	}
	for name, want := range map[string]string{"X-Request-Id": "asterisk", "X-Content-Type-Options": "nosniff"} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	s.stop()
	if err := s.wait(t); err != nil {
		t.Fatal(err)
	}
	if want := "request_id=asterisk method=OPTIONS route=unknown status=404"; !strings.Contains(s.log.String(), want) {
		t.Errorf("the log has no %q:\n%s", want, s.log)
	}
}

// wantClosed waits until the server closes the connection.
func wantClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if received, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection stays open: %q, %v", received, err)
	}
}

// expectOK reads one response, whose status must be 200.
func expectOK(t *testing.T, answers *bufio.Reader) {
	t.Helper()
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || string(body) != `"OK"` {
		t.Fatalf("got %s %q, %v", response.Status, body, err)
	}
}

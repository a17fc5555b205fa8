package app_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"web-backend/internal/app"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/store/mongo/mongotest"
)

const operatorToken = "wbo_an-operator-token-of-the-tests-0123456789"

// metrics returns the metrics page of a server that has operatorToken.
func (s *server) metrics(t *testing.T) string {
	t.Helper()
	status, page := get(t, s.url+"/metrics", "Authorization", "Bearer "+operatorToken)
	if status != http.StatusOK {
		t.Fatalf("metrics: got %d %s, want 200", status, page)
	}
	return page
}

// get sends a request and returns the status and body of the response.
func get(t *testing.T, url string, header ...string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(received)
}

func TestRun_Metrics(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Access.OperatorToken = backend.NewSecret(operatorToken)
	s := run(t, cfg)
	if status, _ := s.send(t, "/api/v1/create_user", `{"user_id":"user-needle"}`); status != http.StatusOK {
		t.Fatalf("create_user: %d", status)
	}
	s.send(t, "/path-needle", "")
	page := s.metrics(t)
	for _, want := range []string{
		`webbackend_http_requests_total{method="POST",route="/api/v1/create_user",status="200"} 1`,
		`webbackend_http_requests_total{method="GET",route="unknown",status="404"} 1`,
		`webbackend_store_operations_total{operation="CreateUser",outcome="ok"} 1`,
		`webbackend_store_commits_total 1`, `webbackend_store_committed_writes_total 1`,
		`webbackend_store_connections{state="waiting"} 0`, `webbackend_store_write_queue_length 0`,
		`webbackend_password_hash_queue_limit 32`, `webbackend_http_connections_dropped_total 0`,
	} {
		if !strings.Contains(page, "\n"+want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	for _, want := range []string{`webbackend_store_size_bytes\{file="database"\} [1-9]`, `go_goroutines \d`, `version="1\.2\.3"`} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(page, "needle") {
		t.Error("a client's words are in the metrics")
	}
	if status, _ := get(t, s.url+"/metrics"); status != http.StatusUnauthorized {
		t.Errorf("from this machine, without a token: got %d, want 401", status)
	}
}

// A login that exceeds a limit is counted as such, although its status is 200.
func TestRun_MetricsOfLoginsOverALimit(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Access.OperatorToken = backend.NewSecret(operatorToken)
	cfg.Access.TrustedProxies = []string{"127.0.0.1"}
	cfg.Access.RatePerAddress, cfg.Access.RateAddressBurst = 1, 1
	s := run(t, cfg)
	for range 3 {
		if status, _ := s.send(t, "/api/v1/authenticate_user", `{"username":"ada","password":"x"}`); status != http.StatusOK {
			t.Errorf("got status %d, want 200", status)
		}
	}
	// Use another address, because the address of the logins has no attempts
	// left, not even with a token.
	_, page := get(t, s.url+"/metrics", "Authorization", "Bearer "+operatorToken, "X-Forwarded-For", "192.0.2.1")
	for _, want := range []string{
		`webbackend_logins_total{outcome="refused"} 1`, `webbackend_logins_total{outcome="too_many"} 2`,
		`webbackend_rate_limit_refusals_total{limit="address"} 2`,
	} {
		if !strings.Contains(page, "\n"+want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
}

// On MongoDB the connections are counted too, and all of them are returned to
// the pool.
func TestRun_MetricsOfMongoDB(t *testing.T) {
	t.Parallel()
	engine := mongotest.Engine(t)
	cfg := testConfig(t)
	cfg.Store, cfg.MongoDB.URI, cfg.MongoDB.Database = config.StoreMongoDB, backend.NewSecret(engine.URI()), engine.Database(t)
	cfg.Access.OperatorToken = backend.NewSecret(operatorToken)
	s := run(t, cfg)
	if status, _ := s.send(t, "/api/v1/create_user", `{"user_id":"ada"}`); status != http.StatusOK {
		t.Fatalf("create_user: %d", status)
	}
	page := s.metrics(t)
	for _, want := range []string{
		`store_connections\{state="open"\} [1-9]\d*`, `store_connections\{state="in_use"\} 0`, `store_connections\{state="waiting"\} 0`,
		`store_operations_total\{operation="CreateUser",outcome="ok"\} 1`,
	} {
		if !regexp.MustCompile(`(?m)^webbackend_` + want + `$`).MatchString(page) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(page, "webbackend_store_size_bytes") {
		t.Error("the size of an embedded store is shown")
	}
}

var debugPattern = regexp.MustCompile(`debug listener started" address=(\S+)`)

func TestRun_DebugListener(t *testing.T) {
	t.Parallel()
	for _, access := range []string{"open", "guarded", "strict"} {
		t.Run(access, func(t *testing.T) { // not parallel: a process can have only one CPU profile at a time
			cfg := testConfig(t)
			cfg.DebugAddress, cfg.Access.Mode, cfg.Access.OperatorToken = "127.0.0.1:0", access, backend.NewSecret(operatorToken)
			s := run(t, cfg)
			var match []string
			for end := time.Now().Add(deadline); match == nil && time.Now().Before(end); {
				match = debugPattern.FindStringSubmatch(s.log.String())
			}
			if match == nil {
				t.Fatalf("no debug address in %s", s.log)
			}
			debug := "http://" + match[1]
			elsewhere, bearer := []string{"X-Forwarded-For", "203.0.113.9"}, []string{"Authorization", "Bearer " + operatorToken}
			for _, path := range []string{
				"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/symbol",
				"/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=0.01",
			} {
				for _, c := range []struct {
					name   string
					header []string
					want   int
				}{
					{"with the token", append(elsewhere, bearer...), http.StatusOK},
					{"from elsewhere", elsewhere, http.StatusUnauthorized},
					{"with a false token", []string{"Authorization", "Bearer wrong"}, http.StatusUnauthorized},
					{"from this machine", nil, http.StatusUnauthorized},
				} {
					if strings.Contains(path, "seconds=1") && c.want == http.StatusOK && access != "strict" {
						continue // this profile takes a second, so it is tested once
					}
					if status, body := get(t, debug+path, c.header...); status != c.want || body == "" {
						t.Errorf("%s %s: got %d with %d bytes, want %d", path, c.name, status, len(body), c.want)
					}
				}
				if path != "/metrics" {
					if status, _ := get(t, s.url+path, bearer...); status != http.StatusNotFound {
						t.Errorf("%s on the main port: got %d, want 404", path, status)
					}
				}
			}
			if _, profile := get(t, debug+"/debug/pprof/heap", bearer...); !strings.HasPrefix(profile, "\x1f\x8b") {
				t.Error("a heap profile is not gzip")
			}
			if status, _ := get(t, debug+"/api/v1/list_users", bearer...); status != http.StatusNotFound {
				t.Errorf("the API on the debug port: got %d, want 404", status)
			}
		})
	}
}

// collector receives OTLP.
type collector struct {
	mu    sync.Mutex
	spans []*tracepb.Span
	raw   string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var export coltrace.ExportTraceServiceRequest
	if r.URL.Path != "/v1/traces" || r.Header.Get("X-Key") != "k" || proto.Unmarshal(body, &export) != nil {
		http.Error(w, "no export of traces", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw += export.String()
	for _, resource := range export.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// named returns the spans with this name.
func (c *collector) named(name string) (spans []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.spans {
		if span.GetName() == name {
			spans = append(spans, span)
		}
	}
	return spans
}

// attributes returns the attributes of a span as text.
func attributes(span *tracepb.Span) map[string]string {
	all := map[string]string{}
	for _, a := range span.GetAttributes() {
		all[a.GetKey()] = strings.TrimSpace(a.GetValue().String())
	}
	return all
}

func traceTo(t *testing.T, url string) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=tests")
}

// Real requests to a real server are traced to a receiver that decodes OTLP.
// Spans that are still unsent are sent when the server stops.
func TestRun_Traces(t *testing.T) { //nolint:paralleltest // the SDK reads the environment of the process
	received := &collector{}
	endpoint := httptest.NewServer(received)
	defer endpoint.Close()
	traceTo(t, endpoint.URL)
	s := run(t, testConfig(t))
	const traceID, parentID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	s.send(t, "/api/v1/create_user", `{"user_id":"user-needle"}`)
	s.send(t, "/api/v1/update_user_config", `{"user_id":"user-needle","openai_api_key":"key-needle"}`)
	s.send(t, "/api/v1/register_user", `{"username":"name-needle","password":"password-needle"}`)
	get(t, s.url+"/api/v1/list_characters/user-needle?q=query-needle",
		"traceparent", "00-"+traceID+"-"+parentID+"-01", "X-Request-ID", "request-1", "Baggage", "b=baggage-needle")
	get(t, s.url+"/path-needle")
	s.stop()
	if err := s.wait(t); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(received.raw, "needle") {
		t.Error("a client's words are in the spans")
	}
	for _, want := range []string{`"web-backend"`, `"1.2.3"`, `"tests"`} {
		if !strings.Contains(received.raw, want) {
			t.Errorf("the resource has no %s", want)
		}
	}
	requests := received.named("GET /api/v1/list_characters/{user_id}")
	if len(requests) != 1 {
		t.Fatalf("got %d spans of the request, want 1 of %v", len(requests), received.raw)
	}
	request := requests[0]
	if got := hex.EncodeToString(request.GetTraceId()); got != traceID {
		t.Errorf("trace id: got %s, want the client's", got)
	}
	if got := hex.EncodeToString(request.GetParentSpanId()); got != parentID {
		t.Errorf("parent: got %s, want the client's", got)
	}
	for key, want := range map[string]string{
		"http.request.method": `string_value:"GET"`, "http.route": `string_value:"/api/v1/list_characters/{user_id}"`,
		"http.response.status_code": "int_value:200", "url.scheme": `string_value:"http"`, "webbackend.request.id": `string_value:"request-1"`,
	} {
		if got := attributes(request)[key]; got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	children := received.named("CharacterNames")
	if len(children) != 1 || string(children[0].GetParentSpanId()) != string(request.GetSpanId()) {
		t.Fatalf("got %v, want one span of the store below the request", children)
	}
	for key, want := range map[string]string{
		"db.system.name": `string_value:"sqlite"`, "db.operation.name": `string_value:"CharacterNames"`,
	} {
		if got := attributes(children[0])[key]; got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	if !regexp.MustCompile(`request_id=request-1 .*trace_id=` + traceID).MatchString(s.log.String()) {
		t.Errorf("the log line has no trace_id:\n%s", s.log)
	}
	if len(received.named("GET")) != 1 {
		t.Error("a request without a route has no span named GET")
	}
}

// A collector that refuses all spans causes one log line.
func TestRun_TracesWithoutCollector(t *testing.T) { //nolint:paralleltest // the SDK reads the environment of the process
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer refusing.Close()
	traceTo(t, refusing.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
	s := run(t, testConfig(t))
	for range 20 {
		if status, _ := get(t, s.url+"/health/ready"); status != http.StatusOK {
			t.Fatalf("got %d, want 200", status)
		}
	}
	s.stop()
	if err := s.wait(t); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(s.log.String(), "traces could not be sent"); got != 1 {
		t.Errorf("got %d warnings, want 1:\n%s", got, s.log)
	}
}

// A collector that never responds does not delay requests. It delays the end of
// the server at most until the shutdown deadline. The store is still closed.
func TestRun_TracesToAHangingCollector(t *testing.T) { //nolint:paralleltest // the SDK reads the environment of the process
	asked, ended := make(chan struct{}, 100), make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-ended
	}))
	defer hanging.Close()
	defer close(ended)
	traceTo(t, hanging.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "2")
	cfg := testConfig(t)
	cfg.Limits.ShutdownTimeout = 200 * time.Millisecond
	s := run(t, cfg)
	get(t, s.url+"/health/ready")
	<-asked // the exporter waits from now on
	for range 20 {
		if status, _ := get(t, s.url+"/health/ready"); status != http.StatusOK {
			t.Fatalf("got %d, want 200", status)
		}
	}
	s.stop()
	if err := s.wait(t); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(s.log.String(), "the last traces could not be sent"); got != 1 {
		t.Errorf("got %d warnings, want 1:\n%s", got, s.log)
	}
	run(t, cfg) // succeeds only if the data folder is free
}

func TestRun_TracesNotWanted(t *testing.T) { //nolint:paralleltest // the SDK reads the environment of the process
	for name, value := range map[string]string{
		"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
	} {
		t.Run(name, func(t *testing.T) {
			received := &collector{}
			endpoint := httptest.NewServer(received)
			defer endpoint.Close()
			traceTo(t, endpoint.URL)
			t.Setenv(name, value)
			s := run(t, testConfig(t))
			s.send(t, "/health", "")
			s.stop()
			if err := s.wait(t); err != nil {
				t.Fatal(err)
			}
			if received.raw != "" {
				t.Errorf("spans were sent: %s", received.raw)
			}
			if told := strings.Contains(s.log.String(), "no traces are sent"); told != (value == "grpc") {
				t.Errorf("a warning of the protocol: %v", told)
			}
		})
	}
}

// Without an operator token, no client could use the debug listener.
func TestRun_DebugAddressNeedsToken(t *testing.T) {
	t.Parallel()
	engine := mongotest.Engine(t)
	cfg := testConfig(t)
	cfg.Store, cfg.MongoDB.URI, cfg.MongoDB.Database = config.StoreMongoDB, backend.NewSecret(engine.URI()), engine.Database(t)
	cfg.DebugAddress = "127.0.0.1:0"
	err := app.Run(t.Context(), cfg, app.Build{}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "debug_address: ") || !strings.Contains(err.Error(), "set operator_token") {
		t.Errorf("got %v, want a complaint that there is no token", err)
	}
	cfg = testConfig(t)
	cfg.DebugAddress = "0.0.0.0:0" // a token was created with the embedded store
	run(t, cfg)
}

package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"web-backend/internal/api"
	"web-backend/internal/telemetry"
)

// export is one request that a collector has received.
type export struct {
	path   string
	header http.Header
	spans  int
}

// collect starts a collector with these responses. It repeats the last one.
func collect(t *testing.T, answers ...func(w http.ResponseWriter)) (url string, received func() []export) {
	t.Helper()
	var mu sync.Mutex
	var all []export
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		data, _ := io.ReadAll(body)
		var request coltrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(data, &request); err != nil {
			t.Errorf("what the collector got is no ExportTraceServiceRequest: %v", err)
		}
		got := export{path: r.URL.Path, header: r.Header}
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				got.spans += len(scope.GetSpans())
			}
		}
		if n := len(all); len(answers) > 0 {
			answers[min(n, len(answers)-1)](w)
		}
		all = append(all, got)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []export {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// sendSpan sends one span to the collector in the environment and returns the
// log.
func sendSpan(t *testing.T) string {
	t.Helper()
	var log bytes.Buffer
	tracing, err := telemetry.StartTracing(t.Context(), telemetry.Build{}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	observer := telemetry.NewObserver(telemetry.NewMetrics(telemetry.Build{}), tracing)
	ctx, _ := observer.Begin(t.Context(), http.Header{})
	observer.End(ctx, api.ObservedRequest{Method: http.MethodGet, Route: "/health", Status: http.StatusOK})
	tracing.Close(t.Context())
	return log.String()
}

func status(code int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func TestTraces_Environment(t *testing.T) { //nolint:paralleltest // the environment is the process's
	for name, c := range map[string]struct {
		variables map[string]string // URL stands for the collector's
		path      string
		header    map[string]string
	}{
		"general endpoint": {map[string]string{"ENDPOINT": "URL"}, "/v1/traces", nil},
		"with a path":      {map[string]string{"ENDPOINT": "URL/otlp/"}, "/otlp/v1/traces", nil},
		"of traces":        {map[string]string{"ENDPOINT": "http://127.0.0.1:1", "TRACES_ENDPOINT": "URL/in/here"}, "/in/here", nil},
		"headers": {map[string]string{"ENDPOINT": "URL", "HEADERS": "Authorization=Bearer%20a%2Cb, X-Scope = me"},
			"/v1/traces", map[string]string{"Authorization": "Bearer a,b", "X-Scope": "me"}},
		"headers of traces": {map[string]string{"ENDPOINT": "URL", "HEADERS": "X-Scope=me", "TRACES_HEADERS": "X-Scope=you"},
			"/v1/traces", map[string]string{"X-Scope": "you"}},
		"gzip": {map[string]string{"ENDPOINT": "URL", "COMPRESSION": "gzip"}, "/v1/traces",
			map[string]string{"Content-Encoding": "gzip", "Content-Type": "application/x-protobuf"}},
	} {
		t.Run(name, func(t *testing.T) {
			url, received := collect(t)
			for key, value := range c.variables {
				t.Setenv("OTEL_EXPORTER_OTLP_"+key, strings.ReplaceAll(value, "URL", url))
			}
			log := sendSpan(t)
			got := received()
			if len(got) != 1 || got[0].path != c.path || got[0].spans != 1 {
				t.Fatalf("the collector got %+v, want one span at %s; the log is %s", got, c.path, log)
			}
			for key, want := range c.header {
				if value := got[0].header.Get(key); value != want {
					t.Errorf("header %s: got %q, want %q", key, value, want)
				}
			}
		})
	}
}

func TestTraces_TriesAgain(t *testing.T) { //nolint:paralleltest // the environment is the process's
	for name, c := range map[string]struct {
		answers []func(http.ResponseWriter)
		tries   int
		warned  string
	}{
		"at once":           {[]func(http.ResponseWriter){status(503, "Retry-After", "0"), status(429, "Retry-After", "0"), status(200)}, 3, ""},
		"by itself":         {[]func(http.ResponseWriter){status(502), status(200)}, 2, ""},
		"not what is wrong": {[]func(http.ResponseWriter){status(400), status(200)}, 1, "the collector responded 400"},
		"not elsewhere":     {[]func(http.ResponseWriter){status(307, "Location", "/v1/traces"), status(200)}, 1, "the collector responded 307"},
		"not too late":      {[]func(http.ResponseWriter){status(503, "Retry-After", "3600"), status(200)}, 1, "the collector responded 503"},
	} {
		t.Run(name, func(t *testing.T) {
			url, received := collect(t, c.answers...)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
			log := sendSpan(t)
			if got := len(received()); got != c.tries {
				t.Errorf("tries: got %d, want %d", got, c.tries)
			}
			if warned := strings.Contains(log, "traces could not be sent"); warned != (c.warned != "") || !strings.Contains(log, c.warned) {
				t.Errorf("log: got %s, want %q in it", log, c.warned)
			}
		})
	}
}

// A header, or the user in the URL, must never appear in the log, whatever
// error occurs.
func TestTraces_KeepSecrets(t *testing.T) { //nolint:paralleltest // the environment is the process's
	const secret = "hush-4711"
	for name, variables := range map[string]map[string]string{
		"nobody there":    {"ENDPOINT": "http://me:" + secret + "@127.0.0.1:1/" + secret, "TIMEOUT": "100"},
		"no such host":    {"ENDPOINT": "http://" + secret + ":" + secret + "@host.invalid", "TIMEOUT": "100"},
		"no URL":          {"ENDPOINT": "me:" + secret + "@collector"},
		"broken headers":  {"ENDPOINT": "http://127.0.0.1:1", "HEADERS": "Authorization " + secret},
		"broken escapes":  {"ENDPOINT": "http://127.0.0.1:1", "HEADERS": "Authorization=" + secret + "%zz"},
		"forbidden bytes": {"ENDPOINT": "http://127.0.0.1:1", "HEADERS": "Authorization=" + secret + "%0a", "TIMEOUT": "100"},
		"compression":     {"ENDPOINT": "http://127.0.0.1:1", "COMPRESSION": secret},
		"timeout":         {"ENDPOINT": "http://127.0.0.1:1", "TIMEOUT": secret},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range variables {
				t.Setenv("OTEL_EXPORTER_OTLP_"+key, value)
			}
			var log bytes.Buffer
			tracing, err := telemetry.StartTracing(t.Context(), telemetry.Build{}, slog.New(slog.NewTextHandler(&log, nil)))
			said := ""
			if err != nil {
				said = err.Error()
			} else {
				observer := telemetry.NewObserver(telemetry.NewMetrics(telemetry.Build{}), tracing)
				ctx, _ := observer.Begin(t.Context(), http.Header{})
				observer.End(ctx, api.ObservedRequest{Method: http.MethodGet, Route: "/health", Status: http.StatusOK})
				tracing.Close(t.Context())
				said = log.String()
			}
			if !strings.Contains(said, "OTEL_EXPORTER_OTLP_") && !strings.Contains(said, "traces could not be sent") {
				t.Errorf("got %q, want to be told what is wrong", said)
			}
			if strings.Contains(said, secret) {
				t.Errorf("the secret is in %q", said)
			}
		})
	}
}

// Close does not wait for a collector after its context has ended.
func TestTraces_CloseIsBounded(t *testing.T) { //nolint:paralleltest // the environment is the process's
	silent := make(chan struct{})
	defer close(silent)
	url, _ := collect(t, func(http.ResponseWriter) { <-silent })
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	tracing, err := telemetry.StartTracing(t.Context(), telemetry.Build{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	observer := telemetry.NewObserver(telemetry.NewMetrics(telemetry.Build{}), tracing)
	ctx, _ := observer.Begin(t.Context(), http.Header{})
	observer.End(ctx, api.ObservedRequest{Method: http.MethodGet, Route: "/health", Status: http.StatusOK})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		tracing.Close(ctx)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("Close still waits 10 s after its context of 100 ms")
	}
}

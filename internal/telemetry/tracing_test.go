package telemetry_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"web-backend/internal/api"
	"web-backend/internal/telemetry"
)

// A span is marked as an error only if the server caused the failure, and never
// if the client did. The text of the error is not recorded.
func TestObserver_MarksErrors(t *testing.T) { //nolint:paralleltest // the SDK reads the environment of the process
	received := map[string]*tracepb.Status{}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var export coltrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &export); err != nil {
			t.Error(err)
		}
		for _, resource := range export.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					received[span.GetName()] = span.GetStatus()
				}
			}
		}
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	tracing, err := telemetry.StartTracing(t.Context(), telemetry.Build{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	observer := telemetry.NewObserver(telemetry.NewMetrics(telemetry.Build{}), tracing)
	want := map[string]tracepb.Status_StatusCode{}
	for _, request := range []api.ObservedRequest{
		{Route: "/fine", Status: http.StatusOK},
		{Route: "/refused", Status: http.StatusUnauthorized},
		{Route: "/away", Status: http.StatusServiceUnavailable, Broken: true},
		{Route: "/broken-off", Status: http.StatusOK, Broken: true},
	} {
		request.Method = http.MethodGet
		ctx, _ := observer.Begin(t.Context(), http.Header{})
		observer.End(ctx, request)
		want["GET "+request.Route] = tracepb.Status_STATUS_CODE_UNSET
		if request.Broken {
			want["GET "+request.Route] = tracepb.Status_STATUS_CODE_ERROR
		}
	}
	tracing.Close(t.Context())
	collector.Close() // waits for the end of all its requests
	if len(received) != len(want) {
		t.Errorf("got %v, want spans %v", received, want)
	}
	for name, code := range want {
		if status := received[name]; status.GetCode() != code || status.GetMessage() != "" {
			t.Errorf("%s: got %v, want %v", name, status, code)
		}
	}
}

package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Tracing sends spans to a collector. Use [StartTracing] to create one.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	log      *slog.Logger
}

// flushTime is the maximum time that Close waits for a collector that does not
// respond.
const flushTime = 5 * time.Second

// protocol is the only supported form of OTLP.
const protocol = "http/protobuf"

// StartTracing starts to send traces as configured by the OTEL_* variables
// (OpenTelemetry specification, "Environment Variable Specification" and "OTLP
// Exporter Configuration"). It returns nil if no endpoint is configured or if
// the variables disable traces. It also returns nil, and logs a warning, if
// they require a protocol other than http/protobuf. It does not wait for the
// collector.
//
// The variables come from the environment of the process, because the SDK reads
// them itself and does not accept another source.
func StartTracing(ctx context.Context, build Build, log *slog.Logger) (*Tracing, error) {
	if !asked(log) {
		return nil, nil
	}
	handler := &warnings{log: log}
	// The SDK reports its own errors to one handler per process. Without this
	// call, it writes them to standard error.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(handler.warn))
	client, err := newCollector()
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	described, err := resource.New(ctx, resource.WithAttributes(
		semconv.ServiceName("web-backend"), semconv.ServiceVersion(build.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		log.Warn("not all of OTEL_RESOURCE_ATTRIBUTES could be read")
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(reporter{exporter, handler}), sdktrace.WithResource(described))
	log.Info("traces are sent", "protocol", protocol)
	return &Tracing{provider: provider, tracer: provider.Tracer("web-backend"), log: log}, nil
}

// asked reports whether the environment asks for traces that this server can
// send.
func asked(log *slog.Logger) bool {
	endpoint := firstSet("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	disabled := strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none"
	if endpoint == "" || disabled {
		return false
	}
	wanted := firstSet("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
	if wanted != "" && wanted != protocol {
		log.Warn("no traces are sent: OTEL_EXPORTER_OTLP_PROTOCOL asks for a protocol that is not spoken here", "want", protocol)
		return false
	}
	return true
}

// firstSet returns the value of the first variable that is not empty.
func firstSet(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// Close sends the remaining spans, within ctx and 5 s. If the collector cannot
// accept them, Close only logs this, because it is not an error of this server.
func (t *Tracing) Close(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last traces could not be sent", "error", err)
	}
}

// reporter hides the errors of an exporter from the SDK, which would report
// every batch.
type reporter struct {
	sdktrace.SpanExporter

	warnings *warnings
}

// ExportSpans implements [sdktrace.SpanExporter]. Spans that cannot be sent are
// lost, because the queue is bounded.
func (r reporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := r.SpanExporter.ExportSpans(ctx, spans); err != nil {
		r.warnings.warn(err)
	}
	return nil
}

// warningPause is the minimum time between two log lines about errors of the
// collector.
const warningPause = 10 * time.Minute

// warnings logs an error at most once per warningPause.
type warnings struct {
	log *slog.Logger

	mu   sync.Mutex
	next time.Time
}

func (w *warnings) warn(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.After(w.next) {
		w.next = now.Add(warningPause)
		w.log.Warn("traces could not be sent; further failures are not told for a while", "error", err, "pause", warningPause)
	}
}

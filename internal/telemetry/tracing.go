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

// Tracing sends spans to a collector. [StartTracing] makes it.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	log      *slog.Logger
}

// flushTime bounds how long Close waits for a collector that does not answer.
const flushTime = 5 * time.Second

// protocol is the one form of OTLP that is spoken here.
const protocol = "http/protobuf"

// StartTracing starts to send traces as the OTEL_* variables say (OpenTelemetry
// specification, "Environment Variable Specification" and "OTLP Exporter
// Configuration"). It gives nil if no endpoint is named, if they say that
// nothing is to be sent, and, with a warning, if they ask for a protocol other
// than http/protobuf. It does not wait for the collector.
//
// The variables are those of the process: the SDK reads them itself, and takes
// no other source.
func StartTracing(ctx context.Context, build Build, log *slog.Logger) (*Tracing, error) {
	if !asked(log) {
		return nil, nil
	}
	handler := &warnings{log: log}
	// What the SDK itself has to say goes through its one handler per process;
	// without this it writes to standard error.
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

// asked reports whether the environment asks for traces that can be sent.
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

// firstSet gives the first of the environment's variables that is not empty.
func firstSet(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// Close sends what has not been sent yet, within ctx and 5 s. A collector that
// cannot take it is no error of ours: a log line tells.
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

// reporter keeps the errors of an exporter from the SDK, which would tell of
// each batch.
type reporter struct {
	sdktrace.SpanExporter

	warnings *warnings
}

// ExportSpans implements [sdktrace.SpanExporter]. What could not be sent is
// lost: the queue is bounded.
func (r reporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := r.SpanExporter.ExportSpans(ctx, spans); err != nil {
		r.warnings.warn(err)
	}
	return nil
}

// warningPause is how long the log hears nothing more of a collector's faults.
const warningPause = 10 * time.Minute

// warnings passes on one error now and then.
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

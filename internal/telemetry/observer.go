package telemetry

import (
	"context"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"web-backend/internal/api"
)

// Observer implements [api.Observer] and updates metrics and traces.
type Observer struct {
	metrics *Metrics
	tracing *Tracing
}

var _ api.Observer = (*Observer)(nil)

// NewObserver returns an observer. If tracing is nil, it does not create spans.
func NewObserver(metrics *Metrics, tracing *Tracing) *Observer {
	return &Observer{metrics, tracing}
}

// propagator reads the W3C header traceparent. It ignores baggage, because its
// content comes from the client.
var propagator = propagation.TraceContext{}

// Begin implements [api.Observer]. The name of the span is known only at its
// end, so a sampler sees "HTTP".
func (o *Observer) Begin(ctx context.Context, header http.Header) (_ context.Context, traceID string) {
	o.metrics.inFlight.Inc()
	if o.tracing == nil {
		return ctx, ""
	}
	ctx = propagator.Extract(ctx, propagation.HeaderCarrier(header))
	ctx, span := o.tracing.tracer.Start(ctx, "HTTP", trace.WithSpanKind(trace.SpanKindServer))
	return ctx, span.SpanContext().TraceID().String()
}

// requestIDKey is not a name of OpenTelemetry's conventions, because they do
// not define one.
const requestIDKey = attribute.Key("webbackend.request.id")

// End implements [api.Observer].
func (o *Observer) End(ctx context.Context, request api.ObservedRequest) {
	o.metrics.inFlight.Dec()
	o.metrics.observe(request)
	if o.tracing == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	method, name := request.Method, request.Method
	if method == "other" { // the conventions define this value
		method, name = "_OTHER", "HTTP"
	}
	span.SetAttributes(semconv.HTTPRequestMethodKey.String(method), semconv.URLScheme(request.Scheme),
		semconv.HTTPResponseStatusCode(request.Status), requestIDKey.String(request.ID))
	if request.Route != "unknown" {
		span.SetAttributes(semconv.HTTPRoute(request.Route))
		name += " " + request.Route
	}
	span.SetName(name)
	if request.Broken {
		span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(request.Status)))
		span.SetStatus(codes.Error, "") // without the cause, which is in the log, because it may name a user
	}
}

// Login implements [api.Observer].
func (o *Observer) Login(outcome api.LoginOutcome) { o.metrics.logins[outcome].Inc() }

// RateLimited implements [api.Observer].
func (o *Observer) RateLimited(limit api.RateLimitName) { o.metrics.rateLimits[limit].Inc() }

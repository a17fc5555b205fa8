package telemetry

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"web-backend/internal/backend"
)

// Store measures every operation of next and makes a span of it; a nil tracing
// makes no spans. system is the database's name in OpenTelemetry's conventions:
// sqlite or mongodb. Close passes through unmeasured.
func Store(next backend.Store, system string, metrics *Metrics, tracing *Tracing) backend.Store {
	m := &meter{tracing, map[string]*operation{}}
	for _, name := range operations {
		m.operations[name] = newOperation(name, system, metrics)
	}
	return &store{next, m}
}

// meter measures operations.
type meter struct {
	tracing    *Tracing
	operations map[string]*operation // by name; not changed after Store returned
}

// operations are the methods that are measured.
var operations = []string{
	"CreateUser", "SetUpUser", "DeleteUser", "Users",
	"CreateCredential", "Credential", "ReplacePassword",
	"CreateToken", "Token", "UserTokens", "DeleteToken",
	"UserConfig", "UpdateUserConfig",
	"CharacterNames", "CharacterSummaries",
	"Character", "CharacterDocument",
	"CountUsers",
	"CopyCharacter", "UpdateCharacter", "DeleteCharacter",
	"Ping",
	"Count", "ExportUsers", "UserData", "PutUsers",
}

// operation is what a method counts at.
type operation struct {
	name     string
	start    trace.SpanStartOption
	duration prometheus.Observer
	done     prometheus.Counter
	failed   map[string]prometheus.Counter // by outcome
}

func newOperation(name, system string, metrics *Metrics) *operation {
	op := &operation{
		name:     name,
		start:    trace.WithAttributes(semconv.DBSystemNameKey.String(system), semconv.DBOperationName(name)),
		duration: metrics.operationDurations.WithLabelValues(name),
		done:     metrics.operations.WithLabelValues(name, "ok"),
		failed:   map[string]prometheus.Counter{},
	}
	for _, outcome := range outcomes {
		op.failed[outcome] = metrics.operations.WithLabelValues(name, outcome)
	}
	op.failed[canceled] = metrics.operations.WithLabelValues(name, canceled)
	return op
}

// outcomes name the kinds of errors as labels. A store gives no others.
var outcomes = map[backend.Kind]string{
	backend.Internal: "internal", backend.NotFound: "not_found", backend.Exists: "exists",
	backend.ReadOnly: "read_only", backend.Unavailable: "unavailable",
}

// canceled is the outcome of an operation whose caller went away.
const canceled = "canceled"

func outcomeOf(err error) string {
	if errors.Is(err, context.Canceled) {
		return canceled
	}
	if outcome, ok := outcomes[backend.KindOf(err)]; ok {
		return outcome
	}
	return outcomes[backend.Internal]
}

// outcomeKey is no name of OpenTelemetry's conventions: not every outcome but
// ok is an error.
const outcomeKey = attribute.Key("webbackend.store.outcome")

// measure runs one operation that gives a T.
func measure[T any](ctx context.Context, m *meter, name string, run func(context.Context) (T, error)) (T, error) {
	op := m.operations[name]
	start := time.Now()
	var span trace.Span
	if m.tracing != nil {
		ctx, span = m.tracing.tracer.Start(ctx, op.name, trace.WithSpanKind(trace.SpanKindClient), op.start)
	}
	result, err := run(ctx)
	op.duration.Observe(time.Since(start).Seconds())
	if err == nil {
		op.done.Inc()
	} else {
		op.failed[outcomeOf(err)].Inc()
	}
	if span != nil {
		endSpan(span, err)
	}
	return result, err
}

// endSpan ends the span of an operation. It keeps the kind of the error only:
// its text may name a user.
func endSpan(span trace.Span, err error) {
	if err != nil {
		outcome := outcomeOf(err)
		span.SetAttributes(outcomeKey.String(outcome))
		if outcome == outcomes[backend.Internal] || outcome == outcomes[backend.Unavailable] {
			span.SetAttributes(semconv.ErrorTypeKey.String(outcome))
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}

// do is measure for an operation that gives nothing.
func do(ctx context.Context, m *meter, name string, run func(context.Context) error) error {
	_, err := measure(ctx, m, name, func(ctx context.Context) (struct{}, error) { return struct{}{}, run(ctx) })
	return err
}

// list is measure for an operation that gives a sequence, with the first error
// in it. The consumer's time counts.
func list[T any](ctx context.Context, m *meter, name string, run func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		_ = do(ctx, m, name, func(ctx context.Context) error {
			for item, err := range run(ctx) {
				if !yield(item, err) || err != nil {
					return err
				}
			}
			return nil
		})
	}
}

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

// Store returns a store that measures every operation of next and makes a span
// for it. If tracing is nil, it does not create spans. system is the database's
// name in OpenTelemetry's conventions: sqlite or mongodb. Close is not measured.
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
	operations map[string]*operation // by name; does not change after Store has returned
}

// operations are the names of the measured methods.
var operations = []string{
	"CreateUser", "SetUpUser", "DeleteUser", "Users", "UserPage",
	"CreateCredential", "Credential", "ReplacePassword", "SetDisabled",
	"CreateToken", "Token", "UserTokens", "DeleteToken",
	"UserConfig", "UpdateUserConfig",
	"CharacterNames", "CharacterSummaries",
	"Character", "CharacterDocument",
	"CountUsers",
	"CopyCharacter", "AddCharacter", "UpdateCharacter", "DeleteCharacter",
	"Ping",
	"Count", "ExportUsers", "UserData", "UsernameOwners", "PutUsers",
}

// operation holds the metrics that a method updates.
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

// outcomes maps error kinds to labels. A store does not return other kinds.
var outcomes = map[backend.Kind]string{
	backend.Internal: "internal", backend.NotFound: "not_found", backend.Exists: "exists",
	backend.ReadOnly: "read_only", backend.Unavailable: "unavailable",
}

// canceled is the outcome of an operation whose caller has canceled it.
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

// outcomeKey is not a name of OpenTelemetry's conventions, because some
// outcomes other than ok are not errors.
const outcomeKey = attribute.Key("webbackend.store.outcome")

// measure runs and measures one operation that returns a T.
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

// endSpan ends the span of an operation. It records only the kind of the error,
// because the error's text may name a user.
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

// do is like measure, for an operation that returns only an error.
func do(ctx context.Context, m *meter, name string, run func(context.Context) error) error {
	_, err := measure(ctx, m, name, func(ctx context.Context) (struct{}, error) { return struct{}{}, run(ctx) })
	return err
}

// list is like measure, for an operation that returns a sequence, and records
// the first error in it. The measured time includes the time of the consumer.
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

package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"web-backend/internal/api"
	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/telemetry"
)

// measured returns the embedded store, wrapped in the measuring store.
func measured(t testing.TB, metrics *telemetry.Metrics) backend.Store {
	t.Helper()
	embedded, err := sqlite.Open(t.TempDir(), sqlite.Keys(masterkey.NewRing(masterkey.Generate())))
	if err != nil {
		t.Fatal(err)
	}
	store := telemetry.Store(embedded, "sqlite", metrics, nil)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// text returns the text of a scrape.
func text(t *testing.T, metrics *telemetry.Metrics) string {
	t.Helper()
	var page strings.Builder
	if err := metrics.Write(&page); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

// counted returns the number of finished operations with this name, with any
// outcome.
func counted(t *testing.T, metrics *telemetry.Metrics, name string) string {
	t.Helper()
	pattern := regexp.MustCompile(`(?m)^webbackend_store_operation_duration_seconds_count\{operation="` + name + `"\} (\S+)$`)
	match := pattern.FindStringSubmatch(text(t, metrics))
	if match == nil {
		return "absent"
	}
	return match[1]
}

// The test calls every method of the interface once, and each call must count
// once. The arguments are zero values, so most calls return an error.
func TestStore_MeasuresEveryMethod(t *testing.T) {
	t.Parallel()
	metrics := telemetry.NewMetrics(telemetry.Build{})
	store := measured(t, metrics)
	for method := range reflect.TypeFor[backend.Store]().Methods() {
		if method.Name == "Close" {
			continue
		}
		if got := counted(t, metrics, method.Name); got != "0" {
			t.Fatalf("%s before its call: got %s, want 0", method.Name, got)
		}
		arguments := []reflect.Value{reflect.ValueOf(t.Context())}
		for j := 1; j < method.Type.NumIn(); j++ {
			arguments = append(arguments, reflect.Zero(method.Type.In(j)))
		}
		results := reflect.ValueOf(store).MethodByName(method.Name).Call(arguments)
		if results[0].Kind() == reflect.Func { // the method returns a sequence
			for range results[0].Seq2() {
			}
		}
		if got := counted(t, metrics, method.Name); got != "1" {
			t.Errorf("%s after its call: got %s, want 1", method.Name, got)
		}
	}
}

func TestStore_Outcomes(t *testing.T) {
	t.Parallel()
	metrics := telemetry.NewMetrics(telemetry.Build{})
	store := measured(t, metrics)
	config := backend.UserConfig{UserID: "ada", Timezone: "UTC"}
	if err := store.CreateUser(t.Context(), config, nil); err != nil {
		t.Fatal(err)
	}
	if err := store.CreateUser(t.Context(), config, nil); !errors.Is(err, backend.Exists) {
		t.Fatalf("create again: %v", err)
	}
	if _, err := store.UserConfig(t.Context(), "bob"); !errors.Is(err, backend.NotFound) {
		t.Fatalf("an unknown user: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.CreateUser(gone, config, nil); err == nil {
		t.Fatal("a caller that went away: no error")
	}
	for user, err := range store.Users(t.Context(), backend.AllUsers) {
		if err != nil || user.UserID != "ada" {
			t.Fatalf("list: %v, %v", user, err)
		}
		break
	}
	page := text(t, metrics)
	for _, want := range []string{
		`{operation="CreateUser",outcome="ok"} 1`, `{operation="CreateUser",outcome="exists"} 1`,
		`{operation="CreateUser",outcome="canceled"} 1`, `{operation="CreateUser",outcome="unavailable"} 0`,
		`{operation="UserConfig",outcome="not_found"} 1`, `{operation="Users",outcome="ok"} 1`,
	} {
		if !strings.Contains(page, "webbackend_store_operations_total"+want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
}

// Names and help texts must follow Prometheus' conventions.
func TestMetrics_Lint(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(used(t).Gather())
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// used returns metrics in which every metric has a value.
func used(t testing.TB) *telemetry.Metrics {
	t.Helper()
	metrics := telemetry.NewMetrics(telemetry.Build{Version: "1.2.3", Commit: "abc"})
	measured(t, metrics)
	observer := telemetry.NewObserver(metrics, nil)
	ctx, _ := observer.Begin(t.Context(), nil)
	observer.End(ctx, api.ObservedRequest{Method: "GET", Route: "/health", Status: 200, Bytes: 4, Duration: time.Millisecond})
	return metrics
}

func TestObserver_Counts(t *testing.T) {
	t.Parallel()
	metrics := telemetry.NewMetrics(telemetry.Build{Version: "1.2.3", Commit: "abc"})
	observer := telemetry.NewObserver(metrics, nil)
	for status, times := range map[int]int{200: 3, 404: 1} {
		for range times {
			ctx, trace := observer.Begin(t.Context(), nil)
			if trace != "" {
				t.Errorf("a trace %q without tracing", trace)
			}
			observer.End(ctx, api.ObservedRequest{Method: "GET", Route: "/a/{id}", Status: status, Bytes: 10, Duration: 3 * time.Millisecond})
		}
	}
	observer.Begin(t.Context(), nil)
	observer.Login(api.LoginRefused)
	observer.RateLimited(api.UsernameLimit)
	metrics.BackupDone(time.Unix(1000, 0), 77, nil)
	metrics.BackupDone(time.Unix(2000, 0), 0, io.ErrShortWrite)
	page := text(t, metrics)
	for _, want := range []string{
		`http_requests_total{method="GET",route="/a/{id}",status="200"} 3`,
		`http_requests_total{method="GET",route="/a/{id}",status="404"} 1`,
		`http_response_body_bytes_total{method="GET",route="/a/{id}"} 40`,
		`http_request_duration_seconds_bucket{method="GET",route="/a/{id}",le="0.0025"} 0`,
		`http_request_duration_seconds_bucket{method="GET",route="/a/{id}",le="0.005"} 4`,
		`http_requests_in_flight 1`,
		`logins_total{outcome="refused"} 1`, `logins_total{outcome="success"} 0`,
		`rate_limit_refusals_total{limit="username"} 1`, `rate_limit_refusals_total{limit="address"} 0`,
		`backup_last_success_timestamp_seconds 1000`, `backup_last_size_bytes 77`, `backup_failures_total 1`,
	} {
		if !strings.Contains(page, "\nwebbackend_"+want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	if !regexp.MustCompile(`webbackend_build_info\{commit="abc",goversion="go[^"]+",version="1.2.3"\} 1`).MatchString(page) {
		t.Error("there is no build_info")
	}
}

// A kind of request that was seen before must not allocate memory.
func TestObserver_AllocatesNothing(t *testing.T) {
	observer := telemetry.NewObserver(telemetry.NewMetrics(telemetry.Build{}), nil)
	request := api.ObservedRequest{Method: "GET", Route: "/health", Status: 200, Duration: time.Millisecond}
	allocations := testing.AllocsPerRun(1000, func() {
		ctx, _ := observer.Begin(t.Context(), nil)
		observer.End(ctx, request)
	})
	if allocations != 0 {
		t.Errorf("got %v allocations a request, want none", allocations)
	}
}

// docs/monitoring.md must have one row for each metric and no other rows.
func TestDocumentation_ListsEveryMetric(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	families, err := used(t).Gather().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if name := family.GetName(); strings.HasPrefix(name, "webbackend_") &&
			!strings.Contains(string(document), fmt.Sprintf("\n| `%s` |", name)) {
			t.Errorf("docs/monitoring.md has no row of %s", name)
		}
	}
}

// BenchmarkStore measures a read of the embedded store, with and without the
// measuring store.
func BenchmarkStore(b *testing.B) {
	embedded, err := sqlite.Open(b.TempDir(), sqlite.Keys(masterkey.NewRing(masterkey.Generate())))
	if err != nil {
		b.Fatal(err)
	}
	defer embedded.Close()
	for name, store := range map[string]backend.Store{
		"bare":     embedded,
		"measured": telemetry.Store(embedded, "sqlite", telemetry.NewMetrics(telemetry.Build{}), nil),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := store.Ping(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package telemetry_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/telemetry"
)

// The last hour has a minute for each minute since the start, at most 60, with
// its requests, errors and times.
func TestLastHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		metrics := telemetry.NewMetrics(telemetry.Build{})
		observer := telemetry.NewObserver(metrics, nil)
		observe := func(n, status int, duration time.Duration) {
			var ended sync.WaitGroup
			for range n {
				ended.Go(func() { observer.End(t.Context(), api.ObservedRequest{Status: status, Duration: duration}) })
			}
			ended.Wait()
		}
		if all := metrics.LastHour(); len(all) != 1 || all[0].Requests != 0 || all[0].P99 != 0 {
			t.Errorf("at the start: %+v", all)
		}
		observe(97, 200, 4*time.Millisecond)
		observe(2, 404, 4*time.Millisecond)
		observe(1, 503, time.Minute)
		time.Sleep(time.Minute)
		all := metrics.LastHour()
		if len(all) != 2 || all[1].Requests != 0 {
			t.Fatalf("after a minute: %+v", all)
		}
		got := all[0]
		if got.Requests != 100 || got.Refused != 2 || got.Failed != 1 || all[1].Start.Sub(got.Start) != time.Minute ||
			got.Length != time.Minute || all[1].Length >= time.Minute {
			t.Errorf("the minute: %+v", got)
		}
		if got.P50 < 2500*time.Microsecond || got.P50 > 5*time.Millisecond || got.P99 < got.P50 || got.P99 > 5*time.Millisecond {
			t.Errorf("the times of 4 ms: %+v", got)
		}
		observe(3, 200, time.Hour)
		observer.End(t.Context(), api.ObservedRequest{Status: 101, Duration: time.Nanosecond, Lasting: true})
		if got := metrics.LastHour()[1]; got.Requests != 4 || got.P50 != 10*time.Second || got.P99 != 10*time.Second {
			t.Errorf("times above the last bound: %+v", got)
		}
		time.Sleep(59 * time.Minute) // the first minute is an hour ago, and its place has another one
		observe(1, 200, time.Millisecond)
		all = metrics.LastHour()
		if first, last := all[0], all[len(all)-1]; len(all) != 60 || first.Requests != 4 || last.Requests != 1 || last.Failed != 0 {
			t.Errorf("after an hour: %d minutes, %+v to %+v", len(all), first, last)
		}
		time.Sleep(24 * time.Hour)
		for _, minute := range metrics.LastHour() {
			if minute.Requests != 0 {
				t.Errorf("after a day: %+v", minute)
			}
		}
	})
}

// Counting a request allocates nothing.
func TestLastHour_Allocations(t *testing.T) {
	observer := telemetry.NewObserver(telemetry.NewMetrics(telemetry.Build{}), nil)
	request := api.ObservedRequest{Method: "GET", Route: "/health", Status: 200, Duration: time.Millisecond}
	observer.End(t.Context(), request)
	if n := testing.AllocsPerRun(100, func() { observer.End(t.Context(), request) }); n != 0 {
		t.Errorf("a request allocates %v times", n)
	}
}

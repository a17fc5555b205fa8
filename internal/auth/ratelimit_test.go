package auth_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"web-backend/internal/auth"
)

// clock is a clock that moves only when the test moves it.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newClock() *clock { return &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

// wantTries makes tries at one moment and checks how many are allowed.
func wantTries(t *testing.T, limit *auth.RateLimit, key string, tries, want int) {
	t.Helper()
	got := 0
	for range tries {
		if ok, _ := limit.Allow(key); ok {
			got++
		}
	}
	if got != want {
		t.Errorf("key %q: %d of %d tries were allowed, want %d", key, got, tries, want)
	}
}

func TestRateLimit_BurstThenPerMinute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ perMinute, burst int }{{60, 30}, {10, 10}, {10, 1}, {7, 3}, {1, 1}, {100000, 5}} {
		t.Run(fmt.Sprintf("%d a minute, burst %d", c.perMinute, c.burst), func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			limit := auth.NewRateLimit(c.perMinute, c.burst, 10, clock.Now)
			wantTries(t, limit, "key", c.burst*3, c.burst)
			wantTries(t, limit, "other", c.burst*3, c.burst)

			allowed := 0
			for end := clock.now.Add(time.Minute); clock.now.Before(end); clock.now = clock.now.Add(time.Minute / 997) {
				if ok, _ := limit.Allow("key"); ok {
					allowed++
				}
			}
			if want := min(c.perMinute, 997); allowed < want-1 || allowed > want {
				t.Errorf("%d were allowed in a minute of trying all the time, want %d", allowed, want)
			}
			clock.now = clock.now.Add(time.Hour)
			wantTries(t, limit, "key", c.burst*3, c.burst)
		})
	}
}

// Only failed tries count. Many concurrent callers must not make more tries
// than are left.
func TestRateLimit_Try(t *testing.T) {
	t.Parallel()
	const burst = 5
	clock := newClock()
	limit := auth.NewRateLimit(60, burst, 10, clock.Now)
	for range 10 * burst {
		if success, ok, _ := limit.Try("key", func() bool { return true }); !success || !ok {
			t.Fatal("a try that succeeds was counted")
		}
	}
	made := 0 // needs no lock, because tries wait for each other
	var all sync.WaitGroup
	for range 10 * burst {
		all.Go(func() {
			limit.Try("key", func() bool { made++; return false })
		})
	}
	all.Wait()
	if made != burst {
		t.Errorf("%d tries that fail were made, want %d", made, burst)
	}
	success, ok, wait := limit.Try("key", func() bool { t.Error("a try was made though none was left"); return true })
	if success || ok || wait != time.Second {
		t.Errorf("without a try left: got %t, %t, %s, want a second to wait", success, ok, wait)
	}
	clock.now = clock.now.Add(wait)
	if success, ok, _ := limit.Try("key", func() bool { return true }); !success || !ok {
		t.Error("after the wait no try was made")
	}
	var none *auth.RateLimit
	if success, ok, _ := none.Try("key", func() bool { return true }); !success || !ok {
		t.Error("no limit makes no try")
	}
}

func TestRateLimit_RetryAfterIsExact(t *testing.T) {
	t.Parallel()
	for _, perMinute := range []int{1, 7, 10, 60, 999} {
		clock := newClock()
		limit := auth.NewRateLimit(perMinute, 2, 10, clock.Now)
		for round := range 50 {
			var wait time.Duration
			for ok := true; ok; {
				ok, wait = limit.Allow("key")
			}
			if most := time.Minute/time.Duration(perMinute) + 1; wait <= 0 || wait > most {
				t.Fatalf("%d a minute: retry after %v, want more than 0 and at most %v", perMinute, wait, most)
			}
			for range round { // refused tries must not cost anything
				_, _ = limit.Allow("key")
			}
			before := clock.now
			clock.now = before.Add(wait * 9 / 10)
			if ok, _ := limit.Allow("key"); ok {
				t.Fatalf("%d a minute: allowed well before %v had passed", perMinute, wait)
			}
			clock.now = before.Add(wait)
			if ok, _ := limit.Allow("key"); !ok {
				t.Fatalf("%d a minute: refused after the %v that it asked for", perMinute, wait)
			}
		}
	}
}

func TestRateLimit_Off(t *testing.T) {
	t.Parallel()
	for _, perMinute := range []int{0, -1} {
		limit := auth.NewRateLimit(perMinute, 1, 1, newClock().Now)
		wantTries(t, limit, "key", 1000, 1000)
	}
}

func TestRateLimit_LeastSettings(t *testing.T) {
	t.Parallel()
	limit := auth.NewRateLimit(1, 0, 0, newClock().Now)
	wantTries(t, limit, "key", 3, 1)
}

func TestRateLimit_ForgetsTheKeyNotTriedForLongest(t *testing.T) {
	t.Parallel()
	limit := auth.NewRateLimit(1, 2, 3, newClock().Now)
	for _, key := range []string{"a", "b", "c"} {
		wantTries(t, limit, key, 3, 2)
	}
	wantTries(t, limit, "a", 1, 0) // a refused try counts as one
	wantTries(t, limit, "d", 3, 2)
	for key, want := range map[string]int{"a": 0, "c": 0} {
		wantTries(t, limit, key, 3, want)
	}
	wantTries(t, limit, "b", 3, 2)
}

func TestRateLimit_IsExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	limit := auth.NewRateLimit(1, 100, 4, newClock().Now)
	var allowed atomic.Int64
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 50 {
				if ok, _ := limit.Allow("key"); ok {
					allowed.Add(1)
				}
			}
		})
	}
	callers.Wait()
	if got := allowed.Load(); got != 100 {
		t.Errorf("%d of 800 tries were allowed, want the burst of 100", got)
	}
}

func BenchmarkRateLimit(b *testing.B) {
	for name, keys := range map[string]int{"known": 1000, "new": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			limit := auth.NewRateLimit(60, 30, 10000, time.Now)
			names := make([]string, min(keys, 100000))
			for i := range names {
				names[i] = fmt.Sprintf("user-%d", i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = limit.Allow(names[i%len(names)])
			}
		})
	}
}

package telemetry

import (
	"sync"
	"sync/atomic"
	"time"

	"web-backend/internal/api"
)

// minutesKept is for how many minutes the requests are counted.
const minutesKept = 60

// Minute tells about the requests that ended within one minute.
type Minute struct {
	Start    time.Time
	Length   time.Duration // of the last one, how much of it is over
	Requests int64
	Refused  int64         // with a status from 400 to 499
	Failed   int64         // with a status of 500 or above
	P50, P99 time.Duration // estimated from a histogram, without Lasting requests; zero if there are none
}

// minutes counts the requests of the last minutes. It is safe for concurrent
// use.
type minutes struct {
	first int64 // minute in which it was made
	ring  [minutesKept]minuteCounts
}

// minuteCounts counts the requests of one minute.
type minuteCounts struct {
	turning   sync.Mutex   // held while the counts are set to zero
	minute    atomic.Int64 // since 1970
	refused   atomic.Int64
	failed    atomic.Int64
	durations []atomic.Int64 // one more than requestBuckets
	lasting   atomic.Int64   // requests that are not in durations
}

func minuteOf(at time.Time) int64 { return at.Unix() / 60 }

func newMinutes(now time.Time) *minutes {
	m := &minutes{first: minuteOf(now)}
	for i := range m.ring {
		m.ring[i].durations = make([]atomic.Int64, len(requestBuckets)+1)
	}
	return m
}

// observe counts a request that ended now. A request takes no lock except at
// the first one of a minute.
func (m *minutes) observe(now time.Time, request api.ObservedRequest) {
	minute := minuteOf(now)
	c := &m.ring[minute%minutesKept]
	if c.minute.Load() != minute {
		c.turnTo(minute)
	}
	switch {
	case request.Status >= 500:
		c.failed.Add(1)
	case request.Status >= 400:
		c.refused.Add(1)
	}
	if request.Lasting {
		c.lasting.Add(1)
		return
	}
	seconds, bucket := request.Duration.Seconds(), 0
	for bucket < len(requestBuckets) && seconds > requestBuckets[bucket] {
		bucket++
	}
	c.durations[bucket].Add(1)
}

// turnTo sets the counts to zero for a new minute.
func (c *minuteCounts) turnTo(minute int64) {
	c.turning.Lock()
	defer c.turning.Unlock()
	if c.minute.Load() == minute {
		return
	}
	c.refused.Store(0)
	c.failed.Store(0)
	c.lasting.Store(0)
	for i := range c.durations {
		c.durations[i].Store(0)
	}
	c.minute.Store(minute)
}

// last returns the minutes until now, the oldest first and without those before
// m was made. The last one has not ended yet.
func (m *minutes) last(now time.Time) (all []Minute) {
	current := minuteOf(now)
	for minute := max(m.first, current-minutesKept+1); minute <= current; minute++ {
		shown := Minute{Start: time.Unix(minute*60, 0).UTC(), Length: time.Minute}
		shown.Length = min(shown.Length, now.Sub(shown.Start))
		if c := &m.ring[minute%minutesKept]; c.minute.Load() == minute {
			shown.Refused, shown.Failed = c.refused.Load(), c.failed.Load()
			shown.Requests = c.lasting.Load()
			counts := make([]int64, len(c.durations))
			for i := range counts {
				counts[i] = c.durations[i].Load()
				shown.Requests += counts[i]
			}
			shown.P50, shown.P99 = quantile(counts, 0.5), quantile(counts, 0.99)
		}
		all = append(all, shown)
	}
	return all
}

// quantile estimates a quantile of a histogram with requestBuckets as
// Prometheus does: evenly within a bucket, and at most the last bound.
func quantile(counts []int64, q float64) time.Duration {
	total := int64(0)
	for _, count := range counts {
		total += count
	}
	rank, below, lower := q*float64(total), 0.0, 0.0
	for i, bound := range requestBuckets {
		count := float64(counts[i])
		if count > 0 && below+count >= rank {
			return time.Duration((lower + (bound-lower)*(rank-below)/count) * float64(time.Second))
		}
		below, lower = below+count, bound
	}
	if total == 0 {
		return 0
	}
	return time.Duration(lower * float64(time.Second))
}

// LastHour returns the requests of the last hour, as [Minute]s with the oldest
// first. It knows only those of this process. The last minute has not ended.
func (m *Metrics) LastHour() []Minute { return m.minutes.last(time.Now()) }

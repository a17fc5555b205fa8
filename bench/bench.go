package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench holds what the benchmark groups share.
type bench struct {
	settings

	ctx     context.Context //nolint:containedctx // the context of the whole run
	binary  string          // path of web-backend, built as for a release
	scratch string          // temporary folder, removed at the end
	rows    []row
}

func newBench(ctx context.Context, s settings) (*bench, error) {
	scratch, err := os.MkdirTemp("", "web-backend-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{settings: s, ctx: ctx, scratch: scratch, binary: filepath.Join(scratch, "web-backend")}
	_, err = output(ctx, "..", "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, "./cmd/web-backend")
	if err != nil {
		b.close()
	}
	return b, err
}

func (b *bench) close() { _ = os.RemoveAll(b.scratch) }

// workers is the number of connections of a closed loop, unless a goal needs
// another number.
const workers = 16

// side is one of the two things that a comparison measures in turn.
type side struct {
	name    string
	measure func(length time.Duration) (load, error)
	process *process // nil for a loop in this process
}

// over returns the side that sends HTTP requests to a process.
func (b *bench) over(name string, p *process, workers int, next request) side {
	return side{name, func(length time.Duration) (load, error) {
		return closedLoop(b.ctx, p.address, workers, length, next)
	}, p}
}

// compared is the result of a comparison. The slices have one value for each
// round.
type compared struct {
	ratios        []float64
	ours, theirs  []float64 // responses per second
	ourCPU        float64   // ms per 1,000 responses
	theirCPU      float64
	ourPeakMemory int64
	p99           float64 // latency of our side, in ms
}

// compare measures two sides in turn, after a warm-up of each side.
func (b *bench) compare(ours, theirs side) (c compared, err error) {
	for _, s := range []side{theirs, ours} {
		if _, err := s.measure(b.length / 3); err != nil {
			return c, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	var answers [2]float64
	var cpu [2]time.Duration
	latency := newHistogram()
	for range b.rounds {
		var rates [2]float64
		for i, s := range []side{theirs, ours} {
			before := cpuOf(s.process)
			found, err := s.measure(b.length)
			if err != nil {
				return c, fmt.Errorf("%s: %w", s.name, err)
			}
			cpu[i] += cpuOf(s.process) - before
			answers[i] += float64(found.latency.TotalCount())
			rates[i] = found.rate
			if i == 1 {
				latency.Merge(found.latency)
			}
		}
		c.theirs, c.ours = append(c.theirs, rates[0]), append(c.ours, rates[1])
		c.ratios = append(c.ratios, rates[1]/rates[0])
	}
	c.theirCPU = cpu[0].Seconds() * 1e6 / answers[0]
	c.ourCPU = cpu[1].Seconds() * 1e6 / answers[1]
	c.p99 = float64(latency.ValueAtQuantile(99)) / 1000
	if ours.process != nil {
		c.ourPeakMemory = ours.process.memory("VmHWM")
	}
	fmt.Fprintf(os.Stderr, "   %-40s %6.0f/s, %s %6.0f/s, ratio %.2f\n",
		ours.name, median(c.ours), theirs.name, median(c.theirs), median(c.ratios))
	return c, nil
}

func cpuOf(p *process) time.Duration {
	if p == nil {
		return 0
	}
	return p.cpu()
}

// add adds the result of a comparison to the report.
func (b *bench) add(what, against string, goal float64, c compared, note string) {
	cpu := fmt.Sprintf("%.0f/s and %.0f/s", median(c.ours), median(c.theirs))
	if c.ourCPU > 0 {
		cpu += fmt.Sprintf("; CPU %.0f", c.ourCPU)
		if c.theirCPU > 0 {
			cpu += fmt.Sprintf(" and %.0f", c.theirCPU)
		}
		cpu += fmt.Sprintf(" ms per 1,000; p99 %.1f ms; peak %d MB", c.p99, c.ourPeakMemory>>20)
	}
	if note != "" {
		cpu += "; " + note
	}
	b.rows = append(b.rows, row{What: what, Against: against, Goal: goal, AtLeast: true,
		Value: median(c.ratios), Least: slices.Min(c.ratios), Most: slices.Max(c.ratios), Note: cpu})
}

// addMost adds a value to the report that should be at most goal.
func (b *bench) addMost(what, unit string, goal float64, values []float64, note string) {
	b.rows = append(b.rows, row{What: what, Unit: unit, Goal: goal,
		Value: median(values), Least: slices.Min(values), Most: slices.Max(values), Note: note})
	fmt.Fprintf(os.Stderr, "   %-40s %.1f %s\n", what, median(values), unit)
}

// median returns the median. For an even number of values it is the mean of the
// two middle values, and for no values it is 0.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	switch {
	case len(sorted) == 0:
		return 0
	case len(sorted)%2 == 0:
		return (sorted[half-1] + sorted[half]) / 2
	}
	return sorted[half]
}

// chooser gives each worker its own random source, so that workers do not wait
// for each other and every run uses the same keys.
func chooser(seed uint64, choose func(r *rand.Rand) func() int) func(worker int) int {
	var next [256]func() int
	for worker := range next {
		next[worker] = choose(rand.New(rand.NewPCG(seed, uint64(worker)))) //nolint:gosec // keys of a benchmark
	}
	return func(worker int) int { return next[worker]() }
}

// zipf chooses from count keys with a Zipf distribution, which is typical of
// web traffic.
func zipf(count int) func(worker int) int {
	return chooser(1, func(r *rand.Rand) func() int {
		z := rand.NewZipf(r, 1.1, 1, uint64(count-1)) //nolint:gosec // count is small
		return func() int { return int(z.Uint64()) }  //nolint:gosec // the value is less than count
	})
}

// uniform chooses from count keys with equal probability.
func uniform(count int) func(worker int) int {
	return chooser(2, func(r *rand.Rand) func() int { return func() int { return r.IntN(count) } })
}

// prompt returns a text of this size in bytes. Texts differ only at the
// beginning, by n. JSON encoding does not change the text, so that the load
// generator has little work.
func prompt(n, size int) string {
	return fmt.Sprintf("You keep lighthouse %09d. ", n) + filler[:size-31]
}

var filler = strings.Repeat("You keep the lights of a harbour, and you know every ship. ", 200)

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// growth measures the cost of a large crowd.
func (b *bench) growth() error {
	const short = 300
	small, err := b.crowd(1000, 1, short)
	if err != nil {
		return err
	}
	large, err := b.crowd(b.users, 1, short)
	if err != nil {
		return err
	}
	if err := b.starts(large); err != nil {
		return err
	}
	if err := errors.Join(small.warm(), large.warm()); err != nil {
		return err
	}
	few, err := b.startBackend(small.dir, environment...)
	if err != nil {
		return err
	}
	defer few.stop()
	many, err := b.startBackend(large.dir, environment...)
	if err != nil {
		return err
	}
	defer many.stop()
	if err := b.tails99(small, large, few, many); err != nil {
		return err
	}
	if err := b.listUsers(many); err != nil {
		return err
	}
	if err := b.grown(small, large, few, many); err != nil {
		return err
	}
	medium, err := b.crowd(30_000, 1, short)
	if err != nil {
		return err
	}
	if err := medium.warm(); err != nil {
		return err
	}
	some, err := b.startBackend(medium.dir, environment...)
	if err != nil {
		return err
	}
	defer some.stop()
	return b.grown(small, medium, few, some)
}

// grown compares a read and an update on a larger crowd with the same requests
// on the small one.
func (b *bench) grown(small, large crowd, few, many *process) error {
	var count atomic.Int64
	read := func(c crowd) request {
		keys := uniform(c.users)
		return func(worker, _ int) []byte { return get(c.path(keys(worker))) }
	}
	update := func(c crowd) request {
		keys := uniform(c.users)
		return func(worker, _ int) []byte {
			return post(v1+"update_character_prompt", c.update(keys(worker), prompt(int(count.Add(1)), c.prompt)))
		}
	}
	for _, work := range []struct {
		name    string
		workers int
		next    func(c crowd) request
	}{
		{"get_character_config", workers, read},
		{"update_character_prompt", writers, update},
	} {
		compared, err := b.compare(
			b.over(fmt.Sprintf("%s, %d users", work.name, large.users), many, work.workers, work.next(large)),
			b.over(fmt.Sprintf("%d users", small.users), few, work.workers, work.next(small)))
		if err != nil {
			return err
		}
		b.add(fmt.Sprintf("%s, %d users", work.name, large.users), fmt.Sprintf("%d users", small.users), 0, compared, "keys uniform")
	}
	return nil
}

// starts measures the time to start, and the memory when idle and after 100,000
// requests.
func (b *bench) starts(c crowd) error {
	var ready, idle, used []float64
	for round := range b.rounds {
		p, err := b.startBackend(c.dir, environment...)
		if err != nil {
			return err
		}
		ready = append(ready, float64(p.ready.Microseconds())/1000)
		wait(b.ctx, time.Second)
		idle = append(idle, float64(p.memory("VmRSS"))/1e6)
		if round == 0 {
			keys := zipf(c.users)
			const requests = 100_000
			_, err = together(b.ctx, workers, p.address, func(c2 *connection, worker int, _ *hdrhistogram.Histogram) error {
				for range requests / workers {
					if err := c2.expect200(get(c.path(keys(worker)))); err != nil {
						return err
					}
				}
				return nil
			})
			used = append(used, float64(p.memory("VmRSS"))/1e6)
		}
		p.stop()
		if err != nil {
			return err
		}
	}
	b.addMost(fmt.Sprintf("start to healthy, %d users", c.users), "ms", 50, ready, "")
	b.addMost("resident memory, idle", "MB", 25, idle, "with the pages of the program file, which the system can take back")
	b.addMost("resident memory after 100,000 requests", "MB", 45, used, "what was read lately is kept, 8 MB at most (cache_mb)")
	return nil
}

// tails99 compares the p99 latency of the two crowds twice: each at half of its
// own peak load, and both at half of the peak load of the small crowd.
func (b *bench) tails99(small, large crowd, few, many *process) error {
	fewKeys, manyKeys := zipf(small.users), zipf(large.users)
	askFew := func(worker, _ int) []byte { return get(small.path(fewKeys(worker))) }
	askMany := func(worker, _ int) []byte { return get(large.path(manyKeys(worker))) }
	peak, err := closedLoop(b.ctx, few.address, workers, b.length, askFew)
	if err != nil {
		return err
	}
	largePeak, err := closedLoop(b.ctx, many.address, workers, b.length, askMany)
	if err != nil {
		return err
	}
	var own, same []float64
	for range b.rounds {
		var p99 [3]float64
		for i, run := range []struct {
			p    *process
			rate float64
			ask  request
		}{{few, peak.rate / 2, askFew}, {many, largePeak.rate / 2, askMany}, {many, peak.rate / 2, askMany}} {
			found, err := openLoop(b.ctx, run.p.address, workers, run.rate, b.length, run.ask)
			if err != nil {
				return err
			}
			p99[i] = float64(found.latency.ValueAtQuantile(99))
		}
		own, same = append(own, p99[1]/p99[0]), append(same, p99[2]/p99[0])
	}
	for _, r := range []struct {
		what   string
		ratios []float64
		note   string
	}{
		{"each at half of its own peak", own, fmt.Sprintf("open loops of %.0f/s and %.0f/s", largePeak.rate/2, peak.rate/2)},
		{"both at half of the small one's peak", same, fmt.Sprintf("open loop of %.0f/s; the peak of the large one is %.0f/s", peak.rate/2, largePeak.rate)},
	} {
		b.rows = append(b.rows, row{
			What: fmt.Sprintf("get_character_config, p99, %d users, %s", large.users, r.what), Against: "1,000 users",
			Goal: 1.5, Value: median(r.ratios), Least: slices.Min(r.ratios), Most: slices.Max(r.ratios), Note: r.note,
		})
		fmt.Fprintf(os.Stderr, "   p99, %s: %.2f\n", r.what, median(r.ratios))
	}
	return nil
}

// listUsers reads the list of all users, and measures the extra memory and the
// time to the first byte.
func (b *bench) listUsers(p *process) error {
	var extra, first []float64
	for range b.rounds {
		before := p.memory("VmRSS")
		p.resetPeak()
		c, err := dial(b.ctx, p.address)
		if err != nil {
			return err
		}
		start := time.Now()
		if _, err = c.conn.Write(get(v1 + "list_users")); err == nil {
			_, err = c.reader.Peek(1)
		}
		first = append(first, float64(time.Since(start).Microseconds())/1000)
		if err != nil {
			return err
		}
		status, size, err := readAnswer(c.reader, nil)
		c.close()
		if err != nil || status != 200 || size < b.users*len(userID(0)) {
			return fmt.Errorf("list_users: got status %d and %d bytes, error %w", status, size, err)
		}
		extra = append(extra, float64(p.memory("VmHWM")-before)/1e6)
	}
	b.addMost(fmt.Sprintf("list_users of %d, extra memory", b.users), "MB", 150, extra, "")
	b.addMost(fmt.Sprintf("list_users of %d, first byte", b.users), "ms", 100, first, "")
	return nil
}

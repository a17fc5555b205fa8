package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"web-backend/internal/backend"
)

const v1 = "/api/v1/"

// build measures what needs no load: the size of the binary, and allocations.
func (b *bench) build() error {
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.addMost("binary, stripped", "MB", 35, []float64{float64(info.Size()) / 1e6}, "")
	printed, err := output(b.ctx, "..", "go", "test", "./internal/api", "-run", "^$", "-bench", "GetCharacterConfig$", "-benchtime", "2000x")
	if err != nil {
		return err
	}
	found := regexp.MustCompile(`(\d+) allocs/op`).FindStringSubmatch(printed)
	if found == nil {
		return fmt.Errorf("the benchmark printed no allocations: %s", printed)
	}
	allocations, _ := strconv.ParseFloat(found[1], 64)
	b.addMost("allocations of get_character_config", "allocs", 25, []float64{allocations},
		"in the handler; net/http's own for a request are not counted")
	return nil
}

// againstBare compares GET requests to a server with GET requests to bare
// net/http. Bare net/http always sends the response, including its header
// fields, that the server sends for path(0).
func (b *bench) againstBare(what string, goal float64, p *process, path func(worker int) string) error {
	received, size, err := wholeAnswer(b.ctx, "http://"+p.address+path(0))
	if err != nil {
		return err
	}
	file := filepath.Join(b.scratch, "answer")
	if err := os.WriteFile(file, received, 0o600); err != nil {
		return err
	}
	bare, err := b.startPeer("/", "bare", file)
	if err != nil {
		return err
	}
	defer bare.stop()
	same := get(path(0))
	c, err := b.compare(
		b.over(what, p, workers, func(worker, _ int) []byte { return get(path(worker)) }),
		b.over("bare net/http", bare, workers, func(int, int) []byte { return same }))
	if err == nil {
		b.add(what, "bare net/http", goal, c, fmt.Sprintf("a body of %d bytes", size))
	}
	return err
}

// wholeAnswer returns the response of a server in its HTTP form, and the size
// of the body.
func wholeAnswer(ctx context.Context, url string) (received []byte, size int64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%s: got status %d", url, response.StatusCode)
	}
	received, err = httputil.DumpResponse(response, true)
	return received, response.ContentLength, err
}

// reads measures the frequent reads of the embedded store, with 60,000
// characters of 8 KB each.
func (b *bench) reads() error {
	c, err := b.crowd(7500, 8, 8<<10)
	if err != nil {
		return err
	}
	p, err := b.startBackend(c.dir, environment...)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := c.warm(); err != nil {
		return err
	}
	skewed, even, users := zipf(c.users*c.characters), uniform(c.users*c.characters), zipf(c.users)
	for _, work := range []struct {
		what string
		goal float64
		path func(worker int) string
	}{
		{"get_character_config, Zipf 1.1", 0.80, func(worker int) string { return c.path(skewed(worker)) }},
		{"get_character_config, uniform over 60,000", 0.60, func(worker int) string { return c.path(even(worker)) }},
		{"list_characters", 0.75, func(worker int) string { return v1 + "list_characters/" + userID(users(worker)) }},
		{"get_available_llm", 0.75, func(worker int) string { return v1 + "get_available_llm/" + userID(users(worker)) }},
	} {
		if err := b.againstBare(work.what, work.goal, p, work.path); err != nil {
			return err
		}
	}
	return nil
}

const writers = 64

// updates measures durable writes of 8 KB, compared with the store without
// HTTP.
func (b *bench) updates() error {
	c := crowd{filepath.Join(b.scratch, "updates"), 1000, 2, 8 << 10}
	if err := c.make(b.ctx); err != nil {
		return err
	}
	bare := c
	bare.dir = filepath.Join(b.scratch, "updates-bare")
	if err := bare.make(b.ctx); err != nil {
		return err
	}
	store, err := bare.open()
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the folder is removed
	p, err := b.startBackend(c.dir, environment...)
	if err != nil {
		return err
	}
	defer p.stop()
	var count atomic.Int64
	keys := uniform(c.users * c.characters)
	ours := b.over("update_character_prompt, 64 clients", p, writers, func(worker, _ int) []byte {
		return post(v1+"update_character_prompt", c.update(keys(worker), prompt(int(count.Add(1)), 8<<10)))
	})
	loop := func(name string, callers int) side {
		return side{name: name, measure: func(length time.Duration) (load, error) {
			return inProcess(callers, length, func(worker int) error {
				text := prompt(int(count.Add(1)), 8<<10)
				return store.UpdateCharacter(b.ctx, bare.key(keys(worker)), backend.CharacterPatch{Prompt: &text})
			})
		}}
	}
	compared, err := b.compare(ours, loop("the store without HTTP", writers))
	if err != nil {
		return err
	}
	b.add(ours.name, "the store without HTTP", 0.75, compared, "")
	if compared, err = b.compare(ours, loop("one commit for each write", 1)); err == nil {
		b.add(ours.name, "one commit for each write", 1.5, compared, "")
	}
	return err
}

// inProcess runs a closed loop of calls in this process.
func inProcess(callers int, length time.Duration, call func(worker int) error) (load, error) {
	found := load{latency: newHistogram()}
	var mu sync.Mutex
	var group sync.WaitGroup
	var failure error
	start := time.Now()
	for worker := range callers {
		group.Go(func() {
			latency := newHistogram()
			var err error
			for err == nil && time.Since(start) < length {
				began := time.Now()
				err = call(worker)
				_ = latency.RecordValue(time.Since(began).Microseconds())
			}
			mu.Lock()
			defer mu.Unlock()
			found.latency.Merge(latency)
			if failure == nil {
				failure = err
			}
		})
	}
	group.Wait()
	found.rate = float64(found.latency.TotalCount()) / time.Since(start).Seconds()
	return found, failure
}

// peer compares web-backend with PocketBase, with the same records and the same
// durability.
func (b *bench) peer() error {
	const records, size = 1000, 8 << 10
	c := crowd{filepath.Join(b.scratch, "peer"), records, 1, size}
	if err := c.make(b.ctx); err != nil {
		return err
	}
	p, err := b.startBackend(c.dir, environment...)
	if err != nil {
		return err
	}
	defer p.stop()
	pocket, err := b.startPeer("/api/health", "pocketbase", filepath.Join(b.scratch, "pocketbase"))
	if err != nil {
		return err
	}
	defer pocket.stop()
	recordsPath := "/api/collections/" + collection + "/records"
	recordID := func(n int) string { return fmt.Sprintf("%015d", n) }
	record := func(id string, n int) string {
		return fmt.Sprintf(`{"id":%q,"user_id":%q,"character_id":%q,"character_name":"Mira","avatar":"KQ-default","scene_name":"vast","prompt":"%s"}`,
			id, userID(n), characterID(n, 0), prompt(n, size))
	}
	filler, err := dial(b.ctx, pocket.address)
	if err != nil {
		return err
	}
	for n := range records {
		if err := filler.expect200(post(recordsPath, record(recordID(n), n))); err != nil {
			return err
		}
	}
	filler.close()
	keys := uniform(records)
	var count atomic.Int64
	next := func() int { return int(count.Add(1)) }
	for _, work := range []struct {
		what         string
		goal         float64
		workers      int
		ours, theirs request
		note         string
	}{
		{"get_character_config", 3, workers,
			func(worker, _ int) []byte { return get(c.path(keys(worker))) },
			func(worker, _ int) []byte { return get(recordsPath + "/" + recordID(keys(worker))) }, ""},
		{"update_character_prompt, 64 clients", 3, writers,
			func(worker, _ int) []byte {
				return post(v1+"update_character_prompt", c.update(keys(worker), prompt(next(), size)))
			},
			func(worker, _ int) []byte {
				return patch(recordsPath+"/"+recordID(keys(worker)), fmt.Sprintf(`{"prompt":"%s"}`, prompt(next(), size)))
			}, ""},
		{"create_user", 1, writers,
			func(int, int) []byte { return post(v1+"create_user", fmt.Sprintf(`{"user_id":"new-%d"}`, next())) },
			func(int, int) []byte { return post(recordsPath, record("", next())) },
			"a user with eight default characters, against one record"},
	} {
		compared, err := b.compare(b.over(work.what, p, work.workers, work.ours), b.over("PocketBase", pocket, work.workers, work.theirs))
		if err != nil {
			return err
		}
		b.add(work.what, "PocketBase", work.goal, compared, work.note)
	}
	return nil
}

// logins measures logins, which are limited by the hash of the password.
// Web-backend leaves one core free for other work, and so does the limit that
// it is compared with.
func (b *bench) logins() error {
	const memory, iterations, parallelism, keyLength = 19456, 2, 1, 32 // the defaults of password_hash
	p, err := b.startBackend(filepath.Join(b.scratch, "logins"), environment...)
	if err != nil {
		return err
	}
	defer p.stop()
	c, err := dial(b.ctx, p.address)
	if err != nil {
		return err
	}
	const clients = 8
	account := func(n int) string { return fmt.Sprintf(`{"username":"user-%d","password":"a good password"}`, n) }
	for n := range clients {
		if err := c.expect200(post(v1+"register_user", account(n))); err != nil {
			return err
		}
	}
	c.close()
	hashers := max(1, runtime.GOMAXPROCS(0)-1)
	salt := []byte("0123456789abcdef")
	compared, err := b.compare(
		b.over("authenticate_user", p, clients, func(worker, _ int) []byte { return post(v1+"authenticate_user", account(worker)) }),
		side{name: "bare argon2id", measure: func(length time.Duration) (load, error) {
			return inProcess(hashers, length, func(int) error {
				argon2.IDKey([]byte("a good password"), salt, iterations, memory, parallelism, keyLength)
				return nil
			})
		}})
	if err == nil {
		b.add("authenticate_user", "bare argon2id", 0.95, compared, fmt.Sprintf("%d cores of %d hash, on both sides", hashers, runtime.GOMAXPROCS(0)))
	}
	return err
}

// tail compares the time to read the end of a log of 1 GB with the time for a
// log of 1 MB.
func (b *bench) tail() error {
	var servers [2]*process
	defer func() {
		for _, p := range servers {
			if p != nil {
				p.stop()
			}
		}
	}()
	for i, size := range []int64{1 << 20, 1 << 30} {
		dir := filepath.Join(b.scratch, fmt.Sprint("tail-", i))
		file := filepath.Join(dir, "big.log")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := fillLog(file, size); err != nil {
			return err
		}
		p, err := b.startBackend(dir, append(environment, "WEB_BACKEND_LOG_PATH="+file, "WEB_BACKEND_LOG_MAX_SIZE_MB=10000")...)
		if err != nil {
			return err
		}
		servers[i] = p
	}
	ask := func(int, int) []byte { return get("/tail_log/100") }
	compared, err := b.compare(b.over("tail_log/100, 1 MB", servers[0], 1, ask), b.over("1 GB", servers[1], 1, ask))
	if err != nil {
		return err
	}
	// The rate for 1 MB divided by the rate for 1 GB is the time for 1 GB
	// divided by the time for 1 MB.
	b.rows = append(b.rows, row{What: "tail_log/100 of 1 GB, time", Against: "1 MB", Goal: 1.2, Value: median(compared.ratios),
		Least: slices.Min(compared.ratios), Most: slices.Max(compared.ratios), Note: fmt.Sprintf("%.0f/s", median(compared.theirs))})
	return nil
}

func fillLog(path string, size int64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // Flush reports errors
	writer := bufio.NewWriterSize(file, 1<<20)
	for n := int64(0); n < size; {
		written, err := fmt.Fprintf(writer, "time=2026-01-02T03:04:05.678Z level=INFO msg=request request_id=%032d method=GET "+
			"route=/api/v1/list_characters/{user_id} status=200 duration=123µs bytes=4321\n", n)
		if err != nil {
			return err
		}
		n += int64(written)
	}
	return writer.Flush()
}

// session measures the requests of the web client when it opens, with one
// update in ten requests.
func (b *bench) session() error {
	c := crowd{filepath.Join(b.scratch, "session"), 1000, 8, 8 << 10}
	if err := c.make(b.ctx); err != nil {
		return err
	}
	p, err := b.startBackend(c.dir, environment...)
	if err != nil {
		return err
	}
	defer p.stop()
	users := zipf(c.users)
	ask := func(worker, n int) []byte {
		user := users(worker)
		key := userID(user)
		switch n % 10 {
		case 0, 1:
			return get(v1 + "list_characters/" + key)
		case 2, 3, 4:
			return get(c.path(user*c.characters + n%c.characters))
		case 5, 6, 7:
			return get(v1 + "get_available_" + []string{"llm", "asr", "tts"}[n%3] + "/" + key)
		case 8:
			return get(v1 + "get_missing_secrets/" + key + "/" + characterID(user, 0))
		}
		return post(v1+"update_character_prompt", c.update(user*c.characters, prompt(n, 8<<10)))
	}
	if _, err := closedLoop(b.ctx, p.address, workers, b.length/3, ask); err != nil {
		return err
	}
	var rates []float64
	latency := newHistogram()
	for range b.rounds {
		found, err := closedLoop(b.ctx, p.address, workers, b.length, ask)
		if err != nil {
			return err
		}
		rates = append(rates, found.rate)
		latency.Merge(found.latency)
	}
	b.rows = append(b.rows, row{What: "a mixed session, one request in ten a durable update", Unit: "/s",
		Value: median(rates), Least: slices.Min(rates), Most: slices.Max(rates),
		Note: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms; peak %d MB", float64(latency.ValueAtQuantile(50))/1000,
			float64(latency.ValueAtQuantile(99))/1000, p.memory("VmHWM")>>20)})
	return nil
}

//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

// The size of the load, and the resources that the program may use under it.
const (
	loadTime       = 10 * time.Second
	loginsOffered  = 200 // per second
	readsOffered   = 50  // per second, of get_character_config
	loadAccounts   = 500
	mostMemoryMiB  = 150
	loadedPassword = "the right password"
)

// BenchmarkLoginLoad sends the real program more logins than it can hash. They
// are for many accounts and from many addresses, and every fourth has a wrong
// password. The hash has the default parameters, and there are no rate limits.
// At the same time the benchmark reads a character again and again. It reports
// the results of the logins, the time of the reads from the moment when they
// were due, and the peak memory of the program, which must stay below 150 MiB.
// The load comes from the same machine and uses part of its capacity.
//
//	go test ./cmd/web-backend -run '^$' -bench LoginLoad -benchtime 1x
func BenchmarkLoginLoad(b *testing.B) {
	p := serveAccounts(b)
	character := p.characterIDs(b, "reader")[0]
	client := &http.Client{Timeout: deadline, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	defer client.CloseIdleConnections()
	var logins, reads loadResult
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), loadTime)
		var load sync.WaitGroup
		load.Go(func() {
			logins.offer(ctx, loginsOffered, func(n int) (int, error) { return p.loadLogin(b.Context(), client, n) })
		})
		load.Go(func() {
			reads.offer(ctx, readsOffered, func(int) (int, error) {
				return p.loadRequest(b.Context(), client, "GET", "/api/v1/get_character_config/reader/"+character, "", "")
			})
		})
		load.Wait()
		cancel()
	}
	seconds := b.Elapsed().Seconds()
	sent := float64(len(logins.took))
	b.ReportMetric(sent/(loadTime.Seconds()*float64(b.N)), "offered/s")
	b.ReportMetric(float64(logins.statuses[http.StatusOK])/seconds, "answered/s")
	b.ReportMetric(100*float64(logins.statuses[http.StatusTooManyRequests])/sent, "refused-%")
	for name, percent := range map[string]int{"read-p50-ms": 50, "read-p99-ms": 99, "read-max-ms": 100} {
		b.ReportMetric(reads.milliseconds(percent), name)
	}
	b.ReportMetric(0, "ns/op")
	if peak, ok := p.peakMiB(); ok {
		b.ReportMetric(peak, "peak-MiB")
		if peak > mostMemoryMiB {
			b.Errorf("the program took %.0f MiB, may take %d", peak, mostMemoryMiB)
		}
	}
	average, _ := os.ReadFile("/proc/loadavg") // exists only on Linux
	b.Logf("logins %v, p50 %.0f ms, p99 %.0f ms; reads %v; errors %v %v; load average %s", logins.statuses,
		logins.milliseconds(50), logins.milliseconds(99), reads.statuses, logins.err, reads.err, average)
	if reads.err != nil || logins.err != nil || reads.statuses[http.StatusOK] != len(reads.took) {
		b.Error("reads or logins failed")
	}
}

// serveAccounts starts the program on a store that already has the accounts,
// and one more account named reader that has characters. The program trusts
// this machine to name other client addresses.
func serveAccounts(b *testing.B) *process {
	b.Helper()
	folder := b.TempDir()
	store, err := sqlite.Open(filepath.Join(folder, "data"), sqlite.Keys(masterkey.NewRing(masterkey.Generate())))
	if err != nil {
		b.Fatal(err)
	}
	hash, err := auth.NewPasswords(auth.DefaultPasswordParams).Hash(b.Context(), backend.NewSecret(loadedPassword))
	if err != nil {
		b.Fatal(err)
	}
	for n := range loadAccounts + 1 {
		name := fmt.Sprint("account ", n)
		if n == loadAccounts {
			name = "reader"
		}
		if err := store.CreateCredential(b.Context(), backend.Credential{Username: name, Password: hash, UserID: name}); err != nil {
			b.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	const config = "trusted_proxies: [127.0.0.0/8]\nrate_limit: {address_per_minute: 0, username_per_minute: 0}\n"
	if err := os.WriteFile(filepath.Join(folder, "load.yaml"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	p := serve(b, folder, "serve", "--config_path", "load.yaml")
	p.must(b, "/api/v1/authenticate_user", `{"username":"reader","password":"`+loadedPassword+`"}`) // sets the user up
	return p
}

// loadLogin sends the n-th login.
func (p *process) loadLogin(ctx context.Context, client *http.Client, n int) (status int, err error) {
	password := loadedPassword
	if n%4 == 3 {
		password = "the wrong password"
	}
	return p.loadRequest(ctx, client, "POST", "/api/v1/authenticate_user",
		fmt.Sprintf(`{"username":"account %d","password":%q}`, n%loadAccounts, password),
		fmt.Sprintf("198.51.%d.%d", n/250%250, n%250))
}

// loadRequest sends one request on behalf of the client at address.
func (p *process) loadRequest(ctx context.Context, client *http.Client, method, path, body, address string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	if address != "" {
		request.Header.Set("X-Forwarded-For", address)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if response.StatusCode == http.StatusOK && response.Header.Get("Retry-After") != "" {
		return http.StatusTooManyRequests, err // account operations report it in this form
	}
	return response.StatusCode, err
}

// loadResult is the result of many requests.
type loadResult struct {
	mutex    sync.Mutex
	took     []time.Duration
	statuses map[int]int
	err      error // the last error
}

// offer sends this number of requests per second until ctx ends, even if
// earlier requests have no response yet. Then it waits for the responses.
func (r *loadResult) offer(ctx context.Context, perSecond int, request func(n int) (int, error)) {
	var all sync.WaitGroup
	begin := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		due := begin.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
		time.Sleep(time.Until(due))
		all.Go(func() {
			status, err := request(n)
			r.add(time.Since(due), status, err)
		})
	}
	all.Wait()
}

func (r *loadResult) add(took time.Duration, status int, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.statuses == nil {
		r.statuses = map[int]int{}
	}
	r.took = append(r.took, took)
	r.statuses[status]++
	if err != nil {
		r.err = err
	}
}

// milliseconds returns this percentile of the response times, in milliseconds.
func (r *loadResult) milliseconds(percent int) float64 {
	slices.Sort(r.took)
	return float64(r.took[(len(r.took)-1)*percent/100].Microseconds()) / 1000
}

var peakMemory = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMiB returns the peak memory of the program. ok is false if the system
// does not report it.
func (p *process) peakMiB() (peak float64, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, false
	}
	match := peakMemory.FindSubmatch(status)
	if match == nil {
		return 0, false
	}
	kib, err := strconv.ParseFloat(string(match[1]), 64)
	return kib / 1024, err == nil
}

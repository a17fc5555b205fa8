package auth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// BenchmarkPasswords compares Passwords with the bare function at the same
// parameters, and compares the kinds of stored passwords with each other.
func BenchmarkPasswords(b *testing.B) {
	params := auth.DefaultPasswordParams
	passwords, stored := auth.NewPasswords(params), hash(b, params, "right password")
	b.Run("argon2.IDKey", func(b *testing.B) {
		salt := []byte("sixteen bytes...")
		for b.Loop() {
			argon2.IDKey([]byte("right password"), salt, params.Iterations, params.MemoryKiB, params.Parallelism, 32)
		}
	})
	b.Run("Hash", func(b *testing.B) {
		for b.Loop() {
			if _, err := passwords.Hash(b.Context(), secret("right password")); err != nil {
				b.Fatal(err)
			}
		}
	})
	verify := func(password string, stored backend.Secret, want bool) func(b *testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if ok, _, err := passwords.Verify(b.Context(), secret(password), stored); ok != want || err != nil {
					b.Fatal(ok, err)
				}
			}
		}
	}
	b.Run("Verify/right", verify("right password", stored, true))
	b.Run("Verify/wrong", verify("wrong password", stored, false))
	b.Run("Verify/unknown", verify("wrong password", backend.Secret{}, false))
	b.Run("Verify/plaintext", verify("wrong password", secret("right password"), false))
}

// BenchmarkPasswords_Overload sends 200 logins a second and, at the same time,
// trivial HTTP requests. It reports the numbers of checked and refused logins a
// second, the latency of the requests and, if the system provides it, the peak
// memory of the process. Run it with -benchtime=10s.
func BenchmarkPasswords_Overload(b *testing.B) {
	passwords, stored := auth.NewPasswords(auth.DefaultPasswordParams), hash(b, auth.DefaultPasswordParams, "right password")
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()

	var answered, refused atomic.Int64
	login := func() {
		switch _, _, err := passwords.Verify(b.Context(), secret("wrong password"), stored); {
		case err == nil:
			answered.Add(1)
		case errors.Is(err, backend.TooMany):
			refused.Add(1)
		default:
			b.Error(err)
		}
	}
	ctx, stop := context.WithCancel(b.Context())
	var logins sync.WaitGroup
	logins.Go(func() {
		tick := time.NewTicker(time.Second / 200)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			logins.Go(login)
		}
	})
	var latencies []time.Duration
	for b.Loop() {
		start := time.Now()
		response, err := http.Get(server.URL)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		latencies = append(latencies, time.Since(start))
		time.Sleep(2 * time.Millisecond)
	}
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(answered.Load())/seconds, "answered/s")
	b.ReportMetric(float64(refused.Load())/seconds, "refused/s")
	stop()
	logins.Wait()

	slices.Sort(latencies)
	milliseconds := func(percent int) float64 {
		return float64(latencies[(len(latencies)-1)*percent/100].Microseconds()) / 1000
	}
	b.ReportMetric(milliseconds(50), "p50-ms")
	b.ReportMetric(milliseconds(99), "p99-ms")
	b.ReportMetric(milliseconds(100), "max-ms")
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		if peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status); peak != nil {
			kib, _ := strconv.ParseFloat(string(peak[1]), 64)
			b.ReportMetric(kib/1024, "peak-MiB")
		}
	}
}

//go:build failpoints

package torture

import (
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// memoryBound is the maximum memory, in bytes, that the server may use during
// an attack below.
const memoryBound = 120 << 20

// attacked runs attack and requests /health all the time. It returns the 99th
// percentile of the response times of /health.
func attacked(t *testing.T, s *server, attack func()) (p99 time.Duration) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		attack()
	}()
	var waits []time.Duration
	for running := true; running || len(waits) < 100; {
		select {
		case <-done:
			running = false
		default:
		}
		began := time.Now()
		s.must(t, "/health", nil, nil)
		waits = append(waits, time.Since(began))
	}
	slices.Sort(waits)
	return waits[len(waits)*99/100]
}

// post sends body unchanged, and returns the size of the response.
func (s *server) post(t *testing.T, path string, body []byte) (status, size int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, int(n)
}

// Sixty unknown clients send the largest accepted bodies at the same time. None
// of the bodies contains the fields that its route needs.
func TestBounds_LargeBodies(t *testing.T) {
	t.Parallel()
	s := serveAda(t, "GOMEMLIMIT=1GiB")
	zeros := []byte(`{"x":[0` + strings.Repeat(",0", 1<<19-10) + `]}`)
	names := []byte(`{"x":0`)
	for i := 0; len(names) < 1<<20-20; i++ {
		names = append(names, `,"`+string(rune('a'+i%26))+strings.Repeat("b", i%5)+`":0`...)
	}
	names = append(names, '}')
	const clients = 60
	rounds := length(3, 100)
	var largest atomic.Int64
	p99 := attacked(t, s, func() {
		var group sync.WaitGroup
		for n := range clients {
			group.Go(func() {
				for round := range rounds {
					body, path := zeros, v1+"update_character_prompt"
					if (n+round)%2 == 0 {
						body, path = names, v1+"update_user_config"
					}
					status, size := s.post(t, path, body)
					if status != http.StatusUnprocessableEntity && status != http.StatusServiceUnavailable {
						t.Errorf("%s with %d bytes: got status %d, want 422 or 503", path, len(body), status)
					}
					largest.Store(max(largest.Load(), int64(size)))
				}
			})
		}
		group.Wait()
	})
	peak := s.memory("VmHWM")
	if peak > memoryBound {
		t.Errorf("the server took %d MB, want %d MB at the most", peak>>20, memoryBound>>20)
	}
	if largest.Load() > 2000 {
		t.Errorf("a response had %d bytes, want 2,000 at the most", largest.Load())
	}
	figure("bounds: large bodies", "%d × 1 MiB at once, %d times: peak memory %d MB, /health p99 %s, the largest response %d bytes",
		clients, rounds, peak>>20, p99.Round(time.Millisecond), largest.Load())
}

// One registered user stores as much as it can, as fast as it can: the maximum
// number of characters, with the longest texts and the longest prompts.
func TestBounds_Quotas(t *testing.T) {
	t.Parallel()
	s := serveAda(t, "GOMEMLIMIT=1GiB")
	var list struct {
		IDs   []string `json:"character_id_list"`
		Names []string `json:"character_name_list"`
	}
	s.must(t, v1+"list_characters/ada", nil, &list)
	own := fields{"user_id": "ada", "character_id": list.IDs[0], "character_name": strings.Repeat("名", 1<<18)}
	if status, err := s.send(t.Context(), v1+"duplicate_character", own, nil); err != nil || status != http.StatusUnprocessableEntity {
		t.Errorf("a name of 256 Ki characters: got status %d, %v, want 422", status, err)
	}
	own["character_name"] = strings.Repeat("名", 256)
	refused := 0
	p99 := attacked(t, s, func() {
		for range 250 {
			var made struct {
				ID string `json:"character_id"`
			}
			status, err := s.send(t.Context(), v1+"duplicate_character", own, &made)
			switch {
			case err != nil:
				t.Error(err)
				return
			case status == http.StatusUnprocessableEntity:
				refused++
				continue
			}
			prompt := fields{"user_id": "ada", "character_id": made.ID, "prompt": strings.Repeat("x", 64<<10)}
			if status, err := s.send(t.Context(), v1+"update_character_prompt", prompt, nil); err != nil || status != http.StatusOK {
				t.Errorf("a prompt of 64 KiB: got status %d, %v, want 200", status, err)
			}
		}
	})
	s.must(t, v1+"list_characters/ada", nil, &list)
	if want := 200; len(list.IDs) != want || refused == 0 {
		t.Errorf("got %d characters, %d copies refused, want %d characters", len(list.IDs), refused, want)
	}
	peak, disk := s.memory("VmHWM"), sizeOf(t, filepath.Join(s.command.Dir, "data"))
	if peak > memoryBound {
		t.Errorf("the server took %d MB, want %d MB at the most", peak>>20, memoryBound>>20)
	}
	if most := int64(64 << 20); disk > most {
		t.Errorf("the user takes %d MB of disk, want %d MB at the most", disk>>20, most>>20)
	}
	figure("bounds: quotas", "a user with %d characters of 64 KiB: %d MB of disk, peak memory %d MB, /health p99 %s",
		len(list.IDs), disk>>20, peak>>20, p99.Round(time.Millisecond))
}

//go:build failpoints

package torture

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// sample is the resource usage of a server at one moment.
type sample struct {
	at          time.Duration
	memory      float64 // MB, resident
	goroutines  float64
	descriptors float64
	logs        float64 // MB, including the rotated files
}

// measures are the values of a sample that must not grow. grows is the increase
// that is still allowed.
var measures = []struct {
	name  string
	of    func(sample) float64
	grows float64
}{
	{"memory, MB", func(s sample) float64 { return s.memory }, float64(length(16, 8))}, // in the short run in CI, caches are still filling
	{"goroutines", func(s sample) float64 { return s.goroutines }, 10},
	{"file descriptors", func(s sample) float64 { return s.descriptors }, 10},
	{"log files, MB", func(s sample) float64 { return s.logs }, 3},
}

// take takes a sample of a server.
func take(t *testing.T, s *server, folder string, at time.Duration) sample {
	t.Helper()
	descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.command.Process.Pid))
	if err != nil {
		t.Skipf("SKIPPED: the soak was NOT run, as this system does not tell the descriptors of a process: %v", err)
	}
	return sample{at, float64(s.memory("VmRSS")) / (1 << 20), float64(goroutines(t, s)), float64(len(descriptors)),
		float64(sizeOf(t, filepath.Join(folder, "logs"))) / (1 << 20)}
}

func sizeOf(t *testing.T, folder string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil { // the file may have been removed by rotation
			size += info.Size()
		}
	}
	return size
}

// Hours of mixed load, with log rotation, expiring tokens and backups, do not
// change the resource usage of a server.
func TestSoak_NothingGrows(t *testing.T) {
	if !long {
		t.Parallel() // in the long form, no other test runs at the same time
	}
	lasts, every := time.Duration(length(20, 3600))*time.Second, time.Duration(length(500, 10_000))*time.Millisecond
	folder := t.TempDir()
	s := serve(t, product, folder, "WEB_BACKEND_LOG_MAX_SIZE_MB=1", "WEB_BACKEND_LOG_MAX_FILES=3", "WEB_BACKEND_TOKEN_LIFETIME=1m",
		"WEB_BACKEND_BACKUP_EVERY=5s", "WEB_BACKEND_BACKUP_KEEP=2")
	if s == nil {
		t.Fatal("the server does not start")
	}
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var requests, failures atomic.Int64
	var group sync.WaitGroup
	for client := range 8 {
		group.Go(func() { soak(ctx, s, client, &requests, &failures) })
	}
	var samples []sample
	began := time.Now()
	for ticks := time.Tick(every); ctx.Err() == nil; {
		select {
		case <-ticks:
			samples = append(samples, take(t, s, folder, time.Since(began)))
		case <-ctx.Done():
		}
	}
	group.Wait()
	s.end(t, syscall.SIGTERM)
	if failures.Load() > 0 {
		t.Errorf("%d of %d requests failed", failures.Load(), requests.Load())
	}
	backups, err := os.ReadDir(filepath.Join(folder, "backups"))
	if err != nil || len(backups) == 0 {
		t.Errorf("there are %d backups, error %v", len(backups), err)
	}
	// The first third fills caches and pools. After that, the values must not
	// grow.
	early, late := samples[len(samples)/3:2*len(samples)/3], samples[2*len(samples)/3:]
	for _, what := range measures {
		from, to := middle(early, what.of), middle(late, what.of)
		if to > from+what.grows {
			t.Errorf("%s grows from %.1f to %.1f", what.name, from, to)
		}
		figure("soak: "+what.name, "%.1f in the second third, %.1f in the last", from, to)
	}
	figure("soak: requests", "%d in %s, %d failed; %d backups kept", requests.Load(), lasts, failures.Load(), len(backups))
	if long && !t.Failed() {
		if err := os.WriteFile(filepath.Join("..", "docs", "soak.svg"), []byte(plot(samples)), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// soak is one client. It creates a user, uses it and deletes it, again and
// again.
func soak(ctx context.Context, s *server, client int, requests, failures *atomic.Int64) {
	ask := func(path string, body, target any) {
		status, err := s.send(ctx, path, body, target)
		if ctx.Err() != nil {
			return
		}
		requests.Add(1)
		if err != nil || status != http.StatusOK {
			failures.Add(1)
		}
	}
	for n := 0; ctx.Err() == nil; n++ {
		user := fmt.Sprintf("user-%d-%d", client, n)
		account := fields{"username": nameOf(user), "password": firstPassword}
		ask(v1+"register_user", account, nil)
		var login struct {
			ID string `json:"user_id"`
		}
		ask(v1+"authenticate_user", account, &login)
		if login.ID == "" {
			continue // the time is up
		}
		var list struct {
			IDs []string `json:"character_id_list"`
		}
		ask(v1+"list_characters/"+login.ID, nil, &list)
		var made struct {
			ID string `json:"character_id"`
		}
		if len(list.IDs) > 0 {
			ask(v1+"duplicate_character", fields{"user_id": login.ID, "character_id": list.IDs[0]}, &made)
		}
		for i := range 20 {
			if made.ID != "" && i%5 == 0 {
				ask(v1+"update_character_prompt", fields{"user_id": login.ID, "character_id": made.ID, "prompt": promptOf(user, i)}, nil)
			}
			if made.ID != "" {
				ask(v1+"get_character_config/"+login.ID+"/"+made.ID, nil, nil)
			}
			ask(v1+"get_available_llm/"+login.ID, nil, nil)
		}
		ask("/tail_log/50", nil, nil)
		ask(v1+"delete_user", fields{"user_id": login.ID}, nil)
	}
}

func middle(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, 0, len(samples))
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	if len(values) == 0 {
		return 0
	}
	return values[len(values)/2]
}

// plot draws each value over time, from 0 to its maximum.
func plot(samples []sample) string {
	const width, height, left = 640, 90, 150
	var text strings.Builder
	fmt.Fprintf(&text, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+
		`<rect width="100%%" height="100%%" fill="#fff"/>`, left+width+20, len(measures)*(height+20)+20)
	last := samples[len(samples)-1].at
	for n, line := range measures {
		top, most := n*(height+20)+20, 0.0
		for _, s := range samples {
			most = math.Max(most, line.of(s))
		}
		fmt.Fprintf(&text, `<text x="%d" y="%d" text-anchor="end">%s</text><text x="%d" y="%d" text-anchor="end">%.0f</text>`+
			`<polyline fill="none" stroke="#0b4f8a" points="`, left-40, top+height/2, line.name, left-8, top+10, most)
		for _, s := range samples {
			fmt.Fprintf(&text, "%.1f,%.1f ", left+float64(width)*float64(s.at)/float64(last), float64(top)+height*(1-line.of(s)/math.Max(most, 1)))
		}
		text.WriteString(`"/>`)
	}
	return text.String() + "</svg>\n"
}

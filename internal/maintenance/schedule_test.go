package maintenance_test

import (
	"testing"
	"time"

	"web-backend/internal/maintenance"
)

// The wait grows with each failure, but never exceeds the time between backups.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		failures    int
		every, want time.Duration
	}{
		{1, 24 * time.Hour, time.Minute}, {2, 24 * time.Hour, 2 * time.Minute}, {6, 24 * time.Hour, 32 * time.Minute},
		{7, 24 * time.Hour, time.Hour}, {8, 24 * time.Hour, time.Hour}, {1_000_000, 24 * time.Hour, time.Hour},
		{1, time.Second, time.Second}, {5, 10 * time.Minute, 10 * time.Minute},
	} {
		if got := maintenance.RetryAfter(tt.failures, tt.every); got != tt.want {
			t.Errorf("%d failures, every %s: got %s, want %s", tt.failures, tt.every, got, tt.want)
		}
	}
}

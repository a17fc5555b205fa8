package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Backups that were made while the clock was ahead do not displace new ones.
func TestRun_BackupsAfterAWrongClock(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Backup.Every, cfg.Backup.Keep, cfg.Backup.Dir = 20*time.Millisecond, 2, filepath.Join(cfg.DataDir, "backups")
	if err := os.MkdirAll(cfg.Backup.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	const ahead = "web-backend-2999"
	for day := range 3 {
		name := fmt.Sprintf("%s010%dT000000.000Z.db", ahead, day+1)
		if err := os.WriteFile(filepath.Join(cfg.Backup.Dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := run(t, cfg)
	for end := time.Now().Add(deadline); strings.Count(s.log.String(), "backup made") < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there are no three backups:\n%s", s.log)
		}
	}
	s.stop()
	if err := s.wait(t); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(cfg.Backup.Dir)
	if err != nil || len(entries) != cfg.Backup.Keep {
		t.Fatalf("kept are %v, %v; want %d", entries, err, cfg.Backup.Keep)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ahead) {
			t.Errorf("%s was kept in place of a new one", entry.Name())
		}
	}
}

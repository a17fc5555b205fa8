//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo/mongotest"
)

// BenchmarkTransfer moves a large store in every way, and prints the time and
// peak memory of each move. It takes minutes and some gigabytes of disk space:
//
//	TRANSFER_USERS=100000 go test ./cmd/web-backend -run '^$' -bench Transfer -benchtime 1x -timeout 1h
//
// Each user has six characters with prompts of 2 KB.
func BenchmarkTransfer(b *testing.B) {
	users, err := strconv.Atoi(os.Getenv("TRANSFER_USERS"))
	if err != nil {
		b.Skip("TRANSFER_USERS is not set")
	}
	folder := b.TempDir()
	begin := time.Now()
	fillFolderWith(b, filepath.Join(folder, "data"), users, withSix)
	b.Logf("filled with %d users in %s", users, time.Since(begin).Round(time.Second))
	recipient, _ := keyPair(b, folder)
	b.ResetTimer()
	for range b.N {
		for _, args := range [][]string{
			{"export", "--out", "e.jsonl", "--force"},
			{"export", "--out", "e.age", "--force", "--with-secrets", "--recipient", recipient},
			{"import", "e.jsonl", "--data-dir", "imported", "--quiet"},
			{"import", "e.jsonl", "--data-dir", "imported", "--quiet"},
			{"copy", "--to", "copied", "--with-secrets", "--quiet"},
			{"copy", "--to", "copied", "--with-secrets", "--verify", "--on-conflict=skip", "--quiet"},
		} {
			measured(b, folder, nil, args...)
		}
	}
	for _, name := range []string{"data/web-backend.db", "e.jsonl"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err == nil {
			b.Logf("%s has %d MB", name, info.Size()>>20)
		}
	}
}

// withSix returns a user of a kind that has characters, with six of them.
func withSix(n int) backend.UserData { return movedUser(n/8*10+n%8, 6) }

// BenchmarkTransferMongoDB does the same as BenchmarkTransfer with MongoDB.
// TRANSFER_MONGODB_USERS is the number of users.
func BenchmarkTransferMongoDB(b *testing.B) {
	users, err := strconv.Atoi(os.Getenv("TRANSFER_MONGODB_USERS"))
	if err != nil {
		b.Skip("TRANSFER_MONGODB_USERS is not set")
	}
	server := mongotest.Engine(b)
	folder := b.TempDir()
	fillFolderWith(b, filepath.Join(folder, "data"), users, withSix)
	environment := []string{"MONGODB_TIMEOUT=60s"}
	uri := strings.Replace(server.URI(), "/?", "/"+server.Database(b)+"?", 1)
	b.ResetTimer()
	for n := range b.N {
		measured(b, folder, environment, "copy", "--to", uri, "--with-secrets", "--quiet")
		measured(b, folder, environment, "copy", "--from", uri, "--to", fmt.Sprint("back", n), "--with-secrets", "--verify", "--quiet")
	}
}

// measured runs the program and prints the time and memory that it used.
func measured(b *testing.B, folder string, environment []string, args ...string) {
	b.Helper()
	path, err := build()
	if err != nil {
		b.Fatal(err)
	}
	var complaint bytes.Buffer
	command := exec.Command(path, args...)
	command.Dir, command.Env = folder, environment
	command.Stdout, command.Stderr, command.SysProcAttr = io.Discard, &complaint, childAttributes
	begin := time.Now()
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	peak := ""
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case err := <-ended:
			if err != nil {
				b.Fatalf("%q: %v: %s", args, err, complaint.String())
			}
			b.Logf("%-60.60s %7.1f s, peak %s", strings.Join(args, " "), time.Since(begin).Seconds(), peak)
			return
		case <-tick.C:
			if now := highWater(command.Process.Pid); now != "" {
				peak = now
			}
		}
	}
}

// highWater returns the peak memory of a process so far.
func highWater(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	size, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(size)
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// movedUsers is the number of users that moves creates, each with the default
// characters. The goals are set for goalUsers and scaled in proportion.
const (
	movedUsers = 20_000
	goalUsers  = 96_000
)

// moves measures users with the default characters: their size on disk, and the
// time and memory of an export and an import. It also measures the first
// request for the OpenAPI document of a new server.
func (b *bench) moves() error {
	dir := filepath.Join(b.scratch, "moves")
	p, err := b.startBackend(dir, environment...)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := fetch(b.ctx, p.address, "/openapi.json"); err != nil {
		p.stop()
		return err
	}
	b.addMost("first /openapi.json", "ms", 5, []float64{float64(time.Since(began).Microseconds()) / 1000}, "with the connection")
	_, err = together(b.ctx, writers, p.address, func(c *connection, worker int, _ *hdrhistogram.Histogram) error {
		for n := worker; n < movedUsers; n += writers {
			if err := c.expect200(post(v1+"create_user", fmt.Sprintf(`{"user_id":%q}`, userID(n)))); err != nil {
				return err
			}
		}
		return nil
	})
	p.stop()
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(dir, "web-backend.db"))
	if err != nil {
		return err
	}
	b.addMost("disk for each new user", "kB", 3, []float64{float64(info.Size()) / movedUsers / 1000}, "with eight default characters")

	file := filepath.Join(b.scratch, "moves.jsonl")
	var exports, imports, peaks []float64
	for round := range b.rounds {
		took, peak, err := b.command("export", "--data-dir", dir, "--out", file, "--force")
		if err != nil {
			return err
		}
		exports, peaks = append(exports, took.Seconds()), append(peaks, peak)
		if took, peak, err = b.command("import", "--data-dir", filepath.Join(b.scratch, fmt.Sprint("moved-", round)), file); err != nil {
			return err
		}
		imports, peaks = append(imports, took.Seconds()), append(peaks, peak)
	}
	const share = float64(movedUsers) / goalUsers
	b.addMost(fmt.Sprintf("export of %d users", movedUsers), "s", 40*share, exports, fmt.Sprintf("the goal is 40 s for %d", goalUsers))
	b.addMost(fmt.Sprintf("import of %d users", movedUsers), "s", 90*share, imports, fmt.Sprintf("the goal is 90 s for %d", goalUsers))
	b.addMost("peak memory of export and import", "MB", 80, peaks, "")
	return nil
}

// command runs a command of web-backend. It returns the time that it took and
// its peak memory in MB. The peak is read while the command runs, because the
// value of getrusage(2) at the end includes the memory of this process, from
// which the command was forked.
func (b *bench) command(args ...string) (took time.Duration, peak float64, err error) {
	command := exec.CommandContext(b.ctx, b.binary, args...) //nolint:gosec // the binary that newBench built
	command.Dir = b.scratch
	command.Env = append(os.Environ(), environment...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	began := time.Now()
	if err := command.Start(); err != nil {
		return 0, 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for p := (&process{command: command}); ; {
		select {
		case err := <-ended:
			if err != nil {
				err = fmt.Errorf("%s: %w: %s", args[0], err, &out)
			}
			return time.Since(began), peak, err
		case <-time.After(10 * time.Millisecond):
			peak = max(peak, float64(p.memory("VmHWM"))/1e6)
		}
	}
}

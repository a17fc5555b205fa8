package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that this program started.
type process struct {
	command *exec.Cmd
	address string
	stdin   io.Closer // closed at the end
	ready   time.Duration
}

// startBackend starts web-backend on a data folder, and waits until it is
// ready. Rate limits are off, because all load has one address and few users.
func (b *bench) startBackend(dir string, environment ...string) (*process, error) {
	command := exec.CommandContext(b.ctx, b.binary, "serve", "--data-dir", dir, "--port", "0") //nolint:gosec // the binary that newBench built
	command.Dir = b.scratch
	command.Env = append(os.Environ(),
		"WEB_BACKEND_LOG_PATH="+filepath.Join(b.scratch, "server.log"),
		"WEB_BACKEND_RATE_LIMIT_ADDRESS_PER_MINUTE=0", "WEB_BACKEND_RATE_LIMIT_USERNAME_PER_MINUTE=0",
		"WEB_BACKEND_RATE_LIMIT_WRITES_PER_MINUTE=0") // one user may get a tenth of all
	command.Env = append(command.Env, environment...)
	return start(b.ctx, command, "web-backend is listening on http://", "/health/ready")
}

// startPeer starts this program as one of the peers.
func (b *bench) startPeer(health string, args ...string) (*process, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(b.ctx, own, args...) //nolint:gosec // this program
	command.Dir = b.scratch
	return start(b.ctx, command, "listening on ", health)
}

// start starts command and waits for the line that contains its address. Then
// it waits for status 200 at health, unless health is "".
func start(ctx context.Context, command *exec.Cmd, announces, health string) (*process, error) {
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 20 * time.Second
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	command.Stderr = command.Stdout
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{command: command, stdin: stdin}
	lines, found := bufio.NewReader(out), make(chan string, 1)
	go func() {
		for {
			line, err := lines.ReadString('\n')
			if _, address, ok := strings.Cut(line, announces); ok {
				found <- strings.TrimSpace(address)
				break
			}
			if err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, lines) // discard the rest of the output, at little cost
	}()
	select {
	case p.address = <-found:
	case <-time.After(60 * time.Second):
		p.stop()
		return nil, fmt.Errorf("%s did not say where it listens", command.Args[0])
	}
	for deadline := time.Now().Add(30 * time.Second); ; wait(ctx, time.Millisecond) {
		var err error
		if health != "" {
			err = fetch(ctx, p.address, health)
		}
		if err == nil {
			p.ready = time.Since(began)
			return p, nil
		}
		if time.Now().After(deadline) {
			p.stop()
			return nil, fmt.Errorf("%s is not ready: %w", command.Args[0], err)
		}
	}
}

func (p *process) stop() {
	_ = p.stdin.Close()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	_ = p.command.Wait()
}

// cpu returns the CPU time that the process has used (proc(5), stat).
func (p *process) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	const user, system, ticks = 11, 12, 100 // indexes of the fields after the name; USER_HZ is 100 on Linux
	var sum int64
	for _, field := range []int{user, system} {
		value, _ := strconv.ParseInt(fields[field], 10, 64)
		sum += value
	}
	return time.Duration(sum) * time.Second / ticks
}

// memory returns a field of proc(5), status, in bytes. The field is VmRSS or
// VmHWM.
func (p *process) memory(field string) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kilobytes, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// resetPeak resets VmHWM (proc(5), clear_refs).
func (p *process) resetPeak() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.command.Process.Pid), []byte("5"), 0o200)
}

// output runs a program and returns its output.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // the programs are named in this package
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return string(out), nil
}

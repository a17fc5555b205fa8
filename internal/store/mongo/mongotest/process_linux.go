package mongotest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// killWithParent makes the kernel kill the command when its parent ends, even
// if the command is frozen and cannot notice that.
func killWithParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// freeze stops the command. It waits until every thread has stopped, because
// sending the signal returns before the signal takes effect.
func freeze(command *exec.Cmd) error {
	if err := command.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(time.Millisecond) {
		stopped, err := isStopped(command.Process.Pid)
		if stopped || err != nil {
			return err
		}
	}
	return errors.New("the process does not stand still after 10 s")
}

// isStopped reports whether every thread of a process is stopped (proc(5)).
func isStopped(pid int) (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false, err
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread has ended
		}
		if err != nil {
			return false, err
		}
		// The state comes after the name, which may contain any character.
		if _, state, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " "); !strings.HasPrefix(state, "T") {
			return false, nil
		}
	}
	return len(threads) > 0, nil
}

func thaw(command *exec.Cmd) error { return command.Process.Signal(syscall.SIGCONT) }

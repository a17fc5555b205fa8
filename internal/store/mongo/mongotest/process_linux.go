package mongotest

import (
	"os/exec"
	"syscall"
)

// killWithParent has the kernel kill the command when this process ends, even
// while the command is frozen and sees nothing of it.
func killWithParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

func freeze(command *exec.Cmd) error { return command.Process.Signal(syscall.SIGSTOP) }

func thaw(command *exec.Cmd) error { return command.Process.Signal(syscall.SIGCONT) }

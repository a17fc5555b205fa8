package motion

import "syscall"

// A test that is killed, or that panics at its timeout, cleans nothing up.
func init() { childAttributes = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

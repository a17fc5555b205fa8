package clients

import "syscall"

// End the children with this process, because a test that is killed, or that
// panics at its timeout, cleans up nothing.
func init() { childAttributes = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

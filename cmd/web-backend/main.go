// Command web-backend serves the users and characters of a character stack.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // users name time zones, and the machine may know none

	"github.com/KimMachineGun/automemlimit/memlimit"

	"web-backend/internal/cli"
)

func main() {
	// In a container the garbage collector keeps below its memory limit. Where no
	// limit is known, none is set.
	_, _ = memlimit.Set()
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // it is under nohup, whose point it is
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.LookupEnv, Environ: os.Environ,
		ReadPassword: cli.PasswordReader(os.Stdin),
	}))
}

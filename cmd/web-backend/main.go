// Command web-backend serves the users and characters of a stack for AI
// characters.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // users have time zones, and the machine may have no time zone data

	"github.com/KimMachineGun/automemlimit/memlimit"

	"web-backend/internal/cli"
)

func main() {
	// In a container, keep the memory of the garbage collector below the memory
	// limit of the container. If there is no known limit, none is set.
	_, _ = memlimit.Set()
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup, SIGHUP is ignored and must stay ignored
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.LookupEnv, Environ: os.Environ,
		ReadPassword: cli.PasswordReader(os.Stdin),
	}))
}

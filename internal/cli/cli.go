// Package cli is the command line: one file per command.
package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// Streams are what a command reads and writes outside of files.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(name string) (string, bool)
}

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands is the command line, as kong reads it.
type commands struct {
	Serve     serveCommand     `cmd:"" default:"withargs" help:"Run the server. This is what happens without a command."`
	Bootstrap bootstrapCommand `cmd:"" help:"Set MongoDB up as serve does at its start, and say what was found and done."`
	Export    exportCommand    `cmd:"" help:"Write all users and characters to a file that import reads. Works beside a running server."`
	Import    importCommand    `cmd:"" help:"Read what export wrote. A second run changes nothing, and completes one that was broken off."`
	Copy      copyCommand      `cmd:"" help:"Copy all users and characters from one store to another, such as from MongoDB to the embedded store."`
	Keys      keysCommand      `cmd:"" help:"Examine or change the master key that seals provider keys."`
	Version   versionCommand   `cmd:"" help:"Print version, commit and Go version."`
}

// Main runs the command that args name and returns the exit status. An error
// is printed as one message. ctx ends a command that runs on.
func Main(ctx context.Context, args []string, streams Streams) int {
	exited := -1 // the status with which kong would have ended the process
	var command commands
	parser, err := kong.New(&command,
		kong.Name("web-backend"),
		kong.Description("The service behind AI characters that talk: users, characters, provider keys. "+
			"Without a command it serves; web-backend serve --help lists the flags."),
		kong.Writers(streams.Out, streams.Err),
		kong.Exit(func(status int) { exited = status }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams),
	)
	if err != nil {
		fmt.Fprintln(streams.Err, "web-backend:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	switch {
	case exited >= 0:
		return exited // --help
	case err != nil:
		fmt.Fprintf(streams.Err, "web-backend: %v; see web-backend serve --help\n", err)
		return exitUsage
	}
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(streams.Err, "web-backend:", err)
		return exitFailed
	}
	return exitOK
}

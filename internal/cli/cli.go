// Package cli implements the command line. Each command has its own file.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"web-backend/internal/backend"
	"web-backend/internal/spelling"
)

// Streams are the input and output of a command, except for files.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(name string) (string, bool)
	Environ  func() []string // like [os.Environ]; nil turns off the search for unknown variables
	// ReadPassword reads a line from the terminal In without showing it. It is
	// nil if In is not a terminal.
	ReadPassword func(ctx context.Context) (string, error)
}

// The exit statuses of every command. docs/commands.md lists what each of them
// means.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands defines the command line for kong. The group of each command is one
// of groups.
type commands struct {
	Serve       serveCommand       `cmd:"" default:"withargs" group:"run" help:"Run the server. This is the default command."`
	Bootstrap   bootstrapCommand   `cmd:"" group:"run" help:"Set up MongoDB as serve does when it starts, and print what was found and done."`
	Healthcheck healthcheckCommand `cmd:"" group:"run" help:"Check whether the running server is healthy."`
	Console     consoleCommand     `cmd:"" group:"run" help:"Print a link that signs in an operator to the console once, and open it."`
	Config      configCommand      `cmd:"" group:"run" help:"Check the configuration, or show where each value comes from."`
	User        userCommand        `cmd:"" group:"users" help:"List, show, create and delete users; set passwords."`
	Export      exportCommand      `cmd:"" group:"data" help:"Write all users and characters to a file that import can read. The server may be running."`
	Import      importCommand      `cmd:"" group:"data" help:"Read a file that export wrote. A second run changes nothing, and completes a run that was interrupted."`
	Copy        copyCommand        `cmd:"" group:"data" help:"Copy all users and characters from one store to another, for example from MongoDB to the embedded store."`
	Backup      backupCommand      `cmd:"" group:"care" help:"Copy the embedded store to a file. The server may be running."`
	Restore     restoreCommand     `cmd:"" group:"care" help:"Replace the embedded store with a backup. The server must be stopped."`
	Keys        keysCommand        `cmd:"" group:"care" help:"Check or change the master key that encrypts provider keys."`
	Motion      motionCommand      `cmd:"" group:"motion" help:"Check a folder of motion files, or write a small one to try out."`
	OpenAPI     openapiCommand     `cmd:"" name:"openapi" group:"about" help:"Print the OpenAPI document."`
	Completion  completionCommand  `cmd:"" group:"about" help:"Print the completion script for a shell."`
	Version     versionCommand     `cmd:"" group:"about" help:"Print the version, the commit and the Go version."`
	Complete    completeCommand    `cmd:"" name:"__complete" hidden:"" passthrough:""`
}

// groups are the sections of the list of commands.
var groups = []kong.Group{
	{Key: "run", Title: "Running the server"},
	{Key: "users", Title: "Users"},
	{Key: "data", Title: "Moving data"},
	{Key: "care", Title: "Looking after it"},
	{Key: "motion", Title: "Motion files"},
	{Key: "about", Title: "About the program"},
}

// Main runs the command in args and returns the exit status. It prints an error
// as one message. A command that runs until it is stopped ends when ctx ends.
func Main(ctx context.Context, args []string, streams Streams) int {
	for i, arg := range args {
		if err := backend.CheckText(arg); err != nil { // the argument may be a secret, so it is not shown
			fmt.Fprintf(streams.Err, "web-backend: argument %d %v\n", i+1, err)
			return exitUsage
		}
	}
	exited := -1 // the exit status that kong asked for
	var command commands
	parser, err := newParser(&command,
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
		fmt.Fprintln(streams.Err, "web-backend:", usageError(parser.Model.Node, args, err))
		return exitUsage
	}
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(streams.Err, "web-backend:", withHint(err))
		return exitFailed
	}
	return exitOK
}

// newParser returns the parser of the command line.
func newParser(command *commands, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(command, append([]kong.Option{
		kong.Name(programName),
		kong.Description("The service behind AI characters that talk: users, characters, provider keys. " +
			"Without a command it runs the server; web-backend serve --help lists the flags.\n\n" +
			"Exit status: 0 for success, 1 for a failure, 2 for a wrong command line."),
		kong.ExplicitGroups(groups),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
	}, options...)...)
}

const programName = "web-backend"

// usageError returns what is wrong with a command line, and names the command
// whose help to read.
func usageError(program *kong.Node, args []string, err error) string {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		var known []string
		for _, command := range program.Children {
			if !command.Hidden {
				known = append(known, command.Name)
			}
		}
		if !slices.Contains(known, args[0]) {
			return fmt.Sprintf("unknown command %q%s; see %s --help", args[0], didYouMean(args[0], known), programName)
		}
	}
	command, message := programName+" serve", err.Error() // the flags of serve are allowed without its name
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context.Selected() != nil {
		selected := parse.Context.Selected()
		command = selected.FullPath()
		if len(selected.Children) == 0 && strings.HasPrefix(message, "unexpected argument ") {
			message = "an argument too many" // the argument may be a password, or a URI with a password
		}
	}
	return fmt.Sprintf("%s; see %s --help", message, command)
}

// didYouMean returns a question with the known words that are similar to word,
// or "" if there are none.
func didYouMean(word string, known []string) string {
	const most = 2 // changed characters
	var near []string
	for _, name := range spelling.Nearest(word, known, most) {
		near = append(near, strconv.Quote(name))
	}
	if len(near) == 0 {
		return ""
	}
	return ", did you mean " + strings.Join(near, " or ") + "?"
}

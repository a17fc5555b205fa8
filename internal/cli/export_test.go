package cli

import (
	"io"

	"github.com/alecthomas/kong"
)

// Model returns the command line as kong parses it.
func Model() (*kong.Application, error) {
	parser, err := newParser(&commands{})
	if err != nil {
		return nil, err
	}
	return parser.Model, nil
}

// Parse returns what is wrong with a command line, and runs nothing. With
// --help it checks only commands and flags, not whether arguments are missing.
func Parse(args []string) error {
	helped := false
	parser, err := newParser(&commands{}, kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) { helped = true }))
	if err != nil {
		return err
	}
	if _, err = parser.Parse(args); helped {
		return nil
	}
	return err
}

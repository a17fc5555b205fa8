package cli

import (
	"io"

	"github.com/alecthomas/kong"
)

// Model gives the command line as kong reads it.
func Model() (*kong.Application, error) {
	parser, err := newParser(&commands{})
	if err != nil {
		return nil, err
	}
	return parser.Model, nil
}

// Parse says what is wrong in a command line, and runs nothing. With --help only
// commands and flags are judged, not whether arguments are missing.
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

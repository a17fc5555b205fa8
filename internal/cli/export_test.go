package cli

import "github.com/alecthomas/kong"

// Model gives the command line as kong reads it.
func Model() (*kong.Application, error) {
	parser, err := newParser(&commands{})
	if err != nil {
		return nil, err
	}
	return parser.Model, nil
}

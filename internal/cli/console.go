package cli

import (
	"fmt"

	"web-backend/internal/client"
)

// consoleCommand prints a link to the console.
type consoleCommand struct{ configFlags }

// Help implements kong.HelpProvider.
func (consoleCommand) Help() string {
	return `The link signs in an operator, once and within 10 minutes. Open it in a browser on this machine; from
another one, put the public address of the server in its place. It is made from the operator token, without asking the
server, so use the server's own configuration.

    web-backend console
    docker compose exec web-backend web-backend console`
}

// Run prints the link.
func (c *consoleCommand) Run(streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	link, err := client.ConsoleLink(cfg)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(streams.Out, link.Reveal())
	return err
}

package cli

import (
	"context"
	"fmt"

	"web-backend/internal/client"
)

// consoleCommand prints a link to the console, and opens it.
type consoleCommand struct {
	configFlags

	NoBrowser bool `name:"no-browser" help:"Only print the link; open no browser."`
}

// Help implements kong.HelpProvider.
func (consoleCommand) Help() string {
	return `The link signs in an operator, once and within 10 minutes. Open it in a browser on this machine; from
another one, put the public address of the server in its place. It is made from the operator token, without asking the
server, so use the server's own configuration. On a terminal with a display it also opens the browser.

    web-backend console
    docker compose exec web-backend web-backend console`
}

// Run prints the link, and opens it in a browser if there is one.
func (c *consoleCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	link, err := client.ConsoleLink(cfg)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintln(streams.Out, link.Reveal()); err != nil || c.NoBrowser {
		return err
	}
	if err := openBrowser(ctx, streams, link); err != nil {
		fmt.Fprintf(streams.Err, "web-backend: cannot open a browser, so open the link yourself: %v\n", err)
	}
	return nil
}

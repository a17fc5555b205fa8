package cli

import (
	"context"
	"fmt"

	"web-backend/internal/client"
)

// consoleCommand prints a link to the console, and opens it.
type consoleCommand struct {
	configFlags

	NoBrowser bool `name:"no-browser" help:"Only print the link; do not open a browser."`
}

// Help implements kong.HelpProvider.
func (consoleCommand) Help() string {
	return `The link works once, and for 10 minutes. Open it in a browser on this machine. On another machine, replace its
address with the public address of the server. The command makes the link from the operator token and does not contact
the server, so run it with the server's configuration. On a terminal with a display it also opens the browser.

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

package cli

import (
	"context"

	"web-backend/internal/store"
)

// bootstrapCommand runs only the start-up steps of MongoDB.
type bootstrapCommand struct {
	configFlags
	Check bool `help:"Only check; change nothing."`
}

// Help implements kong.HelpProvider.
func (bootstrapCommand) Help() string {
	return `It creates the application user and the indexes if they are missing; see docs/mongodb.md.

    web-backend bootstrap --config_path configs/local.yaml --check`
}

// Run runs the steps and prints what it found and did.
func (c *bootstrapCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	return store.Bootstrap(ctx, cfg, c.Check, streams.Out)
}

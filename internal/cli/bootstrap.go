package cli

import (
	"context"

	"web-backend/internal/app"
)

// bootstrapCommand runs the start-up steps of MongoDB alone.
type bootstrapCommand struct {
	configFlags
	Check bool `help:"Only look; change nothing."`
}

// Run prints what it found and did.
func (c *bootstrapCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	return app.Bootstrap(ctx, cfg, c.Check, streams.Out)
}

package cli

import (
	"context"

	"web-backend/internal/maintenance"
)

// restoreCommand puts a backup in place.
type restoreCommand struct {
	configFlags
	File  string `arg:"" help:"The backup."`
	Check bool   `help:"Only examine the file and whether the master key fits; change nothing. The server may run."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (restoreCommand) Help() string {
	return `The file is verified before anything changes. The database that was there stays beside the new one, as
web-backend.db.before-restore- with the time; people have to log in again.

    web-backend restore --check monday.db
    web-backend restore monday.db
    web-backend restore --data-dir /tmp/drill --json monday.db`
}

// Run prints what was put in place, and what is left to do about master keys.
func (c *restoreCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	report, err := maintenance.Restore(ctx, cfg, c.File, c.Check)
	if err != nil {
		return err
	}
	return printReport(streams, c.JSON, report)
}

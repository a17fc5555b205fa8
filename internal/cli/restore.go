package cli

import (
	"context"

	"web-backend/internal/maintenance"
)

// restoreCommand replaces the embedded store with a backup.
type restoreCommand struct {
	configFlags
	File  string `arg:"" help:"The backup."`
	Check bool   `help:"Only check the file and whether the master key fits; change nothing. The server may be running."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (restoreCommand) Help() string {
	return `The file is verified before anything changes. The old database stays in the same folder, with the name
web-backend.db.before-restore-TIME. All users have to log in again.

    web-backend restore --check monday.db
    web-backend restore monday.db
    web-backend restore --data-dir /tmp/drill --json monday.db`
}

// Run restores the backup. It prints what was restored, and what has to be done
// about master keys.
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

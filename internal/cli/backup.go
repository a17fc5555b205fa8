package cli

import (
	"context"

	"web-backend/internal/maintenance"
)

// backupCommand copies the embedded store to a file.
type backupCommand struct {
	configFlags
	Out  string `placeholder:"FILE" help:"File to write. An existing file is not replaced. Default: a new file in backup.dir, named after the time."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (backupCommand) Help() string {
	return `The file is verified before it gets its name. It does not contain the master key: keep that somewhere else. For
scheduled backups set backup.every. Backups that this command makes are never removed automatically.

    web-backend backup
    web-backend backup --out monday.db
    web-backend backup --out /var/backups/monday.db --data-dir /var/lib/web-backend --json`
}

// Run makes the backup and prints what it contains.
func (c *backupCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	report, err := maintenance.WriteBackup(ctx, cfg, c.Out)
	if err != nil {
		return err
	}
	return printReport(streams, c.JSON, report)
}

package cli

import (
	"context"

	"web-backend/internal/maintenance"
)

// backupCommand copies the embedded store to a file.
type backupCommand struct {
	configFlags
	Out  string `placeholder:"FILE" help:"Where the backup goes. A file that is there is not replaced. Without it: a new file in backup.dir, named after the time."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (backupCommand) Help() string {
	return `It works whether the server runs or not. The file is verified before it appears under its name. The master key is not
in it: keep that elsewhere. For backups by schedule set backup.every; those that this command makes are never removed.

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

package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"web-backend/internal/app"
)

// backupCommand copies the embedded store.
type backupCommand struct {
	configFlags
	Out  string `required:"true" placeholder:"FILE" help:"Where the backup goes. A file that is there is not replaced."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run prints what the backup holds.
func (c *backupCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	report, err := app.WriteBackup(ctx, cfg, c.Out)
	if err != nil {
		return err
	}
	return printReport(streams, c.JSON, report)
}

// printReport prints a report for a program or a person.
func printReport(streams Streams, asJSON bool, report interface{ Text() string }) error {
	if !asJSON {
		_, err := fmt.Fprint(streams.Out, report.Text())
		return err
	}
	encoder := json.NewEncoder(streams.Out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

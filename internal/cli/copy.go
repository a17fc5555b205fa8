package cli

import (
	"context"
	"errors"
	"fmt"

	"web-backend/internal/move"
)

// copyCommand copies the data of one store to another.
type copyCommand struct {
	configFlags
	moveFlags
	From        string `placeholder:"PLACE" help:"Store to read: a data folder, a mongodb:// or mongodb+srv:// URI, or just mongodb:// for the MongoDB of the configuration, which needs no password on the command line. Default: the configured store."`
	To          string `placeholder:"PLACE" help:"Store to write, in the same form. If a URI has a password, leave out its flag and set MONGODB_URI_FILE."`
	WithSecrets bool   `name:"with-secrets" help:"Copy passwords and provider keys too."`
	LeaveOutBad bool   `name:"leave-out-bad" help:"Skip and count MongoDB documents that cannot be read; without this flag nothing is written."`
	Verify      bool   `help:"Afterwards compare all users and characters, and count the differences."`
}

// Help implements kong.HelpProvider.
func (copyCommand) Help() string {
	return `The source is only read, and may be in use. The target is set up as serve does it. A second run changes nothing.

    web-backend copy --from mongodb:// --to data --with-secrets --verify
    MONGODB_URI_FILE=/run/secrets/uri web-backend copy --to data --with-secrets
    web-backend copy --from data --to other-data --dry-run`
}

// Run copies the data and prints what it did.
func (c *copyCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	report, err := move.Copy(ctx, cfg, move.CopyOptions{
		From: c.From, To: c.To, Secrets: c.WithSecrets, OnConflict: c.onConflict(),
		DryRun: c.DryRun, Verify: c.Verify, LeaveOutBad: c.LeaveOutBad,
	}, messages(streams, c.Quiet))
	return c.tell(streams, report, err)
}

// tell prints the result of an import or a copy. It returns an error if the
// result differs from its source.
func (f moveFlags) tell(streams Streams, report move.Report, err error) error {
	if from, ok := errors.AsType[*move.SourceError](err); ok {
		return fmt.Errorf("--from: %w", from.Err)
	}
	if to, ok := errors.AsType[*move.TargetError](err); ok {
		return fmt.Errorf("--to: %w", to.Err)
	}
	if err != nil {
		return err
	}
	report.SecretsHint = "; --with-secrets takes them along"
	if err := printReport(streams, f.JSON, report); err != nil {
		return err
	}
	return report.Fault()
}

package cli

import (
	"context"

	"web-backend/internal/backend"
	"web-backend/internal/move"
)

// moveFlags are the flags of the commands that write users to a store.
type moveFlags struct {
	OnConflict string `name:"on-conflict" enum:"fail,skip,replace" default:"fail" help:"What to do with a user that exists with different content: fail (before anything is written), skip or replace."`
	DryRun     bool   `name:"dry-run" help:"Write nothing; print what would be done."`
	JSON       bool   `name:"json" help:"Print the result as JSON."`
	Quiet      bool   `help:"Show no progress."`
}

// onConflict returns the policy that the flag selects.
func (f moveFlags) onConflict() backend.OnConflict {
	switch f.OnConflict {
	case "skip":
		return backend.SkipConflicts
	case "replace":
		return backend.ReplaceConflicts
	}
	return backend.FailOnConflict
}

// importCommand imports an export file.
type importCommand struct {
	configFlags
	moveFlags
	File           string `arg:"" placeholder:"FILE" help:"File that export wrote, or - for standard input."`
	Identity       string `placeholder:"FILE" help:"Identity file (age) that decrypts the export."`
	PassphraseFile string `name:"passphrase-file" placeholder:"FILE" help:"File with the passphrase of the export. Default: WEB_BACKEND_PASSPHRASE; if it is not set, the command asks."`
}

// Help implements kong.HelpProvider.
func (importCommand) Help() string {
	return `The whole file is read and checked before anything is written. The server of an embedded store must be stopped.

    web-backend import users.jsonl
    web-backend import users.age --identity identity --on-conflict replace
    web-backend import users.jsonl --dry-run --json
    zcat users.jsonl.gz | web-backend import -`
}

// Run imports the file into the configured store and prints what it did.
func (c *importCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	passphrase := passphraseSource{file: c.PassphraseFile, streams: streams, taken: c.File == move.StandardInput}
	report, err := move.Import(ctx, cfg, move.ImportOptions{
		File: c.File, OnConflict: c.onConflict(), DryRun: c.DryRun,
		Identity: c.Identity, Passphrase: passphrase.of(ctx),
	}, streams.In, messages(streams, c.Quiet))
	return c.tell(streams, report, err)
}

package cli

import (
	"context"
	"errors"

	"web-backend/internal/move"
)

// exportCommand writes an export file.
type exportCommand struct {
	configFlags
	Out            string   `placeholder:"FILE" help:"File to write. Default: standard output."`
	Force          bool     `help:"Replace FILE if it exists."`
	User           *string  `placeholder:"USER" xor:"user" help:"Write only the user with this id or user name."`
	WithSecrets    bool     `name:"with-secrets" help:"Include passwords and provider keys. The file is then encrypted (age)."`
	Recipient      []string `placeholder:"age1…" sep:"none" help:"Encrypt for this public key; may be given several times."`
	PassphraseFile string   `name:"passphrase-file" placeholder:"FILE" help:"File with the passphrase to encrypt with. Default: WEB_BACKEND_PASSPHRASE; if it is not set, the command asks."`
	LeaveOutBad    bool     `name:"leave-out-bad" xor:"user" help:"Skip and count MongoDB documents that cannot be read."`
	Quiet          bool     `help:"Show no progress."`
}

// Help implements kong.HelpProvider.
func (exportCommand) Help() string {
	return `Without --with-secrets, the file is plain text and contains no passwords and no provider keys.

    web-backend export --out users.jsonl
    web-backend export --user ada@example.org --out ada.jsonl
    web-backend export --with-secrets --out users.age
    web-backend export --with-secrets --recipient age1… --out users.age
    web-backend export | wc -l`
}

// Validate is called by kong to check the command. An empty user, as from an
// unset variable of a script, must not export everyone.
func (c *exportCommand) Validate() error {
	if c.User != nil && *c.User == "" {
		return errors.New("--user needs the id or the user name of a user")
	}
	return nil
}

// Run exports the configured store, or one user of it.
func (c *exportCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	passphrase := passphraseSource{file: c.PassphraseFile, streams: streams, twice: true}
	options := move.ExportOptions{
		Out: c.Out, Force: c.Force, Secrets: c.WithSecrets, Recipients: c.Recipient,
		LeaveOutBad: c.LeaveOutBad, Encrypt: c.PassphraseFile != "", Passphrase: passphrase.of(ctx),
	}
	if c.User != nil {
		options.User = *c.User
	}
	return move.Export(ctx, cfg, options, streams.Out, messages(streams, c.Quiet))
}

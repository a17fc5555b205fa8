package cli

import (
	"context"
	"errors"

	"web-backend/internal/maintenance"
)

// keysCommand groups the commands for the master key that seals provider keys.
type keysCommand struct {
	Doctor keysDoctorCommand `cmd:"" help:"Print where the master key is and whether it opens all provider keys. Changes nothing."`
	Rotate keysRotateCommand `cmd:"" help:"Encrypt all provider keys with a new master key. The server must be stopped."`
}

// keysDoctorCommand examines the master keys.
type keysDoctorCommand struct {
	configFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (keysDoctorCommand) Help() string {
	return `The server may be running. The exit status is 1 if a provider key cannot be read.

    web-backend keys doctor
    web-backend keys doctor --data-dir /var/lib/web-backend --json`
}

// Run prints the report. It returns an error if something is wrong with the
// keys.
func (c *keysDoctorCommand) Run(streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	report, err := maintenance.DoctorKeys(cfg)
	if err != nil {
		return err
	}
	err = printReport(streams, c.JSON, report)
	if err == nil && !report.OK {
		err = errors.New(report.Verdict)
	}
	return err
}

// keysRotateCommand changes the master key.
type keysRotateCommand struct {
	configFlags
	DiscardUnreadable bool `name:"discard-unreadable" help:"Permanently remove provider keys that no master key opens."`
}

// Help implements kong.HelpProvider.
func (keysRotateCommand) Help() string {
	return `If it is interrupted, every key stays readable, and the next run completes it; see docs/provider-keys.md.

    web-backend keys rotate`
}

// Run changes the master key and prints what it did.
func (c *keysRotateCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	return maintenance.RotateKeys(ctx, cfg, c.DiscardUnreadable, streams.Out)
}

package app

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"web-backend/internal/backend"
	"web-backend/internal/config"
)

// CopyOptions say what is copied between which stores.
type CopyOptions struct {
	From, To   string // see placeOf
	Secrets    bool
	OnConflict backend.OnConflict
	DryRun     bool
	Verify     bool // compare source and target afterwards
}

// Copy moves everything of one store into another one. It changes nothing in
// the source. After an error or the end of ctx a later run completes the work.
func Copy(ctx context.Context, cfg *config.Config, options CopyOptions, messages Messages) (MoveReport, error) {
	from, err := placeOf(cfg, options.From)
	if err != nil {
		return MoveReport{}, fmt.Errorf("--from: %w", err)
	}
	to, err := placeOf(cfg, options.To)
	if err != nil {
		return MoveReport{}, fmt.Errorf("--to: %w", err)
	}
	if from.same(to) {
		return MoveReport{}, fmt.Errorf("--from and --to are the same place, %s; name another one", from.text)
	}
	source, err := from.openSource(ctx)
	if err != nil {
		return MoveReport{}, fmt.Errorf("--from: %w", err)
	}
	report, err := copyFrom(ctx, source, to, options, messages)
	report.From, report.To = from.text, to.text
	return report, stopped(ctx, errors.Join(err, source.Close()))
}

func copyFrom(ctx context.Context, source backend.Store, to place, options CopyOptions, messages Messages) (MoveReport, error) {
	counts, err := source.Count(ctx)
	if err != nil {
		return MoveReport{}, err
	}
	if err := readableSecrets(counts, options.Secrets); err != nil {
		return MoveReport{}, err
	}
	move := move{
		users: func() iter.Seq2[backend.UserData, error] { return source.ExportUsers(ctx) },
		count: counts.Users, secrets: options.Secrets, onConflict: options.OnConflict, dryRun: options.DryRun,
		what: "copy", messages: messages, passwords: passwordsOf(to.cfg),
	}
	report, err := move.run(ctx, to)
	report.Secrets, report.Orphans = options.Secrets, counts.Orphans
	if !options.Secrets {
		report.KeysLeft, report.PasswordsLeft = counts.ProviderKeys, counts.Credentials
	}
	if err != nil || options.DryRun || !options.Verify {
		return report, err
	}
	report.Differences, err = compareStores(ctx, source, to, options.Secrets, messages.progress("compare", counts.Users))
	return report, err
}

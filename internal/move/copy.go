package move

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/store/mongo"
)

// CopyOptions are the options of [Copy].
type CopyOptions struct {
	From, To   string // names of locations, see locationOf
	Secrets    bool
	OnConflict backend.OnConflict
	DryRun     bool
	Verify     bool // compare source and target afterwards
	// LeaveOutBad skips documents that cannot be read. Otherwise such documents
	// cause an error that names them, and nothing is written.
	LeaveOutBad bool
}

// A SourceError is an error in the source of a copy.
type SourceError struct{ Err error }

// Error implements error.
func (e *SourceError) Error() string { return "source: " + e.Err.Error() }

// Unwrap returns e.Err.
func (e *SourceError) Unwrap() error { return e.Err }

// A TargetError is an error in the target of a copy.
type TargetError struct{ Err error }

// Error implements error.
func (e *TargetError) Error() string { return "target: " + e.Err.Error() }

// Unwrap returns e.Err.
func (e *TargetError) Unwrap() error { return e.Err }

// Copy copies the contents of one store to another store. It changes nothing in
// the source. After an error, or if ctx ends, a later run completes the work.
func Copy(ctx context.Context, cfg *config.Config, options CopyOptions, messages Messages) (Report, error) {
	from, err := locationOf(cfg, options.From)
	if err != nil {
		return Report{}, &SourceError{err}
	}
	to, err := locationOf(cfg, options.To)
	if err != nil {
		return Report{}, &TargetError{err}
	}
	if from.same(to) {
		return Report{}, fmt.Errorf("source and target are the same store, %s; name another one", from.text)
	}
	source, err := from.openSource(ctx)
	if err != nil {
		return Report{}, &SourceError{err}
	}
	report, err := copyFrom(ctx, source, to, options, messages)
	report.From, report.To = from.text, to.text
	return report, stopped(ctx, errors.Join(err, source.Close()))
}

func copyFrom(ctx context.Context, source backend.Store, to location, options CopyOptions, messages Messages) (Report, error) {
	leftOut, err := examine(ctx, source, options.LeaveOutBad, messages)
	if err != nil {
		return Report{}, err
	}
	counts, err := source.Count(ctx)
	if err != nil {
		return Report{}, err
	}
	if err := readableSecrets(counts, options.Secrets); err != nil {
		return Report{}, err
	}
	m := job{
		users: func() iter.Seq2[backend.UserData, error] { return source.ExportUsers(ctx) },
		count: counts.Users, secrets: options.Secrets, onConflict: options.OnConflict, dryRun: options.DryRun,
		what: "copy", messages: messages, passwords: auth.NewPasswords(to.cfg.Accounts.PasswordParams()),
	}
	report, err := m.run(ctx, to)
	report.LeftOut = leftOut
	report.Secrets, report.Orphans = options.Secrets, counts.Orphans
	if !options.Secrets {
		report.KeysLeft, report.PasswordsLeft = counts.ProviderKeys, counts.Credentials
	}
	if err != nil || options.DryRun || !options.Verify {
		return report, err
	}
	report.Differences, err = m.compare(ctx, to)
	return report, err
}

// ErrBadDocuments means that documents of the source cannot be read.
var ErrBadDocuments = errors.New("nothing was written")

// Differences counts the users that are missing in the target or differ from
// the source. Users that only the target has are not counted.
type Differences struct {
	Users      int64  `json:"users"` // number that was compared
	Characters int64  `json:"characters"`
	Different  int64  `json:"different"`       // number of Users that are missing or different
	First      string `json:"first,omitempty"` // id of the first of these users
}

// compare runs the importer without writing, and counts the users that it would
// still add or replace. Without secrets it compares neither passwords nor
// provider keys.
func (m job) compare(ctx context.Context, to location) (found *Differences, err error) {
	store, err := to.openSource(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	bar := m.messages.progress("compare", m.count)
	defer bar.end()
	report, err := backend.Import(ctx, &targetStore{Store: store, dry: true}, m.users(), backend.ImportOptions{
		OnConflict: backend.ReplaceConflicts, Secrets: m.secrets, LockedPassword: backend.NewSecret("nobody's"),
		Progress: func(r backend.ImportReport) { bar.at(r.Users(), r.Compared) },
	})
	if err != nil {
		return nil, err
	}
	return &Differences{report.Users(), report.Compared, report.Users() - report.Unchanged, report.FirstDifferent}, nil
}

// mostBadShown is the maximum number of documents that one message names.
const mostBadShown = 1000

// examine looks for documents in source that cannot be read, and returns their
// number. It reports each of them: as a note if leaveOut is set, and otherwise
// in an error. A message names at most mostBadShown documents.
func examine(ctx context.Context, source backend.Store, leaveOut bool, messages Messages) (count int64, err error) {
	documents, ok := source.(interface {
		BadDocuments(ctx context.Context, report func(mongo.BadDocument)) error
	})
	if !ok {
		return 0, nil // the embedded store contains only readable documents
	}
	var lines []string
	err = documents.BadDocuments(ctx, func(bad mongo.BadDocument) {
		if count++; count <= mostBadShown {
			lines = append(lines, bad.String())
		}
	})
	if err != nil || count == 0 {
		return count, err
	}
	if more := count - mostBadShown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	if leaveOut {
		for _, line := range lines {
			messages.note("left out: %s", line)
		}
		return count, nil
	}
	return count, fmt.Errorf("%s cannot be read:\n  %s\n%w; mend or remove them",
		number(count, "document"), strings.Join(lines, "\n  "), ErrBadDocuments)
}

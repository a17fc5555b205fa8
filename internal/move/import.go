package move

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"

	"filippo.io/age"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/logging"
	"web-backend/internal/transfer"
)

// ImportOptions are the options of [Import].
type ImportOptions struct {
	File       string // path, or [StandardInput] to read from stdin
	OnConflict backend.OnConflict
	DryRun     bool
	Identity   string                         // age identity file; "" for none
	Passphrase func() (backend.Secret, error) // called if the file needs a passphrase
}

// Import imports an export file into the configured store. Before it writes
// anything, it reads the whole file. With [backend.FailOnConflict] it also
// compares the whole file with the store first. After an error, or if ctx ends,
// a later run completes the work.
func Import(ctx context.Context, cfg *config.Config, options ImportOptions, stdin io.Reader, messages Messages) (Report, error) {
	target, err := locationOf(cfg, "")
	if err != nil {
		return Report{}, err
	}
	keys := &transfer.Keys{Passphrase: options.Passphrase}
	if options.Identity != "" {
		if keys.Identities, err = readIdentities(options.Identity); err != nil {
			return Report{}, err
		}
	}
	file, closed, err := openTwice(ctx, options.File, stdin)
	if err != nil {
		return Report{}, stopped(ctx, err)
	}
	export := exportFile{file, keys, auth.NewPasswords(target.cfg.Accounts.PasswordParams())}
	report, err := importFile(ctx, export, target, options, messages)
	return report, stopped(ctx, errors.Join(err, closed()))
}

func importFile(ctx context.Context, file exportFile, target location, options ImportOptions, messages Messages) (Report, error) {
	header, totals, err := file.verify(ctx, messages)
	if err != nil {
		return Report{}, err
	}
	m := job{
		users: func() iter.Seq2[backend.UserData, error] { return file.users(ctx) },
		count: totals.Users, secrets: header.Secrets, onConflict: options.OnConflict, dryRun: options.DryRun,
		what: "import", messages: messages, passwords: file.passwords,
	}
	report, err := m.run(ctx, target)
	report.Secrets = header.Secrets
	return report, err
}

// ErrIdentity means that an identity file cannot be used.
var ErrIdentity = errors.New("identity file")

func readIdentities(path string) ([]age.Identity, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	identities, err := transfer.Identities(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrIdentity, path, err)
	}
	return identities, nil
}

// stopped returns the error of a command. If ctx has ended, it returns a plain
// message in place of err.
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("stopped before the end; the same command again completes the work")
	}
	return err
}

// exportFile is an export file that can be read from its beginning more than
// once.
type exportFile struct {
	file      *os.File
	keys      *transfer.Keys
	passwords *auth.Passwords
}

func (f exportFile) reader() (*transfer.Reader, error) {
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	lines, _, err := transfer.Open(f.file, f.keys)
	if err != nil {
		return nil, err
	}
	r, err := transfer.NewReader(lines)
	if err == nil {
		r.CheckPassword = f.passwords.CheckStored
	}
	return r, err
}

// verify reads the whole file and checks it. It does not keep the users.
func (f exportFile) verify(ctx context.Context, messages Messages) (transfer.Header, transfer.Totals, error) {
	r, err := f.reader()
	if err != nil {
		return transfer.Header{}, transfer.Totals{}, err
	}
	bar := messages.progress("verify", r.Header().Users)
	defer bar.end()
	for _, err := range r.Users() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return r.Header(), r.Totals(), fmt.Errorf("%w; nothing was imported", err)
		}
		bar.at(r.Totals().Users, r.Totals().Characters)
	}
	return r.Header(), r.Totals(), nil
}

// users returns an iterator over the users of the file, from its beginning.
func (f exportFile) users(ctx context.Context) iter.Seq2[backend.UserData, error] {
	return func(yield func(backend.UserData, error) bool) {
		r, err := f.reader()
		if err != nil {
			yield(backend.UserData{}, err)
			return
		}
		for user, err := range r.Users() {
			if err == nil {
				err = ctx.Err()
			}
			if !yield(user, err) || err != nil {
				return
			}
		}
	}
}

// job moves users from any source to a location.
type job struct {
	users      func() iter.Seq2[backend.UserData, error] // may be called more than once
	count      int64                                     // approximate number of users
	secrets    bool
	onConflict backend.OnConflict
	dryRun     bool
	what       string
	messages   Messages
	passwords  *auth.Passwords // hashes passwords with the parameters of the target
}

// run sets up the target and writes the users. With [backend.FailOnConflict] it
// looks for conflicts before it writes anything.
func (m job) run(ctx context.Context, target location) (report Report, err error) {
	if m.dryRun {
		return m.rehearse(ctx, target)
	}
	log, err := logging.Open(logging.Options{Console: m.messages.Out, ConsoleLevel: slog.LevelWarn})
	if err != nil {
		return report, err
	}
	store, err := target.openTarget(ctx, log.Logger)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	locked, err := lockedPassword(ctx, m.passwords)
	if err != nil {
		return report, err
	}
	if m.onConflict == backend.FailOnConflict {
		if _, err := m.write(ctx, &targetStore{Store: store, dry: true}, locked, "check"); err != nil {
			return report, fmt.Errorf("%w; nothing was written", err)
		}
	}
	return m.write(ctx, &targetStore{Store: store}, locked, m.what)
}

// rehearse does the same as run, but opens the target only for reading.
func (m job) rehearse(ctx context.Context, target location) (report Report, err error) {
	store, err := target.openDry(ctx)
	if err != nil {
		return report, err
	}
	if store != nil {
		defer func() { err = errors.Join(err, store.Close()) }()
	}
	report, err = m.write(ctx, &targetStore{Store: store, dry: true}, backend.NewSecret("nobody's"), "check")
	report.DryRun = true
	return report, err
}

func (m job) write(ctx context.Context, target *targetStore, locked backend.Secret, what string) (Report, error) {
	bar := m.messages.progress(what, m.count)
	defer bar.end()
	target.locked = locked
	report, err := backend.Import(ctx, target, m.users(), backend.ImportOptions{
		OnConflict: m.onConflict, Secrets: m.secrets, LockedPassword: locked,
		CheckPassword: m.passwords.CheckStored,
		Progress:      func(r backend.ImportReport) { bar.at(r.Users(), r.Characters) },
	})
	return reportOf(report, target.lockedUsers), err
}

// targetStore is the store of a target. In a dry run it shows what is stored
// but discards what is written. In a dry run Store may be nil, which stands for
// an empty store.
type targetStore struct {
	backend.Store
	dry         bool
	locked      backend.Secret
	lockedUsers int64 // number of users that got the locked password
}

// UserData implements [backend.Archive].
func (t *targetStore) UserData(ctx context.Context, userIDs []string) ([]backend.UserData, error) {
	if t.Store == nil {
		return nil, nil
	}
	return t.Store.UserData(ctx, userIDs)
}

// UsernameOwners implements [backend.Archive].
func (t *targetStore) UsernameOwners(ctx context.Context, usernames []string) (map[string]string, error) {
	if t.Store == nil {
		return nil, nil
	}
	return t.Store.UsernameOwners(ctx, usernames)
}

// PutUsers implements [backend.Archive].
func (t *targetStore) PutUsers(ctx context.Context, users []backend.UserData) error {
	if !t.dry {
		if err := t.Store.PutUsers(ctx, users); err != nil {
			return err
		}
	}
	for _, user := range users {
		if user.Credential != nil && user.Credential.Password == t.locked {
			t.lockedUsers++
		}
	}
	return nil
}

// lockedPassword returns the hash of a random password that is not kept.
func lockedPassword(ctx context.Context, passwords *auth.Passwords) (backend.Secret, error) {
	var unknown [32]byte
	_, _ = rand.Read(unknown[:]) // never fails
	return passwords.Hash(ctx, backend.NewSecret(base64.RawURLEncoding.EncodeToString(unknown[:])))
}

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

// ImportOptions say what is imported, and how.
type ImportOptions struct {
	File       string // [StandardInput] for the stream
	OnConflict backend.OnConflict
	DryRun     bool
	Identity   string                         // age identity file; "" for none
	Passphrase func() (backend.Secret, error) // asked if the file needs one
}

// Import reads an export file into the configured store. It reads all of the
// file, and with backend.FailOnConflict compares all of it with the store,
// before it writes anything. After an error or the end of ctx a later run
// completes the work.
func Import(ctx context.Context, cfg *config.Config, options ImportOptions, stdin io.Reader, messages Messages) (Report, error) {
	target, err := placeOf(cfg, "")
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

func importFile(ctx context.Context, file exportFile, target place, options ImportOptions, messages Messages) (Report, error) {
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

// ErrIdentity says that an identity file is of no use.
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

// stopped gives the error of a command, in plain words if a signal ended it.
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("stopped before the end; the same command again completes the work")
	}
	return err
}

// exportFile is an export that is read from its beginning several times.
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

// verify reads the whole file and keeps nothing of it.
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

// users iterates over the file again.
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

// job is one way of users into a place.
type job struct {
	users      func() iter.Seq2[backend.UserData, error] // may be asked for more than once
	count      int64                                     // of users, about
	secrets    bool
	onConflict backend.OnConflict
	dryRun     bool
	what       string
	messages   Messages
	passwords  *auth.Passwords // of the target
}

// run sets the target up, looks for conflicts if one shall stop everything, and
// then writes.
func (m job) run(ctx context.Context, target place) (report Report, err error) {
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

// rehearse does everything but opening the target for writing.
func (m job) rehearse(ctx context.Context, target place) (report Report, err error) {
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

// targetStore is the store of a target. In a dry run it shows what is there and
// keeps nothing; its Store may then be nil, for one that is empty.
type targetStore struct {
	backend.Store
	dry         bool
	locked      backend.Secret
	lockedUsers int64 // that got the locked password
}

// UserData implements [backend.Archive].
func (t *targetStore) UserData(ctx context.Context, userIDs []string) ([]backend.UserData, error) {
	if t.Store == nil {
		return nil, nil
	}
	return t.Store.UserData(ctx, userIDs)
}

// Credential implements [backend.ImportTarget].
func (t *targetStore) Credential(ctx context.Context, username string) (backend.Credential, error) {
	if t.Store == nil {
		return backend.Credential{}, backend.CredentialNotFound(username)
	}
	return t.Store.Credential(ctx, username)
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

// lockedPassword makes the hash of a password that nobody knows.
func lockedPassword(ctx context.Context, passwords *auth.Passwords) (backend.Secret, error) {
	var unknown [32]byte
	_, _ = rand.Read(unknown[:]) // never fails
	return passwords.Hash(ctx, backend.NewSecret(base64.RawURLEncoding.EncodeToString(unknown[:])))
}

// Package move moves the contents of a store: to a file, from a file, and to
// another store.
package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"filippo.io/age"

	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/store"
	"web-backend/internal/transfer"
)

// ExportOptions are the options of [Export].
type ExportOptions struct {
	Out        string // path of the file; "" to write to the stream
	Force      bool   // replace an existing file
	User       string // id or user name of the only user to export; "" for all users
	Secrets    bool   // include passwords and provider keys; requires encryption
	Recipients []string
	// LeaveOutBad skips documents that cannot be read. Otherwise such documents
	// cause an error that names them. It has no effect on an export of one user.
	LeaveOutBad bool
	// Passphrase is called if the export is to be encrypted with a passphrase.
	// That is the case with Secrets unless there are Recipients, and with
	// Encrypt.
	Passphrase func() (backend.Secret, error)
	Encrypt    bool // encrypt with the passphrase, even without Secrets
}

// Export writes the contents of the configured store as an export file. A
// server may use the store at the same time. Only the export is written to
// stream.
func Export(ctx context.Context, cfg *config.Config, options ExportOptions, stream io.Writer, messages Messages) error {
	recipients, err := exportRecipients(options)
	if err != nil {
		return err
	}
	source, err := locationOf(cfg, "")
	if err != nil {
		return err
	}
	if options.Out != "" {
		if err := store.NotOwn(cfg, options.Out); err != nil {
			return err
		}
		if err := mayCreate(options.Out, options.Force); err != nil {
			return err
		}
	}
	store, err := source.openSource(ctx)
	if err != nil {
		return err
	}
	err = exportStore(ctx, store, recipients, options, stream, messages)
	return stopped(ctx, errors.Join(err, store.Close()))
}

// exportRecipients returns the recipients that an export is encrypted for, or
// nil if it is not encrypted.
func exportRecipients(options ExportOptions) ([]age.Recipient, error) {
	if len(options.Recipients) > 0 {
		if options.Encrypt {
			return nil, errors.New("an export is encrypted for recipients or with a passphrase, not both")
		}
		return transfer.Recipients(options.Recipients)
	}
	if !options.Secrets && !options.Encrypt {
		return nil, nil
	}
	passphrase, err := options.Passphrase()
	if err != nil {
		return nil, err
	}
	recipient, err := transfer.PassphraseRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	return []age.Recipient{recipient}, nil
}

func exportStore(
	ctx context.Context, store backend.Store, recipients []age.Recipient, options ExportOptions, stream io.Writer, messages Messages,
) error {
	source, err := exportedFrom(ctx, store, options, messages)
	if err != nil {
		return err
	}
	if options.Out == "" {
		totals, err := exportTo(stream, source, recipients, exportPass{options.Secrets, messages})
		if err == nil {
			source.tell(messages, totals, "")
		}
		return err
	}
	file, err := createFile(options.Out, options.Force)
	if err != nil {
		return err
	}
	totals, err := exportTo(file, source, recipients, exportPass{options.Secrets, messages})
	if err != nil {
		file.discard()
		return err
	}
	if err := file.commit(); err != nil {
		return err
	}
	source.tell(messages, totals, " to "+options.Out)
	return nil
}

// exported is what an export writes.
type exported struct {
	users  iter.Seq2[backend.UserData, error]
	counts backend.Counts
	only   *backend.UserData // the only user, or nil
}

// exportedFrom returns what options choose of a store.
func exportedFrom(ctx context.Context, store backend.Store, options ExportOptions, messages Messages) (exported, error) {
	if options.User != "" {
		return oneExported(ctx, store, options)
	}
	if _, err := examine(ctx, store, options.LeaveOutBad, messages); err != nil {
		return exported{}, err
	}
	counts, err := store.Count(ctx)
	if err != nil {
		return exported{}, err
	}
	return exported{store.ExportUsers(ctx), counts, nil}, readableSecrets(counts, options.Secrets)
}

// oneExported reads the only user of an export. An id comes before a user name,
// because anyone can choose a user name that is the id of somebody else.
func oneExported(ctx context.Context, store backend.Store, options ExportOptions) (exported, error) {
	found, err := store.UserData(ctx, []string{options.User})
	if err == nil && len(found) == 0 {
		var credential backend.Credential
		if credential, err = store.Credential(ctx, options.User); err == nil {
			found, err = store.UserData(ctx, []string{credential.UserID})
		}
	}
	switch {
	case errors.Is(err, backend.NotFound), err == nil && len(found) == 0:
		return exported{}, fmt.Errorf(`no user has the id or the user name %q; "web-backend user list" prints all users`, options.User)
	case err != nil:
		return exported{}, err
	}
	if options.Secrets {
		counts, err := store.Count(ctx)
		if err == nil {
			err = readableSecrets(counts, options.Secrets)
		}
		if err != nil {
			return exported{}, err
		}
	}
	user := found[0]
	counts := backend.Counts{Users: 1, Characters: int64(len(user.Characters))}
	return exported{func(yield func(backend.UserData, error) bool) { yield(user, nil) }, counts, &user}, nil
}

// ErrKeyMissing means that secrets cannot be moved because a master key is
// missing.
var ErrKeyMissing = errors.New("a master key that seals is missing")

// readableSecrets returns an error if secrets are to be moved and some of them
// cannot be read.
func readableSecrets(counts backend.Counts, secrets bool) error {
	if !secrets || counts.UnreadableKeys == 0 {
		return nil
	}
	return fmt.Errorf("%s cannot be read: %w; find it with %s",
		number(counts.UnreadableKeys, "provider key"), ErrKeyMissing, store.KeysRemedy)
}

// exportPass holds the options of one call of exportTo.
type exportPass struct {
	secrets  bool
	messages Messages
}

func exportTo(out io.Writer, source exported, recipients []age.Recipient, pass exportPass) (totals transfer.Totals, err error) {
	lines := out
	var sealed io.WriteCloser
	if len(recipients) > 0 {
		if sealed, err = transfer.Encrypt(out, recipients); err != nil {
			return totals, err
		}
		lines = sealed
	}
	bar := pass.messages.progress("export", source.counts.Users)
	defer bar.end()
	header := transfer.Header{CreatedAt: time.Now(), Secrets: pass.secrets, Users: source.counts.Users, Characters: source.counts.Characters}
	totals, err = transfer.Write(lines, header, source.users, func(t transfer.Totals) { bar.at(t.Users, t.Characters) })
	if err == nil && sealed != nil {
		err = sealed.Close()
	}
	return totals, err
}

// tell says what was exported.
func (e exported) tell(messages Messages, totals transfer.Totals, where string) {
	if e.only == nil {
		messages.note("exported %s and %s%s", number(totals.Users, "user"), number(totals.Characters, "character"), where)
		tellOrphans(messages, e.counts)
		return
	}
	name := ""
	if e.only.Credential != nil {
		name = e.only.Credential.Username
	}
	messages.note("exported user %q, user name %q, with %s%s", e.only.UserID(), name, number(totals.Characters, "character"), where)
}

// tellOrphans reports the characters that exports and copies do not include.
func tellOrphans(messages Messages, counts backend.Counts) {
	if counts.Orphans > 0 {
		messages.note("%s of users without a config stayed behind: no list shows them", number(counts.Orphans, "character"))
	}
}

// number returns a count with its noun, in the singular or plural.
func number(count int64, thing string) string {
	if count == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", count, thing)
}

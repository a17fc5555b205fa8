package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// OnConflict says what an import does with a user of whom something else is
// stored already.
type OnConflict uint8

// The policies.
const (
	SkipConflicts    OnConflict = iota // what is stored stays
	ReplaceConflicts                   // what is imported takes its place
	FailOnConflict                     // the import ends with an error
)

// ImportOptions say how to import.
type ImportOptions struct {
	OnConflict OnConflict
	// Secrets says that the source carries passwords and provider keys. Without
	// them those that are stored are kept, and are not compared; so is the login
	// of a user for whom the source has none.
	Secrets bool
	// LockedPassword is the stored password of a user that is added without
	// Secrets: the hash of one that nobody knows. Needed without Secrets.
	LockedPassword Secret
	// CheckPassword, if set, is an error for a stored password that must not be
	// taken; asked with Secrets.
	CheckPassword func(stored Secret) error
	Progress      func(ImportReport) // after each batch, if set
}

// ImportReport counts users by what became of them, each once.
type ImportReport struct {
	Added     int64 // nothing was stored, or a part, which was completed
	Unchanged int64 // the same was stored
	Replaced  int64
	Skipped   int64
	Refused   int64 // not replaced, as the user name belongs to another user id

	Characters int64    // that were written
	Compared   int64    // characters of all users
	Conflicts  []string // the first user ids that were replaced, skipped or refused
	// FirstDifferent is the first user id that is not one of Unchanged.
	FirstDifferent string
	// Unreachable are the ids that no URL can name; see [Reachable].
	Unreachable []string
}

// mostConflicts is how many user ids a report names.
const mostConflicts = 20

// Users is how many users the import has come by.
func (r ImportReport) Users() int64 {
	return r.Added + r.Unchanged + r.Replaced + r.Skipped + r.Refused
}

// ImportTarget is what an import needs of a [Store].
type ImportTarget interface {
	Archive
	Credential(ctx context.Context, username string) (Credential, error)
}

// A batch ends with this many users, or bytes of memory.
const (
	importUsers = 100
	importBytes = 8 << 20
)

// Import stores users in target, in their order, in batches. Stored users are
// compared first: nothing stored, or only a credential or only a config with
// characters that is the same, is no conflict. So a second run changes nothing,
// and one that broke off is completed by the next.
//
// Invalid for a user that no store may keep, and Exists with FailOnConflict;
// both name the user, and nothing of its batch is written. The report holds
// what was done before an error. What a running server changes of a user in the
// moment in which it is replaced may be lost.
func Import(ctx context.Context, target ImportTarget, users iter.Seq2[UserData, error], o ImportOptions) (ImportReport, error) {
	i := importer{target: target, options: o}
	if !o.Secrets && !o.LockedPassword.IsSet() {
		return i.report, errors.New("an import without secrets needs a locked password") // else anyone could log in
	}
	err := i.importAll(ctx, users)
	return i.report, err
}

// importAll stores one batch while it reads the next.
func (i *importer) importAll(ctx context.Context, users iter.Seq2[UserData, error]) (err error) {
	var storing chan error // nil while nothing is being stored
	stored := func() error {
		if storing == nil {
			return nil
		}
		err := <-storing
		storing = nil
		return err
	}
	defer func() {
		if before := stored(); before != nil {
			err = before
		}
	}()
	var batch []UserData
	size, seen := 0, map[string]bool{}
	flush := func() error {
		if err := stored(); err != nil {
			return err
		}
		done, full := make(chan error, 1), batch
		go func() { done <- i.importBatch(ctx, full) }()
		storing, batch, size = done, nil, 0
		clear(seen)
		return nil
	}
	for user, err := range users {
		if err != nil {
			return err
		}
		if err := i.check(user); err != nil {
			return err
		}
		bytes := memoryBytes(user)
		full := len(batch) == importUsers || size+bytes > importBytes && len(batch) > 0
		if full || seen[user.UserID()] { // who comes again is compared with what was stored
			if err := flush(); err != nil {
				return err
			}
		}
		batch, size = append(batch, user), size+bytes
		seen[user.UserID()] = true
	}
	return flush()
}

// importer is one import.
type importer struct {
	target  ImportTarget
	options ImportOptions
	report  ImportReport
}

// check gives an Invalid error, which names the user, unless it may be stored.
func (i *importer) check(user UserData) error {
	if err := checkUserData(user); err != nil {
		return err
	}
	if user.Credential == nil || !i.options.Secrets || i.options.CheckPassword == nil {
		return nil
	}
	if err := i.options.CheckPassword(user.Credential.Password); err != nil {
		return &Error{Kind: Invalid, Message: fmt.Sprintf("user %s: password", shortQuote(user.UserID())), Cause: err}
	}
	return nil
}

// importBatch decides about each user, then writes those that are to be
// written, and reports once they are.
func (i *importer) importBatch(ctx context.Context, batch []UserData) error {
	if len(batch) == 0 {
		return nil
	}
	ids := make([]string, len(batch))
	for n, user := range batch {
		ids[n] = user.UserID()
	}
	found, err := i.target.UserData(ctx, ids)
	if err != nil {
		return err
	}
	stored := make(map[string]UserData, len(found))
	for _, user := range found {
		stored[user.UserID()] = user
	}
	names, err := i.owners(ctx, batch, stored)
	if err != nil {
		return err
	}
	report := i.report
	report.Conflicts = slices.Clone(report.Conflicts)
	var puts []UserData
	for _, user := range batch {
		if userID := user.UserID(); !Reachable(userID) && !slices.Contains(report.Unreachable, userID) {
			report.Unreachable = append(slices.Clone(report.Unreachable), userID)
		}
		before := stored[user.UserID()]
		put, write, err := i.decide(&report, names, before, user)
		if err != nil {
			return err
		}
		if write {
			puts = append(puts, put)
			names.move(before.Credential, put.Credential)
		}
	}
	if len(puts) > 0 {
		if err := i.target.PutUsers(ctx, puts); err != nil {
			return err
		}
	}
	i.report = report
	if i.options.Progress != nil {
		report.Conflicts = slices.Clone(report.Conflicts)
		i.options.Progress(report)
	}
	return nil
}

// decide says what becomes of a user: what to write, if anything.
func (i *importer) decide(report *ImportReport, names nameOwners, stored, user UserData) (put UserData, write bool, err error) {
	user = i.completed(stored, user)
	userID := user.UserID()
	sameCredential := equalOrNil(stored.Credential, user.Credential, func(a, b Credential) bool { return a == b })
	sameConfig := equalOrNil(stored.Config, user.Config, UserConfig.equal) &&
		slices.Equal(stored.Characters, user.Characters)
	partial := (sameCredential || stored.Credential == nil) && (sameConfig || stored.Config == nil)
	taken := user.Credential != nil && names.taken(*user.Credential)
	report.Compared += int64(len(user.Characters))
	if sameCredential && sameConfig {
		report.Unchanged++
		return user, false, nil
	}
	report.FirstDifferent = cmp.Or(report.FirstDifferent, userID)
	switch {
	case partial && !taken:
		report.Added++
	case i.options.OnConflict == FailOnConflict:
		return user, false, conflictError(user, taken)
	default:
		if !i.resolve(report, userID, taken) {
			return user, false, nil
		}
	}
	if !sameConfig {
		report.Characters += int64(len(user.Characters))
	}
	return user, true, nil
}

// resolve notes a conflict, and reports whether the user replaces what is stored.
func (i *importer) resolve(report *ImportReport, userID string, taken bool) (replace bool) {
	report.conflict(userID)
	switch {
	case i.options.OnConflict == SkipConflicts:
		report.Skipped++
	case taken: // somebody else would have to go
		report.Refused++
	default:
		report.Replaced++
		return true
	}
	return false
}

// conflictError names the user of a conflict, and its reason.
func conflictError(user UserData, taken bool) error {
	message := fmt.Sprintf("user %s is stored already, with other contents", shortQuote(user.UserID()))
	if taken {
		message = fmt.Sprintf("user %s: user name %s belongs to another user",
			shortQuote(user.UserID()), shortQuote(user.Credential.Username))
	}
	return &Error{Kind: Exists, Message: message}
}

func (r *ImportReport) conflict(userID string) {
	if len(r.Conflicts) < mostConflicts {
		r.Conflicts = append(r.Conflicts, userID)
	}
}

// completed gives user with the secrets that its source does not carry.
func (i *importer) completed(stored, user UserData) UserData {
	if i.options.Secrets {
		return user
	}
	if user.Credential == nil {
		user.Credential = stored.Credential // a login is a secret, too
	} else {
		credential := *user.Credential
		credential.Password = i.options.LockedPassword
		if stored.Credential != nil {
			credential.Password = stored.Credential.Password
		}
		user.Credential = &credential
	}
	if user.Config != nil {
		config := *user.Config
		config.Keys = nil
		if stored.Config != nil {
			config.Keys = stored.Config.Keys
		}
		user.Config = &config
	}
	return user
}

// equalOrNil reports whether a and b are the same, or both not there.
func equalOrNil[T any](a, b *T, equal func(a, b T) bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equal(*a, *b)
}

// nameOwners are user ids by UsernameKey. A name that nobody has is "".
type nameOwners map[string]string

// taken reports whether the user name belongs to another user.
func (n nameOwners) taken(credential Credential) bool {
	owner := n[UsernameKey(credential.Username)]
	return owner != "" && owner != credential.UserID
}

// move notes that a user has another credential now.
func (n nameOwners) move(before, after *Credential) {
	if before != nil && n[UsernameKey(before.Username)] == before.UserID {
		delete(n, UsernameKey(before.Username))
	}
	if after != nil {
		n[UsernameKey(after.Username)] = after.UserID
	}
}

// owners looks up who has the user names of users, where that is not known from
// what is stored of them.
func (i *importer) owners(ctx context.Context, users []UserData, stored map[string]UserData) (nameOwners, error) {
	owners := nameOwners{}
	for _, user := range stored {
		owners.move(nil, user.Credential)
	}
	var ask []string
	for _, user := range users {
		if user.Credential != nil && owners[UsernameKey(user.Credential.Username)] == "" {
			ask = append(ask, user.Credential.Username)
		}
	}
	const atOnce = 8 // a server far away answers others meanwhile
	found, errs := make([]Credential, len(ask)), make([]error, len(ask))
	var lookups sync.WaitGroup
	for first := range min(atOnce, len(ask)) {
		lookups.Go(func() {
			for n := first; n < len(ask); n += atOnce {
				found[n], errs[n] = i.target.Credential(ctx, ask[n])
			}
		})
	}
	lookups.Wait()
	for n, err := range errs {
		switch {
		case err == nil:
			owners[UsernameKey(ask[n])] = found[n].UserID
		case !errors.Is(err, NotFound):
			return nil, err
		}
	}
	return owners, nil
}

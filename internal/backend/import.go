package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// OnConflict says what an import does with a user for which different data is
// already stored.
type OnConflict uint8

// The policies.
const (
	SkipConflicts    OnConflict = iota // keep the stored data
	ReplaceConflicts                   // replace the stored data with the imported data
	FailOnConflict                     // stop the import with an error
)

// ImportOptions are the options of [Import].
type ImportOptions struct {
	OnConflict OnConflict
	// Secrets says that the source contains passwords and provider keys. If it
	// is false, stored secrets are kept and are not compared. The stored login
	// is also kept if the source has no login for the user.
	Secrets bool
	// LockedPassword is the stored password of a user that is added while
	// Secrets is false: the hash of a password that is not known to anyone. It
	// is required if Secrets is false.
	LockedPassword Secret
	// CheckPassword returns an error for a stored password that must not be
	// imported. It is called only if it is set and Secrets is true.
	CheckPassword func(stored Secret) error
	Progress      func(ImportReport) // called after each batch, if set
}

// ImportReport counts users by outcome. Each user is counted once.
type ImportReport struct {
	Added     int64 // nothing was stored, or only a part, which was completed
	Unchanged int64 // the same data was stored
	Replaced  int64
	Skipped   int64
	Refused   int64 // not replaced, because the user name belongs to another user id

	Characters int64    // that were written
	Compared   int64    // characters of all users
	Conflicts  []string // the first user ids that were replaced, skipped or refused
	// FirstDifferent is the first user id that is not counted in Unchanged.
	FirstDifferent string
	// UnknownNames are the unknown names in the characters that were written.
	UnknownNames []UnknownNameCount
	// Unreachable are the user ids that a URL cannot name; see [Reachable].
	Unreachable []string
}

// mostConflicts is the maximum number of user ids in Conflicts.
const mostConflicts = 20

// Users returns the number of users that the import has processed.
func (r ImportReport) Users() int64 {
	return r.Added + r.Unchanged + r.Replaced + r.Skipped + r.Refused
}

// A batch ends when it has this many users or this many bytes of memory.
const (
	importUsers = 100
	importBytes = 8 << 20
)

// Import stores users in target, in batches and in the given order. It first
// compares each user with the stored data. It is not a conflict if nothing is
// stored. It is also not a conflict if only one part is stored and that part is
// the same: the credential, or the config with its characters. So a second run
// changes nothing, and a new run completes an import that was interrupted.
//
// The error is Invalid for a user that a store may not keep, and Exists with
// FailOnConflict. Both name the user, and nothing of its batch is written. The
// report holds what was done before the error. If a running server changes a
// user while the import replaces it, the change may be lost.
func Import(ctx context.Context, target Archive, users iter.Seq2[UserData, error], o ImportOptions) (ImportReport, error) {
	i := importer{target: target, options: o}
	if !o.Secrets && !o.LockedPassword.IsSet() {
		return i.report, errors.New("an import without secrets needs a locked password") // otherwise anyone could log in
	}
	err := i.importAll(ctx, users)
	return i.report, err
}

// importAll reads the next batch while it stores the current one.
func (i *importer) importAll(ctx context.Context, users iter.Seq2[UserData, error]) (err error) {
	var storing chan error // nil if nothing is being stored
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
		if full || seen[user.UserID()] { // a repeated user is compared with its stored data
			if err := flush(); err != nil {
				return err
			}
		}
		batch, size = append(batch, user), size+bytes
		seen[user.UserID()] = true
	}
	return flush()
}

// importer is the state of one import.
type importer struct {
	target  Archive
	options ImportOptions
	report  ImportReport
}

// check returns an Invalid error that names the user if it may not be stored.
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

// importBatch decides about each user, writes the users that need it, and then
// reports.
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
	report.Conflicts, report.UnknownNames = slices.Clone(report.Conflicts), slices.Clone(report.UnknownNames)
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

// decide returns the data to write for a user, if any, and counts the user in
// report.
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
		report.UnknownNames = countUnknownNames(report.UnknownNames, user.Characters)
	}
	return user, true, nil
}

// resolve records a conflict and reports whether the user replaces the stored
// data.
func (i *importer) resolve(report *ImportReport, userID string, taken bool) (replace bool) {
	report.conflict(userID)
	switch {
	case i.options.OnConflict == SkipConflicts:
		report.Skipped++
	case taken: // replacing would remove another user
		report.Refused++
	default:
		report.Replaced++
		return true
	}
	return false
}

// conflictError returns an error that names the user and the reason of the
// conflict.
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

// completed returns user with the secrets that its source does not contain.
func (i *importer) completed(stored, user UserData) UserData {
	if i.options.Secrets {
		return user
	}
	if user.Credential == nil {
		user.Credential = stored.Credential // a login is also a secret
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

// equalOrNil reports whether a and b are equal, or both nil.
func equalOrNil[T any](a, b *T, equal func(a, b T) bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equal(*a, *b)
}

// nameOwners maps a UsernameKey to a user id. The id is "" if the name is free.
type nameOwners map[string]string

// taken reports whether the user name belongs to another user.
func (n nameOwners) taken(credential Credential) bool {
	owner := n[UsernameKey(credential.Username)]
	return owner != "" && owner != credential.UserID
}

// move records that the credential of a user has changed.
func (n nameOwners) move(before, after *Credential) {
	if before != nil && n[UsernameKey(before.Username)] == before.UserID {
		delete(n, UsernameKey(before.Username))
	}
	if after != nil {
		n[UsernameKey(after.Username)] = after.UserID
	}
}

// owners looks up which users have the user names of users. It does not look up
// names that are already known from the stored data.
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
	if len(ask) == 0 {
		return owners, nil
	}
	found, err := i.target.UsernameOwners(ctx, ask)
	maps.Copy(owners, found)
	return owners, err
}

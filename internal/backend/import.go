package backend

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// OnConflict says what happens to a user that is stored with other content.
type OnConflict string

// The ways.
const (
	FailOnConflict    OnConflict = "fail"
	SkipOnConflict    OnConflict = "skip"
	ReplaceOnConflict OnConflict = "replace"
)

// ImportOptions say how Import goes.
type ImportOptions struct {
	OnConflict     OnConflict
	Secrets        bool
	LockedPassword Secret
	Progress       func(ImportReport)
}

// ImportReport counts users.
type ImportReport struct {
	Users, Created, Unchanged, Replaced, Skipped, Characters, Locked int64
}

// Import stores users in target.
func Import(ctx context.Context, target Archive, users iter.Seq2[UserData, error], options ImportOptions) (ImportReport, error) {
	var report ImportReport
	var batch []UserData
	flush := func() error {
		ids := make([]string, len(batch))
		for i, u := range batch {
			ids[i] = u.UserID()
		}
		stored, err := target.UserData(ctx, ids)
		if err != nil {
			return err
		}
		byID := map[string]UserData{}
		for _, u := range stored {
			byID[u.UserID()] = u
		}
		var put []UserData
		for _, u := range batch {
			report.Users++
			report.Characters += int64(len(u.Characters))
			old, known := byID[u.UserID()]
			if !options.Secrets {
				if u.Credential != nil {
					c := *u.Credential
					c.Password = options.LockedPassword
					if known && old.Credential != nil {
						c.Password = old.Credential.Password
					} else {
						report.Locked++
					}
					u.Credential = &c
				}
				if u.Config != nil && known && old.Config != nil {
					c := *u.Config
					c.Keys = old.Config.Keys
					u.Config = &c
				}
			}
			switch {
			case !known:
				report.Created++
			case sameUser(old, u):
				report.Unchanged++
				continue
			case options.OnConflict == SkipOnConflict:
				report.Skipped++
				continue
			case options.OnConflict == ReplaceOnConflict:
				report.Replaced++
			default:
				return &Error{Kind: Exists, Message: fmt.Sprintf("user %s is stored with other content", shortQuote(u.UserID()))}
			}
			put = append(put, u)
		}
		batch = batch[:0]
		if err := target.PutUsers(ctx, put); err != nil {
			return err
		}
		if options.Progress != nil {
			options.Progress(report)
		}
		return nil
	}
	for user, err := range users {
		if err != nil {
			return report, err
		}
		batch = append(batch, user)
		if len(batch) == 100 {
			if err := flush(); err != nil {
				return report, err
			}
		}
	}
	return report, flush()
}

func sameUser(a, b UserData) bool {
	if (a.Credential == nil) != (b.Credential == nil) || a.Credential != nil && *a.Credential != *b.Credential {
		return false
	}
	if (a.Config == nil) != (b.Config == nil) || a.Config != nil &&
		(a.Config.Timezone != b.Config.Timezone || !maps.Equal(a.Config.Keys, b.Config.Keys)) {
		return false
	}
	return slices.Equal(a.Characters, b.Characters)
}

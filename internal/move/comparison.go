package move

import (
	"context"
	"errors"
	"maps"

	"web-backend/internal/backend"
)

// Differences count what of a source is not in the target as it is in the
// source. Users that only the target has are none.
type Differences struct {
	Users      int64 `json:"users"` // that were compared
	Characters int64 `json:"characters"`
	// Different are credentials, configs and characters: each that is missing,
	// too many or not the same counts one.
	Different int64  `json:"different"`
	First     string `json:"first,omitempty"` // the id of the first user with one
}

// comparePage is the number of users that are compared at once.
const comparePage = 100

// compareStores reads both stores through. Without secrets neither passwords
// nor provider keys are compared.
func compareStores(ctx context.Context, source backend.Archive, to place, secrets bool, bar *progress) (found *Differences, err error) {
	defer bar.end()
	target, err := to.openSource(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	found = &Differences{}
	var page []backend.UserData
	for user, err := range source.ExportUsers(ctx) {
		if err != nil {
			return nil, err
		}
		if page = append(page, user); len(page) < comparePage {
			continue
		}
		if err := found.compare(ctx, page, target, secrets); err != nil {
			return nil, err
		}
		bar.at(found.Users, found.Characters)
		page = page[:0]
	}
	return found, found.compare(ctx, page, target, secrets)
}

// compare looks users up in the target.
func (d *Differences) compare(ctx context.Context, users []backend.UserData, target backend.Archive, secrets bool) error {
	ids := make([]string, len(users))
	for i, user := range users {
		ids[i] = user.UserID()
	}
	stored, err := target.UserData(ctx, ids)
	if err != nil {
		return err
	}
	byID := make(map[string]backend.UserData, len(stored))
	for _, user := range stored {
		byID[user.UserID()] = user
	}
	for _, user := range users {
		d.Users++
		d.Characters += int64(len(user.Characters))
		count := differences(user, byID[user.UserID()], secrets)
		if count > 0 && d.Different == 0 {
			d.First = user.UserID()
		}
		d.Different += count
	}
	return nil
}

// differences counts what of two users is not the same.
func differences(a, b backend.UserData, secrets bool) (count int64) {
	if !sameCredential(a.Credential, b.Credential, secrets) {
		count++
	}
	if !sameConfig(a.Config, b.Config, secrets) {
		count++
	}
	for i := range max(len(a.Characters), len(b.Characters)) {
		if i >= len(a.Characters) || i >= len(b.Characters) || a.Characters[i] != b.Characters[i] {
			count++
		}
	}
	return count
}

// sameCredential compares a credential of the source with that of the target.
// Without secrets a login that only the target has was kept.
func sameCredential(a, b *backend.Credential, secrets bool) bool {
	if a == nil && !secrets {
		return true
	}
	if a == nil || b == nil {
		return a == b
	}
	return a.Username == b.Username && (!secrets || a.Password == b.Password)
}

func sameConfig(a, b *backend.UserConfig, secrets bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Timezone == b.Timezone && (!secrets || maps.Equal(setKeys(a.Keys), setKeys(b.Keys)))
}

// setKeys gives the provider keys that are set.
func setKeys(keys map[string]backend.Secret) map[string]backend.Secret {
	set := maps.Clone(keys)
	maps.DeleteFunc(set, func(_ string, key backend.Secret) bool { return !key.IsSet() })
	return set
}

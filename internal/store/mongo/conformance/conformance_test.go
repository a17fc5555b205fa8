// Package conformance_test checks that the store keeps the promises of all
// stores. It is a package of its own so that go test runs it beside the other
// tests of the store.
package conformance_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, 205, func(t *testing.T) backend.Store {
		t.Helper()
		server := mongotest.Engine(t)
		o := mongotest.StoreOptions(server.URI(), server.Database(t))
		return &balanced{servers: [2]backend.Store{mongotest.OpenStore(t, o), mongotest.OpenBare(t, o)}}
	})
	storetest.RunReopen(t, func(t *testing.T) func(*testing.T) backend.Store {
		t.Helper()
		server := mongotest.Engine(t)
		o := mongotest.StoreOptions(server.URI(), server.Database(t))
		return func(t *testing.T) backend.Store {
			t.Helper()
			return mongotest.OpenStore(t, o)
		}
	})
}

// balanced is two servers behind a load balancer: calls go to them in turn. So
// the races of the suite are also races between servers, and each server must
// see what the other one stored.
type balanced struct {
	servers [2]backend.Store
	calls   atomic.Uint32
}

func (b *balanced) next() backend.Store { return b.servers[b.calls.Add(1)%2] }

func (b *balanced) CreateUser(ctx context.Context, config backend.UserConfig, characters []backend.Character) error {
	return b.next().CreateUser(ctx, config, characters)
}

func (b *balanced) CreateCredential(ctx context.Context, credential backend.Credential) error {
	return b.next().CreateCredential(ctx, credential)
}

func (b *balanced) SetUpUser(ctx context.Context, config backend.UserConfig, characters []backend.Character) error {
	return b.next().SetUpUser(ctx, config, characters)
}

func (b *balanced) Credential(ctx context.Context, username string) (backend.Credential, error) {
	return b.next().Credential(ctx, username)
}

func (b *balanced) ReplacePassword(
	ctx context.Context, credential backend.Credential, password backend.Secret, fate backend.TokenFate,
) error {
	return b.next().ReplacePassword(ctx, credential, password, fate)
}

func (b *balanced) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	return b.next().SetDisabled(ctx, userID, disabled)
}

func (b *balanced) CreateToken(ctx context.Context, token backend.Token, credential backend.Credential) error {
	return b.next().CreateToken(ctx, token, credential)
}

func (b *balanced) Token(ctx context.Context, hash backend.TokenHash, now time.Time) (backend.Token, error) {
	return b.next().Token(ctx, hash, now)
}

func (b *balanced) UserTokens(ctx context.Context, userID string, now time.Time) ([]backend.Token, error) {
	return b.next().UserTokens(ctx, userID, now)
}

func (b *balanced) DeleteToken(ctx context.Context, hash backend.TokenHash) error {
	return b.next().DeleteToken(ctx, hash)
}

func (b *balanced) DeleteUser(ctx context.Context, userID string) error {
	return b.next().DeleteUser(ctx, userID)
}

func (b *balanced) Users(ctx context.Context, filter backend.UserFilter) iter.Seq2[backend.User, error] {
	return b.next().Users(ctx, filter)
}

func (b *balanced) UserPage(ctx context.Context, order backend.UserOrder, from string, limit int) ([]backend.PositionedUser, error) {
	return b.next().UserPage(ctx, order, from, limit)
}

func (b *balanced) CountUsers(ctx context.Context) (int64, error) { return b.next().CountUsers(ctx) }

func (b *balanced) UserConfig(ctx context.Context, userID string) (backend.UserConfig, error) {
	return b.next().UserConfig(ctx, userID)
}

func (b *balanced) UpdateUserConfig(ctx context.Context, userID string, patch backend.UserConfigPatch) error {
	return b.next().UpdateUserConfig(ctx, userID, patch)
}

func (b *balanced) CharacterNames(ctx context.Context, userID string) ([]backend.CharacterName, error) {
	return b.next().CharacterNames(ctx, userID)
}

func (b *balanced) CharacterSummaries(ctx context.Context, userID string) ([]backend.CharacterSummary, error) {
	return b.next().CharacterSummaries(ctx, userID)
}

func (b *balanced) Character(ctx context.Context, key backend.CharacterKey) (backend.Character, error) {
	return b.next().Character(ctx, key)
}

func (b *balanced) CharacterDocument(ctx context.Context, key backend.CharacterKey) ([]byte, error) {
	return b.next().CharacterDocument(ctx, key)
}

func (b *balanced) CopyCharacter(
	ctx context.Context, key backend.CharacterKey, most int, edit func(backend.Character) backend.Character,
) error {
	return b.next().CopyCharacter(ctx, key, most, edit)
}

func (b *balanced) AddCharacter(ctx context.Context, character backend.Character, most int) error {
	return b.next().AddCharacter(ctx, character, most)
}

func (b *balanced) UpdateCharacter(ctx context.Context, key backend.CharacterKey, patch backend.CharacterPatch) error {
	return b.next().UpdateCharacter(ctx, key, patch)
}

func (b *balanced) DeleteCharacter(ctx context.Context, key backend.CharacterKey) error {
	return b.next().DeleteCharacter(ctx, key)
}

func (b *balanced) Count(ctx context.Context) (backend.Counts, error) { return b.next().Count(ctx) }

func (b *balanced) ExportUsers(ctx context.Context) iter.Seq2[backend.UserData, error] {
	return b.next().ExportUsers(ctx)
}

func (b *balanced) UserData(ctx context.Context, userIDs []string) ([]backend.UserData, error) {
	return b.next().UserData(ctx, userIDs)
}

func (b *balanced) UsernameOwners(ctx context.Context, usernames []string) (map[string]string, error) {
	return b.next().UsernameOwners(ctx, usernames)
}

func (b *balanced) PutUsers(ctx context.Context, users []backend.UserData) error {
	return b.next().PutUsers(ctx, users)
}

func (b *balanced) Ping(ctx context.Context) error { return b.next().Ping(ctx) }

func (b *balanced) Close() error { return errors.Join(b.servers[0].Close(), b.servers[1].Close()) }

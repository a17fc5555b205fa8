package telemetry

import (
	"context"
	"iter"
	"time"

	"web-backend/internal/backend"
)

// store is what Store returns. It does not embed next, so a method that is added
// to the interface must be added here: otherwise this package does not compile.
type store struct {
	next  backend.Store
	meter *meter
}

var _ backend.Store = (*store)(nil)

// CreateUser implements [backend.Store].
func (s *store) CreateUser(ctx context.Context, config backend.UserConfig, characters []backend.Character) error {
	return do(ctx, s.meter, "CreateUser", func(ctx context.Context) error { return s.next.CreateUser(ctx, config, characters) })
}

// SetUpUser implements [backend.Store].
func (s *store) SetUpUser(ctx context.Context, config backend.UserConfig, characters []backend.Character) error {
	return do(ctx, s.meter, "SetUpUser", func(ctx context.Context) error { return s.next.SetUpUser(ctx, config, characters) })
}

// DeleteUser implements [backend.Store].
func (s *store) DeleteUser(ctx context.Context, userID string) error {
	return do(ctx, s.meter, "DeleteUser", func(ctx context.Context) error { return s.next.DeleteUser(ctx, userID) })
}

// CreateCredential implements [backend.Store].
func (s *store) CreateCredential(ctx context.Context, credential backend.Credential) error {
	return do(ctx, s.meter, "CreateCredential", func(ctx context.Context) error { return s.next.CreateCredential(ctx, credential) })
}

// Credential implements [backend.Store].
func (s *store) Credential(ctx context.Context, username string) (backend.Credential, error) {
	return measure(ctx, s.meter, "Credential", func(ctx context.Context) (backend.Credential, error) { return s.next.Credential(ctx, username) })
}

// ReplacePassword implements [backend.Store].
func (s *store) ReplacePassword(ctx context.Context, credential backend.Credential, password backend.Secret, fate backend.TokenFate) error {
	return do(ctx, s.meter, "ReplacePassword", func(ctx context.Context) error { return s.next.ReplacePassword(ctx, credential, password, fate) })
}

// SetDisabled implements [backend.Store].
func (s *store) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	return do(ctx, s.meter, "SetDisabled", func(ctx context.Context) error { return s.next.SetDisabled(ctx, userID, disabled) })
}

// CreateToken implements [backend.Store].
func (s *store) CreateToken(ctx context.Context, token backend.Token, credential backend.Credential) error {
	return do(ctx, s.meter, "CreateToken", func(ctx context.Context) error { return s.next.CreateToken(ctx, token, credential) })
}

// Token implements [backend.Store].
func (s *store) Token(ctx context.Context, hash backend.TokenHash, now time.Time) (backend.Token, error) {
	return measure(ctx, s.meter, "Token", func(ctx context.Context) (backend.Token, error) { return s.next.Token(ctx, hash, now) })
}

// UserTokens implements [backend.Store].
func (s *store) UserTokens(ctx context.Context, userID string, now time.Time) ([]backend.Token, error) {
	return measure(ctx, s.meter, "UserTokens", func(ctx context.Context) ([]backend.Token, error) { return s.next.UserTokens(ctx, userID, now) })
}

// DeleteToken implements [backend.Store].
func (s *store) DeleteToken(ctx context.Context, hash backend.TokenHash) error {
	return do(ctx, s.meter, "DeleteToken", func(ctx context.Context) error { return s.next.DeleteToken(ctx, hash) })
}

// Users implements [backend.Store].
func (s *store) Users(ctx context.Context, filter backend.UserFilter) iter.Seq2[backend.User, error] {
	return list(ctx, s.meter, "Users", func(ctx context.Context) iter.Seq2[backend.User, error] { return s.next.Users(ctx, filter) })
}

// UserPage implements [backend.Store].
func (s *store) UserPage(ctx context.Context, order backend.UserOrder, from string, limit int) ([]backend.PositionedUser, error) {
	return measure(ctx, s.meter, "UserPage", func(ctx context.Context) ([]backend.PositionedUser, error) {
		return s.next.UserPage(ctx, order, from, limit)
	})
}

// CountUsers implements [backend.Store].
func (s *store) CountUsers(ctx context.Context) (int64, error) {
	return measure(ctx, s.meter, "CountUsers", func(ctx context.Context) (int64, error) { return s.next.CountUsers(ctx) })
}

// UserConfig implements [backend.Store].
func (s *store) UserConfig(ctx context.Context, userID string) (backend.UserConfig, error) {
	return measure(ctx, s.meter, "UserConfig", func(ctx context.Context) (backend.UserConfig, error) { return s.next.UserConfig(ctx, userID) })
}

// UpdateUserConfig implements [backend.Store].
func (s *store) UpdateUserConfig(ctx context.Context, userID string, patch backend.UserConfigPatch) error {
	return do(ctx, s.meter, "UpdateUserConfig", func(ctx context.Context) error { return s.next.UpdateUserConfig(ctx, userID, patch) })
}

// CharacterNames implements [backend.Store].
func (s *store) CharacterNames(ctx context.Context, userID string) ([]backend.CharacterName, error) {
	return measure(ctx, s.meter, "CharacterNames", func(ctx context.Context) ([]backend.CharacterName, error) { return s.next.CharacterNames(ctx, userID) })
}

// CharacterSummaries implements [backend.Store].
func (s *store) CharacterSummaries(ctx context.Context, userID string) ([]backend.CharacterSummary, error) {
	return measure(ctx, s.meter, "CharacterSummaries", func(ctx context.Context) ([]backend.CharacterSummary, error) {
		return s.next.CharacterSummaries(ctx, userID)
	})
}

// Character implements [backend.Store].
func (s *store) Character(ctx context.Context, key backend.CharacterKey) (backend.Character, error) {
	return measure(ctx, s.meter, "Character", func(ctx context.Context) (backend.Character, error) { return s.next.Character(ctx, key) })
}

// CharacterDocument implements [backend.Store].
func (s *store) CharacterDocument(ctx context.Context, key backend.CharacterKey) ([]byte, error) {
	return measure(ctx, s.meter, "CharacterDocument", func(ctx context.Context) ([]byte, error) { return s.next.CharacterDocument(ctx, key) })
}

// CopyCharacter implements [backend.Store].
func (s *store) CopyCharacter(ctx context.Context, key backend.CharacterKey, most int, edit func(backend.Character) backend.Character) error {
	return do(ctx, s.meter, "CopyCharacter", func(ctx context.Context) error { return s.next.CopyCharacter(ctx, key, most, edit) })
}

// AddCharacter implements [backend.Store].
func (s *store) AddCharacter(ctx context.Context, character backend.Character, most int) error {
	return do(ctx, s.meter, "AddCharacter", func(ctx context.Context) error { return s.next.AddCharacter(ctx, character, most) })
}

// UpdateCharacter implements [backend.Store].
func (s *store) UpdateCharacter(ctx context.Context, key backend.CharacterKey, patch backend.CharacterPatch) error {
	return do(ctx, s.meter, "UpdateCharacter", func(ctx context.Context) error { return s.next.UpdateCharacter(ctx, key, patch) })
}

// DeleteCharacter implements [backend.Store].
func (s *store) DeleteCharacter(ctx context.Context, key backend.CharacterKey) error {
	return do(ctx, s.meter, "DeleteCharacter", func(ctx context.Context) error { return s.next.DeleteCharacter(ctx, key) })
}

// Ping implements [backend.Store].
func (s *store) Ping(ctx context.Context) error {
	return do(ctx, s.meter, "Ping", func(ctx context.Context) error { return s.next.Ping(ctx) })
}

// Close implements [backend.Store].
func (s *store) Close() error { return s.next.Close() }

// Count implements [backend.Archive].
func (s *store) Count(ctx context.Context) (backend.Counts, error) {
	return measure(ctx, s.meter, "Count", func(ctx context.Context) (backend.Counts, error) { return s.next.Count(ctx) })
}

// ExportUsers implements [backend.Archive].
func (s *store) ExportUsers(ctx context.Context) iter.Seq2[backend.UserData, error] {
	return list(ctx, s.meter, "ExportUsers", func(ctx context.Context) iter.Seq2[backend.UserData, error] { return s.next.ExportUsers(ctx) })
}

// UserData implements [backend.Archive].
func (s *store) UserData(ctx context.Context, userIDs []string) ([]backend.UserData, error) {
	return measure(ctx, s.meter, "UserData", func(ctx context.Context) ([]backend.UserData, error) { return s.next.UserData(ctx, userIDs) })
}

// UsernameOwners implements [backend.Archive].
func (s *store) UsernameOwners(ctx context.Context, usernames []string) (map[string]string, error) {
	return measure(ctx, s.meter, "UsernameOwners", func(ctx context.Context) (map[string]string, error) {
		return s.next.UsernameOwners(ctx, usernames)
	})
}

// PutUsers implements [backend.Archive].
func (s *store) PutUsers(ctx context.Context, users []backend.UserData) error {
	return do(ctx, s.meter, "PutUsers", func(ctx context.Context) error { return s.next.PutUsers(ctx, users) })
}

// Package users reads and changes users for commands. It works on the store, or
// through the server that owns it.
package users

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/client"
	"web-backend/internal/config"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// Listed is one user in a list.
type Listed struct {
	UserID   string `json:"user_id"`
	Username string `json:"username"` // "" for a user without an account
	Disabled bool   `json:"disabled"` // an operator has disabled the account
	SetUp    bool   `json:"set_up"`   // the user has a config and characters
}

// Shown describes one user. It contains no secrets.
type Shown struct {
	Listed
	Timezone string `json:"timezone"` // "" for a user that is not set up
	// ProviderKeys are the names of the keys that are set and can be read.
	ProviderKeys []string    `json:"provider_keys"`
	Characters   []Character `json:"characters"` // in creation order
}

// Character identifies a character.
type Character struct {
	CharacterID   string `json:"character_id"`
	CharacterName string `json:"character_name"`
	ReadOnly      bool   `json:"read_only"`
}

// Reader reads users from the store. It changes nothing, and a server may use
// the store at the same time. The caller must close it.
type Reader struct{ store backend.Store }

// ErrNone means that the store does not exist yet.
var ErrNone = errors.New("there are no users")

// Read opens the store for reading.
func Read(ctx context.Context, cfg *config.Config) (*Reader, error) {
	users, err := store.OpenReadOnly(ctx, cfg)
	if there, kindErr := store.Exists(cfg); errors.Is(err, fs.ErrNotExist) && kindErr == nil && !there {
		err = fmt.Errorf("%w: no database is in %s", ErrNone, cfg.DataDir)
	}
	return &Reader{users}, err
}

// Close closes the store.
func (r *Reader) Close() error { return r.store.Close() }

// lookAhead is how far apart, in users, the two lists that List reads may be.
// It is more than the number of users that are created or deleted while the
// lists are read.
const lookAhead = 10_000

// List returns an iterator over all users in creation order. It uses bounded
// memory. A user that is created or deleted during the iteration may or may not
// be included. The first error ends the iteration.
func (r *Reader) List(ctx context.Context) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		// Both lists are in the same order, so a user that is set up appears
		// soon in the second list.
		next, stop := iter.Pull2(r.store.Users(ctx, backend.UsersWithConfig))
		defer stop()
		setUp := make(map[string]bool)
		for user, err := range r.store.Users(ctx, backend.AllUsers) {
			for err == nil && !setUp[user.UserID] && len(setUp) < lookAhead {
				configured, configErr, ok := next()
				if !ok {
					break
				}
				err = configErr
				setUp[configured.UserID] = true
			}
			if err != nil {
				yield(Listed{}, err)
				return
			}
			if !yield(Listed{user.UserID, user.Username, user.Disabled, setUp[user.UserID]}, nil) {
				return
			}
			delete(setUp, user.UserID)
		}
	}
}

// Find returns an iterator over the users whose user name or id begins with
// text, in the order of [backend.Service.FindUsers]. It reads page by page. The
// first error ends the iteration.
func (r *Reader) Find(ctx context.Context, text string) iter.Seq2[Listed, error] {
	service := backend.New(r.store, backend.Options{})
	return func(yield func(Listed, error) bool) {
		search := backend.UserSearch{Text: text, Limit: findLimit}
		for {
			page, err := service.FindUsers(ctx, search)
			if err != nil {
				yield(Listed{}, err)
				return
			}
			for _, user := range page.Users {
				_, err := r.store.UserConfig(ctx, user.UserID)
				setUp := err == nil
				if errors.Is(err, backend.NotFound) {
					err = nil
				}
				if !yield(Listed{user.UserID, user.Username, user.Disabled, setUp}, err) || err != nil {
					return
				}
			}
			if search.After = page.Next; page.Next == "" {
				return
			}
		}
	}
}

// findLimit is how many users Find reads at once.
const findLimit = 200

// ID returns the id of the user with this user name. The error is NotFound if
// the user name is unknown.
func (r *Reader) ID(ctx context.Context, username string) (string, error) {
	credential, err := r.store.Credential(ctx, username)
	if errors.Is(err, backend.NotFound) {
		err = &backend.Error{Kind: backend.NotFound, Message: fmt.Sprintf("no user has the user name %q", username)}
	}
	return credential.UserID, err
}

// Show returns what is stored about a user. The error is NotFound if nothing is
// stored.
func (r *Reader) Show(ctx context.Context, userID string) (Shown, error) {
	found, err := r.store.UserData(ctx, []string{userID})
	if err != nil {
		return Shown{}, err
	}
	if len(found) == 0 {
		return Shown{}, backend.UserNotFound(userID)
	}
	data := found[0]
	user := Shown{Listed: Listed{UserID: userID, SetUp: data.Config != nil},
		ProviderKeys: []string{}, Characters: []Character{}}
	if data.Credential != nil {
		user.Username, user.Disabled = data.Credential.Username, data.Credential.Disabled
	}
	if data.Config != nil {
		user.Timezone = data.Config.Timezone
		for _, name := range backend.ProviderKeys {
			if data.Config.Keys[name].IsSet() {
				user.ProviderKeys = append(user.ProviderKeys, name)
			}
		}
	}
	for _, c := range data.Characters {
		user.Characters = append(user.Characters, Character{c.CharacterID, c.CharacterName, c.ReadOnly})
	}
	return user, nil
}

// Editor changes users in the store, or through the server that owns it. The
// caller must close it.
type Editor struct {
	editor

	store io.Closer // nil if a server owns the store
}

// editor is one of these two ways. Its errors are messages for people.
type editor interface {
	// CreateUser creates a user with the default config and characters. It
	// returns the user id, which is userID, or a new id if userID is empty.
	CreateUser(ctx context.Context, userID string) (string, error)
	// DeleteUser removes a user and everything that is stored for the user.
	DeleteUser(ctx context.Context, userID string) error
	// SetPassword does the same as [backend.Service.SetPassword].
	SetPassword(ctx context.Context, userID, username string, password backend.Secret) (string, error)
	// DisableUser, EnableUser and EndUserSessions do the same as the methods of
	// [backend.Service].
	DisableUser(ctx context.Context, userID string) error
	EnableUser(ctx context.Context, userID string) error
	EndUserSessions(ctx context.Context, userID string) error
	// SetProviderKey stores a provider key of a user that is set up, or removes
	// it if key is empty.
	SetProviderKey(ctx context.Context, userID, name string, key backend.Secret) error
}

// Edit opens the store, and creates it if it does not exist. If a server owns
// the store, changes go through that server. Warnings go to logLines.
func Edit(ctx context.Context, cfg *config.Config, logLines io.Writer) (*Editor, error) {
	defaults, err := cfg.UserDefaults()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(logLines, &slog.HandlerOptions{Level: slog.LevelWarn}))
	opened, err := store.Open(ctx, cfg, log)
	if errors.Is(err, sqlite.ErrInUse) {
		server, err := client.Reach(cfg)
		if err != nil {
			return nil, fmt.Errorf("data folder %s is in use, and its owner cannot be asked: %w", cfg.DataDir, err)
		}
		return &Editor{editor: server}, nil
	}
	if err != nil {
		return nil, err
	}
	return &Editor{stored{backend.New(opened.Store, backend.Options{
		Defaults:  defaults,
		Passwords: auth.NewPasswords(cfg.Accounts.PasswordParams()),
		Limits:    backend.Limits(cfg.Quotas),
		Accounts:  backend.AccountRules{PasswordMinLength: cfg.Accounts.PasswordMinLength},
	})}, opened.Store}, nil
}

// Close closes what Edit opened.
func (e *Editor) Close() error {
	if e.store == nil {
		return nil
	}
	return e.store.Close()
}

// CreateAccount creates a user that can log in. If the user name or the
// password is refused, the user is removed again.
func (e *Editor) CreateAccount(ctx context.Context, userID, username string, password backend.Secret) (string, error) {
	id, err := e.CreateUser(ctx, userID)
	if err != nil {
		return "", err
	}
	if _, err := e.SetPassword(ctx, id, username, password); err != nil {
		if removeErr := e.DeleteUser(context.WithoutCancel(ctx), id); removeErr != nil {
			err = fmt.Errorf("%w; user %q was made, has no password, and could not be removed: %w", err, id, removeErr)
		}
		return "", err
	}
	return id, nil
}

// stored changes users directly in the store.
type stored struct{ *backend.Service }

// SetPassword implements editor. It turns a refusal into its message.
func (s stored) SetPassword(ctx context.Context, userID, username string, password backend.Secret) (string, error) {
	id, err := s.Service.SetPassword(ctx, userID, username, password)
	if refusal, ok := errors.AsType[*backend.Refusal](err); ok {
		err = errors.New(api.RefusalSentence(refusal))
	}
	return id, err
}

// SetProviderKey implements editor.
func (s stored) SetProviderKey(ctx context.Context, userID, name string, key backend.Secret) error {
	return s.UpdateUserConfig(ctx, userID, backend.UserConfigPatch{Keys: map[string]backend.Secret{name: key}})
}

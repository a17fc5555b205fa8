package app

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
	"web-backend/internal/config"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// ListedUser is what a list shows of a user.
type ListedUser struct {
	UserID   string `json:"user_id"`
	Username string `json:"username"` // "" for a user that cannot log in
	SetUp    bool   `json:"set_up"`   // whether it has config and characters yet
}

// ShownUser is what is shown of one user. It holds no secret.
type ShownUser struct {
	ListedUser
	Timezone string `json:"timezone"` // "" for a user that was not set up
	// ProviderKeys are the names of those that are set and can be read.
	ProviderKeys []string         `json:"provider_keys"`
	Characters   []ShownCharacter `json:"characters"` // in creation order
}

// ShownCharacter names a character.
type ShownCharacter struct {
	CharacterID   string `json:"character_id"`
	CharacterName string `json:"character_name"`
	ReadOnly      bool   `json:"read_only"`
}

// UserReader reads users from the store. It changes nothing and works beside a
// server. Close it.
type UserReader struct{ store backend.Store }

// ReadUsers opens the store for reading.
func ReadUsers(ctx context.Context, cfg *config.Config) (*UserReader, error) {
	users, err := store.OpenReadOnly(ctx, cfg)
	if there, kindErr := store.Exists(cfg); errors.Is(err, fs.ErrNotExist) && kindErr == nil && !there {
		err = fmt.Errorf("there are no users: no database is in %s; look elsewhere with --data-dir or --config_path", cfg.DataDir)
	}
	return &UserReader{users}, err
}

// Close closes the store.
func (r *UserReader) Close() error { return r.store.Close() }

// lookAhead is how many users the two lists behind List may be apart: more than
// are made or deleted while they are read.
const lookAhead = 10_000

// List iterates over all users in creation order, in bounded memory. A user
// made or deleted meanwhile may be in or out. The first error ends it.
func (r *UserReader) List(ctx context.Context) iter.Seq2[ListedUser, error] {
	return func(yield func(ListedUser, error) bool) {
		// Both lists are in the same order, so who is set up comes soon.
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
				yield(ListedUser{}, err)
				return
			}
			if !yield(ListedUser{user.UserID, user.Username, setUp[user.UserID]}, nil) {
				return
			}
			delete(setUp, user.UserID)
		}
	}
}

// ID gives the id of a user name; the error of an unknown one is NotFound.
func (r *UserReader) ID(ctx context.Context, username string) (string, error) {
	credential, err := r.store.Credential(ctx, username)
	if errors.Is(err, backend.NotFound) {
		err = &backend.Error{Kind: backend.NotFound, Message: fmt.Sprintf("no user has the user name %q", username)}
	}
	return credential.UserID, err
}

// Show gives what there is of a user; NotFound if there is nothing.
func (r *UserReader) Show(ctx context.Context, userID string) (ShownUser, error) {
	found, err := r.store.UserData(ctx, []string{userID})
	if err != nil {
		return ShownUser{}, err
	}
	if len(found) == 0 {
		return ShownUser{}, backend.UserNotFound(userID)
	}
	data := found[0]
	user := ShownUser{ListedUser: ListedUser{UserID: userID, SetUp: data.Config != nil},
		ProviderKeys: []string{}, Characters: []ShownCharacter{}}
	if data.Credential != nil {
		user.Username = data.Credential.Username
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
		user.Characters = append(user.Characters, ShownCharacter{c.CharacterID, c.CharacterName, c.ReadOnly})
	}
	return user, nil
}

// UserEditor changes users: in the store, or through the server that owns it.
// Close it.
type UserEditor struct{ users editor }

// editor is one of the two ways. Errors are for a person.
type editor interface {
	create(ctx context.Context, userID string) (string, error)
	remove(ctx context.Context, userID string) error
	setPassword(ctx context.Context, userID, username string, password backend.Secret) (string, error)
	setKey(ctx context.Context, userID, name string, key backend.Secret) error
	close() error
}

// EditUsers opens the store, which is made if it is missing; if a server owns
// it, changes go through that server. Warnings go to logLines.
func EditUsers(ctx context.Context, cfg *config.Config, logLines io.Writer) (*UserEditor, error) {
	defaults, err := cfg.UserDefaults()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(logLines, &slog.HandlerOptions{Level: slog.LevelWarn}))
	opened, err := store.Open(ctx, cfg, log)
	if errors.Is(err, sqlite.ErrInUse) {
		server, err := reachServer(cfg)
		if err != nil {
			return nil, fmt.Errorf("data folder %s is in use, and its owner cannot be asked: %w", cfg.DataDir, err)
		}
		return &UserEditor{server}, nil
	}
	if err != nil {
		return nil, err
	}
	return &UserEditor{&storedUsers{opened.Store, backend.New(opened.Store, backend.Options{
		Defaults:  defaults,
		Passwords: auth.NewPasswords(cfg.Accounts.PasswordParams()),
		Limits:    backend.Limits(cfg.Quotas),
		Accounts:  backend.AccountRules{PasswordMinLength: cfg.Accounts.PasswordMinLength},
	})}}, nil
}

// Close closes what EditUsers opened.
func (e *UserEditor) Close() error { return e.users.close() }

// Create makes a user with the default config and characters, and gives its
// id: userID, or a new one if that is empty.
func (e *UserEditor) Create(ctx context.Context, userID string) (string, error) {
	return e.users.create(ctx, userID)
}

// CreateAccount makes a user that can log in. If name or password are refused
// the user is removed again.
func (e *UserEditor) CreateAccount(ctx context.Context, userID, username string, password backend.Secret) (string, error) {
	id, err := e.users.create(ctx, userID)
	if err != nil {
		return "", err
	}
	if _, err := e.users.setPassword(ctx, id, username, password); err != nil {
		if removeErr := e.users.remove(context.WithoutCancel(ctx), id); removeErr != nil {
			err = fmt.Errorf("%w; user %q was made, has no password, and could not be removed: %w", err, id, removeErr)
		}
		return "", err
	}
	return id, nil
}

// Delete removes a user with everything stored for it.
func (e *UserEditor) Delete(ctx context.Context, userID string) error {
	return e.users.remove(ctx, userID)
}

// SetPassword is that of [backend.Service].
func (e *UserEditor) SetPassword(ctx context.Context, userID, username string, password backend.Secret) (string, error) {
	return e.users.setPassword(ctx, userID, username, password)
}

// SetProviderKey stores a provider key of a user that was set up, or removes it
// if key is empty.
func (e *UserEditor) SetProviderKey(ctx context.Context, userID, name string, key backend.Secret) error {
	return e.users.setKey(ctx, userID, name, key)
}

// storedUsers changes users in a store of its own.
type storedUsers struct {
	store   backend.Store
	service *backend.Service
}

func (s *storedUsers) create(ctx context.Context, userID string) (string, error) {
	return s.service.CreateUser(ctx, userID)
}

func (s *storedUsers) remove(ctx context.Context, userID string) error {
	return s.service.DeleteUser(ctx, userID)
}

func (s *storedUsers) setPassword(ctx context.Context, userID, username string, password backend.Secret) (string, error) {
	id, err := s.service.SetPassword(ctx, userID, username, password)
	if refusal, ok := errors.AsType[*backend.Refusal](err); ok {
		err = errors.New(api.RefusalSentence(refusal))
	}
	return id, err
}

func (s *storedUsers) setKey(ctx context.Context, userID, name string, key backend.Secret) error {
	return s.service.UpdateUserConfig(ctx, userID, backend.UserConfigPatch{Keys: map[string]backend.Secret{name: key}})
}

func (s *storedUsers) close() error { return s.store.Close() }

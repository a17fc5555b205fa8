package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

// crowd is a data folder with users and characters.
type crowd struct {
	dir        string
	users      int
	characters int // of each user
	prompt     int // size of each prompt in bytes
}

// masterKey is the key that seals the provider keys of every crowd.
var masterKey = strings.Repeat("5a", masterkey.Size)

// environment is the environment that a server needs to use a crowd.
var environment = []string{"WEB_BACKEND_MASTER_KEY=" + masterKey}

// crowd returns a crowd of this shape, and creates it if it does not exist yet.
func (b *bench) crowd(users, characters, prompt int) (crowd, error) {
	name := fmt.Sprintf("%d-users-%d-characters-%d-bytes", users, characters, prompt)
	c := crowd{filepath.Join(b.data, name), users, characters, prompt}
	complete := filepath.Join(c.dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return c, nil
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return c, err
	}
	fmt.Fprintf(os.Stderr, "   making %s\n", name)
	if err := c.make(b.ctx); err != nil {
		return c, err
	}
	return c, os.WriteFile(complete, nil, 0o600)
}

// warm reads the database once, so that the measurements do not depend on what
// the file cache of the system contains.
func (c crowd) warm() error {
	file, err := os.Open(filepath.Join(c.dir, sqlite.FilePrefix))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, file)
	return errors.Join(err, file.Close())
}

func userID(n int) string { return fmt.Sprintf("9a4b5f6e-6f3c-4a57-9d0b-%012d", n) }

func characterID(user, n int) string { return fmt.Sprintf("%08d-6f3c-5a57-9d0b-%012d", n, user) }

// path returns the path of the GET request for the k-th character of all
// characters.
func (c crowd) path(k int) string {
	user := k / c.characters
	return "/api/v1/get_character_config/" + userID(user) + "/" + characterID(user, k%c.characters)
}

// update returns the request body that gives the k-th character another prompt.
func (c crowd) update(k int, prompt string) string {
	user := k / c.characters
	return fmt.Sprintf(`{"user_id":%q,"character_id":%q,"prompt":"%s"}`, userID(user), characterID(user, k%c.characters), prompt)
}

func (c crowd) key(k int) backend.CharacterKey {
	user := k / c.characters
	return backend.CharacterKey{UserID: userID(user), CharacterID: characterID(user, k%c.characters)}
}

// open opens the store of a crowd. No server may be using it.
func (c crowd) open() (*sqlite.Store, error) {
	ring, err := masterkey.Parse(backend.NewSecret(masterKey))
	if err != nil {
		return nil, err
	}
	return sqlite.Open(c.dir, sqlite.Keys(ring))
}

func (c crowd) make(ctx context.Context) (err error) {
	store, err := c.open()
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := store.Close(); err == nil {
			err = closeErr
		}
	}()
	users := make([]backend.UserData, 0, 500)
	for n := range c.users {
		users = append(users, c.user(n))
		if len(users) < cap(users) && n < c.users-1 {
			continue
		}
		if err := store.PutUsers(ctx, users); err != nil {
			return err
		}
		users = users[:0]
	}
	return nil
}

func (c crowd) user(n int) backend.UserData {
	data := backend.UserData{Config: &backend.UserConfig{
		UserID: userID(n), Timezone: "UTC",
		Keys: map[string]backend.Secret{"openai_api_key": backend.NewSecret("sk-not-a-real-key")},
	}}
	for i := range c.characters {
		character := backend.NewCharacter()
		character.UserID, character.CharacterID = userID(n), characterID(n, i)
		character.CharacterName, character.CreateDatatime = fmt.Sprint("Mira ", i), "2025-09-26 14:49:13,123"
		character.Avatar, character.SceneName, character.TTSAdapter = "KQ-default", "vast", "elevenlabs"
		character.ASRAdapter, character.ConversationAdapter = "openai_realtime", "openai_agent"
		character.Prompt = prompt(c.characters*n+i, c.prompt)
		data.Characters = append(data.Characters, character)
	}
	return data
}

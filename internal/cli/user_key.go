package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"web-backend/internal/backend"
	"web-backend/internal/spelling"
	"web-backend/internal/users"
)

// userSetKeyCommand sets a provider key of a user.
type userSetKeyCommand struct{ userKeyArguments }

// userUnsetKeyCommand removes a provider key of a user.
type userUnsetKeyCommand struct{ userKeyArguments }

// userKeyArguments identify a user and a provider key.
type userKeyArguments struct {
	configFlags
	First    string `arg:"" name:"user" help:"User id, or with --username the name of the provider key."`
	Second   string `arg:"" optional:"" name:"name" help:"Name of the provider key, such as openai_api_key."`
	Username string `placeholder:"NAME" help:"User name, instead of the id."`
}

// names returns the user id, which is empty with --username, and the name of
// the provider key.
func (a *userKeyArguments) names() (userID, key string) {
	if a.Username != "" && a.Second == "" {
		return "", a.First
	}
	return a.First, a.Second
}

// Validate is called by kong to check the command. Its errors do not show the
// arguments, because one of them may be the provider key itself.
func (a *userKeyArguments) Validate() error {
	userID, key := a.names()
	if (userID == "") == (a.Username == "") {
		return errors.New("name the user, either by its id or with --username NAME, and then the provider key")
	}
	if slices.Contains(backend.ProviderKeys, key) {
		return nil
	}
	const most = 4 // changed characters
	if near := spelling.Nearest(key, backend.ProviderKeys, most); key != "" && len(near) > 0 {
		return fmt.Errorf("there is no provider key of this name, did you mean %s?", strings.Join(near, " or "))
	}
	return errors.New("there is no provider key of this name; there are " + strings.Join(backend.ProviderKeys, ", "))
}

// Help implements kong.HelpProvider.
func (userSetKeyCommand) Help() string {
	return "The key is typed or pasted at the terminal, which does not show it, or is the first line of standard input; it is " +
		"never an argument. " + besideServer + `

    web-backend user set-key ada openai_api_key
    web-backend user set-key --username ada@example.org elevenlabs_api_key < key.txt

The names are ` + strings.Join(backend.ProviderKeys, ", ") + "."
}

// Help implements kong.HelpProvider.
func (userUnsetKeyCommand) Help() string {
	return "If the key is not set, nothing changes. " + besideServer + `

    web-backend user unset-key ada openai_api_key
    web-backend user unset-key --username ada@example.org elevenlabs_api_key`
}

// Run sets the provider key and prints its name.
func (c *userSetKeyCommand) Run(ctx context.Context, streams Streams) error {
	return c.change(ctx, streams, "is set", askKey)
}

// Run removes the provider key and prints its name.
func (c *userUnsetKeyCommand) Run(ctx context.Context, streams Streams) error {
	return c.change(ctx, streams, "is not set any more", func(context.Context, Streams) (backend.Secret, error) {
		return backend.Secret{}, nil
	})
}

// change stores the key that value returns. It first checks that the user
// exists, before it calls value.
func (a *userKeyArguments) change(
	ctx context.Context, streams Streams, done string, value func(context.Context, Streams) (backend.Secret, error),
) error {
	userID, name := a.names()
	user, err := a.showUser(ctx, streams, userID, a.Username)
	if err != nil {
		return err
	}
	if !user.SetUp {
		return fmt.Errorf("user %q has not logged in yet, and has provider keys only from then on", user.UserID)
	}
	key, err := value(ctx, streams)
	if err != nil {
		return err
	}
	err = a.editUsers(ctx, streams, func(editor *users.Editor) error {
		if err := editor.SetProviderKey(ctx, user.UserID, name, key); err != nil {
			return fmt.Errorf("change %s of user %q: %w", name, user.UserID, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(streams.Out, "%s of user %s %s\n", name, readable(user.UserID), done)
	return err
}

// askKey reads a provider key. At a terminal the user types it; otherwise it is
// the first line of standard input.
func askKey(ctx context.Context, streams Streams) (key backend.Secret, err error) {
	const what = "key"
	if streams.ReadPassword != nil {
		key, err = typeSecret(ctx, streams, what, "Key: ")
	} else {
		key, err = readSecretLine(streams.In, what)
	}
	if err != nil {
		return backend.Secret{}, err
	}
	if err := checkNewSecret(what, key); err != nil {
		return backend.Secret{}, err
	}
	text := key.Reveal()
	switch {
	case text == "":
		return backend.Secret{}, errors.New("the key is empty; unset-key removes one; nothing was done")
	case strings.TrimSpace(text) != text || strings.ContainsFunc(text, unicode.IsControl):
		return backend.Secret{}, errors.New("the key has spaces around it or holds control characters, " +
			"which no provider's key does; copy it anew; nothing was done")
	}
	return key, nil
}

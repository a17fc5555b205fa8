package cli

import (
	"context"
	"fmt"

	"web-backend/internal/users"
)

// userDeleteCommand deletes a user.
type userDeleteCommand struct {
	configFlags
	oneUser
	Yes bool `short:"y" help:"Do not ask for confirmation. Required without a terminal."`
}

// Help implements kong.HelpProvider.
func (userDeleteCommand) Help() string {
	return "This permanently removes the account, the config, the provider keys and the characters, and ends the user's tokens. " + besideServer + `

    web-backend user delete ada
    web-backend user delete --username ada@example.org --yes`
}

// Run deletes the user and prints which user it deleted.
func (c *userDeleteCommand) Run(ctx context.Context, streams Streams) error {
	user, err := c.showUser(ctx, streams, c.UserID, c.Username)
	if err != nil {
		return err
	}
	if err := confirm(ctx, streams, c.Yes, fmt.Sprintf("delete user %q, user name %q, with %d characters",
		user.UserID, user.Username, len(user.Characters))); err != nil {
		return err
	}
	err = c.editUsers(ctx, streams, func(editor *users.Editor) error { return editor.DeleteUser(ctx, user.UserID) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(streams.Out, "deleted user %s with %d characters\n", readable(user.UserID), len(user.Characters))
	return err
}

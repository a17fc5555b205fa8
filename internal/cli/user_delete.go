package cli

import (
	"context"
	"errors"
	"fmt"

	"web-backend/internal/app"
)

// userDeleteCommand deletes a user.
type userDeleteCommand struct {
	configFlags
	oneUser
	Yes bool `short:"y" help:"Do not ask; needed without a terminal."`
}

// Help implements kong.HelpProvider.
func (userDeleteCommand) Help() string {
	return "Account, config, provider keys and characters go for good, and the user's tokens end. " + besideServer + `

    web-backend user delete ada
    web-backend user delete --username ada@example.org --yes`
}

// Run says whom it deleted.
func (c *userDeleteCommand) Run(ctx context.Context, streams Streams) (err error) {
	var user app.ShownUser
	err = c.withUsers(streams, func(users *app.UserReader) (err error) {
		userID := c.UserID
		if userID == "" {
			if userID, err = users.ID(ctx, c.Username); err != nil {
				return err
			}
		}
		user, err = users.Show(ctx, userID)
		return err
	})
	if err != nil {
		return err
	}
	if err := confirm(ctx, streams, c.Yes, fmt.Sprintf("delete user %q, user name %q, with %d characters",
		user.UserID, user.Username, len(user.Characters))); err != nil {
		return err
	}
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	users, err := app.EditUsers(ctx, cfg, streams.Err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, users.Close()) }()
	if err := users.Delete(ctx, user.UserID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(streams.Out, "deleted user %s with %d characters\n", readable(user.UserID), len(user.Characters))
	return err
}

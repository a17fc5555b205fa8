package cli

import (
	"context"
	"errors"
	"fmt"

	"web-backend/internal/users"
)

// userSetPasswordCommand sets the password of a user.
type userSetPasswordCommand struct {
	configFlags
	UserID   string `arg:"" optional:"" name:"user" help:"User id."`
	Username string `placeholder:"NAME" help:"User name, instead of the id. Together with the id: the new name of a user who has none."`
}

// Validate is called by kong to check the command.
func (c *userSetPasswordCommand) Validate() error {
	if c.UserID == "" && c.Username == "" {
		return errors.New("name the user: by its id, with --username NAME, or with both")
	}
	return nil
}

// Help implements kong.HelpProvider.
func (userSetPasswordCommand) Help() string {
	return passwordHelp + " The user's tokens end, so the user has to log in again everywhere. For a user without an account, give " +
		"the id and --username. " + besideServer + `

    web-backend user set-password --username ada@example.org
    web-backend user set-password ada --username ada@example.org < password.txt`
}

// Run sets the password and prints the id of the user.
func (c *userSetPasswordCommand) Run(ctx context.Context, streams Streams) (err error) {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	password, err := askPassword(ctx, streams)
	if err != nil {
		return err
	}
	editor, err := users.Edit(ctx, cfg, streams.Err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, editor.Close()) }()
	userID, err := editor.SetPassword(ctx, c.UserID, c.Username, password)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(streams.Out, "user %s has a new password; its tokens have ended\n", readable(userID))
	return err
}

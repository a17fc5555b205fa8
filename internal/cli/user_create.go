package cli

import (
	"context"
	"errors"
	"fmt"

	"web-backend/internal/users"
)

// userCreateCommand creates a user.
type userCreateCommand struct {
	configFlags
	UserID   *string `arg:"" optional:"" name:"user" help:"User id. Default: a new one."`
	Username *string `placeholder:"NAME" help:"Let the user log in with this name and a password."`
	JSON     bool    `name:"json" help:"Print a JSON object."`
}

// Validate is called by kong to check the command. It refuses an empty id or
// user name, for example from a shell variable that is not set.
func (c *userCreateCommand) Validate() error {
	if c.UserID != nil && *c.UserID == "" || c.Username != nil && *c.Username == "" {
		return errors.New("user id or user name is empty; leave out what is not to be given")
	}
	return nil
}

// Help implements kong.HelpProvider.
func (userCreateCommand) Help() string {
	return `The user gets the default config and characters. The command prints the user id. With --username the user can log in. ` +
		passwordHelp + " " + besideServer + `

    web-backend user create ada
    web-backend user create --username ada@example.org
    web-backend user create --username ada@example.org --json < password.txt`
}

// Run creates the user and prints its id.
func (c *userCreateCommand) Run(ctx context.Context, streams Streams) (err error) {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	var wanted, username string
	if c.UserID != nil {
		wanted = *c.UserID
	}
	makeUser := func(editor *users.Editor) (string, error) { return editor.CreateUser(ctx, wanted) }
	if c.Username != nil {
		username = *c.Username
		password, err := askPassword(ctx, streams)
		if err != nil {
			return err
		}
		makeUser = func(editor *users.Editor) (string, error) {
			return editor.CreateAccount(ctx, wanted, username, password)
		}
	}
	editor, err := users.Edit(ctx, cfg, streams.Err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, editor.Close()) }()
	userID, err := makeUser(editor)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(streams.Out, map[string]string{"user_id": userID, "username": username})
	}
	_, err = fmt.Fprintln(streams.Out, userID)
	return err
}

package cli

import (
	"context"
	"fmt"

	"web-backend/internal/users"
)

// userDisableCommand disables the account of a user.
type userDisableCommand struct{ userAccountArguments }

// userEnableCommand enables the account of a user again.
type userEnableCommand struct{ userAccountArguments }

// userEndSessionsCommand ends the sessions of a user.
type userEndSessionsCommand struct{ userAccountArguments }

// userAccountArguments identify the user whose account is changed.
type userAccountArguments struct {
	configFlags
	oneUser
}

// Help implements kong.HelpProvider.
func (userDisableCommand) Help() string {
	return "The user's tokens end, and the user cannot log in until the account is enabled again. The data stays. " + besideServer + `

    web-backend user disable ada
    web-backend user disable --username ada@example.org`
}

// Help implements kong.HelpProvider.
func (userEnableCommand) Help() string {
	return "The user can log in again. " + besideServer + `

    web-backend user enable ada
    web-backend user enable --username ada@example.org`
}

// Help implements kong.HelpProvider.
func (userEndSessionsCommand) Help() string {
	return "The user's tokens end, so the user has to log in again everywhere. " + besideServer + `

    web-backend user end-sessions ada
    web-backend user end-sessions --username ada@example.org`
}

// Run disables the account.
func (c *userDisableCommand) Run(ctx context.Context, streams Streams) error {
	return c.change(ctx, streams, "is disabled; its tokens have ended", (*users.Editor).DisableUser)
}

// Run enables the account.
func (c *userEnableCommand) Run(ctx context.Context, streams Streams) error {
	return c.change(ctx, streams, "is enabled", (*users.Editor).EnableUser)
}

// Run ends the sessions.
func (c *userEndSessionsCommand) Run(ctx context.Context, streams Streams) error {
	return c.change(ctx, streams, "has no sessions any more", (*users.Editor).EndUserSessions)
}

// change changes the account and prints what holds now.
func (a *userAccountArguments) change(ctx context.Context, streams Streams, done string, do func(*users.Editor, context.Context, string) error) error {
	user, err := a.showUser(ctx, streams, a.UserID, a.Username)
	if err != nil {
		return err
	}
	if err := a.editUsers(ctx, streams, func(editor *users.Editor) error { return do(editor, ctx, user.UserID) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(streams.Out, "user %s %s\n", readable(user.UserID), done)
	return err
}

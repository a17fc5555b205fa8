package cli

import (
	"context"
	"errors"
	"strconv"
	"unicode"

	"web-backend/internal/users"
)

// userCommand groups the commands for users. Each of them has its own file.
type userCommand struct {
	List        userListCommand        `cmd:"" help:"List all users, or search for some."`
	Show        userShowCommand        `cmd:"" help:"Show the stored data of one user, without secrets."`
	Create      userCreateCommand      `cmd:"" help:"Create a user, with or without a user name and password."`
	SetPassword userSetPasswordCommand `cmd:"" name:"set-password" help:"Give a user a new password. The old one is not needed."`
	SetKey      userSetKeyCommand      `cmd:"" name:"set-key" help:"Set a provider key of a user."`
	UnsetKey    userUnsetKeyCommand    `cmd:"" name:"unset-key" help:"Remove a provider key of a user."`
	Disable     userDisableCommand     `cmd:"" help:"Disable the account of a user, and end its sessions."`
	Enable      userEnableCommand      `cmd:"" help:"Enable the account of a user again."`
	EndSessions userEndSessionsCommand `cmd:"" name:"end-sessions" help:"End all sessions of a user."`
	Delete      userDeleteCommand      `cmd:"" help:"Delete a user with all stored data."`
}

// besideServer is the part of the help of commands that change users that
// explains how they work while a server runs.
const besideServer = "If a server uses the data folder, the command calls that server, at the URL that it wrote there, " +
	"with the operator token of the configuration or of the data folder. " +
	"On MongoDB it goes to the database."

// passwordHelp explains where a password comes from.
const passwordHelp = "The password is typed twice at the terminal, or is the first line of standard input; it is never an argument."

// oneUser identifies a user by id or by user name.
type oneUser struct {
	UserID   string `arg:"" optional:"" name:"user" help:"User id."`
	Username string `placeholder:"NAME" help:"User name, instead of the id."`
}

// Validate is called by kong to check the command.
func (u oneUser) Validate() error {
	if (u.UserID == "") == (u.Username == "") {
		return errors.New("name the user: either by its id or with --username NAME")
	}
	return nil
}

// withUsers opens the users of the configuration for reading and calls do with
// them.
func (f configFlags) withUsers(ctx context.Context, streams Streams, do func(*users.Reader) error) (err error) {
	cfg, err := f.load(streams)
	if err != nil {
		return err
	}
	reader, err := users.Read(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	return do(reader)
}

// showUser returns the user with this id or, if userID is empty, with this user
// name.
func (f configFlags) showUser(ctx context.Context, streams Streams, userID, username string) (user users.Shown, err error) {
	err = f.withUsers(ctx, streams, func(reader *users.Reader) (err error) {
		if userID == "" {
			if userID, err = reader.ID(ctx, username); err != nil {
				return err
			}
		}
		user, err = reader.Show(ctx, userID)
		return err
	})
	return user, err
}

// editUsers opens the users of the configuration for changes and calls do with
// them.
func (f configFlags) editUsers(ctx context.Context, streams Streams, do func(*users.Editor) error) (err error) {
	cfg, err := f.load(streams)
	if err != nil {
		return err
	}
	editor, err := users.Edit(ctx, cfg, streams.Err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, editor.Close()) }()
	return do(editor)
}

// readable returns text in a form that is safe to print to a terminal. Anyone
// can choose ids and names, and these may contain control characters for the
// terminal.
func readable(text string) string {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return strconv.Quote(text)
		}
	}
	return text
}

package cli

import (
	"context"
	"errors"
	"strconv"
	"unicode"

	"web-backend/internal/users"
)

// userCommand is about users; each of its commands has a file of its own.
type userCommand struct {
	List        userListCommand        `cmd:"" help:"List all users."`
	Show        userShowCommand        `cmd:"" help:"Show what is stored of one user, without any secret."`
	Create      userCreateCommand      `cmd:"" help:"Make a user, with a user name and password or without."`
	SetPassword userSetPasswordCommand `cmd:"" name:"set-password" help:"Give a user a new password, without the old one."`
	SetKey      userSetKeyCommand      `cmd:"" name:"set-key" help:"Set a provider key of a user."`
	UnsetKey    userUnsetKeyCommand    `cmd:"" name:"unset-key" help:"Remove a provider key of a user."`
	Delete      userDeleteCommand      `cmd:"" help:"Delete a user with everything that is stored for it."`
}

// besideServer tells, in the help of commands that change users, how they work
// while a server runs.
const besideServer = "If a server runs on the data folder, the change goes through it, at the URL that it left there, " +
	"with the operator token of the configuration or of the data folder. " +
	"On MongoDB it goes to the database."

// passwordHelp tells where a password comes from.
const passwordHelp = "The password is typed twice at the terminal, or is the first line of standard input; it is never an argument."

// oneUser names a user by id or by user name.
type oneUser struct {
	UserID   string `arg:"" optional:"" name:"user" help:"User id."`
	Username string `placeholder:"NAME" help:"User name, in place of the id."`
}

// Validate implements kong's check of a command.
func (u oneUser) Validate() error {
	if (u.UserID == "") == (u.Username == "") {
		return errors.New("name the user: either by its id or with --username NAME")
	}
	return nil
}

// withUsers runs do with the users of the configuration, opened for reading.
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

// showUser gives the user of this id or, if it is empty, of this user name.
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

// editUsers runs do with the users of the configuration, opened for changes.
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

// readable gives text for a terminal: ids and names are anyone's, and may hold
// what would steer it.
func readable(text string) string {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return strconv.Quote(text)
		}
	}
	return text
}

package cli

import (
	"bufio"
	"context"
	"fmt"

	"web-backend/internal/users"
)

// userListCommand lists users.
type userListCommand struct {
	configFlags
	Search string `placeholder:"TEXT" help:"List only users whose user name or id begins with this text."`
	JSON   bool   `name:"json" help:"Print one JSON object per line."`
}

// Help implements kong.HelpProvider.
func (userListCommand) Help() string {
	return `In creation order: user id, whether the user is set up (this happens at the first login), the account (enabled,
disabled or none), and the user name. With --search: first the users whose name begins with the text, by name, then those
whose id does, by id. Upper and lower case are the same in names. The command reads the store directly, also while a
server runs.

    web-backend user list
    web-backend user list --search ada
    web-backend user list --json | jq -r 'select(.set_up | not) | .user_id'`
}

// Run prints each user as soon as it is read.
func (c *userListCommand) Run(ctx context.Context, streams Streams) error {
	return c.withUsers(ctx, streams, func(reader *users.Reader) error {
		out := bufio.NewWriter(streams.Out)
		if !c.JSON {
			fmt.Fprintf(out, "%-36s  %-6s  %-8s  %s\n", "USER ID", "SET UP", "ACCOUNT", "USER NAME")
		}
		listed := reader.List(ctx)
		if c.Search != "" {
			listed = reader.Find(ctx, c.Search)
		}
		for user, err := range listed {
			if err == nil && c.JSON {
				err = printJSON(out, user)
			} else if err == nil {
				_, err = fmt.Fprintf(out, "%-36s  %-6s  %-8s  %s\n",
					readable(user.UserID), yesOrNo(user.SetUp), account(user), readable(user.Username))
			}
			if err != nil {
				_ = out.Flush() // print the users before the error
				return err
			}
		}
		return out.Flush()
	})
}

func yesOrNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

package cli

import (
	"context"
	"fmt"
	"strings"

	"web-backend/internal/users"
)

// userShowCommand shows one user.
type userShowCommand struct {
	configFlags
	oneUser
	JSON bool `name:"json" help:"Print a JSON object."`
}

// Help implements kong.HelpProvider.
func (userShowCommand) Help() string {
	return `User name, time zone, the names of the provider keys that are set (never their values), and the characters.
The command reads the store directly, also while a server runs.

    web-backend user show 8f2c1c9e-52d5-4c1e-9b7c-0c1c39f3b6aa
    web-backend user show --username ada@example.org --json`
}

// Run prints the user.
func (c *userShowCommand) Run(ctx context.Context, streams Streams) error {
	user, err := c.showUser(ctx, streams, c.UserID, c.Username)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(streams.Out, user)
	}
	_, err = fmt.Fprint(streams.Out, userText(user))
	return err
}

func userText(user users.Shown) string {
	const none = "none"
	orNone := func(text string) string {
		if text == "" {
			return none
		}
		return readable(text)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "user id         %s\nuser name       %s\naccount         %s\nset up          %s\ntime zone       %s\nprovider keys   %s\ncharacters      %d\n",
		readable(user.UserID), orNone(user.Username), account(user.Listed), yesOrNo(user.SetUp), orNone(user.Timezone),
		orNone(strings.Join(user.ProviderKeys, ", ")), len(user.Characters))
	for _, c := range user.Characters {
		fmt.Fprintf(&text, "  %s  %s", readable(c.CharacterID), readable(c.CharacterName))
		if c.ReadOnly {
			text.WriteString("  (read-only)")
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// account says whether a user can log in.
func account(user users.Listed) string {
	switch {
	case user.Disabled:
		return "disabled"
	case user.Username == "":
		return "none"
	}
	return "enabled"
}

package cli

import (
	"errors"

	"web-backend/internal/config"
	"web-backend/internal/maintenance"
	"web-backend/internal/move"
	"web-backend/internal/users"
)

// hints are the flags that help with an error. They are listed here because the
// packages that return the errors do not know the flags.
var hints = []struct {
	err  error
	text string
}{
	{config.ErrNoPort, "give its --port"},
	{maintenance.ErrUnreadable, "--discard-unreadable gives up what no key opens"},
	{move.ErrExists, "--force replaces it"},
	{move.ErrNotRegular, "leave --out away and send standard output there"},
	{move.ErrIdentity, "name another one with --identity"},
	{move.ErrKeyMissing, "or go without --with-secrets"},
	{move.ErrBadDocuments, "--leave-out-bad goes on without them"},
	{users.ErrNone, "look elsewhere with --data-dir or --config_path"},
}

// withHint returns the text of an error, followed by the hint if there is one.
func withHint(err error) string {
	for _, hint := range hints {
		if errors.Is(err, hint.err) {
			return err.Error() + "; " + hint.text
		}
	}
	return err.Error()
}

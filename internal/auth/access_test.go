package auth_test

import (
	"fmt"
	"strings"
	"testing"

	"web-backend/internal/auth"
)

// accessTable says who may do what: y means allowed, t needs a token (401), b
// bad token (401 invalid_token), f forbidden (403). The request names the user
// "ann".
const accessTable = `
                        nobody loopback ann bob operator bad
open    public          y      y        y   y   y        y
open    owner           y      y        y   y   y        y
open    local-operator  y      y        y   y   y        y
open    operator        t      t        f   f   y        b
open    any-user        y      y        y   y   y        y
guarded public          y      y        y   y   y        y
guarded owner           y      y        y   y   y        y
guarded local-operator  t      y        f   f   y        b
guarded operator        t      t        f   f   y        b
guarded any-user        y      y        y   y   y        y
strict  public          y      y        y   y   y        y
strict  owner           t      t        y   f   y        b
strict  local-operator  t      t        f   f   y        b
strict  operator        t      t        f   f   y        b
strict  any-user        t      t        y   y   y        b
`

var (
	levels = map[string]auth.Level{
		"public": auth.Public, "owner": auth.Owner, "local-operator": auth.LocalOperator, "operator": auth.Operator,
		"any-user": auth.AnyUser,
	}
	verdicts = map[string]auth.Verdict{"y": auth.Allow, "t": auth.NeedsToken, "b": auth.BadToken, "f": auth.Forbidden}
	callers  = map[string]auth.Caller{
		"nobody": {}, "loopback": {Kind: auth.CallerLoopback},
		"ann": {Kind: auth.CallerUser, UserID: "ann"}, "bob": {Kind: auth.CallerUser, UserID: "bob"},
		"operator": {Kind: auth.CallerOperator}, "bad": {Kind: auth.CallerBadToken},
	}
)

func TestDecide(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(accessTable), "\n")
	names, rows := strings.Fields(lines[0]), lines[1:]
	if len(names) != len(callers) || len(rows) != 3*len(levels) {
		t.Fatalf("the table has %d columns and %d rows, want all", len(names), len(rows))
	}
	for _, row := range rows {
		fields := strings.Fields(row)
		mode, err := auth.ParseMode(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		level := levels[fields[1]]
		differ := false
		for i, want := range fields[2:] {
			differ = differ || want != fields[2]
			if got := auth.Decide(mode, level, callers[names[i]], "ann"); got != verdicts[want] {
				t.Errorf("%s, %s, %s: got %s, want %s", mode, level, names[i], got, verdicts[want])
			}
		}
		if got := auth.LooksAtCaller(mode, level); got != differ {
			t.Errorf("%s, %s: looks at the caller is %t, want %t", mode, level, got, differ)
		}
	}
}

func TestDecide_UnsetLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for name, caller := range callers {
		for _, mode := range []auth.Mode{0, auth.Open, auth.Guarded, auth.Strict, 4} {
			for _, level := range []auth.Level{0, auth.Public, auth.Owner, auth.LocalOperator, auth.Operator, auth.AnyUser, 6} {
				unset := mode == 0 || mode == 4 || level == 0 || level == 6
				if got := auth.Decide(mode, level, caller, "ann"); unset && got != auth.Forbidden {
					t.Errorf("%s, %s, %s: got %s, want forbidden", mode, level, name, got)
				}
			}
		}
	}
	for _, mode := range []auth.Mode{auth.Guarded, auth.Strict} {
		if got := auth.Decide(mode, auth.Operator, auth.Caller{Kind: 99}, "ann"); got != auth.Forbidden {
			t.Errorf("an unknown caller in %s: got %s, want forbidden", mode, got)
		}
	}
	var unset auth.Verdict
	if unset == auth.Allow {
		t.Error("the zero verdict allows")
	}
}

// A request without a user id does not belong to any user, even if the token
// does not have a user id either.
func TestDecide_NoUser(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "ann"} {
		if got := auth.Decide(auth.Strict, auth.Owner, auth.Caller{Kind: auth.CallerUser, UserID: id}, ""); got != auth.Forbidden {
			t.Errorf("user %q: got %s, want forbidden", id, got)
		}
	}
	if got := auth.Decide(auth.Strict, auth.Owner, auth.Caller{Kind: auth.CallerUser, UserID: "Ann"}, "ann"); got != auth.Forbidden {
		t.Errorf("an id in another case: got %s, want forbidden", got)
	}
}

func TestParseMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []auth.Mode{auth.Open, auth.Guarded, auth.Strict} {
		if got, err := auth.ParseMode(mode.String()); got != mode || err != nil {
			t.Errorf("%s: got %s, %v", mode, got, err)
		}
	}
	for _, name := range []string{"", "Open", " open", "unset", "closed"} {
		got, err := auth.ParseMode(name)
		if err == nil || got != 0 || !strings.Contains(err.Error(), fmt.Sprintf("%q, want open, guarded or strict", name)) {
			t.Errorf("%q: got %s, %v, want an error that says what is allowed", name, got, err)
		}
	}
}

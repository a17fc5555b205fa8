package move

import (
	"fmt"
	"strings"

	"web-backend/internal/backend"
)

// Report describes what an import or a copy did, or what a dry run would do.
// Its JSON form is for programs, Text for people.
type Report struct {
	From       string `json:"from,omitempty"` // source and target, for a copy only
	To         string `json:"to,omitempty"`
	DryRun     bool   `json:"dry_run"`
	Secrets    bool   `json:"secrets"` // passwords and provider keys were moved too
	Users      int64  `json:"users"`   // number that was read
	Added      int64  `json:"added"`   // users of whom nothing, or only a part, was in the target
	Unchanged  int64  `json:"unchanged"`
	Replaced   int64  `json:"replaced"`
	Skipped    int64  `json:"skipped"`    // conflicts in which the target was left as it was
	Refused    int64  `json:"refused"`    // not replaced, because the user name belongs to another user id
	Characters int64  `json:"characters"` // number that was written
	Locked     int64  `json:"locked"`     // users that cannot log in until they have a password

	// Conflicts are the first user ids that were replaced, skipped or refused.
	Conflicts []string `json:"conflicts,omitempty"`
	// UnknownNames are adapters, scenes and avatars in the characters that were
	// written which this server does not know.
	UnknownNames []UnknownName `json:"unknown_names,omitempty"`
	// Unreachable are user ids that cannot be part of a URL.
	Unreachable []string `json:"unreachable,omitempty"`

	Orphans       int64 `json:"orphans"`  // characters without a user config; they are not moved
	LeftOut       int64 `json:"left_out"` // documents that cannot be read and were not moved
	KeysLeft      int64 `json:"provider_keys_left"`
	PasswordsLeft int64 `json:"passwords_left"`

	// SecretsHint is the end of the note about secrets that were not moved. It
	// says how to move them.
	SecretsHint string `json:"-"`

	Differences *Differences `json:"differences,omitempty"` // nil unless source and target were compared
}

// UnknownName is a name of a character's field that this server does not know.
type UnknownName struct {
	Field string `json:"field"`
	// Value is "" if it resembles no known name. Then it may be a secret.
	Value   string   `json:"value,omitempty"`
	Nearest []string `json:"nearest,omitempty"` // known names that Value resembles
	Count   int64    `json:"count"`
}

func reportOf(r backend.ImportReport, locked int64) Report {
	var unknown []UnknownName
	for _, n := range r.UnknownNames {
		unknown = append(unknown, UnknownName{n.Field, n.Value, n.Nearest, n.Count})
	}
	return Report{
		Users: r.Users(), Added: r.Added, Unchanged: r.Unchanged, Replaced: r.Replaced, Skipped: r.Skipped,
		Refused: r.Refused, Characters: r.Characters, Locked: locked, Conflicts: r.Conflicts,
		UnknownNames: unknown, Unreachable: r.Unreachable,
	}
}

// Text returns the report as text for people.
func (r Report) Text() string {
	var text strings.Builder
	if r.From != "" {
		fmt.Fprintf(&text, "from        %s\nto          %s\n", r.From, r.To)
	}
	fmt.Fprintf(&text, "users       %d: %d added, %d unchanged, %d replaced, %d skipped, %d refused\ncharacters  %d written\n",
		r.Users, r.Added, r.Unchanged, r.Replaced, r.Skipped, r.Refused, r.Characters)
	if len(r.Conflicts) > 0 {
		fmt.Fprintf(&text, "conflicts   %q\n", r.Conflicts)
	}
	for _, line := range r.notes() {
		fmt.Fprintf(&text, "note        %s\n", line)
	}
	if d := r.Differences; d != nil {
		fmt.Fprintf(&text, "compared    %s and %s: %s\n", number(d.Users, "user"), number(d.Characters, "character"), number(d.Different, "difference"))
	}
	if r.DryRun {
		fmt.Fprintln(&text, "this was a dry run: nothing was written")
	}
	return text.String()
}

func (r Report) notes() (notes []string) {
	if r.Locked > 0 {
		notes = append(notes, number(r.Locked, "user")+" cannot log in until web-backend user set-password gives a password")
	}
	if r.KeysLeft > 0 || r.PasswordsLeft > 0 {
		notes = append(notes, number(r.KeysLeft, "provider key")+" and "+number(r.PasswordsLeft, "password")+
			" stayed behind"+r.SecretsHint)
	}
	if r.Orphans > 0 {
		notes = append(notes, number(r.Orphans, "character")+" of users without a config stayed behind: no list shows them")
	}
	if r.LeftOut > 0 {
		notes = append(notes, number(r.LeftOut, "document")+" of the source cannot be read and stayed behind")
	}
	if len(r.UnknownNames) > 0 {
		notes = append(notes, unknownNamesNote(r.UnknownNames))
	}
	for _, id := range r.Unreachable {
		notes = append(notes, fmt.Sprintf("user id %q came along, but no URL can name it: clients and proxies take it out", id))
	}
	return notes
}

// unknownNamesNote returns one note about all unknown names.
func unknownNamesNote(names []UnknownName) string {
	var all int64
	var parts []string
	for _, n := range names {
		all += n.Count
		part := n.Field + " " + number(n.Count, "time")
		if n.Value != "" {
			part = fmt.Sprintf("%s %q %s (similar to %s)", n.Field, n.Value, number(n.Count, "time"), strings.Join(n.Nearest, ", "))
		}
		parts = append(parts, part)
	}
	return number(all, "name") + " in characters came along unchanged, but this server does not know them: " + strings.Join(parts, "; ") +
		"; GET /api/v1/list_providers has the known ones"
}

// Fault returns an error if a user was refused, or if source and target differ.
func (r Report) Fault() error {
	switch d := r.Differences; {
	case r.Refused > 0:
		return fmt.Errorf("%s refused: the user name belongs to another user id; the first ones are %q",
			number(r.Refused, "user"), r.Conflicts)
	case d != nil && d.Different > 0:
		return fmt.Errorf("%s between %s and %s, the first at user %q; were they changed meanwhile, or were conflicts skipped?",
			number(d.Different, "difference"), r.From, r.To, d.First)
	}
	return nil
}

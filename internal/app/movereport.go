package app

import (
	"fmt"
	"strings"

	"web-backend/internal/backend"
)

// MoveReport is what an import or a copy did, or would do. Its JSON form is for
// programs, Text for people.
type MoveReport struct {
	From       string `json:"from,omitempty"` // of a copy
	To         string `json:"to,omitempty"`
	DryRun     bool   `json:"dry_run"`
	Secrets    bool   `json:"secrets"` // passwords and provider keys came along
	Users      int64  `json:"users"`   // that were read
	Characters int64  `json:"characters"`
	Created    int64  `json:"created"` // of Users
	Replaced   int64  `json:"replaced"`
	Skipped    int64  `json:"skipped"` // conflicts that were left as they are
	Unchanged  int64  `json:"unchanged"`
	Locked     int64  `json:"locked"` // users that cannot log in until they have a password

	Orphans       int64 `json:"orphans"` // characters without a user config, left behind
	KeysLeft      int64 `json:"provider_keys_left"`
	PasswordsLeft int64 `json:"passwords_left"`

	Differences *Differences `json:"differences,omitempty"` // nil unless compared
}

func moveReport(r backend.ImportReport) MoveReport {
	return MoveReport{
		Users: r.Users, Characters: r.Characters, Created: r.Created, Replaced: r.Replaced,
		Skipped: r.Skipped, Unchanged: r.Unchanged, Locked: r.Locked,
	}
}

// Text gives the report for a person.
func (r MoveReport) Text() string {
	var text strings.Builder
	if r.From != "" {
		fmt.Fprintf(&text, "from        %s\nto          %s\n", r.From, r.To)
	}
	fmt.Fprintf(&text, "users       %d: %d created, %d replaced, %d skipped, %d unchanged\ncharacters  %d\n",
		r.Users, r.Created, r.Replaced, r.Skipped, r.Unchanged, r.Characters)
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

func (r MoveReport) notes() (notes []string) {
	if r.Locked > 0 {
		notes = append(notes, number(r.Locked, "user")+" cannot log in until web-backend user set-password gives a password")
	}
	if r.KeysLeft > 0 || r.PasswordsLeft > 0 {
		notes = append(notes, number(r.KeysLeft, "provider key")+" and "+number(r.PasswordsLeft, "password")+
			" stayed behind; --with-secrets takes them along")
	}
	if r.Orphans > 0 {
		notes = append(notes, number(r.Orphans, "character")+" of users without a config stayed behind: no list shows them")
	}
	return notes
}

// Fault is an error if source and target were compared and differ.
func (r MoveReport) Fault() error {
	if r.Differences == nil || r.Differences.Different == 0 {
		return nil
	}
	return fmt.Errorf("%s between %s and %s, the first at user %q; were they changed meanwhile, or were conflicts skipped?",
		number(r.Differences.Different, "difference"), r.From, r.To, r.Differences.First)
}

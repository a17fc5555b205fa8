package backend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Limits bound what requests may write. They do not affect stored data, and an
// import may exceed them. 0 means no limit.
type Limits struct {
	IDLength         int // characters of the id of a new user
	TextLength       int // characters of each text of a character except its prompt
	PromptBytes      int // bytes of a prompt
	ProviderKeyBytes int // bytes of a provider key
	Characters       int // characters that one user may have
	Users            int // users with a credential or a config; concurrent requests may exceed it by a few
}

func (l Limits) checkID(field, id string) error {
	return checkLength(field, utf8.RuneCountInString(id), l.IDLength, "characters")
}

func (l Limits) checkText(field, text string) error {
	return checkLength(field, utf8.RuneCountInString(text), l.TextLength, "characters")
}

// checkPatch returns the error for the first field, in field order, that breaks
// a limit.
func (l Limits) checkPatch(p CharacterPatch) error {
	for _, text := range p.shortTexts() {
		if text.value == nil {
			continue
		}
		if err := l.checkText(text.field, *text.value); err != nil {
			return err
		}
	}
	if p.Prompt == nil {
		return nil
	}
	return checkLength("prompt", len(*p.Prompt), l.PromptBytes, "bytes")
}

func (l Limits) checkKeys(keys map[string]Secret) error {
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if err := checkLength(name, len(keys[name].Reveal()), l.ProviderKeyBytes, "bytes"); err != nil {
			return err
		}
	}
	return nil
}

func checkLength(field string, length, most int, unit string) error {
	if most == 0 || length <= most {
		return nil
	}
	return &Error{Kind: TooLong, Field: field, Limit: most, Message: fmt.Sprintf("String should have at most %d %s", most, unit)}
}

// checkUsers returns a Full error if there must not be another user.
func (s *Service) checkUsers(ctx context.Context) error {
	most := int64(s.limits.Users)
	if most == 0 {
		return nil
	}
	count, err := s.store.CountUsers(ctx)
	if err == nil && count >= most {
		err = &Error{Kind: Full, Field: "user_id", Message: fmt.Sprintf("There should be at most %d users", most)}
	}
	return err
}

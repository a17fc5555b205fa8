package backend

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"
)

// FindUsers returns one page of the users whose name or id begins with a text:
// first those with such a name, by name, then the others, by id. Without a text
// it returns all users in creation order. A page may have fewer users than the
// limit although there are more: then Next is set. A user that is created,
// deleted or renamed in the meantime may be missing or be there twice. The
// error is Invalid if the text, the limit or After is not valid.
func (s *Service) FindUsers(ctx context.Context, search UserSearch) (page UserPage, err error) {
	switch {
	case !ValidText(search.Text):
		return page, &Error{Kind: Invalid, Field: "text", Message: "the text " + invalidTextProblem}
	case search.Limit < 1 || search.Limit > MaxFoundUsers:
		return page, &Error{Kind: Invalid, Field: "limit", Message: fmt.Sprintf("the limit must be from 1 to %d", MaxFoundUsers)}
	}
	order, from, err := search.start()
	for err == nil {
		var more bool
		if from, more, err = s.addFound(ctx, &page, search, order, from); err != nil {
			break
		}
		if more {
			page.Next = base64.RawURLEncoding.EncodeToString([]byte(positionPrefixes[order] + from))
			break
		}
		if order != ByName {
			break
		}
		order, from = ByID, search.Text
	}
	if err != nil {
		return UserPage{}, err
	}
	return page, nil
}

// positionPrefixes are the prefixes of a decoded UserSearch.After. They say in
// which order the page begins.
var positionPrefixes = map[UserOrder]string{ByCreation: "c", ByName: "n", ByID: "i"}

// start returns where a search begins.
func (s UserSearch) start() (order UserOrder, from string, err error) {
	nameKey := NameKey(s.Text)
	if s.After != "" {
		after, err := base64.RawURLEncoding.DecodeString(s.After)
		if err != nil || !utf8.Valid(after) {
			return 0, "", NoSuchPosition()
		}
		for order, prefix := range positionPrefixes {
			from, ok := strings.CutPrefix(string(after), prefix)
			if ok && (order == ByCreation) == (s.Text == "") && (order != ByName || strings.HasPrefix(from, nameKey)) {
				return order, from, nil
			}
		}
		return 0, "", NoSuchPosition()
	}
	switch {
	case s.Text == "":
		return ByCreation, "", nil
	case nameKey == "":
		return ByID, s.Text, nil
	}
	return ByName, nameKey, nil
}

// addFound adds users of one order to a page until the page is full. It returns
// the position after the last one, and whether the search may find more in this
// order. It leaves out users that an earlier page contains because of their
// names. It reads only once, so its time is limited even if it leaves out many
// users.
func (s *Service) addFound(
	ctx context.Context, page *UserPage, search UserSearch, order UserOrder, from string,
) (next string, more bool, err error) {
	nameKey := NameKey(search.Text)
	named := func(user PositionedUser) bool { return nameKey != "" && strings.HasPrefix(user.NameKey, nameKey) }
	found, err := s.store.UserPage(ctx, order, from, search.Limit+1)
	if err != nil {
		return "", false, err
	}
	for _, user := range found {
		switch {
		case order == ByName && !named(user), order == ByID && !strings.HasPrefix(user.UserID, search.Text):
			return "", false, nil
		case order == ByID && named(user):
		case len(page.Users) >= search.Limit && user.Next != from:
			return from, true, nil
		default:
			page.Users = append(page.Users, user.User)
		}
		from = user.Next
	}
	return from, len(found) > search.Limit, nil
}

package storetest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"web-backend/internal/backend"
)

var userPagePromises = []promise{
	{"UserPage_IsInEachOrder", userPageOrders},
	{"UserPage_BeginsAtAText", userPageFrom},
	{"UserPage_NamesWithTheSameKey", userPageSameKey},
	{"UserPage_RefusesOtherPlaces", userPageRefuses},
	{"UserPage_FindsUsers", userPageFinds},
}

// pages reads all users in an order, limit at a time.
func (t *trial) pages(order backend.UserOrder, from string, limit int) (ids []string) {
	t.Helper()
	for range 100 {
		page, err := t.UserPage(t.Context(), order, from, limit)
		t.must(fmt.Sprintf("page in order %d from %q", order, from), err)
		for _, user := range page {
			ids = append(ids, user.UserID)
			from = user.Next
		}
		if len(page) < limit {
			return ids
		}
	}
	t.Fatal("the pages do not end")
	return nil
}

func (t *trial) wantPages(order backend.UserOrder, from string, want ...string) {
	t.Helper()
	for limit := 1; limit <= len(want)+1; limit++ {
		if got := t.pages(order, from, limit); !slices.Equal(got, want) {
			t.Errorf("order %d from %q, %d at a time:\n got %q\nwant %q", order, from, limit, got, want)
		}
	}
}

func userPageOrders(t *trial) {
	t.wantPages(backend.ByCreation, "")
	t.mustCreateUser("9 config", 0)
	t.mustCreateCredential("Zoë", "8 credential")
	t.mustCreateUser("7 both", 0)
	t.mustCreateUser("6 deleted", 0)
	t.mustCreateCredential("anna", "É credential")
	t.mustCreateCredential("Berta", "7 both")
	t.mustCreateCredential("张三", "4 credential")
	t.mustCreateUser("3 config", 0)
	t.must("delete user", t.DeleteUser(t.Context(), "6 deleted"))
	t.wantPages(backend.ByCreation, "", "9 config", "8 credential", "7 both", "É credential", "4 credential", "3 config")
	t.wantPages(backend.ByName, "", "É credential", "7 both", "8 credential", "4 credential")
	t.wantPages(backend.ByID, "", "3 config", "4 credential", "7 both", "8 credential", "9 config", "É credential")

	page, err := t.UserPage(t.Context(), backend.ByID, "7", 2)
	want := []backend.PositionedUser{
		{User: backend.User{UserID: "7 both", Username: "Berta"}, NameKey: backend.NameKey("Berta")},
		{User: backend.User{UserID: "8 credential", Username: "Zoë"}, NameKey: backend.NameKey("Zoë")},
	}
	for i := range page {
		page[i].Next = ""
	}
	if err != nil || !slices.Equal(page, want) {
		t.Errorf("page by id: got %v, %v, want %v", page, err, want)
	}
}

func userPageFrom(t *trial) {
	for _, id := range []string{"a", "ab", "b", "ba", "C"} {
		t.mustCreateCredential("name "+id, id)
	}
	t.wantPages(backend.ByID, "ab", "ab", "b", "ba")
	t.wantPages(backend.ByID, "aa", "ab", "b", "ba")
	t.wantPages(backend.ByID, "c")
	t.wantPages(backend.ByName, "name b", "b", "ba", "C")
	t.wantPages(backend.ByName, "o")
}

// userPageSameKey stores users whose names have the same key, as an import can.
func userPageSameKey(t *trial) {
	var users []backend.UserData
	for i, name := range []string{"ada", "bob", "BOB", "Bob", "ｂｏｂ", "carl"} {
		credential := Credential(name, fmt.Sprintf("%d", i))
		users = append(users, backend.UserData{Credential: &credential})
	}
	t.must("put users", t.PutUsers(t.Context(), users))
	for limit := 1; limit <= len(users)+1; limit++ {
		got := t.pages(backend.ByName, "", limit)
		if first, last := got[0], got[len(got)-1]; first != "0" || last != "5" {
			t.Errorf("%d at a time: got %q, want the names in order", limit, got)
		}
		if slices.Sort(got); strings.Join(got, "") != "012345" {
			t.Errorf("%d at a time: got %q, want everyone once", limit, got)
		}
	}
}

func userPageRefuses(t *trial) {
	t.mustCreateUser("a", 0)
	_, err := t.UserPage(t.Context(), backend.ByCreation, "not a place", 1)
	t.wantKind("a place in the creation order", err, backend.Invalid)
}

// userPageFinds searches as a service does on this store.
func userPageFinds(t *trial) {
	service := backend.New(t.Store, backend.Options{})
	t.mustCreateCredential("Anna", "1")
	t.mustCreateCredential("ＡＮＮＥ", "an 2")
	t.mustCreateCredential("Berta", "an 3")
	t.mustCreateUser("an 4", 0)
	t.mustCreateUser("AN 5", 0)
	t.mustCreateCredential("a%n_", "6")
	for text, want := range map[string][]string{
		"":   {"1", "an 2", "an 3", "an 4", "AN 5", "6"},
		"an": {"1", "an 2", "an 3", "an 4"}, "AN": {"1", "an 2", "AN 5"}, "ａｎｎ": {"1", "an 2"}, "berta": {"an 3"},
		"a%": {"6"}, "%": nil, "x": nil, "\u200b": nil, "\U0010FFFF": nil, "6": {"6"},
	} {
		for limit := 1; limit <= 7; limit++ {
			var got []string
			search := backend.UserSearch{Text: text, Limit: limit}
			for range 20 {
				page, err := service.FindUsers(t.Context(), search)
				t.must("find users", err)
				if len(page.Users) > limit {
					t.Errorf("text %q: got %d users on a page, want at most %d", text, len(page.Users), limit)
				}
				for _, user := range page.Users {
					got = append(got, user.UserID)
				}
				if search.After = page.Next; page.Next == "" {
					break
				}
			}
			if !slices.Equal(got, want) || search.After != "" {
				t.Errorf("text %q, %d at a time: got %q, next %q, want %q", text, limit, got, search.After, want)
			}
		}
	}
	place := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, search := range []backend.UserSearch{
		{Limit: 0}, {Limit: backend.MaxFoundUsers + 1}, {Text: "\xff", Limit: 1}, {After: "!", Limit: 1}, {After: place("x"), Limit: 1}, {After: place("cx"), Limit: 1},
		{After: place("i"), Limit: 1}, {Text: "a", After: place("c"), Limit: 1}, {Text: "b", After: place("na"), Limit: 1},
		{Text: "b", After: place("i\xff"), Limit: 1},
	} {
		_, err := service.FindUsers(t.Context(), search)
		t.wantKind(fmt.Sprintf("search %+v", search), err, backend.Invalid)
	}
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"web-backend/internal/backend"
)

var usersPromises = []promise{
	{"Users_NoneInAnEmptyStore", usersNone},
	{"Users_AreFilteredInCreationOrder", usersFiltered},
	{"Users_ManyAreListedAndExported", usersMany},
	{"Users_EndsEarly", usersBreak},
	{"Users_MayBeReadAgain", usersAgain},
	{"Users_ToleratesChangesMeanwhile", usersChanging},
}

func usersNone(t *trial) {
	for filter := range backend.UsersWithConfig + 1 {
		t.wantUsers(filter)
	}
}

// usersFiltered creates users of each kind in turn. The order of the list is
// that of the users' creation, not of their ids, names, configs or credentials.
func usersFiltered(t *trial) {
	t.mustCreateUser("9 config", 1)
	t.mustCreateCredential("z", "8 credential")
	t.mustCreateUser("7 both", 0)
	t.mustCreateUser("6 deleted", 0)
	t.mustCreateUser("5 both", 2)
	t.mustCreateCredential("a", "4 credential")
	t.mustCreateUser("3 config", 0)
	t.mustCreateCredential("c", "5 both")
	t.mustCreateCredential("b", "7 both")
	t.must("delete user", t.DeleteUser(t.Context(), "6 deleted"))

	config9, credential8 := backend.User{UserID: "9 config"}, backend.User{UserID: "8 credential", Username: "z"}
	both7, both5 := backend.User{UserID: "7 both", Username: "b"}, backend.User{UserID: "5 both", Username: "c"}
	credential4, config3 := backend.User{UserID: "4 credential", Username: "a"}, backend.User{UserID: "3 config"}
	t.wantUsers(backend.AllUsers, config9, credential8, both7, both5, credential4, config3)
	t.wantUsers(backend.UsersWithCredential, credential8, both7, both5, credential4)
	t.wantUsers(backend.UsersWithConfig, config9, both7, both5, config3)
	count, err := t.CountUsers(t.Context())
	if err != nil || count != 6 {
		t.Errorf("count users: got %d, %v, want 6", count, err)
	}
}

// mustCreateMany stores t.many users, using many concurrent callers. Every
// third user has only a credential.
func (t *trial) mustCreateMany() {
	t.Helper()
	const callers = 64
	together(callers, func(caller int) {
		for i := caller; i < t.many; i += callers {
			id := fmt.Sprintf("user %d", i)
			err := error(nil)
			if i%3 == 0 {
				err = t.CreateCredential(t.Context(), Credential("name of "+id, id))
			} else {
				err = t.CreateUser(t.Context(), backend.UserConfig{UserID: id, Timezone: "UTC"}, nil)
			}
			if err != nil {
				t.Errorf("create %s: got error %v, want none", id, err)
			}
		}
	})
}

func usersMany(t *trial) {
	t.mustCreateMany()
	all := t.users(backend.AllUsers)
	seen := make(map[string]bool)
	for _, user := range all {
		seen[user.UserID] = true
	}
	if len(all) != t.many || len(seen) != t.many {
		t.Errorf("all users: got %d with %d different ids, want %d", len(all), len(seen), t.many)
	}

	hasName := func(u backend.User) bool { return u.Username != "" }
	hasNone := func(u backend.User) bool { return u.Username == "" }
	named := slices.DeleteFunc(slices.Clone(all), hasNone)
	unnamed := slices.DeleteFunc(slices.Clone(all), hasName)
	if len(named) != (t.many+2)/3 {
		t.Errorf("users with a name: got %d, want %d", len(named), (t.many+2)/3)
	}
	t.wantUsers(backend.UsersWithCredential, named...)
	t.wantUsers(backend.UsersWithConfig, unnamed...)
	t.usersCancelled()
	t.exportedAsListed()
	t.exportCancelled()
}

// usersCancelled cancels the context during a long list. The list must be
// complete or end with an error; it must not be short without an error.
func (t *trial) usersCancelled() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	count := 0
	for _, err := range t.Store.Users(ctx, backend.AllUsers) {
		if err != nil {
			t.wantKind("list users, context ended half-way", err, backend.Unavailable)
			return
		}
		count++
		cancel()
	}
	if count != t.many {
		t.Errorf("list users, context ended half-way: got %d users and no error, want %d or an error", count, t.many)
	}
}

func usersBreak(t *trial) {
	for _, id := range []string{"a", "b", "c", "d"} {
		t.mustCreateUser(id, 0)
	}
	for range 50 { // a list that leaks a resource would use it up
		var got []string
		for user, err := range t.Store.Users(t.Context(), backend.AllUsers) {
			t.must("list users", err)
			got = append(got, user.UserID)
			if len(got) == 2 {
				break
			}
		}
		if want := []string{"a", "b"}; !slices.Equal(got, want) {
			t.Fatalf("first users: got %q, want %q", got, want)
		}
	}
	t.must("delete a user after lists ended early", t.DeleteUser(t.Context(), "a"))
}

func usersAgain(t *trial) {
	t.mustCreateUser("a", 0)
	sequence := t.Store.Users(t.Context(), backend.AllUsers)
	first, firstErr := collect(sequence)
	second, secondErr := collect(sequence)
	if err := errors.Join(firstErr, secondErr); err != nil || len(first) != 1 || !slices.Equal(first, second) {
		t.Errorf("one sequence read twice: got %v, then %v, error %v, want the same user twice", first, second, err)
	}
}

// usersChanging creates, deletes and reads users while it iterates over a list.
// The other users must still be listed once each.
func usersChanging(t *trial) {
	const steady = 40
	for i := range steady {
		t.mustCreateUser(fmt.Sprintf("steady %d", i), 0)
		t.mustCreateUser(fmt.Sprintf("passing %d", i), 0)
	}
	seen, i := make(map[string]int), 0
	for user, err := range t.Store.Users(t.Context(), backend.AllUsers) {
		t.must("list users", err)
		if seen[user.UserID]++; user.UserID[0] != 's' {
			continue
		}
		t.must("delete a user within the list", t.DeleteUser(t.Context(), fmt.Sprintf("passing %d", (i+steady/2)%steady)))
		t.mustCreateUser(fmt.Sprintf("new %d", i), 0)
		i++
	}
	for i := range steady {
		if id := fmt.Sprintf("steady %d", i); seen[id] != 1 {
			t.Errorf("user %q: got it %d times in the list, want once", id, seen[id])
		}
	}
}

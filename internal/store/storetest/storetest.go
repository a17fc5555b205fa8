// Package storetest holds the conformance suite that every [backend.Store] must
// pass, and fixtures that tests of other packages share with it. A store
// promises only what a promise in this package checks.
package storetest

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"web-backend/internal/backend"
)

// promise is a test of one sentence in the documentation of [backend.Store].
type promise struct {
	name  string
	check func(t *trial)
}

// trial is the test of one promise, with a store of its own.
type trial struct {
	*testing.T
	backend.Store

	open func(t *testing.T) backend.Store // returns another empty store of the same kind
	many int                              // users, more than the store reads at once
}

// Run checks that a store keeps every promise of [backend.Store]. open returns
// a new, empty store and registers its clean-up. many is a number of users that
// the store lists and exports in three or more pages.
func Run(t *testing.T, many int, open func(t *testing.T) backend.Store) {
	t.Helper()
	for _, p := range slices.Concat(
		createUserPromises, setUpUserPromises, deleteUserPromises, usersPromises, userPagePromises, userConfigPromises,
		createCredentialPromises, credentialPromises, replacePasswordPromises, disablePromises, tokenPromises, createTokenPromises,
		archivePromises, putPromises, importPromises, characterPromises, copyPromises, additionPromises, updatePromises, deletePromises,
		textPromises, contextPromises, ownershipPromises, racePromises, accountRacePromises,
	) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.check(&trial{t, open(t), open, many})
		})
	}
}

// mustCreateUser stores a user with count characters that may be changed.
func (t *trial) mustCreateUser(userID string, count int) (backend.UserConfig, []backend.Character) {
	t.Helper()
	config, characters := UserConfig(userID), Characters(userID, count)
	t.must("create user "+userID, t.CreateUser(t.Context(), config, characters))
	return config, characters
}

// mustCreateCredential stores a credential for a user id.
func (t *trial) mustCreateCredential(username, userID string) backend.Credential {
	t.Helper()
	credential := Credential(username, userID)
	t.must("create credential "+username, t.CreateCredential(t.Context(), credential))
	return credential
}

// must ends the test unless err is nil.
func (t *trial) must(what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: got error %v, want none", brief(what), brief(err))
	}
}

// wantKind checks that err is a [*backend.Error] of kind want.
func (t *trial) wantKind(what string, err error, want backend.Kind) {
	t.Helper()
	if e, ok := errors.AsType[*backend.Error](err); !ok || e.Kind != want || e.Message == "" {
		t.Errorf("%s: got error %v (%T), want a message of kind %q", brief(what), brief(err), err, want)
	}
}

// wantUserConfig checks the stored config of a user. An empty key counts as not
// set.
func (t *trial) wantUserConfig(want backend.UserConfig) {
	t.Helper()
	got, err := t.UserConfig(t.Context(), want.UserID)
	if err != nil {
		t.Errorf("config of user %s: got error %v, want none", brief(want.UserID), err)
		return
	}
	if g, w := describeConfig(got), describeConfig(want); g != w {
		t.Errorf("config of user %s:\n got %s\nwant %s", brief(want.UserID), brief(g), brief(w))
	}
}

// wantNames checks the list of a user's characters.
func (t *trial) wantNames(userID string, want ...backend.Character) {
	t.Helper()
	got, err := t.CharacterNames(t.Context(), userID)
	if err != nil {
		t.Errorf("characters of user %s: got error %v, want none", brief(userID), err)
	}
	if names := namesOf(want); !slices.Equal(got, names) {
		t.Errorf("characters of user %s:\n got %s\nwant %s", brief(userID), brief(got), brief(names))
	}
	t.wantSummaries(userID, want...)
}

// wantSummaries checks the list of summaries of a user's characters.
func (t *trial) wantSummaries(userID string, want ...backend.Character) {
	t.Helper()
	summaries, err := t.CharacterSummaries(t.Context(), userID)
	if err != nil {
		t.Errorf("summaries of the characters of user %s: got error %v, want none", brief(userID), err)
	}
	if want := summariesOf(want); !slices.Equal(summaries, want) {
		t.Errorf("summaries of the characters of user %s:\n got %s\nwant %s", brief(userID), brief(summaries), brief(want))
	}
}

// wantCharacters checks that a user has exactly these characters, in this
// order, and that each one reads back completely in both forms.
func (t *trial) wantCharacters(userID string, want ...backend.Character) {
	t.Helper()
	t.wantNames(userID, want...)
	for _, c := range want {
		t.wantCharacter(c)
	}
}

// wantCharacter checks that a character reads back as want, both the document
// (byte for byte) and the value (field for field).
func (t *trial) wantCharacter(want backend.Character) {
	t.Helper()
	document, err := backend.EncodeCharacter(want)
	t.must("encode the wanted character", err)
	stored, err := t.CharacterDocument(t.Context(), want.Key())
	if err != nil || string(stored) != string(document) {
		t.Errorf("document of character %s:\n got %s, error %v\nwant %s",
			brief(want.Key()), brief(string(stored)), err, brief(string(document)))
	}
	if got, err := t.Character(t.Context(), want.Key()); err != nil || got != want {
		t.Errorf("character %s:\n got %s, error %v\nwant %s", brief(want.Key()), brief(got), err, brief(want))
	}
}

// wantNoCharacter checks that a character does not exist.
func (t *trial) wantNoCharacter(key backend.CharacterKey) {
	t.Helper()
	_, err := t.Character(t.Context(), key)
	t.wantKind(fmt.Sprintf("character %v", key), err, backend.NotFound)
	_, err = t.CharacterDocument(t.Context(), key)
	t.wantKind(fmt.Sprintf("document of character %v", key), err, backend.NotFound)
}

// wantUsers checks the list that filter selects.
func (t *trial) wantUsers(filter backend.UserFilter, want ...backend.User) {
	t.Helper()
	if got := t.users(filter); !slices.Equal(got, want) {
		t.Errorf("users with filter %d:\n got %s\nwant %s", filter, brief(got), brief(want))
	}
}

// wantNoUser checks that nothing is stored for a user.
func (t *trial) wantNoUser(userID string) {
	t.Helper()
	_, err := t.UserConfig(t.Context(), userID)
	t.wantKind("config of user "+userID, err, backend.NotFound)
	t.wantNames(userID)
	for _, user := range t.users(backend.AllUsers) {
		if user.UserID == userID {
			t.Errorf("user %s: got it in the list of users, want it absent", brief(userID))
		}
	}
}

// users returns the list that filter selects.
func (t *trial) users(filter backend.UserFilter) []backend.User {
	t.Helper()
	users, err := collect(t.Store.Users(t.Context(), filter))
	t.must("list users", err)
	return users
}

// contents describes all stored data except tokens, one line for each fact. It
// covers all users and the ids in also.
func (t *trial) contents(also ...string) []string {
	t.Helper()
	var lines []string
	ids := also
	for filter := range backend.UsersWithConfig + 1 {
		for _, user := range t.users(filter) {
			lines = append(lines, fmt.Sprintf("filter %d: %+v", filter, user))
			ids = append(ids, user.UserID)
			if filter == backend.UsersWithCredential {
				credential, err := t.Credential(t.Context(), user.Username)
				t.must("credential of "+user.Username, err)
				lines = append(lines, describeCredential(credential))
			}
		}
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		lines = append(lines, t.contentsOf(id)...)
	}
	return lines
}

// contentsOf describes a user's config and characters.
func (t *trial) contentsOf(userID string) []string {
	t.Helper()
	var lines []string
	config, err := t.UserConfig(t.Context(), userID)
	if !errors.Is(err, backend.NotFound) {
		t.must("read config of "+userID, err)
		lines = append(lines, describeConfig(config))
	}
	names, err := t.CharacterNames(t.Context(), userID)
	t.must("list characters of "+userID, err)
	for _, name := range names {
		document, err := t.CharacterDocument(t.Context(), backend.CharacterKey{UserID: userID, CharacterID: name.CharacterID})
		t.must("read a character of "+userID, err)
		lines = append(lines, fmt.Sprintf("%+v %s", name, document))
	}
	return lines
}

// wantContents checks that all stored data is the same as when [trial.contents]
// returned want for the same ids.
func (t *trial) wantContents(what string, want []string, also ...string) {
	t.Helper()
	got := t.contents(also...)
	if slices.Equal(got, want) {
		return
	}
	only := func(these, others []string) []string {
		return slices.DeleteFunc(slices.Clone(these), func(line string) bool { return slices.Contains(others, line) })
	}
	t.Errorf("%s changed what is stored:\n new %s\ngone %s", what, brief(only(got, want)), brief(only(want, got)))
}

// describeConfig returns a config as text. Keys are sorted and shown; empty
// ones are left out.
func describeConfig(c backend.UserConfig) string {
	parts := []string{fmt.Sprintf("user %q zone %q", c.UserID, c.Timezone)}
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		if c.Keys[name].IsSet() {
			parts = append(parts, fmt.Sprintf("%s=%q", name, c.Keys[name].Reveal()))
		}
	}
	return strings.Join(parts, " ")
}

// describeCredential returns a credential as text, with its password.
func describeCredential(c backend.Credential) string {
	return fmt.Sprintf("credential %q of user %q password %q disabled %t", c.Username, c.UserID, c.Password.Reveal(), c.Disabled)
}

func namesOf(characters []backend.Character) []backend.CharacterName {
	var names []backend.CharacterName
	for _, c := range characters {
		names = append(names, backend.NewCharacterName(c.CharacterID, c.CharacterName))
	}
	return names
}

func summariesOf(characters []backend.Character) []backend.CharacterSummary {
	var summaries []backend.CharacterSummary
	for _, c := range characters {
		summaries = append(summaries, c.Summary().Bounded())
	}
	return summaries
}

// collect reads a sequence of users up to its end or its first error.
func collect[User any](sequence iter.Seq2[User, error]) (users []User, err error) {
	for user, err := range sequence {
		if err != nil {
			return users, err
		}
		users = append(users, user)
	}
	return users, nil
}

// together calls fn with 0 to n-1 concurrently, and waits for all calls.
func together(n int, fn func(i int)) {
	var done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		done.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	done.Wait()
}

// brief formats a value for a failure message, so that the message stays
// readable even if the value is 100 KB of text.
func brief(v any) string {
	const most = 600
	text := fmt.Sprintf("%+v", v)
	if len(text) > most {
		return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:most], ""), len(text))
	}
	return text
}

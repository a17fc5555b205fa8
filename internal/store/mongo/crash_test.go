package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/storetest"
)

// several is a call of several commands. A crash can interrupt it at any of
// them.
type several struct {
	name        string
	prepare, do func(ctx context.Context, s backend.Store, userID string) error
	// before and after describe the visible data of the user. If partly is set,
	// it returns what else may be visible after the call was interrupted.
	before, after func(userID string) string
	partly        func(userID string) []string
	again         error // the result of a second call
	readsFirst    bool  // before PutUsers; if the caller hangs up then, the call is interrupted
	stored        map[string]int64
}

var severals = []several{
	{
		name:    "CreateUser",
		prepare: func(context.Context, backend.Store, string) error { return nil },
		do:      createWhole,
		before:  func(string) string { return "" },
		after:   func(userID string) string { return whole(userID, "") },
		again:   backend.Exists,
		stored:  map[string]int64{"UserConfigs": 1, "CharacterConfigs": 3},
	}, {
		name:    "SetUpUser",
		prepare: createAccount,
		do: func(ctx context.Context, s backend.Store, userID string) error {
			return s.SetUpUser(ctx, storetest.UserConfig(userID), storetest.Characters(userID, 3))
		},
		before: func(userID string) string { return fmt.Sprintf("user %q%s", userID, withOldPassword) },
		after:  func(userID string) string { return whole(userID, userID) + withOldPassword },
		again:  backend.Exists,
		stored: map[string]int64{"UserConfigs": 1, "CharacterConfigs": 3},
	}, {
		name:    "DeleteUser",
		prepare: createBoth,
		do:      func(ctx context.Context, s backend.Store, userID string) error { return s.DeleteUser(ctx, userID) },
		before:  func(userID string) string { return whole(userID, userID) + withOldPassword },
		partly: func(userID string) []string { // this user can repeat the deletion
			return []string{fmt.Sprintf("user %q%s", userID, withOldPassword)}
		},
		after:  func(string) string { return "" },
		again:  backend.NotFound,
		stored: map[string]int64{"UserConfigs": 0, "CharacterConfigs": 0, "UserCredentials": 0, "web_backend_tokens": 0},
	}, {
		name:    "ReplacePassword, tokens end",
		prepare: createBoth,
		do: func(ctx context.Context, s backend.Store, userID string) error {
			return s.ReplacePassword(ctx, storetest.Credential(userID, userID), newPassword, backend.EndTokens)
		},
		before: func(userID string) string { return whole(userID, userID) + withOldPassword },
		after:  func(userID string) string { return whole(userID, userID) + ", new password" },
		again:  backend.NotFound,
		stored: map[string]int64{"UserConfigs": 1, "UserCredentials": 1},
	}, {
		name:    "ReplacePassword, tokens stay",
		prepare: createBoth,
		do: func(ctx context.Context, s backend.Store, userID string) error {
			return s.ReplacePassword(ctx, storetest.Credential(userID, userID), newPassword, backend.KeepTokens)
		},
		before: func(userID string) string { return whole(userID, userID) + withOldPassword },
		after:  func(userID string) string { return whole(userID, userID) + ", new password, old token" },
		again:  backend.NotFound,
		stored: map[string]int64{"UserConfigs": 1, "UserCredentials": 1, "web_backend_tokens": 1},
	}, {
		name:    "SetDisabled",
		prepare: createBoth,
		do: func(ctx context.Context, s backend.Store, userID string) error {
			return s.SetDisabled(ctx, userID, true)
		},
		before: func(userID string) string { return whole(userID, userID) + withOldPassword },
		after:  func(userID string) string { return whole(userID, userID) + ", old password, disabled" },
		stored: map[string]int64{"UserConfigs": 1, "UserCredentials": 1, "web_backend_tokens": 0},
	}, {
		name:    "CreateToken",
		prepare: createBoth,
		do: func(ctx context.Context, s backend.Store, userID string) error {
			return s.CreateToken(ctx, tokenOf(userID, "new"), storetest.Credential(userID, userID))
		},
		before: func(userID string) string { return whole(userID, userID) + withOldPassword },
		after:  func(userID string) string { return whole(userID, userID) + withOldPassword + ", new token" },
		stored: map[string]int64{"UserConfigs": 1, "UserCredentials": 1, "web_backend_tokens": 2},
	}, {
		name:    "CopyCharacter",
		prepare: createWhole,
		do: func(ctx context.Context, s backend.Store, userID string) error {
			return s.CopyCharacter(ctx, storetest.Character(userID, 0).Key(), 0, withID("copy"))
		},
		before: func(userID string) string { return whole(userID, "") },
		after:  func(userID string) string { return whole(userID, "", "copy") },
		again:  backend.Exists,
		stored: map[string]int64{"UserConfigs": 1, "CharacterConfigs": 4},
	}, {
		name:    "AddCharacter",
		prepare: createWhole,
		do: func(ctx context.Context, s backend.Store, userID string) error {
			return s.AddCharacter(ctx, withID("copy")(storetest.Character(userID, 0)), 0)
		},
		before: func(userID string) string { return whole(userID, "") },
		after:  func(userID string) string { return whole(userID, "", "copy") },
		again:  backend.Exists,
		stored: map[string]int64{"UserConfigs": 1, "CharacterConfigs": 4},
	}, {
		name:    "PutUsers, a new one",
		prepare: func(context.Context, backend.Store, string) error { return nil },
		do: func(ctx context.Context, s backend.Store, userID string) error {
			return s.PutUsers(ctx, []backend.UserData{putData(userID, storetest.Credential("", "").Password)})
		},
		before: func(string) string { return "" },
		partly: func(userID string) []string { return []string{fmt.Sprintf("user %q, old password", userID)} },
		after:  func(userID string) string { return whole(userID, userID) + ", old password" },
		stored: map[string]int64{"UserConfigs": 1, "CharacterConfigs": 3, "UserCredentials": 1},
	}, {
		name:    "PutUsers, replacing one",
		prepare: createBoth,
		do: func(ctx context.Context, s backend.Store, userID string) error {
			return s.PutUsers(ctx, []backend.UserData{putData(userID, newPassword)})
		},
		before: func(userID string) string { return whole(userID, userID) + withOldPassword },
		partly: func(userID string) []string {
			return []string{fmt.Sprintf("user %q%s", userID, withOldPassword), fmt.Sprintf("user %q, new password", userID)}
		},
		after:  func(userID string) string { return whole(userID, userID) + ", new password" },
		stored: map[string]int64{"UserConfigs": 1, "CharacterConfigs": 3, "UserCredentials": 1, "web_backend_tokens": 0},
	}, {
		name:       "Import without secrets, replacing one",
		prepare:    createBoth,
		do:         importWithoutSecrets,
		readsFirst: true,
		before:     func(userID string) string { return whole(userID, userID) + withOldPassword },
		partly: func(userID string) []string {
			return []string{fmt.Sprintf("user %q%s", userID, withOldPassword)}
		},
		after:  func(userID string) string { return whole(userID, userID, "copy") + withOldPassword },
		stored: map[string]int64{"UserConfigs": 1, "CharacterConfigs": 4, "UserCredentials": 1, "web_backend_tokens": 1},
	},
}

// importWithoutSecrets replaces the user that createBoth created, and adds a
// character. Data that the source does not have is kept, and must not get lost
// on the way.
func importWithoutSecrets(ctx context.Context, s backend.Store, userID string) error {
	data := putData(userID, backend.Secret{})
	data.Config.Keys = nil
	data.Characters = append(data.Characters, withID("copy")(data.Characters[0]))
	users := func(yield func(backend.UserData, error) bool) { yield(data, nil) }
	_, err := backend.Import(ctx, s, users, backend.ImportOptions{
		OnConflict: backend.ReplaceConflicts, LockedPassword: backend.NewSecret("nobody's")})
	return err
}

// putData returns the data that PutUsers stores for a user. Its characters
// differ from those of createWhole.
func putData(userID string, password backend.Secret) backend.UserData {
	data := storetest.UserData(userID, 3)
	data.Credential.Username, data.Credential.Password = userID, password
	return data
}

func createWhole(ctx context.Context, s backend.Store, userID string) error {
	return s.CreateUser(ctx, storetest.UserConfig(userID), storetest.Characters(userID, 3))
}

// createBoth stores a user that can log in, with a token.
func createBoth(ctx context.Context, s backend.Store, userID string) error {
	return errors.Join(createWhole(ctx, s, userID), createAccount(ctx, s, userID))
}

// withOldPassword describes the account of createAccount in the form of
// visible.
const withOldPassword = ", old password, old token"

// whole describes a user of createWhole in the form of visible.
func whole(userID, username string, copies ...string) string {
	return fmt.Sprintf("user %q, config with key, characters %q", username, append(threeIDs(userID), copies...))
}

func threeIDs(userID string) (ids []string) {
	for _, c := range storetest.Characters(userID, 3) {
		ids = append(ids, c.CharacterID)
	}
	return ids
}

// visible describes all data of a user that a server shows, or "" for none.
func visible(t *testing.T, s backend.Store, userID string) string {
	t.Helper()
	var found []string
	for user, err := range s.Users(t.Context(), backend.AllUsers) {
		must(t, "list users", err)
		if user.UserID == userID {
			found = append(found, fmt.Sprintf("user %q", user.Username))
		}
	}
	config, err := s.UserConfig(t.Context(), userID)
	if !errors.Is(err, backend.NotFound) {
		must(t, "read config", err)
		found = append(found, "config")
		if config.Keys["openai_api_key"].IsSet() {
			found[len(found)-1] += " with key"
		}
	}
	names, err := s.CharacterNames(t.Context(), userID)
	must(t, "list characters", err)
	var listed, readable []string
	for _, name := range names {
		listed = append(listed, name.CharacterID)
	}
	for _, id := range append(threeIDs(userID), "copy") {
		_, err := s.Character(t.Context(), backend.CharacterKey{UserID: userID, CharacterID: id})
		if !errors.Is(err, backend.NotFound) {
			must(t, "read character", err)
			readable = append(readable, id)
		}
	}
	if len(listed) > 0 {
		found = append(found, fmt.Sprintf("characters %q", listed))
	}
	if !slices.Equal(listed, readable) {
		found = append(found, fmt.Sprintf("of which readable %q", readable))
	}
	return strings.Join(append(found, visibleAccount(t, s, userID)...), ", ")
}

// visibleAccount describes the account whose user name is the user id.
func visibleAccount(t *testing.T, s backend.Store, userID string) (found []string) {
	t.Helper()
	credential, err := s.Credential(t.Context(), userID)
	if !errors.Is(err, backend.NotFound) {
		must(t, "read credential", err)
		passwords := map[backend.Secret]string{storetest.Credential("", "").Password: "old password", newPassword: "new password"}
		found = append(found, passwords[credential.Password])
		if credential.Disabled {
			found = append(found, "disabled")
		}
	}
	for _, name := range []string{"old", "new"} {
		token, err := s.Token(t.Context(), tokenOf(userID, name).Hash, storetest.TokenTime())
		if errors.Is(err, backend.NotFound) {
			continue
		}
		must(t, "read token", err)
		found = append(found, name+" token")
		if token != tokenOf(userID, name) {
			found = append(found, fmt.Sprintf("which is %+v", token))
		}
	}
	return found
}

// crash is one way to interrupt a call at one of its commands: either before
// the server has seen the command, or after the server has run it but before
// its response arrives.
type crash struct {
	several
	fault  mongotest.Fault
	moment mongotest.Moment
	at     int
}

// crashSite is the environment of the crash tests.
type crashSite struct {
	server   *mongotest.Server
	options  mongo.Options
	other    *mongo.Store // a server that does not crash
	database *driver.Database
}

func newCrashSite(t *testing.T) *crashSite {
	t.Helper()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	return &crashSite{server, o, mongotest.OpenStore(t, o), server.Client(t).Database(o.Database)}
}

// behindProxy opens a store behind a new proxy, connected and ready.
func (s *crashSite) behindProxy(t *testing.T, timeout time.Duration) (*mongo.Store, *mongotest.Proxy) {
	t.Helper()
	proxy := s.server.Proxy(t)
	o := s.options
	o.URI, o.Timeout = backend.NewSecret(proxy.Through(s.server.URI())), timeout
	store := mongotest.OpenBare(t, o)
	wantPing(t, store)
	return store, proxy
}

// everyCrash makes the tests try each crash, as `make torture` does. Otherwise
// they try a sample.
var everyCrash = os.Getenv("TORTURE") == "long"

// crashes returns the ways to interrupt every call, or a sample of them. An
// interruption after one command leaves the same state as one before the next
// command, so only the last command is also interrupted after it. A response
// that is held back does not delay any command, so it is not tried.
func (s *crashSite) crashes(t *testing.T, fault mongotest.Fault) (all []crash) {
	t.Helper()
	store, proxy := s.behindProxy(t, s.options.Timeout)
	for _, call := range severals {
		who := "whole " + call.name
		must(t, "prepare", call.prepare(t.Context(), s.other, who))
		proxy.Strike(mongotest.None, mongotest.BeforeCommand, 0)
		must(t, call.name, call.do(t.Context(), store, who))
		commands := proxy.Commands()
		for at, command := range commands {
			t.Logf("%s, command %d: %s", call.name, at, command.Name)
			all = append(all, crash{call, fault, mongotest.BeforeCommand, at})
		}
		if fault == mongotest.Cut {
			all = append(all, crash{call, fault, mongotest.BeforeReply, len(commands) - 1})
		}
	}
	if everyCrash {
		return all
	}
	const one = 6 // one of this many
	sample := slices.Collect(slices.Chunk(all, one))
	all = nil
	for i, chunk := range sample {
		all = append(all, chunk[i%len(chunk)])
	}
	return all
}

// each runs fn as a test for every way to crash, several at the same time,
// because they mostly wait.
func (s *crashSite) each(t *testing.T, fault mongotest.Fault, fn func(t *testing.T, userID string, c crash)) {
	t.Helper()
	inParallel(s.crashes(t, fault), func(c crash) {
		moment := map[mongotest.Moment]string{mongotest.BeforeCommand: "before", mongotest.BeforeReply: "after"}[c.moment]
		name := fmt.Sprintf("%s %s command %d", c.name, moment, c.at)
		t.Run(name, func(t *testing.T) { fn(t, name, c) })
	})
}

// inParallel calls fn for all values, a dozen at a time, because they mostly
// wait.
func inParallel[T any](all []T, fn func(one T)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, 12)
	for _, one := range all {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			fn(one)
		})
	}
	running.Wait()
}

// strike applies a fault to a call and returns the result of the call. On a
// busy machine the time of the call may be over before the command that the
// fault waits for. In that case strike repeats the call with a longer time
// limit.
func (s *crashSite) strike(t *testing.T, userID string, c crash) (*mongo.Store, *mongotest.Proxy, error) {
	t.Helper()
	for timeout := 600 * time.Millisecond; timeout < 15*time.Second; timeout *= 2 {
		must(t, "prepare", c.prepare(t.Context(), s.other, userID))
		store, proxy := s.behindProxy(t, timeout)
		proxy.Strike(c.fault, c.moment, c.at)
		err := c.do(t.Context(), store, userID)
		if proxy.Struck() {
			return store, proxy, err
		}
		if err := s.other.DeleteUser(t.Context(), userID); !errors.Is(err, backend.NotFound) {
			must(t, "begin again", err)
		}
	}
	t.Fatal("the fault did not strike")
	return nil, nil, nil
}

// breakOff interrupts a call and checks the result: everything is visible, or
// nothing, or what the call allows, and there is no provider key that is not
// visible. It returns the visible data, and the store and the proxy of the
// call.
func (s *crashSite) breakOff(t *testing.T, userID string, c crash) (string, *mongo.Store, *mongotest.Proxy) {
	t.Helper()
	store, proxy, err := s.strike(t, userID, c)
	if err != nil && !errors.Is(err, backend.Unavailable) {
		t.Errorf("broken off: got error %v, want none or %q", err, backend.Unavailable)
	}
	left := visible(t, s.other, userID)
	allowed := []string{c.after(userID)}
	if err != nil {
		allowed = append(allowed, c.before(userID))
		if c.partly != nil {
			allowed = append(allowed, c.partly(userID)...)
		}
	}
	if !slices.Contains(allowed, left) {
		t.Errorf("visible when broken off with error %v:\n got %s\nwant %s", err, left, strings.Join(allowed, "\n  or "))
	}
	key := storetest.UserConfig(userID).Keys["openai_api_key"].Reveal()
	keys, err := s.database.Collection("UserConfigs").CountDocuments(t.Context(), bson.D{{Key: "openai_api_key", Value: key}})
	must(t, "count keys", err)
	if keys > 0 != strings.Contains(left, "with key") {
		t.Errorf("provider keys in the database: got %d when visible is %s", keys, left)
	}
	return left, store, proxy
}

// complete repeats the call on another server, and checks the final state. That
// server has to wait for the lock that the crash left behind.
func (s *crashSite) complete(t *testing.T, userID, left string, c crash) {
	t.Helper()
	err := c.do(t.Context(), s.other, userID)
	if left == c.after(userID) && !errors.Is(err, c.again) || left != c.after(userID) && err != nil {
		t.Errorf("done again when visible was %q: got error %v", left, err)
	}
	if got, want := visible(t, s.other, userID), c.after(userID); got != want {
		t.Errorf("visible when done again:\n got %s\nwant %s", got, want)
	}
	for collection, want := range c.stored {
		got, err := s.database.Collection(collection).CountDocuments(t.Context(), bson.D{{Key: "user_id", Value: userID}})
		must(t, "count documents", err)
		if got != want {
			t.Errorf("documents in %s when done again: got %d, want %d", collection, got, want)
		}
	}
}

// TestCrash_LeavesNothingHalf disconnects a server from the database at one of
// its commands. Nothing partial is visible, no hidden provider key is left, and
// repeating the call on another server completes it.
func TestCrash_LeavesNothingHalf(t *testing.T) {
	t.Parallel()
	site := newCrashSite(t)
	site.each(t, mongotest.Cut, func(t *testing.T, userID string, c crash) {
		left, store, proxy := site.breakOff(t, userID, c)
		site.complete(t, userID, left, c)
		proxy.Set(mongotest.None)
		wantPing(t, store)
		if got, want := visible(t, site.other, userID), c.after(userID); got != want {
			t.Errorf("visible when the network is whole again:\n got %s\nwant %s", got, want)
		}
	})
}

// TestCrash_LateCommandsDoNoHarm makes the network delay a command. The command
// arrives long after its caller has given up, another server has completed the
// call, and the user was deleted and created again.
func TestCrash_LateCommandsDoNoHarm(t *testing.T) {
	t.Parallel()
	site := newCrashSite(t)
	site.each(t, mongotest.Stall, func(t *testing.T, userID string, c crash) {
		left, store, proxy := site.breakOff(t, userID, c)
		site.complete(t, userID, left, c)
		want := c.after(userID)
		if want == "" {
			must(t, "create anew", createWhole(t.Context(), site.other, userID))
			must(t, "create credential anew", site.other.CreateCredential(t.Context(), storetest.Credential(userID, userID)))
			want = whole(userID, userID) + ", old password"
		}
		proxy.Set(mongotest.None)
		wantPing(t, store)
		proxy.Settle(t) // the delayed command has run
		if got := visible(t, site.other, userID); got != want {
			t.Errorf("visible when it came through in the end:\n got %s\nwant %s", got, want)
		}
	})
}

// recoveryTime is how long a store may take to work again. It is less than the
// driver's default timeout of 30 s, and long enough for a machine that runs
// other tests.
const recoveryTime = 20 * time.Second

// wantPing checks that a store responds again without help after its network
// recovers.
func wantPing(t *testing.T, store *mongo.Store) {
	t.Helper()
	wantRecovery(t, "ping", func() error { return store.Ping(t.Context()) })
}

// wantRecovery checks that a call succeeds again without help after the network
// recovers. It repeats the call, because on a busy machine the short time limit
// of one call may not be enough.
func wantRecovery(t *testing.T, what string, call func() error) {
	t.Helper()
	start := time.Now()
	for {
		err := call()
		if err == nil {
			return
		}
		if time.Since(start) > recoveryTime {
			t.Errorf("%s: got error %v, %s after the network is whole again, want none", what, err, recoveryTime)
			return
		}
	}
}

// TestCopyCharacter_OfAUserThatGoesAway removes the user between the two checks
// of the config by a copy, and in some cases creates it again. No copy may stay
// behind.
func TestCopyCharacter_OfAUserThatGoesAway(t *testing.T) {
	t.Parallel()
	site := newCrashSite(t)
	for name, anew := range map[string]bool{"for good": false, "and is made anew": true} {
		userID := "goes away " + name
		must(t, "create user", createWhole(t.Context(), site.other, userID))
		store := mongotest.OpenBare(t, site.options)
		err := store.CopyCharacter(t.Context(), storetest.Character(userID, 0).Key(), 0, func(c backend.Character) backend.Character {
			must(t, "delete user", site.other.DeleteUser(t.Context(), userID))
			if anew {
				must(t, "create user anew", createWhole(t.Context(), site.other, userID))
			}
			return withID("copy")(c)
		})
		if !errors.Is(err, backend.NotFound) {
			t.Errorf("copy of a user that goes away %s: got error %v, want %q", name, err, backend.NotFound)
		}
		n, err := site.database.Collection("CharacterConfigs").CountDocuments(t.Context(),
			bson.D{{Key: "user_id", Value: userID}, {Key: "character_id", Value: "copy"}})
		if err != nil || n > 0 {
			t.Errorf("copy of a user that goes away %s: got %d stored, error %v, want none", name, n, err)
		}
	}
}

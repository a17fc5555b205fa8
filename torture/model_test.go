//go:build failpoints

package torture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/storetest"
)

// stores are the stores that are compared with a model. Each call of open
// returns an empty store.
var stores = []struct {
	name string
	open func(t *testing.T) backend.Store
	// share divides the number of runs for this store, because the MongoDB test
	// engine takes some ms for each command.
	share int
}{
	{"embedded", func(t *testing.T) backend.Store {
		t.Helper()
		return openStore(t, t.TempDir())
	}, 1},
	{"mongodb", func(t *testing.T) backend.Store {
		t.Helper()
		engine := mongotest.Engine(t)
		store, err := mongo.Open(mongo.Options{
			URI: backend.NewSecret(engine.URI()), Database: engine.Database(t),
			CredentialCollection: "UserCredentials", UserCollection: "UserConfigs", CharacterCollection: "CharacterConfigs",
			Timeout: time.Minute, MaxPoolSize: 4,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.EnsureIndexes(t.Context()); err != nil {
			t.Fatal(err)
		}
		return store
	}, 10},
}

// model is a store in memory. It holds what is stored of each user.
type model struct {
	order []string // users in creation order
	users map[string]*modelUser
}

type modelUser struct {
	config     backend.UserConfig
	hasConfig  bool
	credential string // user name; "" for no credential
	characters []backend.Character
}

func (u *modelUser) find(id string) int {
	if u == nil {
		return -1
	}
	return slices.IndexFunc(u.characters, func(c backend.Character) bool { return c.CharacterID == id })
}

// comparison runs the same operations on a store and on a model.
type comparison struct {
	store  backend.Store
	model  model
	prefix string // prefix of every user id and name, so that comparisons can share a store
	steps  int
}

// user draws one of a few names, so that operations often use the same user.
func (c *comparison) user(t *rapid.T) string {
	return c.prefix + rapid.SampledFrom([]string{"ada", "bob", "Ada", "凌星"}).Draw(t, "user")
}

func (c *comparison) character(t *rapid.T, user string) backend.CharacterKey {
	n := rapid.IntRange(0, 3).Draw(t, "character")
	return backend.CharacterKey{UserID: user, CharacterID: storetest.Character(user, n).CharacterID}
}

// want compares an error with the kind that the model expects. It returns true
// if no error is expected.
func (c *comparison) want(t *rapid.T, err error, wrong error) bool {
	c.steps++
	if wrong == nil && err != nil || wrong != nil && !errors.Is(err, wrong) {
		t.Fatalf("got error %v, want %v", err, wrong)
	}
	return wrong == nil
}

// actions returns the operations. Each of them runs on the store and on the
// model.
func (c *comparison) actions(ctx context.Context) map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"create user": func(t *rapid.T) {
			user, count := c.user(t), rapid.IntRange(0, 3).Draw(t, "characters")
			config := storetest.UserConfig(user)
			var wrong error
			if c.model.users[user] != nil {
				wrong = backend.Exists
			}
			if c.want(t, c.store.CreateUser(ctx, config, storetest.Characters(user, count)), wrong) {
				c.model.add(user, &modelUser{config: config, hasConfig: true, characters: storetest.Characters(user, count)})
			}
		},
		"register": func(t *rapid.T) {
			user, name := c.user(t), c.user(t)
			var wrong error
			known := c.model.users[user]
			if known != nil && known.credential != "" || c.model.named(name) {
				wrong = backend.Exists
			}
			if c.want(t, c.store.CreateCredential(ctx, storetest.Credential(name, user)), wrong) {
				if known == nil {
					known = &modelUser{}
					c.model.add(user, known)
				}
				known.credential = name
			}
		},
		"delete user": func(t *rapid.T) {
			user := c.user(t)
			var wrong error
			if c.model.users[user] == nil {
				wrong = backend.NotFound
			}
			if c.want(t, c.store.DeleteUser(ctx, user), wrong) {
				delete(c.model.users, user)
				c.model.order = slices.DeleteFunc(c.model.order, func(u string) bool { return u == user })
			}
		},
		"update config": func(t *rapid.T) {
			user, value := c.user(t), rapid.SampledFrom([]string{"", "sk-1", "sk-2"}).Draw(t, "key")
			patch := backend.UserConfigPatch{Keys: map[string]backend.Secret{providerKey: backend.NewSecret(value)}}
			known := c.model.users[user]
			var wrong error
			if known == nil || !known.hasConfig {
				wrong = backend.NotFound
			}
			if c.want(t, c.store.UpdateUserConfig(ctx, user, patch), wrong) {
				patch.Apply(&known.config)
			}
		},
		"update character": func(t *rapid.T) {
			user := c.user(t)
			key, prompt := c.character(t, user), rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "\x00") }).Draw(t, "prompt")
			patch := backend.CharacterPatch{Prompt: &prompt}
			known := c.model.users[user]
			at := known.find(key.CharacterID)
			var wrong error
			if at < 0 {
				wrong = backend.NotFound
			}
			if c.want(t, c.store.UpdateCharacter(ctx, key, patch), wrong) {
				patch.Apply(&known.characters[at])
			}
		},
		"copy character": func(t *rapid.T) {
			user := c.user(t)
			key, id := c.character(t, user), c.character(t, user).CharacterID
			known := c.model.users[user]
			at := known.find(key.CharacterID)
			var wrong error
			switch {
			case at < 0:
				wrong = backend.NotFound
			case known.find(id) >= 0:
				wrong = backend.Exists
			}
			edit := func(from backend.Character) backend.Character {
				from.CharacterID, from.CharacterName = id, "copy"
				return from
			}
			if c.want(t, c.store.CopyCharacter(ctx, key, 0, edit), wrong) {
				known.characters = append(known.characters, edit(known.characters[at]))
			}
		},
		"add character": func(t *rapid.T) {
			user := c.user(t)
			character := storetest.Character(user, rapid.IntRange(0, 3).Draw(t, "character"))
			known := c.model.users[user]
			var wrong error
			switch {
			case known == nil || !known.hasConfig:
				wrong = backend.NotFound
			case known.find(character.CharacterID) >= 0:
				wrong = backend.Exists
			}
			if c.want(t, c.store.AddCharacter(ctx, character, 0), wrong) {
				known.characters = append(known.characters, character)
			}
		},
		"delete character": func(t *rapid.T) {
			user := c.user(t)
			key := c.character(t, user)
			known := c.model.users[user]
			at := known.find(key.CharacterID)
			var wrong error
			if at < 0 {
				wrong = backend.NotFound
			}
			if c.want(t, c.store.DeleteCharacter(ctx, key), wrong) {
				known.characters = slices.Delete(known.characters, at, at+1)
			}
		},
		"": func(t *rapid.T) {
			c.compare(ctx, t, c.prefix+rapid.SampledFrom([]string{"ada", "bob", "Ada", "凌星"}).Draw(t, "look at"))
		},
	}
}

func (m *model) add(user string, u *modelUser) {
	m.users[user] = u
	m.order = append(m.order, user)
}

// named reports whether a user has a name that people would confuse with this
// one.
func (m *model) named(name string) bool {
	for _, u := range m.users {
		if u.credential != "" && strings.EqualFold(u.credential, name) {
			return true
		}
	}
	return false
}

// compare compares everything that is stored of one user.
func (c *comparison) compare(ctx context.Context, t *rapid.T, user string) {
	known := c.model.users[user]
	config, err := c.store.UserConfig(ctx, user)
	if known == nil || !known.hasConfig {
		if !errors.Is(err, backend.NotFound) {
			t.Fatalf("config of %s: got error %v, want not found", user, err)
		}
	} else if err != nil || config.Timezone != known.config.Timezone || !sameKeys(config.Keys, known.config.Keys) {
		t.Fatalf("config of %s: got %v, error %v, want %v", user, config, err, known.config)
	}
	names, err := c.store.CharacterNames(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	var want []backend.Character
	if known != nil {
		want = known.characters
	}
	if len(names) != len(want) {
		t.Fatalf("characters of %s: got %d, want %d", user, len(names), len(want))
	}
	for i, character := range want {
		got, err := c.store.Character(ctx, backend.CharacterKey{UserID: user, CharacterID: character.CharacterID})
		if err != nil || got != character || names[i].CharacterID != character.CharacterID || names[i].CharacterName != character.CharacterName {
			t.Fatalf("character %d of %s: got %+v, error %v, want %+v", i, user, got, err, character)
		}
	}
	var users []string
	for user, err := range c.store.Users(ctx, backend.AllUsers) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(user.UserID, c.prefix) {
			users = append(users, user.UserID)
		}
	}
	if !slices.Equal(users, c.model.order) {
		t.Fatalf("users: got %q, want %q", users, c.model.order)
	}
}

func sameKeys(a, b map[string]backend.Secret) bool {
	set := func(keys map[string]backend.Secret) (found []string) {
		for name, key := range keys {
			if key.IsSet() {
				found = append(found, name+"="+key.Reveal())
			}
		}
		slices.Sort(found)
		return found
	}
	return slices.Equal(set(a), set(b))
}

// Any sequence of operations has the same effect on a store as on a model.
// -rapid.checks is the number of sequences; -rapid.seed repeats one.
func TestModel_Sequences(t *testing.T) {
	t.Parallel()
	for _, kind := range stores {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			store := kind.open(t)
			defer store.Close()
			runs, steps := 0, 0
			deadline := time.Now().Add(time.Duration(length(8, 600)) * time.Second)
			rapid.Check(t, func(rt *rapid.T) {
				runs++
				if time.Now().After(deadline) && runs > 20 {
					return
				}
				c := &comparison{store: store, model: model{users: map[string]*modelUser{}}, prefix: fmt.Sprintf("run %d ", runs)}
				rt.Repeat(c.actions(t.Context()))
				steps += c.steps
				for _, user := range c.model.order { // keep the list of users short
					if err := store.DeleteUser(t.Context(), user); err != nil {
						rt.Fatal(err)
					}
				}
			})
			figure("model: operations compared, "+kind.name, "%d", steps)
		})
	}
}

// access is one operation on the prompt of a character, for porcupine.
type access struct {
	character string
	write     string // "" for a read
}

// prompts is the model of one character: its prompt.
var prompts = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[string][]porcupine.Operation{}
		for _, o := range history {
			name := o.Input.(access).character
			parts[name] = append(parts[name], o)
		}
		var all [][]porcupine.Operation
		for _, part := range parts {
			all = append(all, part)
		}
		return all
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if write := input.(access).write; write != "" {
			return true, write
		}
		return output == state, state
	},
}

// The operations of concurrent clients on a character have the same results as
// if they had run one after the other: they are linearizable.
func TestModel_CharactersAreLinearizable(t *testing.T) {
	t.Parallel()
	for _, kind := range stores {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			store := kind.open(t)
			defer store.Close()
			operations := 0
			rounds, each := max(1, length(20, 1000)/kind.share), max(10, 60/kind.share)
			for round := range rounds {
				history := linearizableRound(t, store, round, each)
				operations += len(history)
				if result := porcupine.CheckOperationsTimeout(prompts, history, time.Minute); result != porcupine.Ok {
					t.Fatalf("round %d (seed %d): %v: what clients saw of a character cannot have happened in any order", round, seed, result)
				}
			}
			figure("model: concurrent operations linearizable, "+kind.name, "%d", operations)
		})
	}
}

func linearizableRound(t *testing.T, store backend.Store, round, each int) []porcupine.Operation {
	t.Helper()
	user := fmt.Sprint("user ", round)
	empty := ""
	if err := store.CreateUser(t.Context(), backend.UserConfig{UserID: user, Timezone: "UTC"}, storetest.Characters(user, 2)); err != nil {
		t.Fatal(err)
	}
	keys := make([]backend.CharacterKey, 2)
	for n := range keys {
		keys[n] = backend.CharacterKey{UserID: user, CharacterID: storetest.Character(user, n).CharacterID}
		if err := store.UpdateCharacter(t.Context(), keys[n], backend.CharacterPatch{Prompt: &empty}); err != nil {
			t.Fatal(err)
		}
	}
	var (
		mu      sync.Mutex
		history []porcupine.Operation
		group   sync.WaitGroup
		start   = time.Now()
	)
	for client := range 4 {
		r := chance(uint64(round)<<16 + uint64(client) + 1<<60)
		group.Go(func() {
			for n := range each {
				key := keys[r.IntN(len(keys))]
				in, out := access{character: key.CharacterID}, ""
				if r.IntN(2) == 0 {
					in.write = fmt.Sprintf("%d by %d", n, client)
				}
				call := time.Since(start).Nanoseconds()
				var err error
				if in.write != "" {
					err = store.UpdateCharacter(t.Context(), key, backend.CharacterPatch{Prompt: &in.write})
				} else {
					var character backend.Character
					character, err = store.Character(t.Context(), key)
					out = character.Prompt
				}
				done := time.Since(start).Nanoseconds()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: done})
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return history
}

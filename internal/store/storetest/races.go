package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"web-backend/internal/backend"
)

var racePromises = []promise{
	{"Race_CreateUser_OneWinsWhole", raceCreateUser},
	{"Race_CreateCredential_OneWins", raceCreateCredential},
	{"Race_DeleteUser_OneWins", raceDeleteUser},
	{"Race_DeleteCharacter_OneWins", raceDeleteCharacter},
	{"Race_CreateUserAgainstDeleteUser", raceCreateDelete},
	{"Race_CopyCharacter_AllArePresent", raceCopies},
	{"Race_CopyCharacter_OneWinsAnID", raceCopiesToOneID},
	{"Race_CopyCharacterAgainstDeleteUser", raceCopyDeleteUser},
	{"Race_UpdateCharacterAgainstDelete", raceUpdateDelete},
	{"Race_UpdateCharacterAgainstReadOnly", raceUpdateReadOnly},
	{"Race_UpdateCharacter_NoneIsLost", raceUpdateFields},
	{"Race_UpdateCharacter_IsSeenWhole", raceUpdateRead},
	{"Race_Reads_NeverGoBack", raceReadsInOrder},
	{"Race_UpdateUserConfig_NoneIsLost", raceUpdateConfig},
	{"Race_UpdateUserConfigAgainstDeleteUser", raceUpdateConfigDelete},
}

const (
	// "make torture" repeats the tests of races, so that a test that fails only
	// sometimes fails in one of the repetitions.
	rounds  = 4
	callers = 8
)

// tally counts how many calls returned nil, and checks that all others
// returned an error of kind loser.
func (t *trial) tally(what string, results []error, loser backend.Kind) (succeeded int) {
	t.Helper()
	for _, err := range results {
		if err == nil {
			succeeded++
			continue
		}
		t.wantKind(what, err, loser)
	}
	return succeeded
}

// wantOneWinner checks that exactly one call returned nil and all others an
// error of kind loser. It returns the number of the winner.
func (t *trial) wantOneWinner(what string, results []error, loser backend.Kind) int {
	t.Helper()
	if n := t.tally(what, results, loser); n != 1 {
		t.Fatalf("%s at the same time: got %d successes, want 1", what, n)
	}
	return slices.Index(results, nil)
}

// raceUser returns the user that caller i of a race creates. Users of different
// callers share only the id.
func raceUser(userID string, i int) (backend.UserConfig, []backend.Character) {
	config := backend.UserConfig{UserID: userID, Timezone: fmt.Sprintf("Etc/GMT+%d", i),
		Keys: secrets(backend.ProviderKeys[i], "set by "+fmt.Sprint(i))}
	return config, []backend.Character{Character(userID, 10*i), Character(userID, 10*i+1), Character(userID, 10*i+2)}
}

func raceCreateUser(t *trial) {
	for round := range rounds {
		userID, results := fmt.Sprintf("user %d", round), make([]error, callers)
		together(callers, func(i int) {
			config, characters := raceUser(userID, i)
			results[i] = t.CreateUser(t.Context(), config, characters)
		})
		config, characters := raceUser(userID, t.wantOneWinner("create user", results, backend.Exists))
		t.wantUserConfig(config)
		t.wantCharacters(userID, characters...)
	}
	if got := len(t.users(backend.AllUsers)); got != rounds {
		t.Errorf("users: got %d, want %d", got, rounds)
	}
}

func raceCreateCredential(t *trial) {
	for round := range rounds {
		results := make([]error, callers)
		name := fmt.Sprintf("name %d", round)
		together(callers, func(i int) {
			results[i] = t.CreateCredential(t.Context(), Credential(name, fmt.Sprintf("id %d of %s", i, name)))
		})
		winner := t.wantOneWinner("create credential for one name", results, backend.Exists)
		users := t.users(backend.AllUsers)
		want := backend.User{UserID: fmt.Sprintf("id %d of %s", winner, name), Username: name}
		if got := users[len(users)-1]; len(users) != 2*round+1 || got != want {
			t.Errorf("users: got %d, the last %v, want %d, the last %v", len(users), got, 2*round+1, want)
		}

		userID := fmt.Sprintf("one id %d", round)
		together(callers, func(i int) {
			results[i] = t.CreateCredential(t.Context(), Credential(fmt.Sprintf("%s, %d", userID, i), userID))
		})
		winner = t.wantOneWinner("create credential for one user id", results, backend.Exists)
		users = t.users(backend.AllUsers)
		want = backend.User{UserID: userID, Username: fmt.Sprintf("%s, %d", userID, winner)}
		if got := users[len(users)-1]; len(users) != 2*round+2 || got != want {
			t.Errorf("users: got %d, the last %v, want %d, the last %v", len(users), got, 2*round+2, want)
		}
	}
}

func raceDeleteUser(t *trial) {
	for range rounds {
		t.mustCreateUser("ada", 3)
		t.mustCreateCredential("Ada L.", "ada")
		results := make([]error, callers)
		together(callers, func(i int) { results[i] = t.DeleteUser(t.Context(), "ada") })
		t.wantOneWinner("delete user", results, backend.NotFound)
		t.wantNoUser("ada")
	}
}

func raceDeleteCharacter(t *trial) {
	_, characters := t.mustCreateUser("ada", rounds)
	for round, c := range characters {
		results := make([]error, callers)
		together(callers, func(i int) { results[i] = t.DeleteCharacter(t.Context(), c.Key()) })
		t.wantOneWinner("delete character", results, backend.NotFound)
		t.wantNames("ada", characters[round+1:]...)
	}
}

// raceCreateDelete lets half of the callers create a user and half delete it.
// Each success changes whether the user exists. So the numbers of successes
// tell whether it exists at the end. It must then exist completely or not at
// all.
func raceCreateDelete(t *trial) {
	for range rounds {
		created, deleted := make([]error, callers), make([]error, callers)
		together(2*callers, func(i int) {
			if i%2 == 0 {
				config, characters := raceUser("ada", i/2)
				created[i/2] = t.CreateUser(t.Context(), config, characters)
			} else {
				deleted[i/2] = t.DeleteUser(t.Context(), "ada")
			}
		})
		left := t.tally("create user", created, backend.Exists) - t.tally("delete user", deleted, backend.NotFound)
		config, err := t.UserConfig(t.Context(), "ada")
		if present := err == nil; left < 0 || left > 1 || present != (left == 1) {
			t.Fatalf("creations less deletions: got %d with a config: %v, want 1 with or 0 without", left, present)
		}
		if err != nil {
			t.wantNoUser("ada")
			continue
		}
		owner := slices.IndexFunc(created, func(err error) bool { return err == nil })
		for i := range callers {
			if c, _ := raceUser("ada", i); c.Timezone == config.Timezone {
				owner = i
			}
		}
		if created[owner] != nil {
			t.Errorf("the user that is there: got the one of a creation that returned %v", created[owner])
		}
		want, characters := raceUser("ada", owner)
		t.wantUserConfig(want)
		t.wantCharacters("ada", characters...)
		t.must("delete user", t.DeleteUser(t.Context(), "ada"))
	}
}

// raceCopies lets each caller make copies one after the other. All copies must
// exist, after the source, and those of each caller in their own order.
func raceCopies(t *trial) {
	const each = 4
	_, characters := t.mustCreateUser("ada", 1)
	together(callers, func(i int) {
		for n := range each {
			id := fmt.Sprintf("caller %d copy %d", i, n)
			if err := t.CopyCharacter(t.Context(), characters[0].Key(), 0, withID(id)); err != nil {
				t.Errorf("copy to %q: got error %v, want none", id, err)
			}
		}
	})
	names, err := t.CharacterNames(t.Context(), "ada")
	t.must("list characters", err)
	if len(names) != 1+callers*each || names[0].CharacterID != characters[0].CharacterID {
		t.Fatalf("characters: got %v, want the source and %d copies", names, callers*each)
	}
	for i := range callers {
		last := 0
		for n := range each {
			c := characters[0]
			c.CharacterID = fmt.Sprintf("caller %d copy %d", i, n)
			at := slices.Index(names, namesOf([]backend.Character{c})[0])
			if at <= last {
				t.Errorf("copy %q: got it at %d in the list, want it after %d: %v", c.CharacterID, at, last, names)
			}
			last = at
			t.wantCharacter(c)
		}
	}
}

func raceCopiesToOneID(t *trial) {
	_, characters := t.mustCreateUser("ada", callers)
	want := characters
	for round := range rounds {
		id, results := fmt.Sprintf("copy %d", round), make([]error, callers)
		together(callers, func(i int) {
			results[i] = t.CopyCharacter(t.Context(), characters[i].Key(), 0, withID(id))
		})
		made := characters[t.wantOneWinner("copy to one id", results, backend.Exists)]
		made.CharacterID = id
		want = append(want, made)
		t.wantCharacters("ada", want...)
	}
}

// raceCopyDeleteUser checks that no character is left without its user,
// whatever the results of the copies are.
func raceCopyDeleteUser(t *trial) {
	for range rounds {
		_, characters := t.mustCreateUser("ada", 2)
		copies, deletion := make([]error, callers), error(nil)
		together(callers+1, func(i int) {
			if i == callers {
				deletion = t.DeleteUser(t.Context(), "ada")
				return
			}
			copies[i] = t.CopyCharacter(t.Context(), characters[i%2].Key(), 0, withID(fmt.Sprintf("copy %d", i)))
		})
		t.must("delete user", deletion)
		t.tally("copy character", copies, backend.NotFound)
		t.wantNoUser("ada")
		for i := range callers {
			t.wantNoCharacter(characterKey("ada", fmt.Sprintf("copy %d", i)))
		}
	}
}

// raceUpdateDelete lets callers update until the result is that the character
// does not exist. After the deletion has returned, no update may succeed.
func raceUpdateDelete(t *trial) {
	_, characters := t.mustCreateUser("ada", rounds)
	for round, c := range characters {
		var gone atomic.Bool
		updated := make(chan struct{}, callers)
		together(callers+1, func(i int) {
			if i == callers {
				<-updated // delete during the updates, not before them
				if err := t.DeleteCharacter(t.Context(), c.Key()); err != nil {
					t.Errorf("delete: got error %v, want none", err)
				}
				gone.Store(true)
				return
			}
			t.updateUntil(c.Key(), i, &gone, backend.NotFound, updated)
		})
		t.wantNoCharacter(c.Key())
		t.wantNames("ada", characters[round+1:]...)
	}
}

// updateUntil updates the prompt of a character until an update is rejected
// with kind last. It returns the last prompt that was accepted, or "". No
// update that starts after over was set may be accepted. updateUntil announces
// each accepted update if announce has room.
func (t *trial) updateUntil(
	key backend.CharacterKey, caller int, over *atomic.Bool, last backend.Kind, announce chan<- struct{},
) (accepted string) {
	for n := 0; ; n++ {
		prompt, late := fmt.Sprintf("caller %d, update %d", caller, n), over.Load()
		err := t.UpdateCharacter(t.Context(), key, backend.CharacterPatch{Prompt: &prompt})
		if err != nil {
			t.wantKind("update", err, last)
			announceTo(announce) // so that no receiver waits forever after an error
			return accepted
		}
		if late {
			t.Errorf("update started after the response named the character %q: got success, want an error", last)
			return prompt
		}
		accepted = prompt
		announceTo(announce)
	}
}

func announceTo(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

// raceUpdateReadOnly makes a character read-only while callers update it. After
// that call has returned, no update may succeed, and the stored value is the
// last successful update of some caller.
func raceUpdateReadOnly(t *trial) {
	_, characters := t.mustCreateUser("ada", rounds)
	for _, c := range characters {
		var locked atomic.Bool
		accepted, updated, yes := make([]string, callers), make(chan struct{}, callers), true
		together(callers+1, func(i int) {
			if i == callers {
				<-updated
				if err := t.UpdateCharacter(t.Context(), c.Key(), backend.CharacterPatch{ReadOnly: &yes}); err != nil {
					t.Errorf("make read-only: got error %v, want none", err)
				}
				locked.Store(true)
				return
			}
			accepted[i] = t.updateUntil(c.Key(), i, &locked, backend.ReadOnly, updated)
		})
		stored, err := t.Character(t.Context(), c.Key())
		t.must("read character", err)
		if !slices.Contains(accepted, stored.Prompt) {
			t.Errorf("stored prompt: got %q, want the last accepted one of a caller: %q", stored.Prompt, accepted)
		}
		c.ReadOnly, c.Prompt = true, stored.Prompt
		t.wantCharacter(c)
	}
}

// raceUpdateFields lets each caller repeatedly change a field of its own. In
// the end every field must hold the last value that its caller wrote.
func raceUpdateFields(t *trial) {
	_, characters := t.mustCreateUser("ada", 1)
	c := characters[0]
	for round := range rounds {
		values := make([]string, callers)
		for i := range values {
			values[i] = fmt.Sprintf("round %d, field %d", round, i)
		}
		patches := []backend.CharacterPatch{
			{CharacterName: &values[0]}, {Avatar: &values[1]}, {SceneName: &values[2]}, {Prompt: &values[3]},
			{Voice: &values[4]}, {ASRAdapter: &values[5]}, {ReactionAdapter: &values[6]}, {MemoryModelOverride: &values[7]},
		}
		together(len(patches), func(i int) {
			if err := t.UpdateCharacter(t.Context(), c.Key(), patches[i]); err != nil {
				t.Errorf("update %d: got error %v, want none", i, err)
			}
		})
		c.CharacterName, c.Avatar, c.SceneName, c.Prompt = values[0], values[1], values[2], values[3]
		c.Voice, c.ASRAdapter, c.ReactionAdapter, c.MemoryModelOverride = values[4], values[5], values[6], values[7]
		t.wantCharacters("ada", c)
	}
}

// raceUpdateRead reads while callers set two fields to the same value. A reader
// must never see only one of the two changes.
func raceUpdateRead(t *trial) {
	_, characters := t.mustCreateUser("ada", 1)
	key, same := characters[0].Key(), "start"
	t.must("update", t.UpdateCharacter(t.Context(), key, backend.CharacterPatch{Prompt: &same, Voice: &same}))
	together(callers, func(i int) {
		for n := range 4 * rounds {
			if i%2 == 0 {
				value := fmt.Sprintf("caller %d, update %d", i, n)
				if err := t.UpdateCharacter(t.Context(), key, backend.CharacterPatch{Prompt: &value, Voice: &value}); err != nil {
					t.Errorf("update: got error %v, want none", err)
				}
				continue
			}
			if c, err := t.Character(t.Context(), key); err != nil || c.Prompt != c.Voice {
				t.Errorf("read: got %q beside %q, error %v, want the same text twice", c.Prompt, c.Voice, err)
			}
		}
	})
}

func raceUpdateConfig(t *trial) {
	config, _ := t.mustCreateUser("ada", 0)
	for round := range rounds {
		together(len(backend.ProviderKeys)+1, func(i int) {
			zone := fmt.Sprintf("zone %d", round)
			patch := backend.UserConfigPatch{Timezone: &zone}
			if i < len(backend.ProviderKeys) {
				patch = backend.UserConfigPatch{Keys: secrets(backend.ProviderKeys[i], fmt.Sprintf("round %d, key %d", round, i))}
			}
			if err := t.UpdateUserConfig(t.Context(), "ada", patch); err != nil {
				t.Errorf("update %d: got error %v, want none", i, err)
			}
		})
		config.Timezone = fmt.Sprintf("zone %d", round)
		for i, name := range backend.ProviderKeys {
			config.Keys[name] = backend.NewSecret(fmt.Sprintf("round %d, key %d", round, i))
		}
		t.wantUserConfig(config)
	}
}

// raceUpdateConfigDelete checks that no key is left for the next owner of the
// id.
func raceUpdateConfigDelete(t *trial) {
	bare := backend.UserConfig{UserID: "ada", Timezone: "UTC"}
	for range rounds {
		t.mustCreateUser("ada", 0)
		updates, deletion := make([]error, callers), error(nil)
		together(callers+1, func(i int) {
			if i == callers {
				deletion = t.DeleteUser(t.Context(), "ada")
				return
			}
			updates[i] = t.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Keys: secrets(backend.ProviderKeys[i], "new")})
		})
		t.must("delete user", deletion)
		t.tally("update config", updates, backend.NotFound)
		t.wantNoUser("ada")
		t.must("create user again", t.CreateUser(t.Context(), bare, nil))
		t.wantUserConfig(bare)
		t.must("delete user again", t.DeleteUser(t.Context(), "ada"))
	}
}

// raceReadsInOrder writes increasing numbers to all data that is read of a
// user. A read that begins after the write of a number has returned, or after
// another read has returned that number, must not return a lower one.
func raceReadsInOrder(t *trial) {
	t.mustCreateUser("ada", 1)
	key := Character("ada", 0).Key()
	reads := map[string]func() (string, error){
		"name": func() (string, error) {
			names, err := t.CharacterNames(t.Context(), "ada")
			if len(names) != 1 {
				return "", err
			}
			return names[0].CharacterName, err
		},
		"character": func() (string, error) {
			character, err := t.Character(t.Context(), key)
			return character.CharacterName, err
		},
		"document": func() (string, error) {
			document, err := t.CharacterDocument(t.Context(), key)
			if err != nil {
				return "", err
			}
			character, err := backend.DecodeCharacter(document)
			return character.CharacterName, err
		},
		"config": func() (string, error) {
			config, err := t.UserConfig(t.Context(), "ada")
			return config.Timezone, err
		},
	}
	write := func(n int64) error {
		text := strconv.FormatInt(n, 10)
		return errors.Join(
			t.UpdateCharacter(t.Context(), key, backend.CharacterPatch{CharacterName: &text}),
			t.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Timezone: &text}))
	}
	t.must("write", write(0))
	writes := int64(t.many / 10)
	var written atomic.Int64
	var readers sync.WaitGroup
	for name, read := range reads {
		var seen atomic.Int64
		for range 2 {
			readers.Go(func() {
				for written.Load() < writes && !t.Failed() {
					floor := max(written.Load(), seen.Load())
					text, err := read()
					got, parseErr := strconv.ParseInt(text, 10, 64)
					if err != nil || parseErr != nil || got < floor {
						t.Errorf("%s: got %q, error %v, want %d or more", name, text, err, floor)
					}
					for before := seen.Load(); got > before && !seen.CompareAndSwap(before, got); {
						before = seen.Load()
					}
				}
			})
		}
	}
	for n := int64(1); n <= writes && !t.Failed(); n++ {
		if err := write(n); err != nil {
			t.Errorf("write %d: %v", n, err)
		}
		written.Store(n)
	}
	written.Store(writes)
	readers.Wait()
}

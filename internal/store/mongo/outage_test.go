package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/storetest"
)

// worker writes continuously and records which writes were confirmed. Other
// writes may or may not be stored.
type worker struct {
	*testing.T
	store *mongo.Store
	home  backend.Character // belongs to a user that stays
	round int
	done  *atomic.Int64 // confirmed calls of all workers

	prompt, zone      int             // the last confirmed values
	copies            map[string]bool // by id: whether it is certain that the copy exists
	users             map[string]bool
	tokens            map[string]bool // by name
	confirmed         int
	unavailable, lost int
}

// try makes one call and reports whether it was confirmed. After a crash the
// database engine of the tests does not know which writes it has completed. So
// the driver's second attempt may find the result of its first one; the error
// is then of kind retried.
func (w *worker) try(what string, retried backend.Kind, call func(ctx context.Context) error) bool {
	switch err := call(w.Context()); {
	case err == nil:
		w.confirmed++
		w.done.Add(1)
		return true
	case errors.Is(err, backend.Unavailable):
		w.unavailable++
	case errors.Is(err, retried):
		w.lost++
	default:
		w.Errorf("%s: got error %v (%T), want none or %q", what, err, err, backend.Unavailable)
	}
	return false
}

// work runs one round of all operations.
func (w *worker) work() {
	w.round++
	text, user, id := strconv.Itoa(w.round), fmt.Sprintf("%s, %d", w.home.UserID, w.round), "copy "+strconv.Itoa(w.round)
	if w.try("update", backend.Unavailable, func(ctx context.Context) error {
		return w.store.UpdateCharacter(ctx, w.home.Key(), backend.CharacterPatch{Prompt: &text, Voice: &text})
	}) {
		w.prompt = w.round
	}
	if w.try("update config", backend.Unavailable, func(ctx context.Context) error {
		return w.store.UpdateUserConfig(ctx, w.home.UserID, backend.UserConfigPatch{Timezone: &text})
	}) {
		w.zone = w.round
	}
	if w.try("copy", backend.Exists, func(ctx context.Context) error {
		return w.store.CopyCharacter(ctx, w.home.Key(), 0, withID(id))
	}) {
		w.copies[id] = true
	}
	if w.try("create user", backend.Exists, func(ctx context.Context) error {
		return w.store.CreateUser(ctx, storetest.UserConfig(user), storetest.Characters(user, 2))
	}) {
		w.users[user] = true
	}
	w.workOnAccount()
	if w.round%2 == 0 && w.copies[id] {
		delete(w.copies, id)
		if w.try("delete", backend.NotFound, func(ctx context.Context) error {
			return w.store.DeleteCharacter(ctx, backend.CharacterKey{UserID: w.home.UserID, CharacterID: id})
		}) {
			w.copies[id] = false
		}
	}
	if w.round%2 == 0 && w.users[user] {
		delete(w.users, user)
		if w.try("delete user", backend.NotFound, func(ctx context.Context) error { return w.store.DeleteUser(ctx, user) }) {
			w.users[user] = false
		}
	}
}

// workOnAccount creates a token and, every second time, changes the password,
// which ends all existing tokens.
func (w *worker) workOnAccount() {
	var credential backend.Credential
	if !w.try("read credential", backend.Unavailable, func(ctx context.Context) (err error) {
		credential, err = w.store.Credential(ctx, w.home.UserID)
		return err
	}) {
		return
	}
	name := strconv.Itoa(w.round)
	if w.try("create token", backend.Unavailable, func(ctx context.Context) error {
		return w.store.CreateToken(ctx, tokenOf(w.home.UserID, name), credential)
	}) {
		w.tokens[name] = true
	}
	if w.round%2 == 1 {
		return
	}
	ended := slices.Collect(maps.Keys(w.tokens))
	maps.DeleteFunc(w.tokens, func(_ string, there bool) bool { return there })
	if w.try("replace password", backend.NotFound, func(ctx context.Context) error {
		return w.store.ReplacePassword(ctx, credential, backend.NewSecret("password "+name), backend.EndTokens)
	}) {
		for _, name := range ended {
			w.tokens[name] = false
		}
	}
}

// check compares the stored data with the confirmed writes.
func (w *worker) check(store *mongo.Store) {
	home, err := store.Character(w.Context(), w.home.Key())
	must(w.T, "read character", err)
	if n, _ := strconv.Atoi(home.Prompt); n < w.prompt || n > w.round || home.Voice != home.Prompt {
		w.Errorf("prompt and voice: got %q and %q, want both from %d to %d", home.Prompt, home.Voice, w.prompt, w.round)
	}
	config, err := store.UserConfig(w.Context(), w.home.UserID)
	must(w.T, "read config", err)
	if n, _ := strconv.Atoi(config.Timezone); n < w.zone || n > w.round {
		w.Errorf("time zone: got %q, want from %d to %d", config.Timezone, w.zone, w.round)
	}
	for id, there := range w.copies {
		_, err := store.Character(w.Context(), backend.CharacterKey{UserID: w.home.UserID, CharacterID: id})
		if there != (err == nil) || err != nil && !errors.Is(err, backend.NotFound) {
			w.Errorf("%s: got error %v, want it to be there: %v", id, err, there)
		}
	}
	for name, there := range w.tokens {
		_, err := store.Token(w.Context(), tokenOf(w.home.UserID, name).Hash, storetest.TokenTime())
		if there != (err == nil) || err != nil && !errors.Is(err, backend.NotFound) {
			w.Errorf("token %s: got error %v, want it to be good: %v", name, err, there)
		}
	}
	for user, there := range w.users {
		want := ""
		if there {
			want = fmt.Sprintf("user %q, config with key, characters %q", "", threeIDs(user)[:2])
		}
		if got := visible(w.T, store, user); got != want {
			w.Errorf("user %s: visible is\n%s\nwant\n%s", user, got, want)
		}
	}
}

// TestOutage_LosesNothingConfirmed kills the database under load and
// restarts it. The same store must continue, and everything that it confirmed
// must be stored.
func TestOutage_LosesNothingConfirmed(t *testing.T) {
	t.Parallel()
	server := mongotest.Own(t, false)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	patient := mongotest.OpenStore(t, o)
	o.Timeout = 500 * time.Millisecond
	store := mongotest.OpenBare(t, o)
	wantPing(t, store)
	workers := make([]*worker, 4)
	var done atomic.Int64
	for i := range workers {
		user := fmt.Sprintf("worker %d", i)
		workers[i] = &worker{T: t, store: store, home: storetest.Character(user, 0), done: &done,
			copies: map[string]bool{}, users: map[string]bool{}, tokens: map[string]bool{}}
		must(t, "create user", patient.CreateUser(t.Context(), storetest.UserConfig(user), []backend.Character{workers[i].home}))
		must(t, "create credential", patient.CreateCredential(t.Context(), storetest.Credential(user, user)))
	}
	work := func(meanwhile func()) (confirmed int) {
		t.Helper()
		var all sync.WaitGroup
		var over atomic.Bool
		for _, w := range workers {
			confirmed -= w.confirmed
			all.Go(func() {
				w.work()
				for !over.Load() {
					w.work()
				}
			})
		}
		meanwhile()
		over.Store(true)
		all.Wait()
		for _, w := range workers {
			t.Logf("%s: %d confirmed, %d unavailable, %d lost in the crash", w.home.UserID, w.confirmed, w.unavailable, w.lost)
			confirmed += w.confirmed
		}
		return confirmed
	}
	load := func() { // some rounds of each worker
		t.Helper()
		begun := done.Load()
		const calls = 100
		for end := time.Now().Add(time.Minute); done.Load() < begun+calls; <-time.After(time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%d calls are confirmed in a minute, want %d", done.Load()-begun, calls)
				return
			}
		}
	}
	before := work(func() {
		load()
		server.Kill(t) // during the load
	})
	during := work(func() {})
	after := work(func() {
		server.Restart(t)
		load()
	})
	if before == 0 || during > 0 || after == 0 {
		t.Errorf("confirmed: got %d before the outage, %d during, %d after, want some, none, some", before, during, after)
	}
	fresh := mongotest.OpenStore(t, mongotest.StoreOptions(server.URI(), o.Database))
	for _, w := range workers {
		w.check(fresh)
	}
}

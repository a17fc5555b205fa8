package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// queue holds back a store's writer, so that a test can choose which writes
// share a transaction.
type queue struct {
	t       *testing.T
	store   *sqlite.Store
	release chan struct{}
	writes  sync.WaitGroup
}

// holdWriter stops the writer until queue.run.
func holdWriter(t *testing.T, store *sqlite.Store) *queue {
	t.Helper()
	q := &queue{t: t, store: store, release: make(chan struct{})}
	held := make(chan struct{})
	q.writes.Go(func() {
		if err := store.OnWriter(context.Background(), func(*sqlite3.Conn) error {
			close(held)
			<-q.release
			return nil
		}); err != nil {
			t.Errorf("hold the writer: %v", err)
		}
	})
	<-held
	return q
}

// add makes write wait for the writer, after all writes that were added before.
// It returns a pointer to the result, which is set after queue.run.
func (q *queue) add(write func() error) *error {
	q.t.Helper()
	result, place := new(error), q.store.Waiting()+1
	q.writes.Go(func() { *result = write() })
	q.waitFor(place)
	return result
}

// waitFor returns when n writes wait for the writer.
func (q *queue) waitFor(n int) {
	q.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); q.store.Waiting() < n; time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			q.t.Fatalf("writes that wait: got %d, want %d", q.store.Waiting(), n)
		}
	}
}

// run lets the writer continue and waits for all results.
func (q *queue) run() {
	close(q.release)
	q.writes.Wait()
}

func createUser(t *testing.T, store *sqlite.Store, userID string, count int) func() error {
	t.Helper()
	return func() error {
		return store.CreateUser(t.Context(), storetest.UserConfig(userID), storetest.Characters(userID, count))
	}
}

func setPrompt(t *testing.T, store *sqlite.Store, key backend.CharacterKey, prompt string) func() error {
	t.Helper()
	return func() error {
		return store.UpdateCharacter(t.Context(), key, backend.CharacterPatch{Prompt: &prompt})
	}
}

func TestWriter_SharesCommits(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	var commits atomic.Int32
	err := store.OnWriter(t.Context(), func(c *sqlite3.Conn) error {
		c.CommitHook(func() bool { commits.Add(1); return true })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	q := holdWriter(t, store)
	before := commits.Load()
	const writes = 64
	results := make([]*error, writes)
	for i := range results {
		results[i] = q.add(createUser(t, store, fmt.Sprint(i), 0))
	}
	q.run()
	for i, result := range results {
		if *result != nil {
			t.Errorf("write %d: got error %v, want none", i, *result)
		}
		wantUser(t, store, fmt.Sprint(i), 0)
	}
	if got := commits.Load() - before; got < 1 || got > writes/8 {
		t.Errorf("commits for %d waiting writes: got %d, want at most %d", writes, got, writes/8)
	}
}

func TestWriter_ServesMoreThanOneBatch(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	q := holdWriter(t, store)
	const writes = 2*sqlite.MaxBatch + 10
	results := make([]error, writes)
	for i := range results {
		q.writes.Go(func() { results[i] = createUser(t, store, fmt.Sprint(i), 0)() })
	}
	q.waitFor(sqlite.MaxBatch) // the other writes wait for space in the queue
	q.run()
	for i, err := range results {
		if err != nil {
			t.Errorf("write %d: got error %v, want none", i, err)
		}
		wantUser(t, store, fmt.Sprint(i), 0)
	}
}

func TestWriter_RefusalsUndoNothingOfTheOthers(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	mustCreateUser(t, store, "ada", 1)
	twice := append(storetest.Characters("half", 3), storetest.Character("half", 0))

	q := holdWriter(t, store)
	first := q.add(createUser(t, store, "first", 2))
	exists := q.add(createUser(t, store, "ada", 2))
	half := q.add(func() error { return store.CreateUser(t.Context(), storetest.UserConfig("half"), twice) })
	missing := q.add(func() error { return store.DeleteUser(t.Context(), "nobody") })
	own := q.add(setPrompt(t, store, storetest.Character("first", 0).Key(), "seen within the batch"))
	last := q.add(createUser(t, store, "last", 2))
	q.run()

	for name, c := range map[string]struct{ got, want error }{
		"first": {*first, nil}, "exists": {*exists, backend.Exists}, "half": {*half, backend.Exists},
		"missing": {*missing, backend.NotFound}, "own": {*own, nil}, "last": {*last, nil},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("write %q: got error %v, want %v", name, c.got, c.want)
		}
	}
	wantUser(t, store, "last", 2)
	wantUser(t, store, "ada", 1)
	wantPrompt(t, store, storetest.Character("first", 0).Key(), "seen within the batch")
	wantAbsent(t, store, "half")
}

func wantPrompt(t *testing.T, store *sqlite.Store, key backend.CharacterKey, want string) {
	t.Helper()
	if c, err := store.Character(t.Context(), key); err != nil || c.Prompt != want {
		t.Errorf("prompt of %v: got %q, error %v, want %q", key, c.Prompt, err, want)
	}
}

// wantAbsent checks that nothing is stored for a user.
func wantAbsent(t *testing.T, store *sqlite.Store, userID string) {
	t.Helper()
	_, err := store.UserConfig(t.Context(), userID)
	names, namesErr := store.CharacterNames(t.Context(), userID)
	if !errors.Is(err, backend.NotFound) || len(names) != 0 || namesErr != nil {
		t.Errorf("user %q: got config error %v, characters %v (error %v), want nothing", userID, err, names, namesErr)
	}
}

func TestWriter_OutlivesAPanic(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	mustCreateUser(t, store, "ada", 1)
	key := storetest.Character("ada", 0).Key()

	q := holdWriter(t, store)
	before := q.add(createUser(t, store, "before", 1))
	broken := q.add(func() error {
		return store.CopyCharacter(t.Context(), key, 0, func(backend.Character) backend.Character { panic("a fault in edit") })
	})
	after := q.add(createUser(t, store, "after", 1))
	q.run()
	if err := errors.Join(*before, *after); err != nil {
		t.Errorf("writes beside a panic: got error %v, want none", err)
	}
	wantError(t, "a write that panics", *broken, "a fault in edit")
	if kind := backend.KindOf(*broken); kind != backend.Internal {
		t.Errorf("kind of a write that panics: got %q, want %q", kind, backend.Internal)
	}
	wantUser(t, store, "before", 1)
	wantUser(t, store, "after", 1)
	if names, err := store.CharacterNames(t.Context(), "ada"); err != nil || len(names) != 1 {
		t.Errorf("characters after a copy that panicked: got %v, error %v, want the one that was there", names, err)
	}
	mustCreateUser(t, store, "later", 1)
}

func TestWrite_IsNotRunWhenItsContextEndsInTheQueue(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	q := holdWriter(t, store)
	cancelled := q.add(func() error { return store.CreateUser(ctx, storetest.UserConfig("ada"), nil) })
	other := q.add(createUser(t, store, "bob", 0))
	cancel()
	q.run()
	if !errors.Is(*cancelled, backend.Unavailable) || *other != nil {
		t.Errorf("got errors %v and %v, want unavailable and none", *cancelled, *other)
	}
	wantAbsent(t, store, "ada")
	wantUser(t, store, "bob", 0)
}

func TestWrite_ReturnsWhenItsContextEndsBeforeTheQueueHasRoom(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	q := holdWriter(t, store)
	for i := range sqlite.MaxBatch {
		q.writes.Go(func() {
			if err := createUser(t, store, fmt.Sprint(i), 0)(); err != nil {
				t.Errorf("write %d: got error %v, want none", i, err)
			}
		})
	}
	q.waitFor(sqlite.MaxBatch)
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	err := store.CreateUser(ctx, storetest.UserConfig("ada"), nil) // returns although the writer is held back
	if !errors.Is(err, backend.Unavailable) {
		t.Errorf("got error %v, want unavailable", err)
	}
	q.run()
	wantAbsent(t, store, "ada")
}

// TestClose_WhileWritesRun closes a store during writes. Every successful write
// is stored, and every later call returns an error that the store is closed.
func TestClose_WhileWritesRun(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	store := openStore(t, dir)
	const writers = 16
	mustCreateUser(t, store, "ada", writers)
	stored, ends, begun := make([]string, writers), make([]error, writers), make(chan struct{}, writers)
	var running sync.WaitGroup
	for i := range writers {
		running.Go(func() {
			key := storetest.Character("ada", i).Key()
			for n := 0; ends[i] == nil; n++ {
				prompt := fmt.Sprintf("writer %d, update %d", i, n)
				if ends[i] = store.UpdateCharacter(ctx, key, backend.CharacterPatch{Prompt: &prompt}); ends[i] == nil {
					stored[i] = prompt
				}
				if n == 0 {
					begun <- struct{}{}
				}
			}
		})
	}
	for range writers {
		<-begun
	}
	mustClose(t, store)
	running.Wait()
	reopened := openStore(t, dir)
	for i := range writers {
		if !errors.Is(ends[i], backend.Unavailable) {
			t.Errorf("writer %d ended with error %v, want unavailable", i, ends[i])
		}
		wantPrompt(t, reopened, storetest.Character("ada", i).Key(), stored[i])
	}
}

func TestClose_LaterCallsAreUnavailable(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	mustCreateUser(t, store, "ada", 1)
	mustClose(t, store)
	mustClose(t, store) // closing twice is not an error
	key, ctx := storetest.Character("ada", 0).Key(), t.Context()
	_, configErr := store.UserConfig(ctx, "ada")
	_, documentErr := store.CharacterDocument(ctx, key)
	var usersErr error
	for _, err := range store.Users(ctx, backend.AllUsers) {
		usersErr = err
	}
	for name, err := range map[string]error{
		"Ping": store.Ping(ctx), "UserConfig": configErr, "CharacterDocument": documentErr, "Users": usersErr,
		"CreateUser": createUser(t, store, "bob", 0)(), "DeleteUser": store.DeleteUser(ctx, "ada"),
	} {
		if !errors.Is(err, backend.Unavailable) {
			t.Errorf("%s after Close: got error %v, want unavailable", name, err)
		}
	}
}

func TestClose_LeavesOneFileAndFreesTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openStore(t, dir)
	mustCreateUser(t, store, "ada", 3)
	mustClose(t, store)
	wantFolder(t, dir, "web-backend.db", "web-backend.lock") // the WAL was emptied into the database
}

// limitPages keeps the database from growing by more than a few pages, like a
// full disk, until lift is called.
func limitPages(t *testing.T, store *sqlite.Store, spare int) (lift func()) {
	t.Helper()
	var pages int64
	err := store.OnWriter(t.Context(), func(c *sqlite3.Conn) error {
		count, _, err := c.Prepare("PRAGMA page_count")
		if err != nil {
			return err
		}
		count.Step()
		pages = count.ColumnInt64(0)
		return errors.Join(count.Err(), count.Close(), c.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+int64(spare))))
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		onWriter(t, store, "PRAGMA max_page_count = 4294967294")
	}
}

// TestWriter_ReportsAFullDisk queues, among others, a write for which
// the disk has no space. Each of them must get its true result.
func TestWriter_ReportsAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openStore(t, dir)
	mustCreateUser(t, store, "ada", 2)
	first, second := storetest.Character("ada", 0).Key(), storetest.Character("ada", 1).Key()
	lift := limitPages(t, store, 4)

	q := holdWriter(t, store)
	firstResult := q.add(setPrompt(t, store, first, "before"))
	newUser := q.add(createUser(t, store, "bob", 0))
	newUserAgain := q.add(createUser(t, store, "bob", 0))
	deletion := q.add(func() error { return store.DeleteCharacter(t.Context(), second) })
	deletionAgain := q.add(func() error { return store.DeleteCharacter(t.Context(), second) })
	huge := q.add(setPrompt(t, store, first, strings.Repeat("huge ", 100_000)))
	secondResult := q.add(setPrompt(t, store, first, "after"))
	q.run()

	if !errors.Is(*huge, backend.Unavailable) {
		t.Errorf("the write that found the disk full: got error %v, want unavailable", *huge)
	}
	if _, err := store.Character(t.Context(), first); err != nil {
		t.Errorf("read on a full disk: got error %v, want none", err)
	}
	lift()
	mustCreateUser(t, store, "later", 3)
	mustClose(t, store)

	store = openStore(t, dir)
	wantUser(t, store, "later", 3)
	want := storetest.Character("ada", 0).Prompt
	for prompt, err := range map[string]error{"before": *firstResult, "after": *secondResult} {
		if err == nil && want != "after" {
			want = prompt
		}
	}
	wantPrompt(t, store, first, want)
	_, err := store.UserConfig(t.Context(), "bob")
	wantTrue(t, "create user", err == nil, *newUser, *newUserAgain, backend.Exists)
	_, err = store.Character(t.Context(), second)
	wantTrue(t, "delete character", err != nil, *deletion, *deletionAgain, backend.NotFound)
}

// wantTrue checks the results of one write that was made twice. done says
// whether the write was stored. A result must be nil if and only if it was
// stored. The other result may be an error of kind refusal only if it was
// stored.
func wantTrue(t *testing.T, what string, done bool, first, second error, refusal backend.Kind) {
	t.Helper()
	if (first == nil || second == nil) != done {
		t.Errorf("%s, twice: got errors %v and %v, and it was done: %v", what, first, second, done)
	}
	for _, err := range []error{first, second} {
		if err != nil && !errors.Is(err, backend.Unavailable) && (!done || !errors.Is(err, refusal)) {
			t.Errorf("%s: got error %v although it was done: %v", what, err, done)
		}
	}
}

// TestWriter_ReportsAFailedCommit makes the commit itself fail.
func TestWriter_ReportsAFailedCommit(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	var refuse atomic.Bool
	err := store.OnWriter(t.Context(), func(c *sqlite3.Conn) error {
		c.CommitHook(func() bool { return !refuse.Load() })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	q := holdWriter(t, store)
	created := q.add(createUser(t, store, "ada", 2))
	again := q.add(createUser(t, store, "ada", 2))
	// The hold itself commits first. The writer is then idle, and the hook
	// rejects commits from the first queued write on.
	refuser := q.add(func() error {
		return store.OnWriter(t.Context(), func(*sqlite3.Conn) error { refuse.Store(true); return nil })
	})
	q.run()
	refuse.Store(false)

	if *created == nil || *again == nil || *refuser == nil {
		t.Errorf("writes of a failed commit: got errors %v, %v, %v, want one each", *created, *again, *refuser)
	}
	if errors.Is(*again, backend.Exists) {
		t.Errorf("second creation: got error %v although there is no such user", *again)
	}
	wantAbsent(t, store, "ada")
	mustCreateUser(t, store, "ada", 2)
	wantUser(t, store, "ada", 2)
}

// TestWriter_StoresNothingOfAJobThatCannotBeUndone makes the rollback of a
// rejected write fail. A part of that write must not be committed with the
// others.
func TestWriter_StoresNothingOfAJobThatCannotBeUndone(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	authorize := func(code sqlite3.AuthorizerReturnCode) {
		t.Helper()
		if err := store.OnWriter(t.Context(), func(c *sqlite3.Conn) error {
			return c.SetAuthorizer(func(action sqlite3.AuthorizerActionCode, operation, _, _, _ string) sqlite3.AuthorizerReturnCode {
				if action == sqlite3.AUTH_SAVEPOINT && operation == "ROLLBACK" {
					return code
				}
				return sqlite3.AUTH_OK
			})
		}); err != nil {
			t.Fatal(err)
		}
	}
	authorize(sqlite3.AUTH_DENY)
	q := holdWriter(t, store)
	before := q.add(createUser(t, store, "before", 1))
	half := q.add(func() error {
		twice := append(storetest.Characters("half", 3), storetest.Character("half", 0))
		return store.CreateUser(t.Context(), storetest.UserConfig("half"), twice)
	})
	after := q.add(createUser(t, store, "after", 1))
	q.run()
	authorize(sqlite3.AUTH_OK)

	if *half == nil || errors.Is(*before, backend.Exists) || *after != nil {
		t.Errorf("got errors %v, %v, %v, want any but another write's, one, none", *before, *half, *after)
	}
	wantAbsent(t, store, "half")
	if *before == nil {
		wantUser(t, store, "before", 1)
	} else {
		wantAbsent(t, store, "before")
	}
	wantUser(t, store, "after", 1)
}

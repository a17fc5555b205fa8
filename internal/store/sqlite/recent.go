package sqlite

import (
	"container/list"
	"context"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// recent keeps what was read lately, so that it need not be read and unsealed
// again. It is exact: a read that begins after a write was answered never sees
// what was there before, and no read sees something older than another one did.
//
// Users share stripes. The writer marks the stripes of a transaction's users
// before it commits, and after. What was read counts as long as the mark is the
// one that was seen before the read began; so nothing is looked for in order to
// be removed, and a read that loses a race against a commit keeps nothing that
// counts.
type recent struct {
	seed    maphash.Seed
	stripes [1 << 12]atomic.Uint64 // odd while a commit is under way

	mu    sync.Mutex
	reads map[readKey]*list.Element // of *keptRead
	order list.List                 // the last used first
	bytes int
}

// readKey names one read of one user.
type readKey struct{ userID, what string }

// What is read of a user; a character's document goes by its id, which these
// cannot be mistaken for.
const (
	readConfig   = "\x00config"
	readNames    = "\x00names"
	documentMark = "\x01"
)

type keptRead struct {
	key   readKey
	value any
	mark  uint64
	bytes int
}

// Bounds of what is kept: all of it, and one read, so that a few large ones do
// not push out all others.
const (
	recentBytes = 8 << 20
	recentRead  = 256 << 10
	keptCost    = 256 // of keeping a read, beside its bytes
)

func newRecent() *recent {
	return &recent{seed: maphash.MakeSeed(), reads: map[readKey]*list.Element{}}
}

func (r *recent) stripe(userID string) *atomic.Uint64 {
	return &r.stripes[maphash.String(r.seed, userID)%uint64(len(r.stripes))]
}

// find gives what was kept under key and still counts.
func (r *recent) find(key readKey, mark uint64) (value any, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	element := r.reads[key]
	if element == nil {
		return nil, false
	}
	kept := element.Value.(*keptRead) //nolint:forcetypeassert // nothing else is in the list
	if kept.mark != mark {
		return nil, false
	}
	r.order.MoveToFront(element)
	return kept.value, true
}

// keep adds what was read of so many bytes, and lets go of what was not used
// for longest.
func (r *recent) keep(key readKey, value any, size int, mark uint64) {
	size += keptCost + len(key.userID) + len(key.what)
	if size > recentRead {
		return
	}
	// The request that the key was cut out of must not be kept with it.
	key = readKey{strings.Clone(key.userID), strings.Clone(key.what)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.reads[key]; old != nil {
		r.drop(old)
	}
	r.reads[key] = r.order.PushFront(&keptRead{key, value, mark, size})
	for r.bytes += size; r.bytes > recentBytes; {
		r.drop(r.order.Back())
	}
}

// size is what is kept, in bytes; 0 for a nil r.
func (r *recent) size() int64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.bytes)
}

func (r *recent) drop(element *list.Element) {
	kept := r.order.Remove(element).(*keptRead) //nolint:forcetypeassert // nothing else is in the list
	delete(r.reads, kept.key)
	r.bytes -= kept.bytes
}

// noUsers are whose config and characters a write changes that changes none.
var noUsers = []string{}

// begin marks the users that jobs may change: until end nothing that is kept of
// them counts. Only the writer calls it.
func (r *recent) begin(jobs []*job) (end func()) {
	marked := map[*atomic.Uint64]bool{}
	for _, j := range jobs {
		for _, userID := range j.users {
			marked[r.stripe(userID)] = true
		}
		if j.users == nil {
			for i := range r.stripes {
				marked[&r.stripes[i]] = true
			}
		}
	}
	turn := func() {
		for stripe := range marked {
			stripe.Add(1)
		}
	}
	turn()
	return turn
}

// readRecent gives what load reads of a user, or what was kept of it: it is
// shared by all who read it, and must not be changed. size is that of a value
// in bytes.
func readRecent[T any](
	ctx context.Context, s *Store, key readKey, size func(T) int, load func(context.Context) (T, error),
) (T, error) {
	if s.recent == nil {
		return load(ctx)
	}
	stripe := s.recent.stripe(key.userID)
	mark := stripe.Load()
	if mark%2 != 0 {
		return load(ctx)
	}
	if value, ok := s.recent.find(key, mark); ok {
		s.recentHits.Add(1)
		return value.(T), s.ready(ctx) //nolint:forcetypeassert // a key has one type
	}
	value, err := load(ctx)
	if err == nil {
		s.recent.keep(key, value, size(value), mark)
	}
	return value, err
}

// ready is the error of a call that the store would refuse.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	if err := s.enter(); err != nil {
		return err
	}
	s.leave()
	return nil
}

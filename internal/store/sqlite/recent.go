package sqlite

import (
	"context"
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
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
	reads   *otter.Cache[readKey, keptRead]
}

// readKey names one read of one user.
type readKey struct{ userID, what string }

// What is read of a user; a character's document goes by its id, which these
// cannot be mistaken for.
const (
	readConfig    = "\x00config"
	readNames     = "\x00names"
	readSummaries = "\x00summaries"
	documentMark  = "\x01"
)

type keptRead struct {
	value any
	mark  uint64
	bytes int
}

// RecentBytes is how much of what was read lately is kept in memory.
const RecentBytes = 8 << 20

// recentRead bounds one read, in bytes, so that a few large ones do not push
// out all others; keptCost is what keeping a read takes beside its bytes.
const (
	recentRead = 256 << 10
	keptCost   = 256
)

// newRecent keeps so many bytes at most; it returns nil for 0.
func newRecent(bytes int64) *recent {
	if bytes <= 0 {
		return nil
	}
	return &recent{seed: maphash.MakeSeed(), reads: otter.Must(&otter.Options[readKey, keptRead]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ readKey, kept keptRead) uint32 { return uint32(kept.bytes) }, //nolint:gosec // at most recentRead
		Executor:      func(evict func()) { evict() },                                      // at once: the bound holds when a read has ended
	})}
}

func (r *recent) stripe(userID string) *atomic.Uint64 {
	return &r.stripes[maphash.String(r.seed, userID)%uint64(len(r.stripes))]
}

// find gives what was kept under key and still counts.
func (r *recent) find(key readKey, mark uint64) (value any, ok bool) {
	kept, ok := r.reads.GetIfPresent(key)
	if !ok || kept.mark != mark {
		return nil, false
	}
	return kept.value, true
}

// keep adds what was read of so many bytes.
func (r *recent) keep(key readKey, value any, size int, mark uint64) {
	size += keptCost + len(key.userID) + len(key.what)
	if size > recentRead {
		return
	}
	// The request that the key was cut out of must not be kept with it.
	r.reads.Set(readKey{strings.Clone(key.userID), strings.Clone(key.what)}, keptRead{value, mark, size})
}

// size is what is kept, in bytes; 0 for a nil r.
func (r *recent) size() int64 {
	if r == nil {
		return 0
	}
	return int64(r.reads.WeightedSize()) //nolint:gosec // at most the bound
}

// noUsers are whose config and characters a write changes that changes none.
var noUsers = []string{}

// begin marks the users that jobs may change: until end nothing that is kept of
// them counts. Only the writer calls it.
func (r *recent) begin(jobs []*job) (end func()) {
	if r == nil {
		return func() {}
	}
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

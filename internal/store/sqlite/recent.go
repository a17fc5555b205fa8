package sqlite

import (
	"context"
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// recent is a cache of recent reads, so that the same data need not be read and
// unsealed again. It is exact: a read that begins after a write has returned
// never sees the state before that write, and no read returns an older state
// than an earlier read returned.
//
// Users share stripes, and each stripe has a mark. The writer changes the marks
// of the users of a transaction before it commits, and again after it. A kept
// value is valid only while the mark is the same as before the value was read.
// So the writer need not search for values to remove. If a commit begins during
// a read, the value that the read keeps is never valid.
type recent struct {
	seed    maphash.Seed
	stripes [1 << 12]atomic.Uint64 // odd while a commit is in progress
	reads   *otter.Cache[readKey, keptRead]
}

// readKey identifies one kind of read of one user.
type readKey struct{ userID, what string }

// Values of readKey.what. For a character's document it is documentMark and the
// character's id, which is never equal to one of the others.
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

// RecentBytes is the default limit of the memory for recent reads, in bytes.
const RecentBytes = 8 << 20

// recentRead is the limit of one kept read in bytes, so that a few large reads
// do not remove all others. keptCost is the memory that a kept read needs in
// addition to its bytes.
const (
	recentRead = 256 << 10
	keptCost   = 256
)

// newRecent returns a cache of at most bytes bytes, or nil if bytes is not
// positive.
func newRecent(bytes int64) *recent {
	if bytes <= 0 {
		return nil
	}
	return &recent{seed: maphash.MakeSeed(), reads: otter.Must(&otter.Options[readKey, keptRead]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ readKey, kept keptRead) uint32 { return uint32(kept.bytes) }, //nolint:gosec // at most recentRead
		Executor:      func(evict func()) { evict() },                                      // at once: the limit holds
	})}
}

func (r *recent) stripe(userID string) *atomic.Uint64 {
	return &r.stripes[maphash.String(r.seed, userID)%uint64(len(r.stripes))]
}

// find returns the value that was kept under key if it is still valid.
func (r *recent) find(key readKey, mark uint64) (value any, ok bool) {
	kept, ok := r.reads.GetIfPresent(key)
	if !ok || kept.mark != mark {
		return nil, false
	}
	return kept.value, true
}

// keep stores a value that was read. size is its size in bytes.
func (r *recent) keep(key readKey, value any, size int, mark uint64) {
	size += keptCost + len(key.userID) + len(key.what)
	if size > recentRead {
		return
	}
	// Clone the strings: otherwise the whole request that they are slices of
	// stays in memory.
	r.reads.Set(readKey{strings.Clone(key.userID), strings.Clone(key.what)}, keptRead{value, mark, size})
}

// size returns the size of the kept reads in bytes, or 0 if r is nil.
func (r *recent) size() int64 {
	if r == nil {
		return 0
	}
	return int64(r.reads.WeightedSize()) //nolint:gosec // at most the bound
}

// noUsers is the users argument of a write that changes no config and no
// character.
var noUsers = []string{}

// begin invalidates all kept reads of the users that jobs may change. No new
// read of these users is kept until the caller calls end. Only the writer may
// call begin.
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

// readRecent returns a kept value, or the result of load, which reads it. All
// callers that read the same key share the value, so it must not be changed.
// size returns the size of a value in bytes.
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

// ready returns the error with which the store would reject a call now, or nil.
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

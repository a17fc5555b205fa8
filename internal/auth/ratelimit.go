package auth

import (
	"crypto/sha256"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// RateLimit limits the tries of each key. A key may use burst tries at once.
// After that, perMinute tries come back evenly over each minute. A refused try
// does not use up a later one, so a caller that keeps trying is let in as soon
// as one that waits. A nil RateLimit allows everything. It is safe for
// concurrent use.
//
// It remembers a bounded number of keys and forgets the key that was not tried
// for the longest time. A forgotten key starts again with a full burst. So an
// attacker who tries enough other keys in between gets another burst for one
// key. To prevent this, the number of keys must be large. The other limits
// bound how fast an attacker can try other keys. At that speed, trying as many
// keys as are remembered must take longer than it takes burst tries to come
// back. For example, one address that may try 60 user names a minute needs more
// than five hours for twenty thousand names. A limit per address does not stop
// an attacker who has more addresses than there are keys.
type RateLimit struct {
	perSecond rate.Limit // 0: no limit
	burst     int
	now       func() time.Time

	mu       sync.Mutex
	limiters *simplelru.LRU[[sha256.Size]byte, *rate.Limiter] // by hash, so that a long key does not take more memory
}

// NewRateLimit returns a RateLimit that remembers at most keys keys. A key
// takes about 250 bytes. A perMinute of 0 means no limit. A burst or keys below
// 1 means 1. now is the clock: time.Now except in tests.
func NewRateLimit(perMinute, burst, keys int, now func() time.Time) *RateLimit {
	limiters, err := simplelru.NewLRU[[sha256.Size]byte, *rate.Limiter](max(keys, 1), nil)
	if err != nil {
		panic(err) // happens only for a size below 1
	}
	return &RateLimit{
		perSecond: rate.Limit(float64(max(perMinute, 0)) / 60), burst: max(burst, 1), now: now, limiters: limiters,
	}
}

// Allow counts a try of key. If the try is refused, retryAfter is the time
// until one is allowed, provided that no other caller uses the key.
func (l *RateLimit) Allow(key string) (ok bool, retryAfter time.Duration) {
	_, ok, retryAfter = l.Try(key, func() bool { return false })
	return ok, retryAfter
}

// Try calls try if key has a try left, and counts the try if it fails. ok
// reports whether try was called; if not, retryAfter is the same as for Allow.
// Calls wait for each other, so that concurrent callers do not get more tries
// than sequential ones. For this reason, try must be fast.
func (l *RateLimit) Try(key string, try func() bool) (success, ok bool, retryAfter time.Duration) {
	if l == nil || l.perSecond == 0 {
		return try(), true, 0
	}
	hash := sha256.Sum256([]byte(key))
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, found := l.limiters.Get(hash)
	if !found {
		limiter = rate.NewLimiter(l.perSecond, l.burst)
		l.limiters.Add(hash, limiter)
	}
	now := l.now()
	if missing := 1 - limiter.TokensAt(now); missing > 0 {
		return false, false, time.Duration(math.Ceil(missing / float64(l.perSecond) * float64(time.Second)))
	}
	if success = try(); !success {
		limiter.AllowN(now, 1)
	}
	return success, true, 0
}

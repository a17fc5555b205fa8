package auth

import (
	"crypto/sha256"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// RateLimit allows each key so many tries: burst at once, and then as many as
// come back with time, perMinute evenly over each minute. A refused try costs
// nothing, so that who keeps trying is let in as soon as who waits. A nil
// RateLimit allows everything. It is safe for concurrent use.
//
// It remembers a bounded number of keys, and forgets the one that was not
// tried for longest. A forgotten key starts anew with a full burst. So an
// attacker who tries enough other keys in between wins another burst for one:
// keys must be so many that this takes longer than burst tries take to come
// back, at the rate that the other limits leave. Filling twenty thousand user
// names from one address that may try 60 a minute takes more than five hours. An
// attacker with more addresses than there are keys is not held by a limit per
// address at all.
type RateLimit struct {
	perSecond rate.Limit // 0: no limit
	burst     int
	now       func() time.Time

	mu       sync.Mutex
	limiters *simplelru.LRU[[sha256.Size]byte, *rate.Limiter] // by hash: a long key takes no more room
}

// NewRateLimit remembers at most keys keys, about 250 bytes each. A perMinute
// of 0 means no limit. A burst or keys below 1 counts as 1. now is the clock,
// time.Now but in tests.
func NewRateLimit(perMinute, burst, keys int, now func() time.Time) *RateLimit {
	limiters, err := simplelru.NewLRU[[sha256.Size]byte, *rate.Limiter](max(keys, 1), nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &RateLimit{
		perSecond: rate.Limit(float64(max(perMinute, 0)) / 60), burst: max(burst, 1), now: now, limiters: limiters,
	}
}

// Allow counts a try of key. If it is refused, retryAfter is how long to wait
// until one is allowed, provided that nobody else uses the key.
func (l *RateLimit) Allow(key string) (ok bool, retryAfter time.Duration) {
	_, ok, retryAfter = l.Try(key, func() bool { return false })
	return ok, retryAfter
}

// Try calls try if key has a try left, and counts it if it fails. ok tells
// whether it was called; if not, retryAfter is as Allow gives it. Calls wait for
// each other, so that many at once try no more than one after the other: try
// must be quick.
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

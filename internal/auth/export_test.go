package auth

import (
	"context"
	"math"

	"github.com/alexedwards/argon2id"
)

// The limits, for tests that fill the queue.
const (
	MaxHashWaiting = maxHashWaiting
	MaxHashWait    = maxHashWait
)

// Occupy takes the whole hashing budget, like one very large hash.
func (p *Passwords) Occupy(ctx context.Context) (release func(), err error) {
	return p.acquire(ctx, &argon2id.Params{Memory: math.MaxUint32})
}

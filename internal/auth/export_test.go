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

// Occupy takes the whole budget of hashing, as one very large hash does.
func (p *Passwords) Occupy(ctx context.Context) (release func(), err error) {
	return p.acquire(ctx, &argon2id.Params{Memory: math.MaxUint32})
}

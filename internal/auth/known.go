package auth

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"
)

// KnownAddresses remembers from which addresses users have logged in, in the
// memory of this process, and forgets the pair that was not seen for longest.
// It is safe for concurrent use.
type KnownAddresses struct {
	pairs *lru.Cache[[sha256.Size]byte, struct{}]
}

// NewKnownAddresses remembers at most count pairs, about 150 bytes each. A count
// below 1 counts as 1.
func NewKnownAddresses(count int) *KnownAddresses {
	pairs, err := lru.New[[sha256.Size]byte, struct{}](max(count, 1))
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &KnownAddresses{pairs}
}

// Add remembers that a user of this name logged in from an address, which is
// what [RateKey] makes of it.
func (k *KnownAddresses) Add(username, address string) {
	k.pairs.Add(sha256.Sum256([]byte(PairKey(username, address))), struct{}{})
}

// Has reports whether Add was called for the pair, and not long ago.
func (k *KnownAddresses) Has(username, address string) bool {
	_, ok := k.pairs.Get(sha256.Sum256([]byte(PairKey(username, address))))
	return ok
}

// PairKey returns what a user name and an address count as together.
func PairKey(username, address string) string { return address + " " + username }

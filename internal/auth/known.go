package auth

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"
)

// KnownAddresses remembers from which addresses users have logged in. It keeps
// pairs of user name and address in the memory of this process. If it is full,
// it forgets the pair that was not seen for the longest time. It is safe for
// concurrent use.
type KnownAddresses struct {
	pairs *lru.Cache[[sha256.Size]byte, struct{}]
}

// NewKnownAddresses returns a KnownAddresses for at most count pairs. A pair
// takes about 150 bytes. A count below 1 means 1.
func NewKnownAddresses(count int) *KnownAddresses {
	pairs, err := lru.New[[sha256.Size]byte, struct{}](max(count, 1))
	if err != nil {
		panic(err) // happens only for a size below 1
	}
	return &KnownAddresses{pairs}
}

// Add records that a user with this name logged in from address, which is in
// the form that [RateKey] returns.
func (k *KnownAddresses) Add(username, address string) {
	k.pairs.Add(sha256.Sum256([]byte(PairKey(username, address))), struct{}{})
}

// Has reports whether Add was called for the pair and the pair is not
// forgotten.
func (k *KnownAddresses) Has(username, address string) bool {
	_, ok := k.pairs.Get(sha256.Sum256([]byte(PairKey(username, address))))
	return ok
}

// PairKey returns one key for a user name together with an address.
func PairKey(username, address string) string { return address + " " + username }

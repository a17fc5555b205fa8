// Package masterkey seals values with a key that lies apart from them. It knows
// keys, rings of keys and the file that holds them; what is sealed, and when,
// is for its callers.
package masterkey

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"

	"web-backend/internal/backend"
)

// Size is the length of a key in bytes.
const Size = chacha20poly1305.KeySize

// ID names a key without telling it. It stands in front of all that the key
// has sealed.
type ID [8]byte

// idLabel makes the id of a key differ from any other hash of it. It must
// never change: ids are stored.
const idLabel = "web-backend master key id v1\x00"

// String gives the id in hex, as people see it.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText gives the id in hex.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// Key is one master key. Printing it gives its id.
//
// The cipher is behind a function because package fmt, after a wrong verb,
// prints what a pointer in an unexported field leads to.
type Key struct {
	id     ID
	text   backend.Secret // in base64, as the file holds it
	cipher func() cipher.AEAD
}

// Generate makes a key of random bytes.
func Generate() Key {
	raw := make([]byte, Size)
	_, _ = rand.Read(raw) // never fails; see its documentation
	return newKey(raw)
}

// newKey makes a key of Size bytes.
func newKey(raw []byte) Key {
	aead, err := chacha20poly1305.NewX(raw)
	if err != nil {
		panic("masterkey: a key of the wrong length")
	}
	hash := sha256.Sum256(append([]byte(idLabel), raw...))
	return Key{id: ID(hash[:]), text: backend.NewSecret(base64.StdEncoding.EncodeToString(raw)),
		cipher: func() cipher.AEAD { return aead }}
}

// ID names the key.
func (k Key) ID() ID { return k.id }

// Format gives the id for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "master key "+k.id.String()) }

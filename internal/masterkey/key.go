// Package masterkey seals values with a key that is stored separately from
// them. It handles keys, rings of keys and key files. The callers decide what
// to seal and when.
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

// ID identifies a key without revealing it. Every sealed value begins with the
// ID of its key.
type ID [8]byte

// idLabel makes the id of a key differ from other hashes of the key. It must
// never change, because ids are stored.
const idLabel = "web-backend master key id v1\x00"

// String returns the id in hex, as it is shown to people.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the id in hex.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// Key is one master key. Printing it shows its id.
//
// The cipher is behind a function because package fmt, after a wrong verb,
// prints the target of a pointer in an unexported field.
type Key struct {
	id     ID
	text   backend.Secret // in base64, as in the file
	cipher func() cipher.AEAD
}

// Generate returns a new key of random bytes.
func Generate() Key {
	raw := make([]byte, Size)
	_, _ = rand.Read(raw) // never fails; see its documentation
	return newKey(raw)
}

// newKey returns a key made from raw, which has Size bytes.
func newKey(raw []byte) Key {
	aead, err := chacha20poly1305.NewX(raw)
	if err != nil {
		panic("masterkey: a key of the wrong length")
	}
	hash := sha256.Sum256(append([]byte(idLabel), raw...))
	return Key{id: ID(hash[:]), text: backend.NewSecret(base64.StdEncoding.EncodeToString(raw)),
		cipher: func() cipher.AEAD { return aead }}
}

// ID returns the id of the key.
func (k Key) ID() ID { return k.id }

// Format writes the id for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "master key "+k.id.String()) }

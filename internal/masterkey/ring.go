package masterkey

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"web-backend/internal/backend"
)

// Ring holds master keys. The first key seals, and each key opens what it has
// sealed. The zero Ring is empty. A Ring never changes, so it is safe for
// concurrent use.
type Ring struct{ keys []Key }

// NewRing returns a ring of keys. It keeps only the first copy of a duplicate
// key.
func NewRing(keys ...Key) Ring {
	var ring Ring
	for _, key := range keys {
		if !ring.Has(key.id) {
			ring.keys = append(ring.keys, key)
		}
	}
	return ring
}

// Parse parses keys that are separated by commas or line ends. Each key has
// [Size] bytes, in hex or in base64 of either alphabet, with or without
// padding. An error says which key is wrong and never shows it.
func Parse(text backend.Secret) (Ring, error) {
	var parts []string
	for part := range strings.FieldsFuncSeq(text.Reveal(), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return Ring{}, fmt.Errorf("there is no key; want %s", wanted)
	}
	keys := make([]Key, len(parts))
	for i, part := range parts {
		raw, err := decode(part)
		if err != nil {
			return Ring{}, fmt.Errorf("key %d of %d %w; want %s", i+1, len(parts), err, wanted)
		}
		keys[i] = newKey(raw)
	}
	return NewRing(keys...), nil
}

// wanted describes the form of a key.
const wanted = "32 random bytes in base64 or hex, as `openssl rand -base64 32` prints them"

// encodings are the allowed encodings of keys. A key in one encoding never
// decodes to the right length in another, because hex has 64 characters and
// base64 has 43 or 44.
var encodings = []func(string) ([]byte, error){
	hex.DecodeString,
	base64.StdEncoding.Strict().DecodeString, base64.RawStdEncoding.Strict().DecodeString,
	base64.URLEncoding.Strict().DecodeString, base64.RawURLEncoding.Strict().DecodeString,
}

// decode decodes one key. The error text continues a message that begins with
// "key 1".
func decode(text string) ([]byte, error) {
	length := -1
	for _, decode := range encodings {
		raw, err := decode(text)
		switch {
		case err != nil:
		case len(raw) == Size:
			return raw, nil
		default:
			length = len(raw)
		}
	}
	if length < 0 {
		return nil, errors.New("is neither base64 nor hex")
	}
	return nil, fmt.Errorf("has %d bytes", length)
}

// Empty reports whether the ring is empty.
func (r Ring) Empty() bool { return len(r.keys) == 0 }

// Keys returns the keys. The first one is the key that seals.
func (r Ring) Keys() []Key { return slices.Clone(r.keys) }

// Has reports whether the ring holds the key with this id and can open what it
// has sealed.
func (r Ring) Has(id ID) bool {
	return slices.ContainsFunc(r.keys, func(k Key) bool { return k.id == id })
}

// The form of a sealed value: the id of the key, the nonce, the ciphertext
// with its tag.
const (
	nonceStart      = len(ID{})
	ciphertextStart = nonceStart + chacha20poly1305.NonceSizeX
)

// ErrNotOpened says that a value cannot be opened: it was sealed with a key
// that is not in the ring, was sealed for another use, or was changed.
var ErrNotOpened = errors.New("no master key opens the value")

// Seal seals plain with the first key. use says what the value is for; the
// value can be opened only with the same use. The ring must not be empty.
func (r Ring) Seal(plain []byte, use ...string) []byte {
	key := r.keys[0]
	sealed := make([]byte, ciphertextStart, ciphertextStart+len(plain)+chacha20poly1305.Overhead)
	copy(sealed, key.id[:])
	nonce := sealed[nonceStart:ciphertextStart]
	_, _ = rand.Read(nonce) // never fails; 24 random bytes do not repeat
	return key.cipher().Seal(sealed, nonce, plain, associated(use))
}

// Open returns the value that Seal sealed for the same use. Otherwise the
// error is ErrNotOpened.
func (r Ring) Open(sealed []byte, use ...string) ([]byte, error) {
	if len(sealed) < ciphertextStart {
		return nil, ErrNotOpened
	}
	id := ID(sealed[:nonceStart])
	for _, key := range r.keys {
		if key.id != id {
			continue
		}
		plain, err := key.cipher().Open(nil, sealed[nonceStart:ciphertextStart], sealed[ciphertextStart:], associated(use))
		if err != nil {
			return nil, ErrNotOpened
		}
		return plain, nil
	}
	return nil, ErrNotOpened
}

// associated joins the parts of a use. Different parts never produce the same
// bytes, because the length of each part precedes it.
func associated(use []string) []byte {
	length := 0
	for _, part := range use {
		length += 8 + len(part)
	}
	data := make([]byte, 0, length)
	for _, part := range use {
		data = binary.BigEndian.AppendUint64(data, uint64(len(part)))
		data = append(data, part...)
	}
	return data
}

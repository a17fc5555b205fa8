package masterkey_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
)

// FuzzParse checks that a text is either refused with an error of one line that
// does not show the text, or gives keys that can be written to a file and read
// again without change.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", ",", strings.Repeat("5a", 32), base64.StdEncoding.EncodeToString(rawKey), base64.RawURLEncoding.EncodeToString(rawKey),
		strings.Repeat("5a", 32) + "\n" + hex.EncodeToString(rawKey), "hunter2-hunter2", "=", "\xff\xfe", strings.Repeat("A", 43) + "=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ring, err := masterkey.Parse(backend.NewSecret(text))
		if err != nil {
			if !ring.Empty() || strings.ContainsAny(err.Error(), "\r\n") || len(text) > 9 && strings.Contains(err.Error(), text) {
				t.Errorf("got %d keys and the error %q", len(ring.Keys()), err)
			}
			return
		}
		if ring.Empty() {
			t.Fatal("got no key and no error")
		}
		path := t.TempDir() + "/master.key"
		if err := masterkey.WriteFile(path, ring); err != nil {
			t.Fatal(err)
		}
		again, err := masterkey.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.Open(ring.Seal([]byte("x"), "a"), "a"); err != nil || string(got) != "x" {
			t.Errorf("the ring from the file opens to %q, %v", got, err)
		}
	})
}

// FuzzOpen checks that Open accepts only bytes that Seal returned, and that no
// input makes it panic.
func FuzzOpen(f *testing.F) {
	ring := masterkey.NewRing(masterkey.Generate())
	id := ring.Keys()[0].ID()
	sealed := ring.Seal([]byte("sk-1"), "user", "name")
	f.Add([]byte{}, "user", "name")
	f.Add(id[:], "user", "name")
	f.Add(sealed, "user", "name")
	f.Add(sealed[:len(sealed)-1], "user", "name")
	f.Add(sealed, "username", "")
	f.Fuzz(func(t *testing.T, data []byte, first, second string) {
		// With the id of this run's key, the test reaches the cipher itself.
		for _, value := range [][]byte{data, append(id[:len(id):len(id)], data...)} {
			plain, err := ring.Open(value, first, second)
			mine := bytes.Equal(value, sealed) && first == "user" && second == "name"
			if (err == nil) != mine || mine && string(plain) != "sk-1" || err != nil && plain != nil {
				t.Errorf("got %q, %v", plain, err)
			}
		}
	})
}

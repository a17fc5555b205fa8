package masterkey_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
)

// rawKey is a key whose base64 text differs between the two alphabets.
var rawKey = bytes.Repeat([]byte{0xfb, 0xef, 0xbe, 0xff}, masterkey.Size/4)

func parse(t *testing.T, text string) masterkey.Ring {
	t.Helper()
	ring, err := masterkey.Parse(backend.NewSecret(text))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func ids(ring masterkey.Ring) (ids []masterkey.ID) {
	for _, key := range ring.Keys() {
		ids = append(ids, key.ID())
	}
	return ids
}

func TestParse_TakesEverySpelling(t *testing.T) {
	t.Parallel()
	want := ids(parse(t, hex.EncodeToString(rawKey)))
	for name, text := range map[string]string{
		"base64":             base64.StdEncoding.EncodeToString(rawKey),
		"base64, unpadded":   base64.RawStdEncoding.EncodeToString(rawKey),
		"base64url":          base64.URLEncoding.EncodeToString(rawKey),
		"base64url unpadded": base64.RawURLEncoding.EncodeToString(rawKey),
		"hex in upper case":  strings.ToUpper(hex.EncodeToString(rawKey)),
		"spaces, a line end": " \t" + base64.StdEncoding.EncodeToString(rawKey) + " \r\n",
		"twice":              hex.EncodeToString(rawKey) + "," + base64.StdEncoding.EncodeToString(rawKey),
	} {
		if got := ids(parse(t, text)); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestParse_KeepsTheOrder(t *testing.T) {
	t.Parallel()
	first, second, third := strings.Repeat("01", 32), strings.Repeat("02", 32), strings.Repeat("03", 32)
	want := slices.Concat(ids(parse(t, first)), ids(parse(t, second)), ids(parse(t, third)))
	for _, text := range []string{
		first + "," + second + "," + third, first + "\n" + second + "\r\n" + third + "\n", "\n," + first + " , " + second + ",\n," + third,
	} {
		if got := ids(parse(t, text)); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestParse_FaultsShowNoKey(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("ab", 32)
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "there is no key"},
		{"only separators", " ,\n, \r\n", "there is no key"},
		{"a word", "hunter2!", "key 1 of 1 is neither base64 nor hex"},
		{"short", base64.StdEncoding.EncodeToString(rawKey[:31]), "key 1 of 1 has 31 bytes"},
		{"long", hex.EncodeToString(append(slices.Clone(rawKey), 1)), "key 1 of 1 has"},
		{"hex with a character less", good[:63], "key 1 of 1 is neither"},
		{"the second", good + "," + good[:62], "key 2 of 2 has"},
		{"bits after the end", base64.RawStdEncoding.EncodeToString(rawKey)[:42] + "/", "key 1 of 1 is neither"},
		{"two in a line", good + " " + good, "key 1 of 1 is neither"},
	} {
		ring, err := masterkey.Parse(backend.NewSecret(c.text))
		if err == nil || !ring.Empty() {
			t.Errorf("%s: got a ring with %d keys, error %v", c.name, len(ring.Keys()), err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "openssl rand -base64 32") && c.want != "" {
			t.Errorf("%s: got %q, want it to say %q and what is allowed", c.name, err, c.want)
		}
		if text := strings.TrimSpace(c.text); len(text) > 7 && strings.Contains(err.Error(), text[:8]) {
			t.Errorf("%s: %q shows the key", c.name, err)
		}
	}
}

func TestKey_PrintsItsIDOnly(t *testing.T) {
	t.Parallel()
	text := base64.StdEncoding.EncodeToString(rawKey)
	ring := parse(t, text)
	key := ring.Keys()[0]
	encoded, err := json.Marshal(map[string]any{"key": key, "ring": ring})
	if err != nil {
		t.Fatal(err)
	}
	printed := string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		printed += fmt.Sprintf(verb+" "+verb+" "+verb, key, ring, &ring)
	}
	for _, shown := range []string{text, text[:16], hex.EncodeToString(rawKey)[:16], "251 239 190 255", "0xfb, 0xef, 0xbe"} {
		if strings.Contains(printed, shown) {
			t.Errorf("the key is shown: %s", printed)
		}
	}
	if !strings.Contains(fmt.Sprint(key), key.ID().String()) {
		t.Errorf("%v lacks its id", key)
	}
}

// Ids are stored, so they must never change.
func TestKey_IDIsStable(t *testing.T) {
	t.Parallel()
	if got, want := parse(t, strings.Repeat("00", 32)).Keys()[0].ID().String(), "1a956f1c01253456"; got != want {
		t.Errorf("id of the key of zeros: got %s, want %s", got, want)
	}
}

func TestGenerate_IsAnotherKeyEachTime(t *testing.T) {
	t.Parallel()
	if a, b := masterkey.Generate(), masterkey.Generate(); a.ID() == b.ID() {
		t.Errorf("two keys have the id %s", a.ID())
	}
}

func TestSeal_OpensInItsPlaceAlone(t *testing.T) {
	t.Parallel()
	ring := masterkey.NewRing(masterkey.Generate())
	for _, plain := range []string{"", "x", "sk-proj-秘密\x00", strings.Repeat("long", 10_000)} {
		sealed := ring.Seal([]byte(plain), "user", "name")
		if got, err := ring.Open(sealed, "user", "name"); err != nil || string(got) != plain {
			t.Errorf("got %.20q, error %v, want %.20q", got, err, plain)
		}
		if len(plain) > 8 && bytes.Contains(sealed, []byte(plain)[:8]) {
			t.Errorf("the sealed value shows %q", plain[:8])
		}
		for _, place := range [][]string{
			nil, {"user"}, {"username"}, {"name", "user"}, {"user", "name", ""}, {"", "user", "name"}, {"usern", "ame"},
			{"user", "other"}, {"other", "name"}, {"user\x00name"},
		} {
			if got, err := ring.Open(sealed, place...); !errors.Is(err, masterkey.ErrNotOpened) || got != nil {
				t.Errorf("at %q: got %.20q, error %v, want it not to open", place, got, err)
			}
		}
	}
}

func TestSeal_NeverTheSameTwice(t *testing.T) {
	t.Parallel()
	ring := masterkey.NewRing(masterkey.Generate())
	if a, b := ring.Seal([]byte("x")), ring.Seal([]byte("x")); bytes.Equal(a, b) {
		t.Error("one text was sealed to the same bytes twice")
	}
}

func TestOpen_RefusesAnyAlteredByte(t *testing.T) {
	t.Parallel()
	ring := masterkey.NewRing(masterkey.Generate(), masterkey.Generate())
	sealed := ring.Seal([]byte("sk-1"), "place")
	for i := range sealed {
		altered := slices.Clone(sealed)
		altered[i] ^= 1
		if _, err := ring.Open(altered, "place"); !errors.Is(err, masterkey.ErrNotOpened) {
			t.Errorf("byte %d altered: got error %v", i, err)
		}
		if _, err := ring.Open(sealed[:i], "place"); !errors.Is(err, masterkey.ErrNotOpened) {
			t.Errorf("cut to %d bytes: got error %v", i, err)
		}
	}
	if _, err := ring.Open(append(sealed, 0), "place"); !errors.Is(err, masterkey.ErrNotOpened) {
		t.Errorf("a byte more: got error %v", err)
	}
}

func TestRing_FirstSealsAllOpen(t *testing.T) {
	t.Parallel()
	old, current := masterkey.Generate(), masterkey.Generate()
	before, during, after := masterkey.NewRing(old), masterkey.NewRing(current, old), masterkey.NewRing(current)
	fromOld, fromNew := before.Seal([]byte("x")), during.Seal([]byte("x"))
	for _, c := range []struct {
		name   string
		ring   masterkey.Ring
		sealed []byte
		opens  bool
	}{
		{"old by old", before, fromOld, true}, {"old by both", during, fromOld, true}, {"old by new", after, fromOld, false},
		{"new by old", before, fromNew, false}, {"new by both", during, fromNew, true}, {"new by new", after, fromNew, true},
		{"by none", masterkey.Ring{}, fromNew, false},
	} {
		if _, err := c.ring.Open(c.sealed); (err == nil) != c.opens {
			t.Errorf("%s: got error %v, want it to open: %v", c.name, err, c.opens)
		}
	}
	if id := current.ID(); !bytes.HasPrefix(fromNew, id[:]) {
		t.Error("a sealed value does not begin with the id of its key")
	}
}

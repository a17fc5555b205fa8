package backend_test

import (
	"testing"

	"web-backend/internal/backend"
)

// Each row has names that people cannot tell apart. The names of different rows
// must differ.
func TestNameKey(t *testing.T) {
	t.Parallel()
	owner := map[string]string{} // key → the first name with this key
	for _, same := range [][]string{
		{"anna", "Anna", "ANNA", "\uff21nna", "\uff21\uff2e\uff2e\uff21", " anna", "anna\u00a0", "an\u200bna", "\u202eanna", "anna\x01",
			"an\u00adna", "\u3164anna", "\U0001d400nna"},
		{"anna b", "Anna  B", "anna\u3000b", "anna\tb"},
		{"ren\u00e9e", "Rene\u0301e", "REN\u00c9E", "RENE\u0301E"},
		{"stra\u00dfe", "STRASSE", "Strasse", "STRA\u1e9eE"},
		{"\u03c3\u03bf\u03c6\u03bf\u03c2", "\u03a3\u039f\u03a6\u039f\u03a3", "\u03c3\u03bf\u03c6\u03bf\u03c3"}, // both small sigmas
		{"fin", "\ufb01n", "FIN"},
		{"\u51cc\u661f"},
		{"\u043d\u0438\u043d\u0430", "\u041d\u0418\u041d\u0410"},
		{"\u0430nna"}, // with a Cyrillic letter
		{"\u2764", "\u2764\ufe0f"},
		{"", " ", "\u200b\u2060"}, // not allowed any more, but may be stored
		{"ann"}, {"renee"}, {"annab"},
	} {
		key := backend.NameKey(same[0])
		if other, taken := owner[key]; taken {
			t.Errorf("%+q has the key of %+q", same[0], other)
		}
		owner[key] = same[0]
		for _, name := range same {
			if got := backend.NameKey(name); got != key {
				t.Errorf("key of %+q: got %+q, want %+q as of %+q", name, got, key, same[0])
			}
		}
		if got := backend.NameKey(key); got != key {
			t.Errorf("key of the key of %+q: got %+q, want it again: %+q", same[0], got, key)
		}
	}
}

// UsernameKey and UsernameTriesKey must not change the NameKey of a name.
func FuzzNameKey(f *testing.F) {
	for _, name := range []string{"Anna", "\uff21 \u3000b", "\u0130", "\u1e9e", "\ufb03\u0345", "\xff\u200d", "\u00a8x", "\u1112\u1161"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		key := backend.NameKey(name)
		for _, other := range []string{backend.UsernameKey(name), backend.UsernameTriesKey(name)} {
			if got := backend.NameKey(other); got != key {
				t.Errorf("key of %+q: got %+q, want %+q as of %+q", other, got, key, name)
			}
		}
	})
}

//go:build unix

package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// needles are the secrets to search for. Each is found by its first bytes and
// by its last bytes, so that a part of a secret is found too.
type needles struct {
	mutex sync.Mutex
	forms map[string][]needleForm // indexed by their first headLength bytes
}

// needleForm is one form in which a part of a secret may be written.
type needleForm struct{ secret, how, text string }

const (
	headLength  = 8  // bytes; size of the window in the searched data
	pieceLength = 12 // bytes of a secret; they are random, so a match is not a coincidence
)

func newNeedles() *needles { return &needles{forms: map[string][]needleForm{}} }

// unescaped matches runs of characters that JSON, URLs, HTML and the log do not
// change.
var unescaped = regexp.MustCompile(`[A-Za-z0-9_-]+`)

// add adds a secret to the search: its longest part that no escape changes, and
// this part in hexadecimal and base64.
func (n *needles) add(name, text string) {
	run := slices.MaxFunc(unescaped.FindAllString(text, -1), func(a, b string) int { return len(a) - len(b) })
	n.addBytes(name, run)
}

// addBytes adds bytes to the search, unchanged, in hexadecimal and in base64.
func (n *needles) addBytes(name, text string) {
	if len(text) < pieceLength {
		panic(fmt.Sprintf("%s is too short to be searched for", name))
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for _, piece := range []string{text[:pieceLength], text[len(text)-pieceLength:]} {
		for _, form := range formsOf(piece) {
			form.secret = name
			head := form.text[:headLength]
			if !slices.Contains(n.forms[head], form) {
				n.forms[head] = append(n.forms[head], form)
			}
		}
	}
}

func formsOf(piece string) []needleForm {
	lower := hex.EncodeToString([]byte(piece))
	forms := []needleForm{
		{how: "plain", text: piece}, {how: "hexadecimal", text: lower}, {how: "hexadecimal", text: strings.ToUpper(lower)},
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 { // number of bytes of a base64 group that belong to another text
			encoded := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + piece))
			first, last := (before*8+5)/6, (before+len(piece))*8/6
			forms = append(forms, needleForm{how: "base64", text: encoded[first:last]})
		}
	}
	return forms
}

// search returns the names of the secrets that data contains, except the
// secrets in may.
func (n *needles) search(data string, may ...string) []string {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	var found []string
	for i := 0; i+headLength <= len(data); i++ {
		for _, form := range n.forms[data[i:i+headLength]] {
			if !strings.HasPrefix(data[i:], form.text) || slices.Contains(may, form.secret) {
				continue
			}
			hit := fmt.Sprintf("%s, %s", form.secret, form.how)
			if !slices.Contains(found, hit) {
				found = append(found, hit)
			}
		}
	}
	return found
}

// newSecret returns a unique text in which many characters have to be escaped.
func newSecret() string { return `p<ä"\ &%+/` + rand.Text() + `'=?é>` }

// The search finds a secret in each form in which a program could reveal it,
// and finds nothing else. So if it finds nothing in other tests, the secret is
// not there.
func TestNeedles(t *testing.T) {
	t.Parallel()
	secret, other := newSecret(), newSecret()
	raw := sha256.Sum256([]byte(secret))
	n := newNeedles()
	n.add("the password", secret)
	n.add("the other", other)
	n.addBytes("the bytes", string(raw[:]))
	quoted, err := json.Marshal(map[string]string{"password": secret})
	if err != nil {
		t.Fatal(err)
	}
	const around = "time=now msg=\"a line\" x"
	for form, text := range map[string]string{
		"itself": secret, "JSON": string(quoted), "JSON in JSON": strconv.Quote(string(quoted)), "ASCII": strconv.QuoteToASCII(secret),
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "HTML": html.EscapeString(secret),
		"hexadecimal": hex.EncodeToString([]byte(secret)), "hexadecimal in capitals": fmt.Sprintf("%X", secret),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64 of a URL": base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"Basic, name of 1": base64.StdEncoding.EncodeToString([]byte("a:" + secret)),
		"Basic, name of 2": base64.StdEncoding.EncodeToString([]byte("ad:" + secret)),
		"bytes printed":    fmt.Sprintf("%x", secret), "its beginning": secret[:len(secret)*3/4], "its end": secret[len(secret)/4:],
	} {
		if got := n.search(around + text + around); len(got) == 0 || !strings.HasPrefix(got[0], "the password") {
			t.Errorf("%s: found %q in %q", form, got, text)
		}
		if got := n.search(around+text+around, "the password"); len(got) > 0 {
			t.Errorf("%s: found %q, which may be there", form, got)
		}
	}
	for form, text := range map[string]string{
		"itself": string(raw[:]), "hexadecimal": hex.EncodeToString(raw[:]), "base64": base64.StdEncoding.EncodeToString(raw[:]),
		"base64 of a URL": base64.RawURLEncoding.EncodeToString(raw[:]), "within base64": base64.StdEncoding.EncodeToString(append([]byte("x"), raw[:]...)),
	} {
		if got := n.search(around + text + around); len(got) == 0 || !strings.HasPrefix(got[0], "the bytes") {
			t.Errorf("bytes as %s: found %q in %q", form, got, text)
		}
	}
	if got := n.search(around + newSecret() + "***" + string(quoted[:12])); len(got) > 0 {
		t.Errorf("found %q where none is", got)
	}
}

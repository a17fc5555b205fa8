package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"web-backend/internal/console"
)

// sums are the SHA-256 sums of the files that vendor.sh takes from npm.
var sums = map[string]string{
	"pico.css": "fbc9a63fc9fc9f72d12fd7fc9806e11fa9f77ae4f9cad146b27003a1119ba3db", // @picocss/pico 2.1.1
	"htmx.js":  "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717", // htmx.org 2.0.11
}

func TestAssets_AreThoseThatWereExamined(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	for name, path := range console.Assets() {
		got := site.browser(t).get(t, path) // without a header, Go's client decompresses the response
		if got.status != http.StatusOK || got.body == "" || !strings.Contains(got.header.Get("Content-Type"), "charset=utf-8") {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
		sum := sha256.Sum256([]byte(got.body))
		if want := sums[name]; want != "" && hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s has the sum %x, want %s", name, sum, want)
		}
	}
	if log := site.stop(); strings.Contains(log, "/assets/") {
		t.Errorf("files fill the log: %s", log)
	}
}

package apidocs_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"web-backend/internal/apidocs"
)

func unzip(t *testing.T, packed string) string {
	t.Helper()
	reader, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestEveryFileIsServedPlainAndPacked(t *testing.T) {
	t.Parallel()
	root := serve(t, "")
	packedFiles := 0
	for _, file := range apidocs.Files() {
		plain := send(t, http.MethodGet, root+file.Path)
		packed := send(t, http.MethodGet, root+file.Path, "Accept-Encoding", "br, gzip")
		content := packed.body
		if packed.header.Get("Content-Encoding") == "gzip" {
			packedFiles++
			content = unzip(t, packed.body)
			if plain.header.Get("ETag") == packed.header.Get("ETag") {
				t.Errorf("%s: one strong tag for different bytes", file.Path)
			}
			if plain.header.Get("Vary") != "Accept-Encoding" || packed.header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: Vary is %q and %q", file.Path, plain.header.Get("Vary"), packed.header.Get("Vary"))
			}
		}
		if content != plain.body || plain.body == "" {
			t.Errorf("%s: %d bytes packed, %d plain", file.Path, len(content), len(plain.body))
		}
		if plain.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: packed though not asked for", file.Path)
		}
		for _, got := range []received{plain, packed} {
			if got.status != http.StatusOK || got.header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
				t.Errorf("%s: %d, Content-Length %q for %d bytes", file.Path, got.status, got.header.Get("Content-Length"), len(got.body))
			}
			for name, want := range map[string]string{
				"Content-Type":            file.ContentType,
				"Content-Security-Policy": file.ContentSecurityPolicy,
				"Cache-Control":           "no-cache",
			} {
				if got.header.Get(name) != want {
					t.Errorf("%s: %s is %q, want %q", file.Path, name, got.header.Get(name), want)
				}
			}
		}
	}
	if packedFiles != 3 {
		t.Errorf("%d files are stored packed, want the 3 bundles", packedFiles)
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	root := serve(t, "")
	for _, file := range apidocs.Files() {
		for _, accepted := range []string{"identity", "gzip"} {
			get := send(t, http.MethodGet, root+file.Path, "Accept-Encoding", accepted)
			head := send(t, http.MethodHead, root+file.Path, "Accept-Encoding", accepted)
			if head.status != http.StatusOK || head.body != "" {
				t.Errorf("%s: %d with %d bytes", file.Path, head.status, len(head.body))
			}
			for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "ETag", "Vary"} {
				if head.header.Get(name) != get.header.Get(name) {
					t.Errorf("%s: %s is %q for HEAD, %q for GET", file.Path, name, head.header.Get(name), get.header.Get(name))
				}
			}
		}
	}
}

func TestKnownFileIsNotSentAgain(t *testing.T) {
	t.Parallel()
	root := serve(t, "")
	for _, file := range apidocs.Files() {
		for _, accepted := range []string{"identity", "gzip"} {
			tag := send(t, http.MethodGet, root+file.Path, "Accept-Encoding", accepted).header.Get("ETag")
			if !strings.HasPrefix(tag, `"`) || len(tag) < 34 {
				t.Errorf("%s: %q is no strong tag", file.Path, tag)
			}
			for known, want := range map[string]int{
				tag: http.StatusNotModified, "W/" + tag: http.StatusNotModified, `"other", ` + tag: http.StatusNotModified,
				"*": http.StatusNotModified, `"other"`: http.StatusOK,
			} {
				got := send(t, http.MethodGet, root+file.Path, "Accept-Encoding", accepted, "If-None-Match", known)
				if got.status != want || (want == http.StatusNotModified) != (got.body == "") {
					t.Errorf("%s, If-None-Match %s: %d with %d bytes, want %d", file.Path, known, got.status, len(got.body), want)
				}
			}
		}
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	address := serve(t, "") + "/docs/swagger-ui.css"
	for _, accepted := range []string{"identity", "gzip"} {
		whole := send(t, http.MethodGet, address, "Accept-Encoding", accepted).body
		for asked, want := range map[string]string{
			"bytes=0-9":     whole[:10],
			"bytes=500-999": whole[500:1000],
			"bytes=-7":      whole[len(whole)-7:],
			"bytes=20000-":  whole[20000:],
		} {
			got := send(t, http.MethodGet, address, "Accept-Encoding", accepted, "Range", asked)
			if got.status != http.StatusPartialContent || got.body != want || got.header.Get("Content-Length") != strconv.Itoa(len(want)) {
				t.Errorf("%s of %s: %d with %d bytes, want %d", asked, accepted, got.status, len(got.body), len(want))
			}
		}
		// The second range starts before the first one, so decompression
		// restarts.
		several := send(t, http.MethodGet, address, "Accept-Encoding", accepted, "Range", "bytes=300-309,100-109")
		if !strings.Contains(several.body, whole[300:310]) || !strings.Contains(several.body, whole[100:110]) {
			t.Errorf("two ranges of %s: %d, %q", accepted, several.status, several.body)
		}
		if got := send(t, http.MethodGet, address, "Accept-Encoding", accepted, "Range", "bytes=9999999-"); got.status != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("a range behind the end of %s: %d", accepted, got.status)
		}
	}
}

func TestAcceptEncoding(t *testing.T) {
	t.Parallel()
	address := serve(t, "") + "/docs/swagger-ui.css"
	for accepted, want := range map[string]string{
		"":                        "",
		"identity":                "",
		"br":                      "",
		"gzip":                    "gzip",
		"GZIP":                    "gzip",
		"x-gzip":                  "gzip",
		"gzip, deflate, br, zstd": "gzip",
		"br;q=1.0, gzip;q=0.8":    "gzip",
		"gzip ; q=0.001":          "gzip",
		"gzip;q=0":                "",
		"gzip; Q=0.000, br":       "",
		"*":                       "gzip",
		"*;q=0":                   "",
		"*, gzip;q=0":             "",
		"*;q=0, gzip":             "gzip",
		"gzipped":                 "",
		"gzip;q=nonsense":         "gzip",
	} {
		got := send(t, http.MethodGet, address, "Accept-Encoding", accepted)
		if got.status != http.StatusOK || got.header.Get("Content-Encoding") != want {
			t.Errorf("Accept-Encoding %q: %d, %q; want %q", accepted, got.status, got.header.Get("Content-Encoding"), want)
		}
	}
	if got := send(t, http.MethodGet, address, "Accept-Encoding", "br", "Accept-Encoding", "gzip"); got.header.Get("Content-Encoding") != "gzip" {
		t.Error("the second Accept-Encoding field is not read")
	}
}

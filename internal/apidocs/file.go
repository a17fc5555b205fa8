package apidocs

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// File is one file of the documentation and the handler that serves it to GET
// and HEAD requests. It supports If-None-Match and Range. It does not set the
// headers that all responses of the server have.
type File struct {
	// Path is the path at which the pages expect the file, such as
	// "/docs/swagger-ui.css".
	Path string
	// ContentType is the media type with its charset.
	ContentType string
	// ContentSecurityPolicy is the policy of a page, which is sent with it. It
	// is empty for a file that is not a page.
	ContentSecurityPolicy string

	cacheControl string
	stored       string // gzip-compressed if it is a bundle
	hash         func() string
}

func newFile(path, contentType, stored string) *File {
	return &File{
		Path: path, ContentType: contentType, stored: stored,
		// The paths contain no version, so a browser must ask each time. With
		// the ETag it downloads the file only if it has changed.
		cacheControl: "no-cache",
		hash: sync.OnceValue(func() string {
			sum := sha256.Sum256([]byte(stored))
			return hex.EncodeToString(sum[:16])
		}),
	}
}

// NewAsset returns a file of other pages. stored may be gzip-compressed. The
// path must change with the content, because a browser keeps the file and does
// not ask again.
func NewAsset(path, contentType, stored string) *File {
	f := newFile(path, contentType, stored)
	f.cacheControl = "public, max-age=31536000, immutable"
	return f
}

func newPage(path, policy, stored string) *File {
	f := newFile(path, typeHTML, stored)
	f.ContentSecurityPolicy = policy
	return f
}

// ServeHTTP sends the file. It sends a bundle compressed, as stored, if the
// client accepts gzip, which every browser does. Otherwise it decompresses the
// bundle while sending it.
func (f *File) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.ContentType)
	header.Set("Cache-Control", f.cacheControl)
	if f.ContentSecurityPolicy != "" {
		header.Set("Content-Security-Policy", f.ContentSecurityPolicy)
	}

	var content io.ReadSeeker = strings.NewReader(f.stored)
	tag := f.hash()
	if isGzip(f.stored) {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			tag += "-gzip" // the bytes differ, so the strong tag must differ
			header.Set("Content-Encoding", "gzip")
			// ServeContent does not set the length of encoded content.
			header.Set("Content-Length", strconv.Itoa(len(f.stored)))
		} else {
			content = newInflater(f.stored)
		}
	}
	header.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, content)
}

// acceptsGzip reports whether the Accept-Encoding fields of a request allow
// gzip. Without such a field the file is sent uncompressed, because the client
// may be a person with curl.
func acceptsGzip(fields []string) bool {
	others := false // whether "*" allows encodings that are not named
	for part := range strings.SplitSeq(strings.Join(fields, ","), ",") {
		coding, weight, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return !isZero(weight)
		case "*":
			others = !isZero(weight)
		}
	}
	return others
}

// isZero reports whether a weight like "q=0.0" means "not acceptable".
func isZero(weight string) bool {
	name, value, _ := strings.Cut(weight, "=")
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return strings.EqualFold(strings.TrimSpace(name), "q") && err == nil && q == 0
}

package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed" // for the files
	"encoding/hex"
	"path"

	"web-backend/internal/apidocs"
)

// The files in assets are written by vendor.sh. Those in static are our own.
var (
	//go:embed assets/pico.css.gz
	picoCSS string
	//go:embed assets/pico.LICENSE.txt
	picoLicense string
	//go:embed assets/htmx.js.gz
	htmxJS string
	//go:embed assets/htmx.LICENSE.txt
	htmxLicense string
	//go:embed static/console.css
	consoleCSS string
	//go:embed static/console.js
	consoleJS string
	//go:embed static/log.js
	logJS string
)

// asset is a file that pages load. Its path contains a hash of its content, so
// that a browser can keep it.
type asset struct {
	name string // in templates
	path string // relative to /console/
	file *apidocs.File
}

// assets are all files that pages load. The licences are included because the
// binary distributes the files.
var assets = []asset{
	newAsset("pico.css", "text/css", picoCSS),
	newAsset("pico.LICENSE.txt", "text/plain", picoLicense),
	newAsset("htmx.js", "text/javascript", htmxJS),
	newAsset("htmx.LICENSE.txt", "text/plain", htmxLicense),
	newAsset("console.css", "text/css", pack(consoleCSS)),
	newAsset("console.js", "text/javascript", pack(consoleJS)),
	newAsset("log.js", "text/javascript", pack(logJS)),
}

func newAsset(name, mediaType, stored string) asset {
	sum := sha256.Sum256([]byte(stored))
	p := "assets/" + hex.EncodeToString(sum[:8]) + "/" + name
	return asset{name, p, apidocs.NewAsset(path.Join(root, p), mediaType+"; charset=utf-8", stored)}
}

// pack compresses a file, as vendor.sh does with the others.
func pack(content string) string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(content)) // a buffer takes everything
	_ = w.Close()
	return packed.String()
}

// assetPath returns the path of a file relative to /console/, or "" if there is
// no such file.
func assetPath(name string) string {
	for _, a := range assets {
		if a.name == name {
			return a.path
		}
	}
	return ""
}

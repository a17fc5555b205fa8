// Package apidocs contains the two interactive documentation pages, Swagger UI
// at /docs and ReDoc at /redoc. Both read openapi.json. All their files are
// embedded in the binary, so a browser that opens them sends no requests to
// other hosts.
//
// Every address in the pages is relative, so the pages work under any path that
// a proxy adds. The bundles in assets are written by vendor.sh, which also
// lists the changes made to them. The files in pages are our own.
package apidocs

import _ "embed" // for the files

// Strings instead of an embed.FS: a string is read directly from the binary, so
// the bundles use no memory until a page is opened.
var (
	//go:embed pages/docs.html
	docsHTML string
	//go:embed pages/docs.js
	docsJS string
	//go:embed pages/page.css
	pageCSS string
	//go:embed pages/redoc.html
	redocHTML string
	//go:embed pages/redoc.js
	redocJS string

	//go:embed assets/swagger-ui-bundle.js.gz
	swaggerUIJS string
	//go:embed assets/swagger-ui-bundle.js.LICENSE.txt
	swaggerUIJSLicense string
	//go:embed assets/swagger-ui.css.gz
	swaggerUICSS string
	//go:embed assets/swagger-ui.LICENSE.txt
	swaggerUILicense string
	//go:embed assets/swagger-ui.NOTICE.txt
	swaggerUINotice string
	//go:embed assets/redoc.standalone.js.gz
	redocBundle string
	//go:embed assets/redoc.LICENSE.txt
	redocLicense string
)

// The Content-Security-Policy of each page. It has the fewest permissions with
// which the page works in a browser; this was tested by removing them one by
// one. Neither page needs 'unsafe-inline', because browsers do not treat the
// style property of an element and insertRule as inline styles. Requests go
// only to the host of the page, including those of "Try it out".
const (
	commonPolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
	docsPolicy = commonPolicy + "style-src 'self'"
	// ReDoc embeds a font. It also adds empty style elements and fills them
	// with insertRule; the hash is that of an empty string.
	redocPolicy = commonPolicy + "font-src data:; style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
)

const (
	typeHTML = "text/html; charset=utf-8"
	typeCSS  = "text/css; charset=utf-8"
	typeJS   = "text/javascript; charset=utf-8"
	typeText = "text/plain; charset=utf-8"
)

// Files returns the pages and all files that they load, in a fixed order. The
// licences are included because the binary distributes the bundles.
func Files() []*File {
	return []*File{
		newPage("/docs", docsPolicy, docsHTML),
		newFile("/docs/docs.js", typeJS, docsJS),
		newFile("/docs/page.css", typeCSS, pageCSS),
		newFile("/docs/swagger-ui-bundle.js", typeJS, swaggerUIJS),
		newFile("/docs/swagger-ui-bundle.js.LICENSE.txt", typeText, swaggerUIJSLicense),
		newFile("/docs/swagger-ui.css", typeCSS, swaggerUICSS),
		newFile("/docs/LICENSE.txt", typeText, swaggerUILicense),
		newFile("/docs/NOTICE.txt", typeText, swaggerUINotice),

		newPage("/redoc", redocPolicy, redocHTML),
		newFile("/redoc/redoc.js", typeJS, redocJS),
		newFile("/redoc/redoc.standalone.js", typeJS, redocBundle),
		newFile("/redoc/LICENSE.txt", typeText, redocLicense),
	}
}

// Package apidocs holds the two interactive documentation pages, Swagger UI at
// /docs and ReDoc at /redoc. Both read openapi.json, and both come whole from
// the binary: a browser that opens them asks no other host for anything.
//
// Every address in the pages is relative, so they work under any path that a
// proxy puts before them. The bundles in assets come from vendor.sh, which says
// what it changed in them; the files in pages are ours.
package apidocs

import _ "embed" // for the files

// Strings, not an embed.FS: a string is read where it lies in the binary, so
// the bundles cost no memory until somebody opens a page.
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

// What each page needs, found by taking away one permission after the other in
// a browser. Neither needs 'unsafe-inline': what is set on an element's style
// property or with insertRule is not inline to a browser. Requests go to the
// page's own host only, those of "Try it out" included.
const (
	commonPolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
	docsPolicy = commonPolicy + "style-src 'self'"
	// ReDoc embeds a font, and adds empty style elements that it then fills by
	// insertRule; the hash is that of nothing.
	redocPolicy = commonPolicy + "font-src data:; style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
)

const (
	typeHTML = "text/html; charset=utf-8"
	typeCSS  = "text/css; charset=utf-8"
	typeJS   = "text/javascript; charset=utf-8"
	typeText = "text/plain; charset=utf-8"
)

// Files returns the pages and all that they load, in a fixed order. The
// licences are among them because a binary passes the bundles on, too.
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

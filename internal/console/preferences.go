package console

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// The names of the cookies with what a person has chosen.
const (
	languageCookie = "web_backend_language"
	themeCookie    = "web_backend_theme"
)

// preferenceLifetime is how long a browser keeps what a person has chosen.
const preferenceLifetime = 365 * 24 * time.Hour

var themes = []string{"light", "dark"}

// theme returns the theme that the person has chosen, or "" for that of the
// system.
func (v *visit) theme() string {
	if chosen := v.cookie(themeCookie); slices.Contains(themes, chosen) {
		return chosen
	}
	return ""
}

// otherLanguage returns the language after the given one.
func otherLanguage(language string) string {
	return languages[(slices.Index(languages, language)+1)%len(languages)]
}

// setPreferences keeps the language or the theme that a person has chosen.
func (v *visit) setPreferences() error {
	fields, err := v.form()
	if err != nil {
		return err
	}
	if slices.Contains(languages, fields["language"]) {
		v.setCookie(languageCookie, fields["language"], preferenceLifetime)
	}
	switch theme := fields["theme"]; {
	case slices.Contains(themes, theme):
		v.setCookie(themeCookie, theme, preferenceLifetime)
	case theme == "system":
		v.setCookie(themeCookie, "", -1)
	}
	if back := fields["back"]; v.isPage(back) {
		return v.redirect(back)
	}
	return v.redirect("overview")
}

// isPage reports whether path, relative to /console/, is the path of a page.
func (c *Console) isPage(escaped string) bool {
	address, err := url.Parse(escaped)
	if err != nil || escaped == "" || address.EscapedPath() != escaped || path.Join("/", address.Path) != "/"+address.Path {
		return false
	}
	address.Path, address.RawPath = root+"/"+address.Path, ""
	_, pattern := c.mux.Handler(&http.Request{Method: http.MethodGet, URL: address})
	return strings.HasPrefix(pattern, "GET "+root+"/")
}

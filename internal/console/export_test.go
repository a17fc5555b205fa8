package console

import "web-backend/internal/auth"

// Page is a row of the table of pages.
type Page struct {
	Method, Path string
	Level        auth.Level
}

// Pages returns the pages and actions.
func Pages() (all []Page) {
	for _, p := range pages() {
		all = append(all, Page{p.method, root + "/" + p.path, p.level})
	}
	return all
}

// Catalogues returns the texts by language and key.
func Catalogues() map[string]map[string]string {
	all := map[string]map[string]string{}
	for language, texts := range catalogues {
		all[language] = texts
	}
	return all
}

// Assets returns the paths of the files by name.
func Assets() map[string]string {
	all := map[string]string{}
	for _, a := range assets {
		all[a.name] = root + "/" + a.path
	}
	return all
}

// MaxStreams is the maximum number of open streams.
const MaxStreams = maxStreams

// MaxKeptForms is the maximum number of pages with a form that is kept.
const MaxKeptForms = maxKeptForms

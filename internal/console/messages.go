package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"time"

	"golang.org/x/text/language"
)

//go:embed messages/*.json
var messageFiles embed.FS

// languages are the languages of the console. The first is used for people who
// want none of them. To add a language, add its file messages/LANGUAGE.json.
var languages = []string{"en", "zh"}

var languageMatcher = func() language.Matcher {
	tags := make([]language.Tag, len(languages))
	for i, name := range languages {
		tags[i] = language.MustParse(name)
	}
	return language.NewMatcher(tags)
}()

// languageOf returns the language for a person who has chosen one, or whose
// browser sends the header Accept-Language. Both may be empty.
func languageOf(chosen, accepted string) string {
	_, i := language.MatchStrings(languageMatcher, chosen, accepted)
	return languages[i]
}

// catalogue has the texts of one language by key.
type catalogue map[string]string

// catalogues are the texts by language.
var catalogues = func() map[string]catalogue {
	all := map[string]catalogue{}
	for _, language := range languages {
		all[language] = loadCatalogue(language)
	}
	return all
}()

func loadCatalogue(language string) catalogue {
	data, err := messageFiles.ReadFile("messages/" + language + ".json")
	if err != nil {
		panic(err) // cannot happen: the files are embedded
	}
	var texts catalogue
	if err := json.Unmarshal(data, &texts); err != nil {
		panic(fmt.Sprintf("messages/%s.json: %v", language, err))
	}
	return texts
}

// text returns the text of a key, for templates.
func (c catalogue) text(key string) (string, error) {
	if text, ok := c[key]; ok {
		return text, nil
	}
	return "", fmt.Errorf("there is no message %q", key)
}

// timeText returns a time as the pages show it.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// timeElement returns a time as an element that programs can read as well.
func timeElement(t time.Time) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + timeText(t) + `</time>`)
}

// withCode is like text, but everything between backquotes is code.
func (c catalogue) withCode(key string) (template.HTML, error) {
	text, err := c.text(key)
	parts := strings.Split(template.HTMLEscapeString(text), "`")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "<code>" + parts[i] + "</code>"
	}
	return template.HTML(strings.Join(parts, "")), err
}

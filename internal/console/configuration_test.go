package console_test

import (
	"net/http"
	"strings"
	"testing"

	"web-backend/internal/console"
)

// hostileConfiguration has the texts everywhere.
func hostileConfiguration(texts []string) (shown console.Configuration) {
	for _, text := range texts {
		shown.Settings = append(shown.Settings, console.Setting{Key: text, Value: text, Source: text, Default: text, Variable: text})
	}
	shown.Warnings = texts
	return shown
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	operator := newSite(t, settings{configuration: console.Configuration{
		Settings: []console.Setting{
			{Key: "port", Value: "80", Source: "configs/local.yaml:3", Default: "18080", Variable: "WEB_BACKEND_PORT"},
			{Key: "base_path", Source: "default"},
		},
		Warnings: []string{"one has no effect"},
	}}).browser(t)
	operator.signInOperator(t)
	page := operator.get(t, "/console/configuration")
	for _, want := range []string{
		`<tr class="set"><th scope="row">port<small title="Environment variable">WEB_BACKEND_PORT</small></th><td data-label="Value">80</td>` +
			`<td data-label="From">configs/local.yaml:3</td><td data-label="Default">18080</td></tr>`,
		`<tr><th scope="row">base_path</th><td data-label="Value">–</td><td data-label="From">default</td><td data-label="Default">–</td></tr>`,
		"one has no effect", `href="../docs"`,
	} {
		if page.status != http.StatusOK || !strings.Contains(page.body, want) {
			t.Errorf("%d, the page lacks %s: %s", page.status, want, page.body)
		}
	}
}

func TestConfiguration_Unknown(t *testing.T) {
	t.Parallel()
	operator := newSite(t, settings{}).browser(t)
	operator.signInOperator(t)
	if page := operator.get(t, "/console/configuration"); page.status != http.StatusOK || !strings.Contains(page.body, "without a report") {
		t.Errorf("%d %s", page.status, page.body)
	}
}

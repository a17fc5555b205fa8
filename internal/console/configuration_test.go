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
			{Key: "host", Value: "::1", Source: "environment variable WEB_BACKEND_HOST", Default: "127.0.0.1", Variable: "WEB_BACKEND_HOST"},
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

// Where a value comes from is said in the language of the page.
func TestConfiguration_Chinese(t *testing.T) {
	t.Parallel()
	operator := newSite(t, settings{configuration: console.Configuration{Settings: []console.Setting{
		{Key: "port", Value: "80", Source: "configs/local.yaml:3"}, {Key: "base_path", Source: "default"},
		{Key: "host", Source: "environment variable WEB_BACKEND_HOST"},
	}}}).browser(t)
	operator.signInOperator(t)
	operator.header.Set("Accept-Language", "zh-CN")
	page := operator.get(t, "/console/configuration")
	for _, want := range []string{">configs/local.yaml:3</td>", `data-label="来源">默认值</td>`, ">环境变量 WEB_BACKEND_HOST</td>"} {
		if !strings.Contains(page.body, want) {
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

package console_test

import (
	"net/http"
	"strings"
	"testing"

	"web-backend/internal/console"
)

// The overview warns of what an operator should act on, and of nothing else.
func TestOverview_Warnings(t *testing.T) {
	t.Parallel()
	const disk, open, plain = "almost full", "Access is open", "without HTTPS"
	for name, x := range map[string]struct {
		status console.Status
		want   string // "" for no warning
	}{
		"nothing":             {console.Status{}, ""},
		"much is free":        {console.Status{Disk: console.Disk{Free: 5e11, Total: 1e12}}, ""},
		"a small disk":        {console.Status{Disk: console.Disk{Free: 5e8, Total: 1e9}}, ""},
		"a large disk":        {console.Status{Disk: console.Disk{Free: 2e9, Total: 1e12}}, ""},
		"little is free":      {console.Status{Disk: console.Disk{Free: 9e8, Total: 1e12}}, disk},
		"the store is away":   {console.Status{Users: -1}, "does not respond"},
		"the master key":      {console.Status{Unready: "the master key is missing"}, "the master key is missing"},
		"open to the network": {console.Status{OpenToNetwork: true}, open},
		"no HTTPS":            {console.Status{PlainToNetwork: true}, plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSite(t, settings{status: x.status}).browser(t)
			b.signInOperator(t)
			got := b.get(t, "/console/overview")
			want := 0
			if x.want != "" {
				want = 1
			}
			if n := strings.Count(got.body, `class="warning"`); got.status != http.StatusOK || n != want || !strings.Contains(got.body, x.want) {
				t.Errorf("%d with %d warnings, want %d with %q: %s", got.status, n, want, x.want, got.body)
			}
			if strings.Contains(got.body, "<code>docs/") != (want == 1) {
				t.Errorf("the page of the documentation: %s", got.body)
			}
		})
	}
}

// What is free on the disk is shown if it is known.
func TestOverview_Disk(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{"en": "<dd>900.0 MB of 2.5 GB</dd>", "zh": "<dd>900.0 MB（共 2.5 GB）</dd>"} {
		for _, status := range []console.Status{{}, {Disk: console.Disk{Free: 9e8, Total: 25e8}}} {
			b := newSite(t, settings{status: status}).browser(t)
			b.signInOperator(t)
			b.header.Set("Accept-Language", language)
			if got := b.get(t, "/console/overview"); strings.Contains(got.body, want) != (status.Disk.Total > 0) {
				t.Errorf("%s, %+v: %s", language, status.Disk, got.body)
			}
		}
	}
}

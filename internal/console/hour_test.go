package console_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"web-backend/internal/console"
)

// The last hour is shown as plots and as a table with the same figures.
func TestOverview_LastHour(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	hour := make([]console.Minute, 60)
	for i := range hour {
		hour[i] = console.Minute{Start: start.Add(time.Duration(i) * time.Minute), Length: time.Minute, Requests: int64(60 * i), Refused: 1, P50: time.Millisecond, P99: time.Second}
	}
	hour[7].Requests, hour[9].Failed = 0, 4
	for name, x := range map[string]struct {
		minutes    []console.Minute
		want, lack []string
	}{
		"an hour": {hour, []string{
			"up to 59", "up to 4<", "up to 1000 ms", "<th scope=\"row\">04:59</th>", "<td>59</td>", "<td>1.0 ms</td>", "M3.0 97.0h0L13.1 95.4", "<td>–</td>",
		}, nil},
		"the start": {hour[59:], []string{"up to 59", `d="M597.0 3.0h0"`}, []string{"04:58"}},
		"nothing":   {[]console.Minute{{Start: start}}, []string{`d="M597.0 97.0h0"`, `d=""`, "up to 0.00", "<td>–</td>"}, []string{"NaN", "Inf"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSite(t, settings{lastHour: func() []console.Minute { return x.minutes }}).browser(t)
			b.signInOperator(t)
			got := b.get(t, "/console/overview").body
			for _, want := range x.want {
				if !strings.Contains(got, want) {
					t.Errorf("the overview lacks %q: %s", want, got)
				}
			}
			for _, bad := range x.lack {
				if strings.Contains(got, bad) {
					t.Errorf("the overview has %q: %s", bad, got)
				}
			}
			if plots, titles := strings.Count(got, `<svg class="plot" role="img"`), strings.Count(got, "</title>"); plots != 3 || titles != 4 {
				t.Errorf("%d plots, %d titles, want 3, and 4 with that of the page", plots, titles)
			}
			wellFormed(t, got)
		})
	}
}

// wellFormed checks that each plot of a page is XML.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	for _, part := range strings.Split(page, "<svg")[1:] {
		svg, _, _ := strings.Cut("<svg"+part, "</svg>")
		decoder := xml.NewDecoder(strings.NewReader(svg + "</svg>"))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%v: %s", err, svg)
				break
			}
		}
	}
}

package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// logRecord returns a line like those of the server.
func logRecord(level, requestID, rest string) string {
	return "time=2026-01-02T03:04:05.678Z level=" + level + " msg=request request_id=" + requestID + " " + rest
}

// hostileLog returns lines that have the texts everywhere.
func hostileLog(texts []string) (lines []string) {
	for _, text := range texts {
		lines = append(lines, text, logRecord("INFO", text, text), logRecord(text, "1", text))
	}
	return lines
}

var (
	logRow = regexp.MustCompile(`<li(?: class="[a-z]+")?>(.*)</li>`)
	markup = regexp.MustCompile(`<[^>]*>`)
)

// shownLog returns the lines that a page or an event shows.
func shownLog(body string) (lines []string) {
	for _, row := range logRow.FindAllStringSubmatch(body, -1) {
		lines = append(lines, markup.ReplaceAllString(row[1], ""))
	}
	return lines
}

func TestLog_Filter(t *testing.T) {
	t.Parallel()
	lines := []string{
		"of another program", logRecord("DEBUG", "id-1", "a"), logRecord("INFO", "id-2", "b"), logRecord("INFO", "id-3", "path=/a%20b"),
		logRecord("WARN", "id-2", "c"), logRecord("ERROR", "id-4", "d"), "time=x level=NONE msg=y",
	}
	operator := newSite(t, settings{logLines: lines}).browser(t)
	operator.signInOperator(t)
	for query, want := range map[string][]string{
		"":                            lines,
		"?lines=2":                    lines[5:],
		"?level=debug":                lines[1:6],
		"?level=warn":                 lines[4:6],
		"?level=nonsense":             lines,
		"?text=id-2":                  {lines[2], lines[4]},
		"?text=id-2&level=warn":       {lines[4]},
		"?level=info&lines=2":         lines[4:6],
		"?text=path%3D%2Fa%2520b":     lines[3:4],
		"?text=nowhere":               nil,
		"?text=of+another&level=info": nil,
	} {
		page := operator.get(t, "/console/log"+query)
		if got := shownLog(page.body); page.status != http.StatusOK || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %d, shows\n%q\nwant\n%q", query, page.status, got, want)
		}
	}
	if page := operator.get(t, "/console/log"); !strings.Contains(page.body, `<li class="warn">`) || !strings.Contains(page.body, `<a href="?text=id-2">id-2</a>`) {
		t.Errorf("the page has no level or no link of a request: %s", page.body)
	}
}

// Without a number the page shows 200 lines. A filter looks further back.
func TestLog_HowFar(t *testing.T) {
	t.Parallel()
	lines := []string{}
	for i := range 1200 {
		lines = append(lines, fmt.Sprintf("line %d", i))
	}
	operator := newSite(t, settings{logLines: lines}).browser(t)
	operator.signInOperator(t)
	if got := shownLog(operator.get(t, "/console/log").body); len(got) != 200 || got[199] != "line 1199" {
		t.Errorf("shows %d lines", len(got))
	}
	if got := shownLog(operator.get(t, "/console/log?text=line+3").body); len(got) != 111 || got[0] != "line 3" {
		t.Errorf("shows %d lines: %q", len(got), got)
	}
}

// A filter that cannot be used comes back with the reason.
func TestLog_BadFilter(t *testing.T) {
	t.Parallel()
	operator := newSite(t, settings{logLines: []string{"a line"}}).browser(t)
	operator.signInOperator(t)
	for _, x := range []struct{ name, value, want string }{
		{"lines", "0", "lines-problem"}, {"lines", "1001", "lines-problem"}, {"lines", "many", "lines-problem"},
		{"text", strings.Repeat("é", 201), "text-problem"}, {"text", "\xff", "text-problem"},
	} {
		page := operator.get(t, "/console/log?level=warn&"+url.Values{x.name: {x.value}}.Encode())
		if page.status != http.StatusUnprocessableEntity || !strings.Contains(page.body, `<small id="`+x.want+`">`) ||
			!strings.Contains(page.body, `<option value="warn" selected>`) || !strings.Contains(page.body, `aria-invalid="true"`) {
			t.Errorf("%s %q: %d %s", x.name, x.value, page.status, page.body)
		}
	}
}

func TestLog_Download(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{logLines: []string{"one", "<b>two</b>"}})
	operator := site.browser(t)
	operator.signInOperator(t)
	operator.header.Set("Range", "bytes=100-")
	got := operator.get(t, "/console/log/download")
	if got.status != http.StatusOK || got.body != "one\n<b>two</b>\n" ||
		got.header.Get("Content-Disposition") != "attachment; filename=server.log" || got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%d %v %q", got.status, got.header, got.body)
	}
	operator.get(t, "/console/log")
	if log := site.stop(); strings.Contains(log, "route=/console/log") {
		t.Errorf("reading the log fills it: %s", log)
	}
}

// If the log cannot be read, the page shows a message and is not an error page.
func TestLog_Away(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{noLog: true})
	operator := site.browser(t)
	operator.signInOperator(t)
	for _, path := range []string{"/console/log?text=kept", "/console/log/download"} {
		got := operator.get(t, path)
		if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "The log cannot be read: there is no log file") ||
			strings.Contains(path, "kept") && !strings.Contains(got.body, `value="kept"`) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	site.appendLog(t, "it is back")
	if got := operator.get(t, "/console/log"); got.status != http.StatusOK || !strings.Contains(got.body, "it is back") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Long lines do not make the page large. The filter for a text or a level
// examines the whole line.
func TestLog_LongLines(t *testing.T) {
	t.Parallel()
	const start = "time=2026-11-29T08:00:00.000Z level=INFO msg="
	for name, x := range map[string]struct {
		line  string
		lines int
		short bool
	}{
		"ordinary":       {start + "request request_id=88b1e400-3ab8-4927-833f-36f06c60f1c2 method=GET route=/health status=200", 200, false},
		"a long line":    {start + strings.Repeat("x", 1<<20) + "needle", 1, true},
		"many lines":     {start + strings.Repeat(`"<&`, 500) + "needle", 1000, true},
		"hostile id":     {start + `a request_id=` + strings.Repeat(`"`, 10_000) + " needle", 200, true},
		"without a time": {strings.Repeat("é", 5000) + "needle", 100, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := slices.Repeat([]string{x.line}, x.lines)
			site := newSite(t, settings{logLines: append(lines, x.line+" the last")})
			operator := site.browser(t)
			operator.signInOperator(t)
			page := operator.get(t, "/console/log?lines=1000").body
			if len(page) > 100_000 || !utf8.ValidString(page) || strings.Contains(page, "Long lines are shortened here") != x.short {
				t.Errorf("the page has %d bytes; short is %v", len(page), !x.short)
			}
			if shown := shownLog(page); len(shown) == 0 || !x.short && len(shown) != x.lines+1 {
				t.Errorf("%d lines are shown", len(shown))
			}
			if found := shownLog(operator.get(t, "/console/log?text=the+last").body); len(found) != 1 {
				t.Errorf("the last line is not found: %d lines", len(found))
			}
		})
	}
}

package api_test

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"web-backend/internal/api"
)

// withLog returns a server whose log endpoints show a file of the test.
func withLog(t testing.TB, name, content string) *server {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return newServer(t, withOptions(func(o *api.Options) { o.LogFile = path }))
}

var anyTag = regexp.MustCompile(`</?[a-z]+[^>]*>`)

// shownLines returns the lines of the log that a page shows.
func shownLines(t *testing.T, page string) []string {
	t.Helper()
	_, text, _ := strings.Cut(page, "<pre>")
	text, rest, found := strings.Cut(text, "</pre>")
	if !found || strings.Contains(rest, "<pre>") {
		t.Fatalf("got %s, want one <pre> element", brief(page))
	}
	if strings.Contains(text, "<") {
		text = anyTag.ReplaceAllLiteralString(text, "")
	}
	return strings.Split(strings.TrimSuffix(html.UnescapeString(text), "\n"), "\n")
}

func TestTailLog(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 12_000 {
		all = append(all, fmt.Sprintf("msg=request n=%d", i))
	}
	s := withLog(t, "server.log", strings.Join(all, "\n")+"\n")
	for given, want := range map[string]int{
		"1": 1, "2": 2, "100": 100, "10000": 10_000, "10001": 10_000, "99999999999999999999": 10_000,
		"1e3": 1000, "5.0": 5, "%205": 5, "007": 7,
	} {
		t.Run(given, func(t *testing.T) {
			t.Parallel()
			got := s.exchange(t, exchange{request: "GET /tail_log/" + given, status: 200})
			lines := shownLines(t, got.body)
			if len(lines) != want || lines[0] != all[len(all)-want] || lines[want-1] != all[len(all)-1] {
				t.Errorf("tail_log/%s\ngot  %d lines, from %q to %q\nwant %d lines, the newest at the bottom",
					given, len(lines), lines[0], lines[len(lines)-1], want)
			}
		})
	}
	for given, kind := range map[string]string{
		"0": "greater_than_equal", "-1": "greater_than_equal", "-99999999999999999999": "greater_than_equal", "-0": "greater_than_equal",
		"abc": "int_parsing", "1.5": "int_parsing", "0.5": "int_parsing", "NaN": "int_parsing", "1e999": "int_parsing",
		"0x10": "int_parsing", "1_0": "int_parsing", "%20": "int_parsing", "5%2F5": "int_parsing", "%EF%BC%95": "int_parsing",
		"<script>": "int_parsing", "true": "int_parsing", "null": "int_parsing", "%22": "int_parsing",
	} {
		t.Run(given, func(t *testing.T) {
			t.Parallel()
			input := strings.NewReplacer("%205", " 5", "%20", " ", "%2F", "/", "%EF%BC%95", "５", "%22", `"`).Replace(given)
			s.exchange(t, exchange{
				request: "GET /tail_log/" + given, status: 422, want: validation("null", faultOf(kind, "path", "n_lines", input)),
			})
		})
	}
}

func TestTailLog_ShortFiles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, content string
		want          []string
	}{
		{"empty", "", []string{""}},
		{"one line", "a\n", []string{"a"}},
		{"without a line end", "a\nb", []string{"a", "b"}},
		{"empty lines", "\n\na\n\n", []string{"", "", "a", ""}},
		{"other line ends", "a\r\nb\rc\n", []string{"a", "b\rc"}},
		{"spaces", "  a  b\t\n", []string{"  a  b\t"}},
		{"no UTF-8", "a\xff\xfe\n", []string{"a\ufffd"}},
		{"NUL", "a\x00b\n", []string{"a\ufffdb"}},
		{"a long line", strings.Repeat("長", 100_000) + "\nb\n", []string{strings.Repeat("長", 100_000), "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := withLog(t, "server.log", test.content)
			got := s.exchange(t, exchange{request: "GET /tail_log/10", status: 200})
			if lines := shownLines(t, got.body); strings.Join(lines, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("%q\ngot  %q\nwant %q", brief(test.content), brief(fmt.Sprint(lines)), brief(fmt.Sprint(test.want)))
			}
		})
	}
}

// The log may contain text from anybody. The page must show it safely.
func TestTailLog_Page(t *testing.T) {
	t.Parallel()
	s := withLog(t, "server.log", `time=1 level=DEBUG msg=d
time=2 level=INFO msg=i
time=3 level=WARN msg="a \"b\" <script>alert(1)</script></pre> & {{.}}"
time=4 level=ERROR msg=e stack="goroutine 1"
level=ERROR at the start
time=5 level=FATAL msg=f
`)
	got := s.exchange(t, exchange{
		request: "GET /tail_log/10", status: 200,
		contains: []string{
			`<span class="debug">time=1`, `<span class="warn">time=3`, `<span class="error">time=4`, `<!DOCTYPE html>`,
			`&lt;script&gt;alert(1)&lt;/script&gt;&lt;/pre&gt; &amp; {{.}}`, "\ntime=5 level=FATAL",
			`href="../dowload_log_file"`, `Reload the page to see newer lines.`, `href="?refresh"`, `charset="utf-8"`,
		},
		absent: []string{"<script", `http-equiv="refresh"`, "{{.Text}}", `class="fatal"`},
	})
	checkSecured(t, got, "Content-Type", "text/html; charset=utf-8", "Content-Security-Policy", logPolicy(t, s))
	for _, reference := range regexp.MustCompile(`(?:href|src|url|action|content)\s*[=(]\s*"?([^")\s>]+)`).FindAllStringSubmatch(got.body, -1) {
		if strings.Contains(reference[1], "//") {
			t.Errorf("the page refers to %q, want nothing from elsewhere", reference[1])
		}
	}
	s.run(t, exchange{
		name: "refreshing", request: "GET /tail_log/10?refresh", status: 200,
		// A target with a fragment would be a jump within the page and would
		// not reload it.
		contains: []string{`<meta http-equiv="refresh" content="5; url=?refresh">`, `href="?"`}, absent: []string{`href="?refresh"`},
	})
}

// The page shows the log lines of the server itself.
func TestTailLog_OwnLog(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.exchange(t, exchange{request: "GET /health", status: 200})
	s.exchange(t, exchange{
		request: "GET /tail_log/10", status: 200,
		contains: []string{`<span class="info">time=`, "route=/health status=200"},
	})
}

func TestLogEndpoints_NoFile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, want string }{
		{"none configured", "", "this server writes no log file"},
		{"not there yet", filepath.Join(t.TempDir(), "nothing", "server.log"), "there is no log file"},
	} {
		s := newServer(t, withOptions(func(o *api.Options) { o.LogFile = test.file }))
		s.run(
			t,
			exchange{name: test.name + ", tail", request: "GET /tail_log/5", status: 503, want: failure(503, test.want)},
			exchange{name: test.name + ", download", request: "GET /dowload_log_file", status: 503, want: failure(503, test.want)},
			exchange{name: test.name + ", bad number first", request: "GET /tail_log/0", status: 422},
		)
	}
}

// The file is sent unchanged, whole or in ranges.
func TestDownloadLog(t *testing.T) {
	t.Parallel()
	content := "a <b>\r\n\x00\xff\n" + strings.Repeat("0123456789", 50_000) + "no line end"
	s := withLog(t, "server-1.log", content)
	for _, test := range []struct {
		name, ranged string
		status       int
		want         string
		contentRange string
	}{
		{"whole", "", 200, content, ""},
		{"first bytes", "bytes=0-3", 206, content[:4], fmt.Sprintf("bytes 0-3/%d", len(content))},
		{"middle", "bytes=10-19", 206, content[10:20], fmt.Sprintf("bytes 10-19/%d", len(content))},
		{"rest", fmt.Sprintf("bytes=%d-", len(content)-3), 206, "end", fmt.Sprintf("bytes %d-%d/%d", len(content)-3, len(content)-1, len(content))},
		{"last bytes", "bytes=-3", 206, "end", fmt.Sprintf("bytes %d-%d/%d", len(content)-3, len(content)-1, len(content))},
		{"another unit", "lines=1-2", 416, "", ""},
		{"beyond the end", "bytes=99999999-", 416, "", "bytes */500021"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			if test.ranged != "" {
				header.Set("Range", test.ranged)
			}
			got := s.send(t, "GET /dowload_log_file", "", header).with(t, test.status)
			if test.status == 416 { // in the form of errors, which send has checked
				if got.header.Get("Content-Disposition") != "" || got.header.Get("Content-Range") != test.contentRange {
					t.Errorf("range %q: got %v, want Content-Range %q and no Content-Disposition", test.ranged, got.header, test.contentRange)
				}
				return
			}
			if got.body != test.want || got.header.Get("Content-Range") != test.contentRange {
				t.Errorf("range %q\ngot  %d bytes %q, Content-Range %q\nwant %d bytes %q, Content-Range %q", test.ranged,
					len(got.body), brief(got.body), got.header.Get("Content-Range"), len(test.want), brief(test.want), test.contentRange)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/octet-stream", "Content-Disposition": "attachment; filename=server-1.log",
				"Content-Length": fmt.Sprint(len(test.want)), "Accept-Ranges": "bytes",
			} {
				if value := got.header.Get(name); value != want {
					t.Errorf("range %q: got %s %q, want %q", test.ranged, name, value, want)
				}
			}
		})
	}
}

func TestDownloadLog_NameOfTheFile(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"server.log":   `attachment; filename=server.log`,
		"my server":    `attachment; filename="my server"`,
		`a"b.log`:      `attachment; filename="a\"b.log"`,
		"日志.log":       `attachment; filename*=utf-8''%E6%97%A5%E5%BF%97.log`,
		"semi;x=y.log": `attachment; filename="semi;x=y.log"`,
	} {
		s := withLog(t, name, "x\n")
		got := s.exchange(t, exchange{request: "GET /dowload_log_file", status: 200})
		if value := got.header.Get("Content-Disposition"); value != want || got.body != "x\n" {
			t.Errorf("%s\ngot  %s %q\nwant %s", name, value, got.body, want)
		}
	}
}

// A slow client gets the whole file, because the write timeout limits each
// write and not the download.
func TestDownloadLog_SlowReader(t *testing.T) {
	t.Parallel()
	const size = 48 << 20 // more than the buffers of the connection
	path := filepath.Join(t.TempDir(), "server.log")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, withOptions(func(o *api.Options) { o.LogFile, o.WriteTimeout = path, slowTimeout }))
	request := httpRequest(t, "GET", s.http.URL+"/dowload_log_file", "")
	request.RequestURI = ""
	response, err := noRedirect.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got int64
	for err == nil {
		var n int64
		n, err = io.CopyN(io.Discard, response.Body, size/8)
		got += n
		time.Sleep(slowTimeout / 4)
	}
	if got != size {
		t.Errorf("got %d bytes and the error %v, want %d bytes", got, err, size)
	}
}

// bigLog returns a server with a log of size bytes. The file is sparse, with a
// few lines at its end.
func bigLog(t testing.TB, size int64) *server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "big.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var tail strings.Builder
	for i := range 200 {
		fmt.Fprintf(&tail, "time=1 level=INFO msg=request n=%d\n", i)
	}
	if _, err := file.WriteAt([]byte("\n"+tail.String()), size-int64(tail.Len())-1); err != nil {
		t.Fatal(err)
	}
	return newServer(t, withOptions(func(o *api.Options) { o.LogFile = path }))
}

// The end of a log of any size can be shown, and its beginning can be
// downloaded. BenchmarkTailLog shows that the size does not affect the time.
func TestLogEndpoints_BigFile(t *testing.T) {
	t.Parallel()
	const size = 1 << 30
	s := bigLog(t, size)
	got := s.exchange(t, exchange{request: "GET /tail_log/100", status: 200})
	if lines := shownLines(t, got.body); len(lines) != 100 || !strings.HasSuffix(lines[0], "n=100") || !strings.HasSuffix(lines[99], "n=199") {
		t.Errorf("got %d lines from %q", len(lines), brief(lines[0]))
	}
	part := s.send(t, "GET /dowload_log_file", "", http.Header{"Range": {"bytes=-6"}}).with(t, 206)
	if part.body != "n=199\n" {
		t.Errorf("got the end %q, want n=199", part.body)
	}
	if head := s.send(t, "HEAD /dowload_log_file", "", nil); head.header.Get("Content-Length") != fmt.Sprint(size) {
		t.Errorf("HEAD: got Content-Length %s, want %d", head.header.Get("Content-Length"), int64(size))
	}
}

// A log that is not a regular file cannot be shown. The response says so, and
// does not wait for a writer of a pipe.
func TestLog_WhatIsNoFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, path := range map[string]string{"device": os.DevNull, "link": filepath.Join(folder, "link"), "folder": folder} {
		if name == "link" {
			if err := os.Symlink(os.DevNull, path); err != nil {
				t.Skipf("no links here: %v", err)
			}
		}
		s := newServer(t, withOptions(func(o *api.Options) { o.LogFile = path }))
		for _, request := range []string{"GET /tail_log/10", "GET /dowload_log_file"} {
			s.run(t, exchange{name: name, request: request, status: 503, contains: []string{"a pipe or a device"}})
		}
	}
}

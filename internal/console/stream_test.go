package console_test

import (
	"bufio"
	"context"
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"web-backend/internal/console"
)

// stream is an open stream of the log.
type stream struct {
	status int
	lines  *bufio.Scanner
	leave  context.CancelFunc
}

func (b *browser) stream(t *testing.T, query string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.site.url+"/console/log/stream"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return &stream{response.StatusCode, bufio.NewScanner(response.Body), cancel}
}

// next returns the next event with its data, or "" at the end of the stream.
func (s *stream) next() (event, data string) {
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "event":
			event = value
		case "data":
			data += value + "\n"
		case "":
			return event, data
		}
	}
	return "", ""
}

// wants checks the next event and the lines that it shows.
func (s *stream) wants(t *testing.T, event string, lines ...string) {
	t.Helper()
	got, data := s.next()
	if shown := html.UnescapeString(fmt.Sprint(shownLog(data))); got != event || shown != fmt.Sprint(lines) {
		t.Errorf("got the event %q with %s, want %q with %q", got, shown, event, lines)
	}
}

// The time limits of the server for a request do not end a stream.
func TestLogStream(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{timeout: 400 * time.Millisecond, logLines: []string{"old", "an error <b>"}})
	operator := site.browser(t)
	operator.signInOperator(t)
	stream := operator.stream(t, "?text=error")
	stream.wants(t, "tail", "an error <b>")
	for i := range 3 {
		line := fmt.Sprintf("error %d <script>alert(1)</script>", i)
		site.appendLog(t, "of no interest", line)
		event, data := stream.next()
		if shown := shownLog(data); event != "lines" || len(shown) != 1 || html.UnescapeString(shown[0]) != line || strings.Contains(data, "<script") {
			t.Fatalf("event %q with %q, want %q", event, data, line)
		}
	}
	operator.post(t, "/console/sign-out")
	stream.wants(t, "end")
	if event, _ := stream.next(); event != "" {
		t.Errorf("the stream goes on after the end of the session: %q", event)
	}
	if log := site.stop(); strings.Contains(log, "route=/console/log/stream") {
		t.Errorf("reading the log fills it: %s", log)
	}
}

// A shutdown ends the streams. A stream that is opened later ends at once.
func TestLogStream_EndsAtShutdown(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{logLines: []string{"one"}})
	operator := site.browser(t)
	operator.signInOperator(t)
	stream := operator.stream(t, "")
	stream.wants(t, "tail", "one")
	site.console.EndStreams()
	if event, _ := stream.next(); event != "" {
		t.Errorf("the event %q after the end", event)
	}
	site.http.Close() // waits for every request
}

// The number of streams is limited. A stream whose browser has left does not
// count.
func TestLogStream_Limit(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{logLines: []string{"one"}})
	operator := site.browser(t)
	operator.signInOperator(t)
	var open []*stream
	for range console.MaxStreams {
		open = append(open, operator.stream(t, ""))
		open[len(open)-1].wants(t, "tail", "one")
	}
	one := operator.stream(t, "")
	one.wants(t, "busy")
	if event, _ := one.next(); event != "" {
		t.Errorf("one more goes on with the event %q", event)
	}
	open[0].leave()
	for end := time.Now().Add(time.Minute); ; {
		if event, _ := operator.stream(t, "").next(); event == "tail" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a stream that was left still counts")
		}
	}
	site.console.EndStreams()
}

package main

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestReadResponse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		received string
		status   int
		body     string
		fails    bool
	}{
		"with a length":       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
		"length in any case":  {"HTTP/1.1 404 Not Found\r\nX: y\r\ncontent-length:  2\r\n\r\nno", 404, "no", false},
		"chunked":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", 200, "abc0123456789", false},
		"empty":               {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", false},
		"cut off in the body": {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 0, "", true},
		"cut off in a chunk":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", 0, "", true},
		"cut off before":      {"HTTP/1.1 200 OK\r\nContent-Le", 0, "", true},
		"another protocol":    {"SSH-2.0-whatever it is\r\n\r\n", 0, "", true},
		"negative length":     {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader := bufio.NewReader(strings.NewReader(c.received + "next"))
			if c.fails {
				reader = bufio.NewReader(strings.NewReader(c.received))
			}
			var body bytes.Buffer
			status, size, err := readAnswer(reader, &body)
			if c.fails {
				if err == nil {
					t.Fatalf("got status %d and %q, want an error", status, body.String())
				}
				return
			}
			if err != nil || status != c.status || size != len(c.body) || body.String() != c.body {
				t.Errorf("got status %d, %d bytes %q, error %v", status, size, body.String(), err)
			}
			if rest, _ := io.ReadAll(reader); string(rest) != "next" {
				t.Errorf("left %q, want the next answer", rest)
			}
		})
	}
}

// A server that pauses once cannot hide the pause from the open loop: the
// requests that were due during the pause count as late.
func TestOpenLoop_CountsWhatWasDue(t *testing.T) {
	t.Parallel()
	const halt = 300 * time.Millisecond
	var count atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if count.Add(1) == 20 {
			time.Sleep(halt)
		}
		_, _ = io.WriteString(w, "ok")
	}))
	defer server.Close()
	ask := func(int, int) []byte { return get("/") }
	found, err := openLoop(t.Context(), server.Listener.Addr().String(), 1, 200, time.Second, ask)
	if err != nil {
		t.Fatal(err)
	}
	if total := found.latency.TotalCount(); total < 195 || total > 200 {
		t.Errorf("requests: got %d, want 200 in a second", total)
	}
	// About 60 of the 200 requests were due during the pause. Half of these had
	// to wait for at least half of it.
	if late := found.latency.ValueAtQuantile(85); late < halt.Microseconds()/3 {
		t.Errorf("the 85th percentile: got %d µs, want to see the halt of %s", late, halt)
	}
}

func TestClosedLoop_EndsAtAnError(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if count.Add(1) > 10 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	_, err := closedLoop(t.Context(), server.Listener.Addr().String(), 2, time.Minute, func(int, int) []byte { return get("/x") })
	if err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("got error %v, want the status 429 in it", err)
	}
}

func TestCompare_ByRounds(t *testing.T) {
	t.Parallel()
	b := &bench{ctx: t.Context(), settings: settings{rounds: 3, length: time.Millisecond}}
	fixed := func(rates ...float64) side {
		return side{name: "fixed", measure: func(time.Duration) (load, error) {
			found := load{rate: rates[0], latency: newHistogram()}
			rates = append(rates[1:], rates[0])
			return found, found.latency.RecordValue(1)
		}}
	}
	c, err := b.compare(fixed(0, 90, 50, 70), fixed(0, 100, 100, 100)) // the first is the warm-up
	if err != nil || median(c.ratios) != 0.7 || len(c.ratios) != 3 {
		t.Errorf("got ratios %v, error %v, want three with median 0.7", c.ratios, err)
	}
	broken := side{name: "broken", measure: func(time.Duration) (load, error) { return load{}, errors.New("no answer") }}
	if _, err := b.compare(broken, fixed(1)); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("got error %v, want the name of the side that broke", err)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2: {9, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("median of %v: got %v, want %v", values, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := report{Rows: []row{
		{What: "fast <enough>", Against: "bare", Goal: 0.8, AtLeast: true, Value: 0.796, Least: 0.7, Most: 0.9},
		{What: "too slow", Against: "bare", Goal: 0.8, AtLeast: true, Value: 0.79, Least: 0.79, Most: 0.79},
		{What: "small", Unit: "MB", Goal: 30, Value: 29.9, Least: 29.9, Most: 29.9},
		{What: "large", Unit: "MB", Goal: 30, Value: 30.2, Least: 30.2, Most: 30.2},
		{What: "resident memory, idle", Unit: "MB", Goal: 25, Value: 28.9},
		{What: "no goal", Unit: "/s", Value: 1234.5, Least: 1000, Most: 2000},
	}}
	text := r.markdown()
	for _, want := range []string{
		"| fast <enough> | bare | ≥ 0.80 | 0.80 (0.70–0.90) | yes |",
		"| too slow | bare | ≥ 0.80 | 0.79 | no |",
		"| small |  | ≤ 30 MB | 29.9 MB | yes |",
		"| large |  | ≤ 30 MB | 30.2 MB | no |",
		"| no goal |  |  | 1234 /s (1000 /s–2000 /s) |  |",
		"- **large**: not known yet",
		"- **resident memory, idle**: About",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	picture := r.svg()
	decoder, bars := xml.NewDecoder(strings.NewReader(picture)), 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v\n%s", err, picture)
		}
		if element, ok := token.(xml.StartElement); ok && element.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 1+5 {
		t.Errorf("the picture has %d rectangles, want the ground and 5 bars", bars)
	}
}

func TestChooser_IsSkewedAndRepeats(t *testing.T) {
	t.Parallel()
	const count, draws = 1000, 20_000
	first, again := zipf(count), zipf(count)
	zero := 0
	for range draws {
		key := first(3)
		if key < 0 || key >= count || key != again(3) {
			t.Fatalf("got key %d, want the same below %d each time", key, count)
		}
		if key == 0 {
			zero++
		}
	}
	if zero < draws/10 {
		t.Errorf("the first of %d keys came %d times in %d, want the skew of the web", count, zero, draws)
	}
}

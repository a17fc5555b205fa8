package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"web-backend/internal/app"
)

// A server whose listener breaks returns an error and shuts down in the same
// order as a server that is stopped: its spans are sent, and its folder can be
// used again.
func TestRun_BrokenListener(t *testing.T) { //nolint:paralleltest // the SDK reads the environment of the process
	received := &collector{}
	endpoint := httptest.NewServer(received)
	defer endpoint.Close()
	traceTo(t, endpoint.URL)
	cfg, console, broken := testConfig(t), newStream(), make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- app.RunBroken(t.Context(), cfg, console, broken) }()
	select {
	case <-console.written:
	case err := <-ended:
		t.Fatalf("it ended at once: %v", err)
	case <-time.After(deadline):
		t.Fatal("the server does not announce itself")
	}
	s := &server{url: urlPattern.FindStringSubmatch(console.String())[1]}
	if status, body := s.send(t, "/health", ""); status != http.StatusOK {
		t.Errorf("/health: %d %s", status, body)
	}
	close(broken)
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "use of closed network connection") {
			t.Errorf("got %v, want what is wrong with the listener", err)
		}
	case <-time.After(deadline):
		t.Fatal("it does not end")
	}
	if spans := received.named("GET /health"); len(spans) != 1 {
		t.Errorf("got %d spans, want 1", len(spans))
	}
	run(t, cfg)
}

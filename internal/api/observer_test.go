package api_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"web-backend/internal/api"
)

// endObserver passes on the requests that have ended.
type endObserver struct {
	api.Observer
	ended chan api.ObservedRequest
}

func (o endObserver) End(_ context.Context, request api.ObservedRequest) { o.ended <- request }

// A response that goes on for as long as the client wants is marked, because
// its duration is not a response time.
func TestObserver_LastingRequests(t *testing.T) {
	t.Parallel()
	ended := make(chan api.ObservedRequest, 10)
	s := newServer(t, withMotion(t), func(c *config) {
		c.Observer = endObserver{c.Observer, ended}
		c.mount = func(a *api.API) {
			a.Mount("/pages", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { a.Lasting(r.Context()) }))
		}
	})
	s.send(t, "GET /health", "", nil)
	s.send(t, "GET /pages", "", nil)
	if err := s.mustDial(t).Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []api.ObservedRequest{
		{Route: "/health", Status: http.StatusOK},
		{Route: "/pages", Status: http.StatusOK, Lasting: true},
		{Route: motionPath, Status: http.StatusSwitchingProtocols, Lasting: true},
	} {
		if got := <-ended; got.Route != want.Route || got.Status != want.Status || got.Lasting != want.Lasting {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

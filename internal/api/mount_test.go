package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// mounted serves pages below /pages that use what the API offers to them.
func mounted(c *config) {
	c.mount = func(a *api.API) {
		mux := http.NewServeMux()
		mux.HandleFunc("/pages", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a page") })
		mux.HandleFunc("/pages/panic", func(http.ResponseWriter, *http.Request) { panic("on a page") })
		mux.HandleFunc("/pages/error", func(_ http.ResponseWriter, r *http.Request) {
			a.NoteCaller(r.Context(), auth.Caller{Kind: auth.CallerOperator, Token: 1})
			a.NoteError(r.Context(), errors.New("the cause"))
		})
		mux.HandleFunc("/pages/quiet", func(_ http.ResponseWriter, r *http.Request) { a.Quiet(r.Context()) })
		mux.HandleFunc("/pages/user", func(w http.ResponseWriter, r *http.Request) {
			_, err := a.LogIn(r.Context(), r.FormValue("name"), backend.NewSecret(r.FormValue("word")))
			fmt.Fprint(w, err)
		})
		mux.HandleFunc("/pages/operator", func(w http.ResponseWriter, r *http.Request) {
			number, err := a.MatchOperator(r.Context(), backend.NewSecret(r.FormValue("word")))
			fmt.Fprint(w, number, err)
		})
		a.Mount("/pages", mux)
	}
}

func TestMount_PagesPassThroughTheMiddleware(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/stack"} {
		s := newServer(t, mounted, withOptions(func(o *api.Options) { o.BasePath, o.EnableCORS = base, true }))
		origin := http.Header{"Origin": {"http://other.example"}}
		page := s.exchange(t, exchange{request: "GET " + base + "/pages?code=hidden", header: origin, status: http.StatusOK, want: ""})
		if page.body != "a page" || page.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("base path %q: %q, %v; want the page, and not for other origins", base, page.body, page.header)
		}
		if got := s.exchange(t, exchange{request: "GET " + base + "/health", header: origin, status: http.StatusOK}); got.header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("base path %q: the API is not for other origins", base)
		}
		s.exchange(t, exchange{request: "GET " + base + "/pagesandmore", status: http.StatusNotFound})
		s.exchange(t, exchange{request: "GET " + base + "/pages/panic", status: http.StatusInternalServerError})
		s.exchange(t, exchange{request: "GET " + base + "/pages/quiet", status: http.StatusOK})
		s.send(t, "GET "+base+"/pages/error", "", nil)
		log := s.stop(t)
		for _, want := range []string{
			"route=/pages status=200", "cors=refused", `error="panic: on a page"`,
			"level=ERROR msg=request", "route=/pages/error", "caller=operator#1 error=\"the cause\"",
		} {
			if !strings.Contains(log, want) {
				t.Errorf("base path %q: the log lacks %s:\n%s", base, want, log)
			}
		}
		if strings.Contains(log, "hidden") || strings.Contains(log, "quiet") {
			t.Errorf("base path %q: the log has a query, or a quiet request:\n%s", base, log)
		}
	}
}

// Attempts on a page and through the API count together.
func TestMount_SharesTheLimits(t *testing.T) {
	t.Parallel()
	limit := func() *auth.RateLimit { return auth.NewRateLimit(1, 3, 100, time.Now) }
	s := newServer(t, mounted, withOptions(func(o *api.Options) { o.Access.PairTries = limit() }))
	const wrong = `{"username": "anna", "password": "wrong"}`
	for _, request := range []string{"GET /pages/user?name=anna&word=wrong", "POST authenticate_user", "GET /pages/user?name=anna&word=wrong"} {
		if got := s.send(t, request, wrong, nil); !strings.Contains(got.body, "wrong_credentials") && !strings.Contains(got.body, "not correct") {
			t.Errorf("%s: %s", request, got.body)
		}
	}
	for _, request := range []string{"GET /pages/user?name=anna&word=wrong", "POST authenticate_user"} {
		if got := s.send(t, request, wrong, nil); !strings.Contains(got.body, "too_many_tries") && !strings.Contains(got.body, "Too many") {
			t.Errorf("%s: %s", request, got.body)
		}
	}

	s = newServer(t, mounted, withOptions(func(o *api.Options) { o.Access.AddressTries = limit() }))
	if got := s.send(t, "GET /pages/operator?word="+operatorToken.Reveal(), "", nil); got.body != "1 <nil>" {
		t.Errorf("the operator token: %s", got.body)
	}
	s.send(t, "GET /pages/operator?word=wrong", "", nil)
	s.send(t, "GET list_users", "", bearer("wrong"))
	s.send(t, "GET /pages/operator?word=wrong", "", nil)
	if got := s.send(t, "GET /pages/operator?word="+operatorToken.Reveal(), "", nil); !strings.Contains(got.body, "too_many_tries") {
		t.Errorf("after three wrong tokens: %s", got.body)
	}
	if log := s.stop(t); !strings.Contains(log, "refused=true") || strings.Contains(log, "word") {
		t.Errorf("the log:\n%s", log)
	}
}

package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sessionOf is a session in the form that the API shows.
type sessionOf struct {
	ID               string
	Created, Expires time.Time
	Current          bool
}

// sessions returns the sessions of the user to whom a token belongs.
func (s *server) sessions(t *testing.T, token string) []sessionOf {
	t.Helper()
	got := s.exchange(t, exchange{request: "GET sessions", header: bearer(token), status: 200, absent: []string{token, "wbt_"}})
	var response struct{ Sessions []sessionOf }
	if err := json.Unmarshal([]byte(got.body), &response); err != nil {
		t.Fatal(err)
	}
	return response.Sessions
}

// Users see their own sessions, and end one, some, or all others.
func TestSessions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	s := newServer(t, func(c *config) { c.now = func() time.Time { return now } })
	s.register(t, "ada", testPassword)
	s.register(t, "bob", testPassword)
	_, bobs := s.login(t, "bob", testPassword)
	var tokens []string
	for range 5 {
		now = now.Add(time.Second)
		_, token := s.login(t, "ada", testPassword)
		tokens = append(tokens, token)
	}
	listed := s.sessions(t, tokens[1])
	if len(listed) != len(tokens) {
		t.Fatalf("got %d sessions, want %d", len(listed), len(tokens))
	}
	for i, session := range listed {
		created := now.Add(time.Duration(i-4) * time.Second)
		want := sessionOf{session.ID, created, created.Add(7 * 24 * time.Hour), i == 1}
		if session != want || len(session.ID) != 16 {
			t.Errorf("session %d: got %+v, want %+v with an id of 16 digits", i, session, want)
		}
	}
	of := s.sessions(t, bobs)[0].ID
	end := func(name, token, body string, ended int, left ...string) {
		t.Helper()
		s.exchange(t, exchange{name: name, request: "POST end_sessions", header: bearer(token), body: body, status: 200, want: fmt.Sprintf(`{"ended":%d}`, ended)})
		if got := s.sessions(t, left[0]); len(got) != len(left) {
			t.Errorf("%s: got %d sessions, want %d", name, len(got), len(left))
		}
		for _, token := range left {
			s.sessions(t, token) // the token is valid
		}
	}
	end("none", tokens[1], `{"ids":[]}`, 0, tokens...)
	end("another's, and unknown ones", tokens[1], `{"ids":["`+of+`","","x"]}`, 0, tokens...)
	end("one, named twice", tokens[1], `{"ids":["`+listed[0].ID+`","`+listed[0].ID+`"]}`, 1, tokens[1:]...)
	end("the current one", tokens[2], `{"ids":["`+listed[2].ID+`"]}`, 1, tokens[1], tokens[3], tokens[4])
	end("all others", tokens[3], `{}`, 2, tokens[3])
	end("all others, null", tokens[3], `{"ids":null}`, 0, tokens[3])
	for _, i := range []int{0, 1, 2, 4} {
		s.exchange(t, exchange{request: "GET sessions", header: bearer(tokens[i]), status: 401})
	}
	if got := s.sessions(t, bobs); len(got) != 1 || !got[0].Current {
		t.Errorf("another's sessions: got %+v, want the one", got)
	}
}

// The session routes need a user token. Nothing else is accepted, not even a
// request from this machine.
func TestSessions_NeedAUsersToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, request := range []string{"GET sessions", "POST end_sessions"} {
		body := ""
		if request != "GET sessions" {
			body = "{}"
		}
		for name, header := range map[string]http.Header{
			"none": nil, "unknown": bearer("wbt_unknown"), "operator's": bearer(operatorToken.Reveal()),
		} {
			s.exchange(t, exchange{name: name, request: request, header: header, body: body, status: 401})
		}
	}
}

func TestEndSessions_Bounds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.register(t, "ada", testPassword)
	_, token := s.login(t, "ada", testPassword)
	ids := func(n int, id string) string {
		return `{"ids":[` + strings.TrimSuffix(strings.Repeat(quote(id)+",", n), ",") + `]}`
	}
	for name, c := range map[string]struct{ body, fault string }{
		"most":            {ids(100, strings.Repeat("é", 64)), ""},
		"too many":        {ids(101, "x"), "too_long"},
		"too long":        {ids(1, strings.Repeat("x", 65)), "string_too_long"},
		"a text":          {`{"ids":"x"}`, "list_type"},
		"an object":       {`{"ids":{}}`, "list_type"},
		"list of numbers": {`{"ids":["x",1]}`, "string_type"},
		"list of null":    {`{"ids":[null]}`, "string_type"},
	} {
		x := exchange{name: name, request: "POST end_sessions", header: bearer(token), body: c.body, status: 200, want: `{"ended":0}`}
		if c.fault != "" {
			x.status, x.want, x.contains = 422, "", []string{quote(c.fault), `"ids"`}
		}
		s.exchange(t, x)
	}
}

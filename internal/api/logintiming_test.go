package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// loginTry is one kind of failed login, described by the state of the account.
type loginTry struct{ name, username string }

// loginTries are the kinds of failed logins that must take the same time.
var loginTries = []loginTry{
	{"wrong password", "hashed"},
	{"unknown name", "nobody"},
	{"wrong password, plain text stored", "plain"},
}

// withAccounts registers the accounts of loginTries.
func (s *server) withAccounts(t testing.TB) *server {
	t.Helper()
	s.exchange(t, exchange{
		request: "POST register_user", body: `{"username":"hashed","password":"the right password"}`,
		status: 200, contains: []string{`"auth_code":200`},
	})
	plain := backend.Credential{Username: "plain", Password: backend.NewSecret("the right password"), UserID: "plain"}
	if err := s.store.CreateCredential(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	return s
}

// time makes one failed login over a connection and returns how long it took.
func (try loginTry) time(t testing.TB, s *server) time.Duration {
	t.Helper()
	body := fmt.Sprintf(`{"username":%q,"password":"the wrong password"}`, try.username)
	begin := time.Now()
	got := s.send(t, "POST authenticate_user", body, nil)
	took := time.Since(begin)
	if want := `{"user_id":"","auth_code":500,"auth_msg":"<text>"}`; got.status != http.StatusOK || differ(want, got.body) != "" {
		t.Fatalf("%s: got %d %s", try.name, got.status, got.body)
	}
	return took
}

// timeLogins makes each kind of failed login the given number of times, in
// random order, and returns the sorted durations by kind.
func timeLogins(t testing.TB, s *server, times int) map[string][]time.Duration {
	t.Helper()
	var order []loginTry
	for range times {
		order = append(order, loginTries...)
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, try := range loginTries { // warm-up: open connections and fill caches
		try.time(t, s)
	}
	took := map[string][]time.Duration{}
	for _, try := range order {
		took[try.name] = append(took[try.name], try.time(t, s))
	}
	for _, durations := range took {
		slices.Sort(durations)
	}
	return took
}

// BenchmarkLoginTiming makes failed logins of each kind with the default hash
// parameters. Compare the median of each kind with the median for a wrong
// password:
//
//	go test ./internal/api -run '^$' -bench LoginTiming -benchtime 100x
func BenchmarkLoginTiming(b *testing.B) {
	s := newServer(b, unlogged, func(c *config) { c.hash = auth.DefaultPasswordParams }).withAccounts(b)
	b.ResetTimer()
	took := timeLogins(b, s, b.N) // one random order for all, so there is no loop
	reference := took[loginTries[0].name]
	for i, try := range loginTries {
		median := took[try.name][b.N/2]
		unit := []string{"wrong", "unknown", "plain"}[i]
		b.ReportMetric(float64(median.Microseconds())/1000, unit+"-ms")
		b.ReportMetric(float64(median)/float64(reference[b.N/2]), unit+"-ratio")
	}
	b.ReportMetric(0, "ns/op") // the time of all kinds together, which is not useful here
}

//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"web-backend/internal/store/mongo/mongotest"
)

// instance is one of the servers behind a balancer. A request holds the lock
// for reading. To restart the instance, take the lock for writing: then it gets
// no new requests and has none in progress.
type instance struct {
	sync.RWMutex
	process *process
	proxy   http.Handler
	served  atomic.Int64 // number of requests
}

// use makes the instance forward its requests to p.
func (i *instance) use(t *testing.T, p *process) {
	t.Helper()
	to, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	i.process, i.proxy = p, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host; r.SetXForwarded() },
		Transport: &http.Transport{DisableKeepAlives: true}, // a new connection for each process
	}
}

// balancer forwards requests in turn to the instances that are not locked.
type balancer struct {
	instances [2]*instance
	turn      atomic.Int64
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one := b.next()
	if one == nil {
		http.Error(w, "no instance is left", http.StatusBadGateway)
		return
	}
	defer one.RUnlock()
	one.served.Add(1)
	one.proxy.ServeHTTP(w, r)
}

// next returns an instance that is locked for reading, or nil.
func (b *balancer) next() *instance {
	first := int(b.turn.Add(1))
	for n := range b.instances {
		if one := b.instances[(first+n)%len(b.instances)]; one.TryRLock() {
			return one
		}
	}
	return nil
}

// visitor is a user whose client writes and reads through the balancer.
type visitor struct {
	site                   process // only its URL is set
	user, token, character string
}

// newVisitor registers a user, logs in, and copies a character.
func newVisitor(t *testing.T, site, name string) *visitor {
	t.Helper()
	v := &visitor{site: process{url: site}}
	account := fmt.Sprintf(`{"username":%q,"password":"a good password"}`, name)
	v.site.must(t, "/api/v1/register_user", account)
	var login struct {
		UserID      string `json:"user_id"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(v.site.must(t, "/api/v1/authenticate_user", account)), &login); err != nil {
		t.Fatal(err)
	}
	v.user, v.token = login.UserID, login.AccessToken
	first := v.site.characterIDs(t, v.user)[0]
	var made struct {
		CharacterID string `json:"character_id"`
	}
	received := v.site.must(t, "/api/v1/duplicate_character", fmt.Sprintf(`{"user_id":%q,"character_id":%q}`, v.user, first))
	if err := json.Unmarshal([]byte(received), &made); err != nil {
		t.Fatal(err)
	}
	v.character = made.CharacterID
	return v
}

// visit writes, and reads back what it wrote from any of the servers. It also
// requests the sessions, which needs the token of the login. n is the number of
// the visit.
func (v *visitor) visit(t *testing.T, n int) {
	t.Helper()
	prompt := fmt.Sprintf("You sing song %d.", n)
	for _, request := range []struct{ path, body, want string }{
		{"/api/v1/update_character_prompt",
			fmt.Sprintf(`{"user_id":%q,"character_id":%q,"prompt":%q}`, v.user, v.character, prompt), ""},
		{"/api/v1/get_character_config/" + v.user + "/" + v.character, "", prompt},
		{"/api/v1/sessions", "", `"current":true`},
	} {
		got, err := v.site.sendAs(t.Context(), v.token, request.path, request.body)
		if err != nil || got.status != http.StatusOK || !strings.Contains(got.body, request.want) {
			t.Errorf("%s: got %d %s, %v, want %q", request.path, got.status, got.body, err, request.want)
		}
	}
}

// Two servers on one database are restarted one after the other. Each restart
// changes the user of the database and the operator token. No request fails.
// docs/rolling-upgrade.md describes these steps.
func TestMongoDB_RollingRestart(t *testing.T) {
	t.Parallel()
	server := mongotest.Own(t, false)
	const timeout = 25 * time.Second // the engine is slow when many tests run
	const oldToken, newToken = "the-old-operator-token-of-the-test", "the-new-operator-token-of-the-test"
	folders := [2]string{}
	for i := range folders {
		folders[i], _ = mongoFolder(t, server, timeout)
	}
	run := func(i int, settings ...string) *process {
		p := serveWith(t, folders[i], append(settings, manyTries...), "serve", "--config_path", "mongodb.yaml")
		if err := p.eventually(t, "/health/ready"); err != nil {
			t.Fatal(err)
		}
		return p
	}
	b := &balancer{}
	for i := range b.instances {
		b.instances[i] = &instance{}
		b.instances[i].use(t, run(i, "WEB_BACKEND_OPERATOR_TOKEN="+oldToken))
	}
	site := httptest.NewServer(b)
	defer site.Close()

	var visits atomic.Int64
	var visitors sync.WaitGroup
	ended := make(chan struct{})
	end := sync.OnceFunc(func() { close(ended); visitors.Wait() })
	defer end()
	for _, name := range []string{"ada", "bea"} {
		v := newVisitor(t, site.URL, name)
		visitors.Go(func() {
			for n := 0; !t.Failed(); n++ {
				select {
				case <-ended:
					return
				default:
					v.visit(t, n)
					visits.Add(1)
				}
			}
		})
	}

	rotated := []string{"MONGODB_USERNAME=web_user_2", "MONGODB_PASSWORD=" + applicationPassword + " too"}
	for _, tokens := range []string{newToken + "," + oldToken, newToken} {
		for i, one := range b.instances {
			other := b.instances[1-i]
			one.Lock()
			before := other.served.Load()
			one.process.stop(t)
			one.use(t, run(i, append(rotated, "WEB_BACKEND_OPERATOR_TOKEN="+tokens)...))
			if other.served.Load() == before {
				t.Error("no request came while a server was away")
			}
			one.Unlock()
		}
		for _, token := range []string{newToken, oldToken} {
			for _, one := range b.instances {
				want := http.StatusOK
				if !strings.Contains(tokens, token) {
					want = http.StatusUnauthorized
				}
				got, err := one.process.sendAs(t.Context(), token, "/metrics", "")
				if err != nil || got.status != want {
					t.Errorf("with tokens %s, %s gets %d, %v, want %d", tokens, token, got.status, err, want)
				}
			}
		}
	}
	// The first user of the database is no longer used.
	if err := server.Client(t).Database("admin").RunCommand(t.Context(), bson.D{{Key: "dropUser", Value: "web_user"}}).Err(); err != nil {
		t.Fatal(err)
	}
	for n := range len(b.instances) { // in turn, so that each instance handles all kinds of requests
		newVisitor(t, site.URL, fmt.Sprintf("late-%d", n)).visit(t, n)
	}
	end()
	t.Logf("%d rounds of three requests", visits.Load())
}

package bootstrap_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/bootstrap"
	"web-backend/internal/store/mongo/mongotest"
)

// trial holds a server that knows only an administrator of this test, and the
// options of a first run on it.
type trial struct {
	*testing.T
	bootstrap.Options
	server *mongotest.Server
	admin  *driver.Database
	heard  chan string // gets each reported line, if it is not nil
}

func newTrial(t *testing.T, server *mongotest.Server) *trial {
	t.Helper()
	host, portText, err := net.SplitHostPort(server.Options().Hosts[0])
	if err != nil {
		t.Fatalf("host of the MongoDB server of the tests: %v", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatalf("port of the MongoDB server of the tests: %v", err)
	}
	unique := rand.Text()[:8]
	tr := &trial{T: t, server: server, admin: server.Client(t).Database("admin"), Options: bootstrap.Options{
		Store: mongo.Options{
			Host: host, Port: port, Username: "app-" + unique, Password: backend.NewSecret("hush-app-" + rand.Text()),
			AuthDatabase: "admin", Database: server.Database(t), CredentialCollection: "UserCredentials",
			UserCollection: "UserConfigs", CharacterCollection: "CharacterConfigs", Timeout: 15 * time.Second,
		},
		AdminUsername: "admin-" + unique, AdminPassword: backend.NewSecret("hush-admin-" + rand.Text()),
		StartupTimeout: time.Minute, // tests that need less set less; a busy machine takes seconds for a login
	}}
	tr.createUser("admin", tr.AdminUsername, tr.AdminPassword, bson.D{{Key: "role", Value: "root"}, {Key: "db", Value: "admin"}})
	t.Cleanup(func() { tr.dropUser("admin", tr.Store.Username) })
	return tr
}

func (tr *trial) createUser(database, name string, password backend.Secret, roles ...bson.D) {
	tr.Helper()
	if roles == nil {
		roles = []bson.D{}
	}
	err := tr.admin.Client().Database(database).RunCommand(tr.Context(), bson.D{
		{Key: "createUser", Value: name}, {Key: "pwd", Value: password.Reveal()}, {Key: "roles", Value: roles},
	}).Err()
	if err != nil {
		tr.Fatalf("create user %s: %v", name, err)
	}
	tr.Cleanup(func() { tr.dropUser(database, name) })
}

// dropUser drops a user if it exists.
func (tr *trial) dropUser(database, name string) {
	_ = tr.admin.Client().Database(database).RunCommand(context.Background(), bson.D{{Key: "dropUser", Value: name}}).Err()
}

// createApp creates the application user with password and roles on its
// database.
func (tr *trial) createApp(password backend.Secret, roles ...string) {
	tr.Helper()
	var given []bson.D
	for _, role := range roles {
		given = append(given, bson.D{{Key: "role", Value: role}, {Key: "db", Value: tr.Store.Database}})
	}
	tr.createUser("admin", tr.Store.Username, password, given...)
}

// run runs the bootstrap and returns the reported lines. It checks that the
// lines, the printed options and the printed error contain no secret.
func (tr *trial) run() (lines []string, err error) {
	tr.Helper()
	err = bootstrap.Run(tr.Context(), tr.Options, func(line string) {
		lines = append(lines, line)
		if tr.heard != nil {
			tr.heard <- line
		}
	})
	said := append(slices.Clone(lines), fmt.Sprintf("%v %+v %#v", tr.Options, tr.Options, tr.Options), fmt.Sprint(err))
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		said = append(said, fmt.Sprintf("%v %+v", cause, cause))
	}
	if failure, ok := errors.AsType[*bootstrap.Failure](err); ok {
		said = append(said, fmt.Sprintf("%+v", *failure))
	}
	for _, text := range said {
		if strings.Contains(text, "hush") {
			tr.Errorf("a secret in: %s", text)
		}
	}
	return lines, err
}

func (tr *trial) mustRun() []string {
	tr.Helper()
	lines, err := tr.run()
	if err != nil {
		tr.Fatalf("bootstrap: got error %v, want none; it said %q", err, lines)
	}
	return lines
}

// wantFailure checks that the bootstrap fails for a reason, and that the one
// line of the error names the host and contains the words. It returns the lines
// reported before.
func (tr *trial) wantFailure(want bootstrap.Reason, words ...string) []string {
	tr.Helper()
	lines, err := tr.run()
	failure, ok := errors.AsType[*bootstrap.Failure](err)
	if !ok {
		tr.Fatalf("bootstrap: got error %v (%T), want a Failure; it said %q", err, err, lines)
	}
	if failure.Reason != want {
		tr.Errorf("bootstrap: got reason %d (%v), want %d", failure.Reason, failure, want)
	}
	for _, word := range append(words, tr.Store.HostList()) {
		if text := failure.Error(); !strings.Contains(text, word) || strings.Contains(text, "\n") {
			tr.Errorf("bootstrap: got error %q, want one line with %q in it", text, word)
		}
	}
	return lines
}

// wantWork checks whether a user can write to the application's database.
func (tr *trial) wantWork(username string, password backend.Secret, want bool) {
	tr.Helper()
	o := tr.Store.As(mongo.Login{Username: username, Password: password, Database: tr.Store.AuthDatabase})
	client, err := mongo.Connect(o)
	if err != nil {
		tr.Fatalf("connect as %s: %v", username, err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	_, err = client.Database(tr.Store.Database).Collection("work").InsertOne(tr.Context(), bson.D{})
	if (err == nil) != want {
		tr.Errorf("write to the database as user %q: got error %v, want success: %v", username, err, want)
	}
}

// contents describes all users of the server that belong to this test, and all
// collections of the application's database.
func (tr *trial) contents() []string {
	tr.Helper()
	var found []string
	var response struct {
		Users []struct {
			User, DB string
			Roles    []struct{ Role, DB string }
		}
	}
	names := bson.A{}
	for _, database := range []string{"admin", tr.Store.Database} {
		for _, name := range []string{tr.Store.Username, tr.AdminUsername} {
			names = append(names, bson.D{{Key: "user", Value: name}, {Key: "db", Value: database}})
		}
	}
	if err := tr.admin.RunCommand(tr.Context(), bson.D{{Key: "usersInfo", Value: names}}).Decode(&response); err != nil {
		tr.Fatalf("list users: %v", err)
	}
	for _, user := range response.Users {
		found = append(found, fmt.Sprintf("user %+v", user))
	}
	collections, err := tr.admin.Client().Database(tr.Store.Database).ListCollectionNames(tr.Context(), bson.D{})
	if err != nil {
		tr.Fatalf("list collections: %v", err)
	}
	for _, name := range collections {
		found = append(found, "collection "+name)
	}
	slices.Sort(found)
	return found
}

func (tr *trial) wantContents(want []string) {
	tr.Helper()
	if got := tr.contents(); !slices.Equal(got, want) {
		tr.Errorf("users and collections:\n got %q\nwant %q", got, want)
	}
}

func TestRun_FirstRunMakesTheUser(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, mongotest.Engine(t))
	lines := tr.mustRun()
	want := []string{
		fmt.Sprintf(`application user %q has no access to database %q yet: the server does not know it, or the password is wrong`,
			tr.Store.Username, tr.Store.Database),
		fmt.Sprintf(`application user %q was made, with role readWrite on database %q`, tr.Store.Username, tr.Store.Database),
		fmt.Sprintf(`application user %q can work on database %q at %s`, tr.Store.Username, tr.Store.Database, tr.Store.HostList()),
	}
	if !slices.Equal(lines, want) {
		t.Errorf("the first run said\n%q, want\n%q", lines, want)
	}
	if got := tr.mustRun(); !slices.Equal(got, want[2:]) {
		t.Errorf("the second run said\n%q, want\n%q", got, want[2:])
	}
	tr.wantContents([]string{ // the attempts left nothing behind
		fmt.Sprintf("user {User:%s DB:admin Roles:[{Role:root DB:admin}]}", tr.AdminUsername),
		fmt.Sprintf("user {User:%s DB:admin Roles:[{Role:readWrite DB:%s}]}", tr.Store.Username, tr.Store.Database),
	})
	tr.wantWork(tr.Store.Username, tr.Store.Password, true)
}

func TestRun_FiveAtOnceMakeOneUser(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, mongotest.Engine(t))
	var all sync.WaitGroup
	made := make([]bool, 5)
	for i := range made {
		all.Go(func() {
			err := bootstrap.Run(t.Context(), tr.Options, func(line string) {
				made[i] = made[i] || strings.Contains(line, "was made, with role")
			})
			if err != nil {
				t.Errorf("bootstrap %d of five: got error %v, want none", i, err)
			}
		})
	}
	all.Wait()
	if n := len(slices.DeleteFunc(made, func(m bool) bool { return !m })); n != 1 {
		t.Errorf("bootstraps that made the user: got %d, want 1", n)
	}
	tr.wantContents([]string{
		fmt.Sprintf("user {User:%s DB:admin Roles:[{Role:root DB:admin}]}", tr.AdminUsername),
		fmt.Sprintf("user {User:%s DB:admin Roles:[{Role:readWrite DB:%s}]}", tr.Store.Username, tr.Store.Database),
	})
}

func TestRun_WrongPasswordLeavesTheUserAlone(t *testing.T) {
	t.Parallel()
	for name, roles := range map[string][]string{"with the role": {"readWrite"}, "without a role": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, mongotest.Engine(t))
			original := backend.NewSecret("hush-real-" + rand.Text())
			tr.createApp(original, roles...)
			before := tr.contents()
			tr.wantFailure(bootstrap.WrongPassword, tr.Store.Username, "another password", "mongodb_password")
			tr.wantContents(before)
			tr.wantWork(tr.Store.Username, original, roles != nil)
			tr.wantWork(tr.Store.Username, tr.Store.Password, false)
		})
	}
}

func TestRun_GrantsAMissingRole(t *testing.T) {
	t.Parallel()
	for name, roles := range map[string][]string{"no role": nil, "a role that only reads": {"read"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, mongotest.Engine(t))
			tr.createApp(tr.Store.Password, roles...)
			lines := tr.mustRun()
			if len(lines) != 3 || !strings.Contains(lines[1], "was granted role readWrite") {
				t.Errorf("bootstrap said %q, want three lines, the second that the role was granted", lines)
			}
			tr.wantWork(tr.Store.Username, tr.Store.Password, true)
		})
	}
}

func TestRun_AdminCannotHelp(t *testing.T) {
	t.Parallel()
	wrongPassword := func(tr *trial) { tr.AdminPassword = backend.NewSecret("hush-wrong") }
	for name, test := range map[string]struct {
		prepare func(tr *trial)
		want    bootstrap.Reason
		words   []string
	}{
		"the admin has another password": {wrongPassword, bootstrap.AdminRefused,
			[]string{"log in as the admin user", "refused admin user", "MONGODB_ADMIN_PASSWORD", "createUser"}},
		"the admin has no password": {func(tr *trial) { tr.AdminPassword = backend.Secret{} }, bootstrap.AdminRefused,
			[]string{"refused admin user", "MONGODB_ADMIN_PASSWORD", "createUser"}},
		"the admin is unknown": {func(tr *trial) { tr.AdminUsername = "nobody" }, bootstrap.AdminRefused,
			[]string{`refused admin user "nobody"`, "MONGODB_ADMIN_USERNAME", "createUser"}},
		"there is no admin": {func(tr *trial) { tr.AdminUsername = "" }, bootstrap.AdminRefused,
			[]string{"no admin user is configured", "MONGODB_ADMIN_USERNAME", "createUser"}},
		"the role is missing, and the admin has another password": {func(tr *trial) {
			tr.createApp(tr.Store.Password)
			wrongPassword(tr)
		}, bootstrap.RoleMissing, []string{"lacks the role readWrite", "MONGODB_ADMIN_PASSWORD", "grantRolesToUser"}},
		"the admin may not create users": {func(tr *trial) {
			tr.AdminUsername = "half-" + tr.AdminUsername
			tr.createUser("admin", tr.AdminUsername, tr.AdminPassword,
				bson.D{{Key: "role", Value: "readWriteAnyDatabase"}, {Key: "db", Value: "admin"}})
		}, bootstrap.NotAllowed, []string{"not allowed to create users", "userAdminAnyDatabase", "createUser"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, mongotest.Engine(t))
			test.prepare(tr)
			before := tr.contents()
			tr.wantFailure(test.want, append(test.words, tr.Store.Username)...)
			tr.wantContents(before)
		})
	}
}

func TestRun_NoUserIsConfigured(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, mongotest.Engine(t))
	tr.Store.Username, tr.Store.Password = "", backend.Secret{}
	before := tr.contents()
	tr.wantFailure(bootstrap.NoUser, "mongodb_username", "mongodb_password")
	tr.wantContents(before)
}

func TestRun_AnonymousServerNeedsNoUser(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, &mongotest.Own(t, true).Server)
	tr.Store.Username, tr.Store.Password = "", backend.Secret{}
	if lines := tr.mustRun(); len(lines) != 1 || !strings.HasPrefix(lines[0], "anyone can work on database") {
		t.Errorf("bootstrap said %q, want that anyone can work on the database", lines)
	}
}

// TestRun_Check checks each state of a server without changing it.
func TestRun_Check(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(tr *trial)
		said    string           // the last line, if the check succeeds
		want    bootstrap.Reason // otherwise
	}{
		"nothing is there":   {func(*trial) {}, "it would be made", 0},
		"a role is missing":  {func(tr *trial) { tr.createApp(tr.Store.Password) }, "it would be granted", 0},
		"it may only read":   {func(tr *trial) { tr.createApp(tr.Store.Password, "read") }, "it would be granted", 0},
		"all is well":        {func(tr *trial) { tr.createApp(tr.Store.Password, "readWrite") }, "can work on database", 0},
		"another password":   {func(tr *trial) { tr.createApp(backend.NewSecret("hush")) }, "", bootstrap.WrongPassword},
		"the admin is wrong": {func(tr *trial) { tr.AdminPassword = backend.Secret{} }, "", bootstrap.AdminRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, mongotest.Engine(t))
			tr.Check = true
			test.prepare(tr)
			before := tr.contents()
			if test.said == "" {
				tr.wantFailure(test.want)
			} else if lines := tr.mustRun(); !strings.Contains(lines[len(lines)-1], test.said) {
				t.Errorf("check said %q, want %q in the last line", lines, test.said)
			}
			tr.wantContents(before)
		})
	}
}

func TestRun_UserOfTheURI(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, mongotest.Engine(t))
	name, password := tr.Store.Username, tr.Store.Password
	tr.Store.URI = backend.NewSecret(fmt.Sprintf("mongodb://%s:%s@%s/%s", name, password.Reveal(), tr.Store.HostList(), tr.Store.Database))
	tr.Store.Host, tr.Store.Port, tr.Store.Username, tr.Store.Password, tr.Store.AuthDatabase = "", 0, "", backend.Secret{}, ""
	tr.Cleanup(func() { tr.dropUser(tr.Store.Database, name) })
	tr.mustRun()
	tr.Store.AuthDatabase = tr.Store.Database // the database in which the URI defines the user
	tr.wantWork(name, password, true)

	other := backend.NewSecret("hush-other")
	tr.Store.URI = backend.NewSecret(strings.Replace(tr.Store.URI.Reveal(), password.Reveal(), other.Reveal(), 1))
	tr.wantFailure(bootstrap.WrongPassword, name)
}

func TestRun_SettingsAreNotValid(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, mongotest.Engine(t))
	for name, uri := range map[string]string{
		"no scheme":              "hush",
		"unescaped password":     "mongodb://app:hush@hush/hush@host/",
		"unescaped slash":        "mongodb://app:hush/hush@host/",
		"unknown option value":   "mongodb://app:hush@host/?w=-1",
		"unacknowledged writes":  "mongodb://app:hush@host/?w=0",
		"name service and port":  "mongodb+srv://app:hush@host.example:27017/",
		"name service and hosts": "mongodb+srv://app:hush@one.example,two.example/",
	} {
		tr.Store.URI = backend.NewSecret(uri)
		if lines := tr.wantFailure(bootstrap.Settings, "mongodb_uri"); len(lines) > 0 {
			t.Errorf("%s: it said %q, want no attempts", name, lines)
		}
	}
}

// pauses returns the pauses that the lines of a bootstrap announce.
func pauses(t *testing.T, host string, lines []string) (announced []time.Duration) {
	t.Helper()
	for i, line := range lines {
		rest, isAttempt := strings.CutPrefix(line, fmt.Sprintf("attempt %d: %s does not respond", i+1, host))
		_, text, hasPause := strings.Cut(rest, "; next try in ")
		pause, err := time.ParseDuration(text)
		if !isAttempt || !hasPause || err != nil {
			t.Fatalf("line %d: got %q, want attempt and pause", i, line)
		}
		announced = append(announced, pause)
	}
	return announced
}

func TestRun_HostIsUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, but sends nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, test := range map[string]struct {
		port int
		why  string
	}{
		"nobody listens":     {closed, "connection refused"},
		"no server responds": {silent.Addr().(*net.TCPAddr).Port, "no server responded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := &trial{T: t, Options: bootstrap.Options{
				Store: mongo.Options{Host: "127.0.0.1", Port: test.port, Username: "app", Password: backend.NewSecret("hush"),
					AuthDatabase: "admin", Database: "web", Timeout: 300 * time.Millisecond},
				AdminUsername: "admin", AdminPassword: backend.NewSecret("hush"), StartupTimeout: 3 * time.Second,
			}}
			start := time.Now()
			lines, err := tr.run()
			took := time.Since(start)
			failure, ok := errors.AsType[*bootstrap.Failure](err)
			if !ok || failure.Reason != bootstrap.Unreachable || !strings.Contains(failure.Remedy, "mongodb_host") {
				t.Fatalf("bootstrap: got error %v, want that no server responds", err)
			}
			// On a busy machine the time of one attempt may be over before the
			// connection is refused.
			if said := strings.Join(append(lines, failure.Problem), "\n"); !strings.Contains(said, test.why) {
				t.Errorf("bootstrap said %q, want %q in it", said, test.why)
			}
			if limit := tr.StartupTimeout + 20*time.Second; took > limit { // the driver's default is 30 s
				t.Errorf("bootstrap took %s, want at most %s", took, limit)
			}
			got := pauses(t, tr.Store.HostList(), lines)
			if len(got) < 2 || !slices.IsSorted(got) || got[0] == got[len(got)-1] {
				t.Errorf("pauses: got %v, want two or more that grow", got)
			}
		})
	}
}

func TestRun_OneAttemptIsMadeInAnyCase(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, mongotest.Engine(t))
	tr.StartupTimeout = 0
	tr.mustRun()
}

func TestRun_WaitsForAServerThatStartsLate(t *testing.T) {
	t.Parallel()
	server := mongotest.Own(t, false)
	tr := newTrial(t, &server.Server)
	tr.Store.Timeout, tr.StartupTimeout = 500*time.Millisecond, time.Minute
	server.Kill(t)
	tr.heard = make(chan string, 1000)
	type result struct {
		lines []string
		err   error
	}
	done := make(chan result, 1)
	go func() {
		lines, err := tr.run()
		done <- result{lines, err}
	}()
	for range 2 { // attempts
		select {
		case <-tr.heard:
		case r := <-done:
			t.Fatalf("bootstrap ended before there was a server: error %v, lines %q", r.err, r.lines)
		}
	}
	server.Restart(t)
	r := <-done
	if r.err != nil {
		t.Fatalf("bootstrap: got error %v, want none; it said %q", r.err, r.lines)
	}
	attempts := slices.IndexFunc(r.lines, func(line string) bool { return !strings.HasPrefix(line, "attempt") })
	if got := pauses(t, tr.Store.HostList(), r.lines[:attempts]); len(got) < 2 {
		t.Errorf("attempts before there was a server: got %q, want two or more", r.lines)
	}
}

func TestRun_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	o := bootstrap.Options{
		Store:          mongo.Options{Host: "127.0.0.1", Port: 1, Database: "web", Timeout: 200 * time.Millisecond},
		StartupTimeout: time.Minute,
	}
	err := bootstrap.Run(ctx, o, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("bootstrap whose context ended: got error %v, want %v", err, context.Canceled)
	}
}

// through makes a trial reach its server through a proxy.
func (tr *trial) through(proxy *mongotest.Proxy) {
	tr.Helper()
	_, port, err := net.SplitHostPort(proxy.Address())
	if err != nil {
		tr.Fatal(err)
	}
	tr.Store.Host = "127.0.0.1"
	if tr.Store.Port, err = strconv.Atoi(port); err != nil {
		tr.Fatal(err)
	}
}

func TestRun_TLS(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	tr := newTrial(t, server)
	plain := tr.Options
	proxy, authority := server.TLSProxy(t)
	_, another := server.TLSProxy(t)

	tr.through(proxy)
	tr.Store.TLS, tr.Store.TLSCAFile = true, authority
	tr.mustRun()
	tr.wantWork(tr.Store.Username, tr.Store.Password, true)

	uri := func(ca string) backend.Secret {
		return backend.NewSecret(fmt.Sprintf("mongodb://%s:%s@%s/?authSource=admin&tlsCAFile=%s",
			tr.Store.Username, tr.Store.Password.Reveal(), proxy.Address(), ca))
	}
	for name, tt := range map[string]struct {
		change func(*bootstrap.Options)
		reason bootstrap.Reason
		words  []string
	}{
		"another authority": {func(o *bootstrap.Options) { o.Store.TLSCAFile = another },
			bootstrap.Untrusted, []string{"unknown authority", "mongodb_tls_ca_file"}},
		"the authorities of the system": {func(o *bootstrap.Options) { o.Store.TLSCAFile = "" },
			bootstrap.Untrusted, []string{"mongodb_tls_ca_file"}},
		"another name": {func(o *bootstrap.Options) { o.Store.Host = "localhost" },
			bootstrap.Untrusted, []string{"localhost", "as its certificate does"}},
		"no file": {func(o *bootstrap.Options) { o.Store.TLSCAFile += ".none" },
			bootstrap.Settings, []string{"mongodb_tls_ca_file", "no such file"}},
		"no TLS": {func(o *bootstrap.Options) { o.Store.TLS, o.Store.TLSCAFile, o.StartupTimeout = false, "", 0 },
			bootstrap.Unreachable, []string{"both sides or none must use TLS"}},
		"another authority in the URI": {func(o *bootstrap.Options) { o.Store = plain.Store; o.Store.URI = uri(another) },
			bootstrap.Untrusted, []string{"tlsCAFile"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := *tr
			one.T = t
			tt.change(&one.Options)
			one.Store.Timeout = 2 * time.Second // the driver tries for that long
			if lines := one.wantFailure(tt.reason, tt.words...); len(lines) > 0 {
				t.Errorf("it said %q, want no further attempts", lines)
			}
		})
	}
	t.Run("the authority in the URI", func(t *testing.T) {
		t.Parallel()
		one := *tr
		one.T, one.Store = t, plain.Store
		one.Store.URI = uri(authority)
		one.mustRun()
	})
}

package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/cli"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/sqlite"
)

const (
	goodPassword  = "hunter2 and more"
	otherPassword = "another long one"
)

// place is where the commands of a test run.
type place struct {
	folder string
	env    map[string]string
	flags  []string // added after the arguments of each call

	mutex    sync.Mutex
	all      strings.Builder // output of the commands and the server
	password []string        // what the user types at the terminal; nil if there is no terminal
}

func (p *place) Write(text []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.all.Write(text)
}

// printed returns all output so far.
func (p *place) printed() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.all.String()
}

// run runs a command with this standard input.
func (p *place) run(t *testing.T, input string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	status := cli.Main(t.Context(), append(args, p.flags...), p.streams(input, io.MultiWriter(&out, p), io.MultiWriter(&errs, p)))
	return result{status, out.String(), errs.String()}
}

func (p *place) streams(input string, out, errs io.Writer) cli.Streams {
	variables := map[string]string{
		"WEB_BACKEND_DATA_DIR": filepath.Join(p.folder, "data"), "WEB_BACKEND_LOG_PATH": filepath.Join(p.folder, "server.log"),
		"WEB_BACKEND_PASSWORD_HASH_MEMORY_KIB": "8", "WEB_BACKEND_PASSWORD_HASH_ITERATIONS": "1", // fast
	}
	maps.Copy(variables, p.env)
	streams := cli.Streams{In: strings.NewReader(input), Out: out, Err: errs, Getenv: func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}}
	if p.password != nil {
		typed := p.password
		streams.ReadPassword = func(context.Context) (string, error) {
			if len(typed) == 0 {
				return "", io.EOF
			}
			next := typed[0]
			typed = typed[1:]
			return next, nil
		}
	}
	return streams
}

// must runs a command that has to succeed, and returns its output.
func (p *place) must(t *testing.T, input string, args ...string) string {
	t.Helper()
	got := p.run(t, input, args...)
	if got.status != 0 {
		t.Fatalf("%q: got %+v", args, got)
	}
	return strings.TrimSuffix(got.out, "\n")
}

// fails runs a command that has to fail with a line that contains every text of
// want.
func (p *place) fails(t *testing.T, input string, args []string, want ...string) {
	t.Helper()
	got := p.run(t, input, args...)
	if got.status != 1 || got.out != "" || !strings.HasPrefix(got.err, "web-backend: ") || strings.Count(got.err, "\n") != 1 {
		t.Errorf("%q: got %+v, want status 1 and one line", args, got)
	}
	for _, text := range want {
		if !strings.Contains(got.err, text) {
			t.Errorf("%q: the error %q lacks %q", args, got.err, text)
		}
	}
}

// serve runs a server until the test ends or stop is called. It returns the
// address of the server.
func (p *place) serve(t *testing.T, args ...string) (host, port string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		status := cli.Main(ctx, append([]string{"serve", "--port", "0"}, args...), p.streams("", io.MultiWriter(p, writer), p))
		_ = writer.Close()
		ended <- status
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("the server ended with %d: %s", status, p.printed())
		}
	})
	t.Cleanup(stop)
	listening := regexp.MustCompile(`listening on https?://(\S+):(\d+)`)
	buffer, text := make([]byte, 1024), ""
	for {
		n, err := reader.Read(buffer)
		text += string(buffer[:n])
		if match := listening.FindStringSubmatch(text); match != nil && strings.Contains(text, "operator token ") {
			go func() { _, _ = io.Copy(io.Discard, reader) }()
			return match[1], match[2], stop
		}
		if err != nil {
			t.Fatalf("the server did not start: %s", p.printed())
		}
	}
}

// shownUser is the JSON output of user show and user list.
type shownUser struct {
	UserID       string   `json:"user_id"`
	Username     string   `json:"username"`
	SetUp        bool     `json:"set_up"`
	Disabled     bool     `json:"disabled"`
	Timezone     string   `json:"timezone"`
	ProviderKeys []string `json:"provider_keys"`
	Characters   []struct {
		CharacterID   string `json:"character_id"`
		CharacterName string `json:"character_name"`
		ReadOnly      bool   `json:"read_only"`
	} `json:"characters"`
}

func (p *place) show(t *testing.T, args ...string) (user shownUser) {
	t.Helper()
	text := p.must(t, "", append([]string{"user", "show", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &user); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return user
}

func (p *place) list(t *testing.T, args ...string) (users []shownUser) {
	t.Helper()
	for line := range strings.Lines(p.must(t, "", append([]string{"user", "list", "--json"}, args...)...)) {
		var user shownUser
		if err := json.Unmarshal([]byte(line), &user); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		users = append(users, user)
	}
	return users
}

// forEachPlace runs a test with both stores, and with a running server on the
// embedded store. On MongoDB a running server makes no difference.
func forEachPlace(t *testing.T, test func(t *testing.T, p *place)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, &place{folder: t.TempDir()})
	})
	for _, access := range []string{"guarded", "strict"} {
		t.Run("server in mode "+access, func(t *testing.T) {
			t.Parallel()
			p := &place{folder: t.TempDir(), env: map[string]string{"WEB_BACKEND_ACCESS": access}}
			_, port, _ := p.serve(t, "--host", "0.0.0.0")
			p.flags = []string{"--host", "0.0.0.0", "--port", port}
			test(t, p)
		})
	}
	t.Run("mongodb", func(t *testing.T) {
		t.Parallel()
		server := mongotest.Engine(t)
		test(t, &place{folder: t.TempDir(), env: map[string]string{
			"WEB_BACKEND_STORE": "mongodb", "MONGODB_URI": server.URI(), "MONGODB_DATABASE": server.Database(t),
		}})
	})
}

// Users are managed with commands only. No password appears in the output or in
// the log.
func TestUser(t *testing.T) {
	t.Parallel()
	forEachPlace(t, func(t *testing.T, p *place) {
		if got := p.must(t, "", "user", "create", "ada"); got != "ada" {
			t.Errorf("create ada: printed %q", got)
		}
		made := p.must(t, "", "user", "create")
		bob := p.must(t, goodPassword+"\r\n", "user", "create", "--username", "Bob")
		if carl := p.must(t, goodPassword, "user", "create", "--username=Carl", "--json", "carl"); carl != `{"user_id":"carl","username":"Carl"}` {
			t.Errorf("create carl: printed %s", carl)
		}
		users := p.list(t)
		if len(users) != 4 || users[0].UserID != "ada" || users[1].UserID != made || users[2].UserID != bob ||
			users[2].Username != "Bob" || users[3].Username != "Carl" || users[0].Username != "" || !users[0].SetUp || !users[3].SetUp {
			t.Errorf("the list is %+v", users)
		}
		if text := p.must(t, "", "user", "list"); strings.Count(text, "\n") != 4 || !regexp.MustCompile(`(?m)^carl +yes +enabled +Carl$`).MatchString(text) {
			t.Errorf("the list is\n%s", text)
		}

		p.fails(t, "", []string{"user", "create", "ada"}, `"ada" exists already`)
		p.fails(t, otherPassword, []string{"user", "create", "--username", "Bob"}, "user name is already in use")
		p.fails(t, otherPassword, []string{"user", "create", "--username", "a\nb"}, "control character")
		p.fails(t, "short\n", []string{"user", "create", "--username", "Dora", "dora"}, "too short", "8")
		p.fails(t, "", []string{"user", "create", "--username", "Dora"}, "no password", "standard input")
		p.fails(t, "", []string{"user", "show", "dora"}, `"dora" does not exist`)
		if again := p.list(t); len(again) != 4 {
			t.Errorf("refused users were left: %+v", again)
		}

		for _, id := range []string{".", ".."} {
			p.fails(t, "", []string{"user", "create", id}, "URL", strconv.Quote(id))
		}
		for text, want := range map[string]string{
			"caf\xe9 latin1\n": "UTF-8", "\xd6\xd0\xce\xc4 is GBK\n": "UTF-8", "\xff\xfep\x00a\x00s\x00s\x00\n\x00": "UTF-16",
			"p\x00a\x00s\x00s\x00\n\x00": "UTF-16",
		} {
			p.fails(t, text, []string{"user", "set-password", "--username", "Bob"}, "the password", want, "nothing was done")
			p.fails(t, text, []string{"user", "create", "--username", "Dora", "dora"}, "the password", want, "nothing was done")
		}
		p.must(t, "\ufeff"+otherPassword+"\r\n", "user", "set-password", "--username", "Bob") // the byte order mark is not part of the password

		p.must(t, otherPassword, "user", "set-password", "--username", "Bob")
		p.must(t, otherPassword, "user", "set-password", "ada", "--username", "Ada")
		p.must(t, goodPassword, "user", "set-password", "ada")
		p.fails(t, "short", []string{"user", "set-password", "ada"}, "too short")
		p.fails(t, goodPassword, []string{"user", "set-password", made}, "no user name yet")
		p.fails(t, goodPassword, []string{"user", "set-password", made, "--username", "Bob"}, "already in use")
		p.fails(t, goodPassword, []string{"user", "set-password", "ada", "--username", "Bob"}, "another user name")
		p.fails(t, goodPassword, []string{"user", "set-password", "gone"}, `"gone" does not exist`)
		p.fails(t, goodPassword, []string{"user", "set-password", "--username", "gone"}, `"gone"`)

		ada := p.show(t, "--username", "Ada")
		if ada.UserID != "ada" || ada.Username != "Ada" || ada.Timezone != "Asia/Shanghai" || len(ada.Characters) != 8 ||
			!ada.Characters[0].ReadOnly || ada.Characters[0].CharacterName == "" || len(ada.ProviderKeys) != 0 {
			t.Errorf("ada is %+v", ada)
		}
		text := p.must(t, "", "user", "show", "ada")
		for _, want := range []string{"user id         ada\n", "user name       Ada\n", "provider keys   none\n", "characters      8\n", ada.Characters[7].CharacterID} {
			if !strings.Contains(text+"\n", want) {
				t.Errorf("user show lacks %q:\n%s", want, text)
			}
		}

		p.fails(t, "", []string{"user", "delete", "ada"}, "--yes", `"Ada"`, "8 characters")
		p.must(t, "", "user", "delete", "ada", "--yes")
		p.must(t, "", "user", "delete", "--username", "Carl", "-y")
		p.fails(t, "", []string{"user", "delete", "ada", "--yes"}, `"ada" does not exist`)
		p.fails(t, "", []string{"user", "delete", "--username", "Carl", "--yes"}, `"Carl"`)
		if left := p.list(t); len(left) != 2 || left[0].UserID != made || left[1].UserID != bob {
			t.Errorf("left are %+v", left)
		}

		log, err := os.ReadFile(filepath.Join(p.folder, "server.log"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, secret := range []string{goodPassword, otherPassword, "$argon2id$"} {
			if strings.Contains(p.printed()+string(log), secret) {
				t.Errorf("%q was printed or logged", secret)
			}
		}
	})
}

// An account is disabled and enabled, and its sessions end, in every store and
// beside a running server.
func TestUser_Disable(t *testing.T) {
	t.Parallel()
	forEachPlace(t, func(t *testing.T, p *place) {
		p.must(t, goodPassword, "user", "create", "--username", "Ada", "ada")
		p.must(t, "", "user", "create", "bob")
		for _, c := range []struct {
			command, want, state string
			disabled             bool
		}{
			{"end-sessions", "user ada has no sessions any more", "enabled", false},
			{"disable", "user ada is disabled; its tokens have ended", "disabled", true},
			{"disable", "user ada is disabled; its tokens have ended", "disabled", true},
			{"end-sessions", "user ada has no sessions any more", "disabled", true},
			{"enable", "user ada is enabled", "enabled", false},
		} {
			if got := p.must(t, "", "user", c.command, "--username", "Ada"); got != c.want {
				t.Errorf("user %s: printed %q, want %q", c.command, got, c.want)
			}
			if got := p.show(t, "ada"); got.Disabled != c.disabled {
				t.Errorf("after user %s: disabled is %t", c.command, got.Disabled)
			}
			if text, want := p.must(t, "", "user", "show", "ada"), "account         "+c.state+"\n"; !strings.Contains(text, want) {
				t.Errorf("after user %s: user show lacks %q:\n%s", c.command, want, text)
			}
		}
		for _, command := range []string{"disable", "enable", "end-sessions"} {
			p.fails(t, "", []string{"user", command, "bob"}, `"bob"`, "has no account")
			p.fails(t, "", []string{"user", command, "gone"}, `"gone" does not exist`)
		}
	})
}

// After a command sets a password, a login works only with that password.
func TestUser_PasswordCounts(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	id := p.must(t, goodPassword+"\nsecond line\n", "user", "create", "--username", "Ada")
	host, port, _ := p.serve(t)
	login := func(password string) (response struct {
		UserID      string `json:"user_id"`
		AccessToken string `json:"access_token"`
	}) {
		body := post(t, "http://"+host+":"+port+"/api/v1/authenticate_user", map[string]string{"username": "Ada", "password": password})
		if err := json.Unmarshal([]byte(body), &response); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		return response
	}
	if got := login(goodPassword); got.UserID != id || got.AccessToken == "" {
		t.Errorf("with the first password: %+v", got)
	}
	p.flags = []string{"--port", port}
	p.must(t, otherPassword, "user", "set-password", id)
	if got := login(goodPassword); got.UserID != "" {
		t.Errorf("the first password still counts: %+v", got)
	}
	if got := login(otherPassword); got.UserID != id {
		t.Errorf("with the second password: %+v", got)
	}
}

// At a terminal the user types a password twice, and confirms a deletion.
func TestUser_AtATerminal(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir(), password: []string{goodPassword, goodPassword}}
	p.must(t, "", "user", "create", "ada", "--username", "Ada")
	p.password = []string{goodPassword, otherPassword}
	got := p.run(t, "", "user", "set-password", "ada")
	if got.status != 1 || !strings.Contains(got.err, "the two passwords differ") {
		t.Errorf("two passwords: %+v", got)
	}
	p.password = []string{}
	if got = p.run(t, otherPassword, "user", "set-password", "ada"); got.status != 1 || !strings.Contains(got.err, "read the password: EOF") {
		t.Errorf("nothing typed: %+v", got)
	}
	for _, answer := range []string{"", "no\n", "y\n", "\nyes\n"} {
		if got = p.run(t, answer, "user", "delete", "ada"); got.status != 1 || !strings.Contains(got.err, "nothing was changed") ||
			!strings.Contains(got.err, `delete user "ada", user name "Ada", with 8 characters?`) {
			t.Errorf("answer %q: %+v", answer, got)
		}
	}
	if got = p.run(t, " yes \n", "user", "delete", "ada"); got.status != 0 || got.out != "deleted user ada with 8 characters\n" {
		t.Errorf("yes: %+v", got)
	}
	if strings.Contains(p.printed(), goodPassword) {
		t.Errorf("the password was printed: %s", p.printed())
	}
}

// Only the names of provider keys are shown. An account that has never been
// used is not set up.
func TestUser_ShowsNoKey(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	p.must(t, "", "user", "create", "first") // creates the key file
	data := filepath.Join(p.folder, "data")
	ring, err := masterkey.ReadFile(filepath.Join(data, masterkey.FileName))
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(data, sqlite.Keys(ring))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]backend.Secret{"openai_api_key": backend.NewSecret(secretText), "xai_api_key": {}, "huoshan_token": backend.NewSecret(secretText)}
	err = errors.Join(
		store.UpdateUserConfig(t.Context(), "first", backend.UserConfigPatch{Keys: keys}),
		store.CreateCredential(t.Context(), backend.Credential{Username: "new\x1b[31m", Password: backend.NewSecret(secretText), UserID: "fresh"}),
		store.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	if user := p.show(t, "first"); strings.Join(user.ProviderKeys, " ") != "openai_api_key huoshan_token" {
		t.Errorf("the provider keys are %q", user.ProviderKeys)
	}
	if text := p.must(t, "", "user", "show", "first"); !strings.Contains(text, "provider keys   openai_api_key, huoshan_token\n") {
		t.Errorf("user show prints\n%s", text)
	}
	if users := p.list(t); len(users) != 2 || !users[0].SetUp || users[1].SetUp {
		t.Errorf("the list is %+v", users)
	}
	for _, args := range [][]string{{"user", "list"}, {"user", "show", "fresh"}} {
		if text := p.must(t, "", args...); strings.Contains(text, "\x1b") || !strings.Contains(text, `"new\x1b[31m"`) {
			t.Errorf("%q prints %q", args, text)
		}
	}
	if strings.Contains(p.printed(), secretText) {
		t.Errorf("a secret was printed: %s", p.printed())
	}
}

// A provider key that a command sets is in the store, and one that a command
// unsets is not. The key does not appear in the output or in the log.
func TestUser_ProviderKeys(t *testing.T) {
	t.Parallel()
	forEachPlace(t, func(t *testing.T, p *place) {
		p.must(t, "", "user", "create", "ada")
		p.must(t, goodPassword, "user", "create", "bob", "--username", "Bob")
		wantKeys := func(userID, want string) {
			t.Helper()
			if got := strings.Join(p.show(t, userID).ProviderKeys, " "); got != want {
				t.Errorf("%s has the keys %q, want %q", userID, got, want)
			}
		}
		if got := p.must(t, secretText+"\r\nsecond line\n", "user", "set-key", "ada", "openai_api_key"); got != "openai_api_key of user ada is set" {
			t.Errorf("printed %q", got)
		}
		p.must(t, "\ufeff"+secretText, "user", "set-key", "--username", "Bob", "xai_api_key")
		p.must(t, secretText, "user", "set-key", "ada", "huoshan_token")
		wantKeys("ada", "openai_api_key huoshan_token")
		wantKeys("bob", "xai_api_key")
		if got := p.must(t, "", "user", "unset-key", "ada", "openai_api_key"); got != "openai_api_key of user ada is not set any more" {
			t.Errorf("printed %q", got)
		}
		p.must(t, "", "user", "unset-key", "ada", "openai_api_key") // a second time
		p.must(t, "", "user", "unset-key", "xai_api_key", "--username", "Bob")

		for text, want := range map[string]string{
			"": "there is no key", "\n": "the key is empty", " " + secretText: "spaces", "sk\x1b[200~" + secretText: "control",
			"caf\xe9 latin1": "UTF-8", strings.Repeat("x", 4097): "4096 bytes", strings.Repeat("x", 70_000): "too long",
		} {
			p.fails(t, text, []string{"user", "set-key", "ada", "xai_api_key"}, want)
		}
		p.fails(t, secretText, []string{"user", "set-key", "gone", "xai_api_key"}, `"gone" does not exist`)
		p.fails(t, secretText, []string{"user", "set-key", "--username", "Gone", "xai_api_key"}, `"Gone"`)
		wantKeys("ada", "huoshan_token")
		wantKeys("bob", "")
		log, err := os.ReadFile(filepath.Join(p.folder, "server.log"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if strings.Contains(p.printed()+string(log), secretText) {
			t.Errorf("the key was printed or logged")
		}
	})
}

// At a terminal the user types a key once, and that key is stored. A user that
// has never logged in has no keys.
func TestUser_ProviderKeyAtATerminal(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir(), password: []string{secretText}}
	p.must(t, "", "user", "create", "ada")
	p.must(t, "not this\n", "user", "set-key", "ada", "openai_api_key")
	data := filepath.Join(p.folder, "data")
	ring, err := masterkey.ReadFile(filepath.Join(data, masterkey.FileName))
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(data, sqlite.Keys(ring))
	if err != nil {
		t.Fatal(err)
	}
	config, err := store.UserConfig(t.Context(), "ada")
	err = errors.Join(err, store.CreateCredential(t.Context(), backend.Credential{Username: "Fresh", Password: backend.NewSecret("x"), UserID: "fresh"}), store.Close())
	if got := config.Keys["openai_api_key"].Reveal(); err != nil || got != secretText {
		t.Errorf("the key is %q, error %v, want the one that was typed", got, err)
	}
	p.fails(t, "", []string{"user", "set-key", "--username", "Fresh", "openai_api_key"}, `"fresh"`, "not logged in yet")
	p.password = []string{""}
	if got := p.run(t, "", "user", "set-key", "ada", "openai_api_key"); got.status != 1 || !strings.Contains(got.err, "the key is empty") {
		t.Errorf("nothing typed: %+v", got)
	}
}

// The list shows correctly which users are set up, however many users are
// between them, and a search finds all, however many there are.
func TestUserList_Long(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	store, err := sqlite.Open(filepath.Join(p.folder, "data"), sqlite.Keys(masterkey.Ring{}))
	if err != nil {
		t.Fatal(err)
	}
	const count = 3000
	users := make([]backend.UserData, count)
	id := func(i int) string {
		return strings.Repeat("x", i%7) + string(rune('0'+i%10)) + regexp.QuoteMeta(strings.Repeat("y", i/7))
	}
	for i := range users {
		users[i].Credential = &backend.Credential{Username: "name " + id(i), UserID: id(i), Password: backend.NewSecret("x")}
		if i%3 == 0 {
			users[i].Config = &backend.UserConfig{UserID: id(i), Timezone: "UTC"}
		}
	}
	if err := errors.Join(store.PutUsers(t.Context(), users), store.Close()); err != nil {
		t.Fatal(err)
	}
	listed := p.list(t)
	if len(listed) != count {
		t.Fatalf("listed are %d users, want %d", len(listed), count)
	}
	for i, user := range listed {
		if user.UserID != id(i) || user.SetUp != (i%3 == 0) {
			t.Fatalf("user %d is %+v", i, user)
		}
	}
	found := p.list(t, "--search", "NAME x")
	wanted := 0
	for i := range count {
		if i%7 > 0 {
			wanted++
		}
	}
	if len(found) != wanted {
		t.Fatalf("found are %d users, want %d", len(found), wanted)
	}
	setUp := make(map[string]bool)
	for i := range count {
		setUp[id(i)] = i%3 == 0
	}
	for _, user := range found {
		if !strings.HasPrefix(user.Username, "name x") || user.SetUp != setUp[user.UserID] {
			t.Fatalf("found is %+v", user)
		}
		delete(setUp, user.UserID) // each is found once
	}
}

// Users are found by the beginning of the name or the id, with both stores and
// beside a running server.
func TestUserList_Search(t *testing.T) {
	t.Parallel()
	forEachPlace(t, func(t *testing.T, p *place) {
		p.must(t, "", "user", "create", "annex")
		p.must(t, goodPassword, "user", "create", "--username", "Anna", "bob")
		p.must(t, goodPassword, "user", "create", "--username", "Carl", "carl")
		for text, want := range map[string][]string{
			"ANN": {"bob"}, "ann": {"bob", "annex"}, "carl": {"carl"}, "bob": {"bob"}, "nna": nil, "": {"annex", "bob", "carl"},
		} {
			var ids []string
			for _, user := range p.list(t, "--search", text) {
				if !user.SetUp {
					t.Errorf("%q: user %s is not set up", text, user.UserID)
				}
				ids = append(ids, user.UserID)
			}
			if !slices.Equal(ids, want) {
				t.Errorf("%q: got %q, want %q", text, ids, want)
			}
		}
		if text := p.must(t, "", "user", "list", "--search=anna"); strings.Count(text, "\n") != 1 || !regexp.MustCompile(`(?m)^bob +yes +enabled +Anna$`).MatchString(text) {
			t.Errorf("the list is\n%s", text)
		}
	})
}

// The errors for a data folder that is in use by a server that cannot be
// reached.
func TestUser_ServerThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	_, _, stop := p.serve(t)
	p.env = map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": strings.Repeat("wrong-token-", 4)}
	p.fails(t, "", []string{"user", "create"}, "does not take the operator token", "operator_token")
	p.env = nil
	p.leave(t, "http://127.0.0.1:1\n")
	p.fails(t, "", []string{"user", "create"}, "in use", "cannot be reached at http://127.0.0.1:1 ")
	for _, text := range []string{
		"", "\n", "garbage\n", "127.0.0.1:18080\n", "/path\n", "http://\n", "http:///path\n", "http://:80\n", "ftp://127.0.0.1\n", "http:127.0.0.1\n",
		"http://ada:secret@127.0.0.1:1\n", "http://127.0.0.1:1/?a=b\n", "http://127.0.0.1:1/?\n", "http://127.0.0.1:1/#a\n", "http://127.0.0.1:1",
		"http://127.0.0.1:1\nhttp://127.0.0.1:2\n", "http://127.0.0.1:1/" + strings.Repeat("a", 5000) + "\n",
	} {
		p.leave(t, text)
		p.fails(t, "", []string{"user", "create"}, "in use", "server.address")
	}
	if strings.Contains(p.printed(), "ada:secret") {
		t.Errorf("a password was printed: %s", p.printed())
	}
	p.env = nil
	// Reading does not need the server or its address.
	if got := p.list(t); len(got) != 0 {
		t.Errorf("users were made: %+v", got)
	}
	stop()
	p.leave(t, "http://127.0.0.1:1\n") // as if the server had been killed
	p.must(t, "", "user", "create")
	if _, err := os.Stat(filepath.Join(p.folder, "data", "server.address")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the address of a server that ended: got %v, want none", err)
	}
}

// leave replaces the server's address in the data folder.
func (p *place) leave(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(p.folder, "data", "server.address")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	writeNew(t, path, text)
}

// The server's own address in the data folder is used, not the address in the
// configuration of the caller.
func TestUser_FindsTheServer(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--host", "0.0.0.0"}, {"--host", "::"}, {"--host", "::1"}, {"--host", "localhost"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			if strings.Contains(strings.Join(args, ""), ":") && !hasIPv6Loopback(t) {
				t.Skip("this machine has no IPv6")
			}
			p := &place{folder: t.TempDir()}
			p.env = map[string]string{"WEB_BACKEND_BASE_PATH": "/characters"}
			_, port, _ := p.serve(t, args...)
			path := filepath.Join(p.folder, "data", "server.address")
			text, err := os.ReadFile(path)
			if err != nil || !regexp.MustCompile(`^http://(127\.0\.0\.1|\[::1\]):`+port+`/characters\n$`).Match(text) {
				t.Errorf("it announces %q, %v", text, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
				t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
			}
			p.env = nil
			p.flags = []string{"--host", "192.0.2.1", "--port", "1"}
			if got := p.must(t, "", "user", "create", "ada"); got != "ada" {
				t.Errorf("printed %q", got)
			}
		})
	}
}

func hasIPv6Loopback(t *testing.T) bool {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// If another command owns the folder, no server is called.
func TestUser_BesideAnotherCommand(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	store, err := sqlite.Open(filepath.Join(p.folder, "data"), sqlite.Keys(masterkey.Ring{}))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	p.fails(t, "", []string{"user", "create"}, "data folder", "in use by another command", "try again")
}

// The response of another program at the address of the server is not trusted,
// even if it reports success.
func TestUser_AnotherProgramResponds(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	p.must(t, "", "user", "create", "ada")
	_, _, stop := p.serve(t)
	defer stop()
	for _, response := range []string{"", "{}", `{"user_id":"ada","auth_code":200}`} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, response) }))
		p.leave(t, other.URL+"\n")
		p.fails(t, "", []string{"user", "create", "bob"}, "not as web-backend does")
		p.fails(t, "", []string{"user", "delete", "ada", "--yes"}, "not as web-backend does")
		p.fails(t, goodPassword, []string{"user", "set-password", "ada", "--username", "Ada"}, "not as web-backend does")
		other.Close()
	}
}

// A folder without a database has no users, and reading does not create a
// database.
func TestUser_NoDatabase(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	for _, args := range [][]string{{"user", "list"}, {"user", "show", "ada"}, {"user", "delete", "ada", "--yes"}} {
		p.fails(t, "", args, "no database", "--data-dir")
	}
	if entries, err := os.ReadDir(p.folder); err != nil || len(entries) > 0 {
		t.Errorf("made was %v, %v", entries, err)
	}
}

func TestUser_WrongUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"user"}, {"user", "show"}, {"user", "delete"}, {"user", "set-password"}, {"user", "show", "a", "--username", "b"},
		{"user", "show", "a", "b"}, {"user", "create", "--password", "x"}, {"user", "set-password", "a", "--password=x"},
		{"user", "set-key"}, {"user", "set-key", "a"}, {"user", "set-key", "a", "xai_api_key", "x"}, {"user", "set-key", "a", "x", "--username", "b"},
		{"user", "unset-key", "--username", "b"}, {"user", "set-key", "a", secretText}, {"user", "set-key", "a", ""}, {"user", "set-key", "", "xai_api_key"},
		{"user", "nonsense"}, {"user", "delete", "", "--yes"}, {"user", "create", ""}, {"user", "create", "a", "--username", ""},
	} {
		p := &place{folder: t.TempDir()}
		got := p.run(t, goodPassword, args...)
		if got.status != 2 || got.out != "" || !strings.HasPrefix(got.err, "web-backend: ") || !strings.HasSuffix(got.err, " --help\n") ||
			strings.Contains(got.err, secretText) {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}

// An old user whose id cannot be part of a URL is copied too, and is reported.
func TestCopy_NamesUnreachableIDs(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	data, file := filepath.Join(p.folder, "data"), filepath.Join(p.folder, "e.jsonl")
	withUsers(t, data)
	change(t, data, func(store *sqlite.Store) error {
		return store.CreateUser(t.Context(), backend.UserConfig{UserID: ".."}, nil)
	})
	p.must(t, "", "export", "--out", file, "--quiet")
	for _, args := range [][]string{
		{"copy", "--to", filepath.Join(p.folder, "other"), "--quiet"},
		{"import", file, "--data-dir", filepath.Join(p.folder, "third"), "--quiet"},
	} {
		text := p.must(t, "", args...)
		if !strings.Contains(text, "3 added") || !strings.Contains(text, `user id ".." came along, but no URL can name it`) {
			t.Errorf("%q: got %s", args, text)
		}
	}
}

// Text that is not UTF-8 is refused, whatever its source, and is not shown.
func TestText_NotUTF8(t *testing.T) {
	t.Parallel()
	const latin1 = "caf\xe9-s3cret"
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"argument":          {[]string{"user", "create", latin1}, nil, "argument 3 is not UTF-8"},
		"flag":              {[]string{"user", "show", "--username=" + latin1}, nil, "argument 3 is not UTF-8"},
		"variable":          {[]string{"user", "list"}, map[string]string{"MONGODB_PASSWORD": latin1}, "environment variable MONGODB_PASSWORD: is not UTF-8"},
		"UTF-16 variable":   {[]string{"user", "list"}, map[string]string{"MONGODB_USERNAME": "\xff\xfea"}, "UTF-16"},
		"passphrase to set": {[]string{"export", "--with-secrets", "--out", "OUT"}, map[string]string{"WEB_BACKEND_PASSPHRASE": latin1}, "the passphrase is not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &place{folder: t.TempDir(), env: c.env}
			for i, arg := range c.args {
				if arg == "OUT" {
					c.args[i] = filepath.Join(p.folder, "users.age")
				}
			}
			withUsers(t, filepath.Join(p.folder, "data"))
			got := p.run(t, "", c.args...)
			if got.status == 0 || !strings.Contains(got.err, c.want) || strings.Contains(got.out+got.err, "s3cret") {
				t.Errorf("got %+v, want an error with %q", got, c.want)
			}
		})
	}
	p := &place{folder: t.TempDir(), password: []string{latin1, latin1}}
	if got := p.run(t, "", "user", "create", "--username", "Ada"); got.status != 1 || !strings.Contains(got.err, "the password is not UTF-8") {
		t.Errorf("typed: got %+v", got)
	}
}

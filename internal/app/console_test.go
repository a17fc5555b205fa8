package app_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"web-backend/internal/auth"
)

// consoleOverview signs in an operator and returns the overview.
func consoleOverview(t *testing.T, address, dataDir string) string {
	t.Helper()
	return newOperator(t, address, dataDir).overview
}

// operator is a browser in which an operator is signed in.
type operator struct {
	address, overview string // the overview is that after signing in
	client            *http.Client
}

func newOperator(t *testing.T, address, dataDir string) *operator {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(dataDir, auth.OperatorTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{address: address, client: &http.Client{Jar: jar, Timeout: deadline}}
	t.Cleanup(o.client.CloseIdleConnections)
	o.overview = o.post(t, "/console/sign-in", url.Values{"token": {strings.TrimSpace(string(token))}})
	return o
}

// get returns a page.
func (o *operator) get(t *testing.T, path string) string {
	t.Helper()
	return o.send(t, http.MethodGet, path, nil)
}

// post sends a form, follows the redirect, and returns the page.
func (o *operator) post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	return o.send(t, http.MethodPost, path, form)
}

func (o *operator) send(t *testing.T, method, path string, form url.Values) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, o.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := o.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", path, response.StatusCode, err, body)
	}
	return string(body)
}

func TestConsole_OverviewOfAnOperator(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.BasePath = "/stack"
	s := run(t, cfg)
	if status, body := s.send(t, "/api/v1/create_user", `{"user_id": "anna"}`); status != http.StatusOK {
		t.Fatalf("create a user: %d %s", status, body)
	}
	overview := consoleOverview(t, s.url, cfg.DataDir)
	if runtime.GOOS == "linux" && !strings.Contains(overview, "Free on its disk") {
		t.Errorf("the overview lacks the disk:\n%s", overview)
	}
	for _, want := range []string{"<dd>1.2.3</dd>", "<dd>embedded: /", "<dd>1</dd>", " MB</dd>", "<dd>none in the folder of backups</dd>"} {
		if !strings.Contains(overview, want) {
			t.Errorf("the overview lacks %s:\n%s", want, overview)
		}
	}
	if !regexp.MustCompile(`Requests per second</strong> up to [0-9.]*[1-9]`).MatchString(overview) {
		t.Errorf("the overview lacks the requests:\n%s", overview)
	}
	if strings.Contains(overview, "Warnings") {
		t.Errorf("there are warnings:\n%s", overview)
	}
	if !strings.Contains(s.console.String(), "console        "+s.url+"/console\n") || strings.Contains(s.console.String(), "code=") {
		t.Errorf("the start printed %s", s.console)
	}
}

func TestConsole_WarnsOfOpenAccess(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Host, cfg.Access.Mode = "0.0.0.0", "open"
	s := run(t, cfg)
	address := "http://127.0.0.1" + s.address[strings.LastIndex(s.address, ":"):]
	if overview := consoleOverview(t, address, cfg.DataDir); !strings.Contains(overview, "Access is open and the server listens on a public address") ||
		!strings.Contains(overview, "without HTTPS") {
		t.Errorf("the overview does not warn:\n%s", overview)
	}
	if !strings.Contains(s.console.String(), "console        "+address+"/console\n") {
		t.Errorf("the start printed an address that a browser cannot open: %s", s.console)
	}
}

// The data of a user is there to download, without provider keys.
func TestConsole_ExportsAUser(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	s := run(t, cfg)
	for path, body := range map[string]string{"create_user": `{"user_id": "anna"}`, "register_user": `{"username": "berta", "password": "correct horse"}`} {
		if status, response := s.send(t, "/api/v1/"+path, body); status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, response)
		}
	}
	file := newOperator(t, s.url, cfg.DataDir).get(t, "/console/users/anna/export")
	if !strings.HasPrefix(file, `{"kind":"header"`) || !strings.Contains(file, `"secrets":false,"users":1,`) ||
		!strings.Contains(file, `{"kind":"user","user_id":"anna",`) || strings.Contains(file, "berta") {
		t.Errorf("the file is %s", file)
	}
}

// Behind a proxy that the configuration names, HTTPS is its task.
func TestConsole_TrustsTheProxyWithHTTPS(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Host, cfg.Access.TrustedProxies = "0.0.0.0", []string{"10.0.0.1"}
	s := run(t, cfg)
	address := "http://127.0.0.1" + s.address[strings.LastIndex(s.address, ":"):]
	if overview := consoleOverview(t, address, cfg.DataDir); strings.Contains(overview, "without HTTPS") {
		t.Errorf("the overview warns:\n%s", overview)
	}
}

// The overview shows the newest backup in the folder, whoever has made it.
func TestConsole_KnowsTheLastBackup(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Backup.Dir = t.TempDir()
	made := time.Now().UTC().Add(-time.Hour) // in an earlier run
	for _, name := range []string{
		"web-backend-" + made.Add(-time.Hour).Format("20060102T150405.000Z") + ".db",
		"web-backend-manual-" + made.Format("20060102T150405.000Z") + ".db",
		"web-backend-29990101T000000.000Z.db", "web-backend-99999999T999999.999Z.db", "another.db",
	} {
		if err := os.WriteFile(filepath.Join(cfg.Backup.Dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := run(t, cfg)
	want := `<time datetime="` + made.Format(time.RFC3339) + `">`
	if overview := consoleOverview(t, s.url, cfg.DataDir); !strings.Contains(overview, want) || !strings.Contains(overview, "<dd>web-backend-manual-") {
		t.Errorf("the overview lacks %s:\n%s", want, overview)
	}
}

// An operator makes a backup in the console, without a schedule.
func TestConsole_BacksUpNow(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Backup.Dir = filepath.Join(cfg.DataDir, "backups")
	s := run(t, cfg)
	operator := newOperator(t, s.url, cfg.DataDir)
	operator.post(t, "/console/backup", nil)
	s.waitForLog(t, "backup made")
	names, err := filepath.Glob(filepath.Join(cfg.Backup.Dir, "web-backend-manual-*.db"))
	if err != nil || len(names) != 1 {
		t.Fatalf("backups: %v, %v", names, err)
	}
	if overview := consoleOverview(t, s.url, cfg.DataDir); !strings.Contains(overview, "<dd>"+filepath.Base(names[0])+"</dd>") {
		t.Errorf("the overview lacks the backup:\n%s", overview)
	}
}

// A backup that fails is a warning until one succeeds.
func TestConsole_WarnsOfAFailedBackup(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Backup.Dir = filepath.Join(t.TempDir(), "backups")
	if err := os.WriteFile(cfg.Backup.Dir, nil, 0o600); err != nil { // where the folder should be
		t.Fatal(err)
	}
	s := run(t, cfg)
	operator := newOperator(t, s.url, cfg.DataDir)
	operator.post(t, "/console/backup", nil)
	s.waitForLog(t, "backup failed")
	if overview := consoleOverview(t, s.url, cfg.DataDir); !strings.Contains(overview, "The last backup failed") {
		t.Errorf("the overview does not warn:\n%s", overview)
	}
	if err := os.Remove(cfg.Backup.Dir); err != nil {
		t.Fatal(err)
	}
	operator.post(t, "/console/backup", nil)
	s.waitForLog(t, "backup made")
	if overview := consoleOverview(t, s.url, cfg.DataDir); strings.Contains(overview, "The last backup failed") {
		t.Errorf("the overview still warns:\n%s", overview)
	}
}

// waitForLog waits until the log has a text.
func (s *server) waitForLog(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(deadline); !strings.Contains(s.log.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log lacks %q:\n%s", text, s.log)
		}
	}
}

// A page that shows the log as it grows does not delay the end of the server.
func TestConsole_LogStreamEndsWithTheServer(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Limits.ShutdownTimeout = deadline
	s := run(t, cfg)
	token, err := os.ReadFile(filepath.Join(cfg.DataDir, auth.OperatorTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: deadline}
	defer client.CloseIdleConnections()
	send := func(method, path, form string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	_ = send(http.MethodPost, "/console/sign-in", url.Values{"token": {strings.TrimSpace(string(token))}}.Encode()).Body.Close()
	stream := send(http.MethodGet, "/console/log/stream", "")
	defer stream.Body.Close()
	s.stop()
	body, err := io.ReadAll(stream.Body)
	if err != nil || !strings.Contains(string(body), "server started") {
		t.Errorf("the stream: %v, %s", err, body)
	}
	if err := s.wait(t); err != nil || strings.Contains(s.log.String(), "broken off") {
		t.Errorf("Run: %v; the log: %s", err, s.log)
	}
}

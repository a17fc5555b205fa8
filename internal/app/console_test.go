package app_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"web-backend/internal/auth"
)

// consoleOverview signs in an operator and returns the overview.
func consoleOverview(t *testing.T, address, dataDir string) string {
	t.Helper()
	return consolePage(t, address, dataDir, "overview")
}

// consolePage signs in an operator and returns a page.
func consolePage(t *testing.T, address, dataDir, name string) string {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(dataDir, auth.OperatorTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: deadline}
	defer client.CloseIdleConnections()
	form := url.Values{"token": {strings.TrimSpace(string(token))}}.Encode()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/console/sign-in", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	signedIn, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = signedIn.Body.Close()
	request, err = http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/console/"+name, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", name, response.StatusCode, err, body)
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
	for _, want := range []string{"<dd>1.2.3</dd>", "<dd>embedded, in ", "<dd>1</dd>", " MB</dd>", "<dd>none since the start</dd>"} {
		if !strings.Contains(overview, want) {
			t.Errorf("the overview lacks %s:\n%s", want, overview)
		}
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
	if overview := consoleOverview(t, address, cfg.DataDir); !strings.Contains(overview, "Access is open and the server listens on a public address") {
		t.Errorf("the overview does not warn:\n%s", overview)
	}
	if !strings.Contains(s.console.String(), "console        "+address+"/console\n") {
		t.Errorf("the start printed an address that a browser cannot open: %s", s.console)
	}
}

func TestConsole_KnowsTheLastBackup(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Backup.Every, cfg.Backup.Keep, cfg.Backup.Dir = 24*time.Hour, 1, t.TempDir()
	made := time.Now().UTC().Add(-time.Hour) // in an earlier run
	name := "web-backend-" + made.Format("20060102T150405.000Z") + ".db"
	if err := os.WriteFile(filepath.Join(cfg.Backup.Dir, name), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := run(t, cfg)
	want := `<time datetime="` + made.Format(time.RFC3339) + `">`
	for end := time.Now().Add(deadline); ; { // the schedule looks for it after the start
		overview := consoleOverview(t, s.url, cfg.DataDir)
		if strings.Contains(overview, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the overview lacks %s:\n%s", want, overview)
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

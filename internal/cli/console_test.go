package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sendForm sends a request without following redirects.
func sendForm(t *testing.T, method, address, body string) (status int, header http.Header, content string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

// useLink opens a link, sends its code, and checks that this signs in an
// operator only once.
func useLink(t *testing.T, link string) {
	t.Helper()
	page, code, found := strings.Cut(link, "?code=")
	if !found || !strings.HasSuffix(page, "/console/sign-in") {
		t.Fatalf("the link is %q", link)
	}
	if status, _, body := sendForm(t, http.MethodGet, link, ""); status != http.StatusOK || !strings.Contains(body, code) {
		t.Fatalf("the page of the link: %d: %s", status, body)
	}
	form := url.Values{"code": {code}}.Encode()
	if status, header, body := sendForm(t, http.MethodPost, page, form); status != http.StatusSeeOther || header.Get("Set-Cookie") == "" {
		t.Errorf("signing in: %d: %s", status, body)
	}
	if status, _, _ := sendForm(t, http.MethodPost, page, form); status != http.StatusForbidden {
		t.Errorf("the link again: %d", status)
	}
}

func TestConsole_PrintsALink(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	p.fails(t, "", []string{"console"}, "there is no operator token in", "operator.token", "start the server once")
	host, port, stop := p.serve(t)
	link := p.must(t, "", "console")
	if !strings.HasPrefix(link, "http://"+host+":"+port+"/console/sign-in?code=") {
		t.Errorf("the link is %q", link)
	}
	useLink(t, link)
	stop()
	if log, err := os.ReadFile(filepath.Join(p.folder, "server.log")); err != nil || strings.Contains(string(log), "wbc_") {
		t.Errorf("the log has a code: %v\n%s", err, log)
	}

	p.env = map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": "an operator token of the test", "WEB_BACKEND_STORE": "mongodb", "MONGODB_HOST": "db.example", "WEB_BACKEND_BASE_PATH": "/stack"}
	if link := p.must(t, "", "console", "--port", "80"); !strings.HasPrefix(link, "http://127.0.0.1:80/stack/console/sign-in?code=") {
		t.Errorf("the link on MongoDB is %q", link)
	}
	delete(p.env, "WEB_BACKEND_OPERATOR_TOKEN")
	p.fails(t, "", []string{"console"}, "there is no operator token in the configuration")
}

// The page Configuration says what config explain says.
func TestConsole_ExplainsTheConfiguration(t *testing.T) {
	t.Parallel()
	const token = "an operator token of the test"
	p := &place{folder: t.TempDir(), env: map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": token, "WEB_BACKEND_BASE_PATH": "/stack"}}
	host, port, stop := p.serve(t)
	defer stop()
	at := "http://" + host + ":" + port + "/stack/console/"
	_, header, _ := sendForm(t, http.MethodPost, at+"sign-in", url.Values{"token": {token}}.Encode())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"configuration", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Cookie", header.Get("Set-Cookie"))
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	page := string(body)
	for _, want := range []string{
		`>/stack</td><td data-label="From">environment variable WEB_BACKEND_BASE_PATH</td>`, `>0</td><td data-label="From">flag --port</td><td data-label="Default">18080</td>`, ">***</td>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s: %s", want, page)
		}
	}
	var explained struct{ Keys []struct{ Key string } }
	if err := json.Unmarshal([]byte(p.must(t, "", "config", "explain", "--json")), &explained); err != nil || len(explained.Keys) == 0 {
		t.Fatalf("config explain: %v", err)
	}
	for _, entry := range explained.Keys {
		if !strings.Contains(page, `<th scope="row">`+entry.Key+`<`) {
			t.Errorf("the page lacks %s", entry.Key)
		}
	}
	if strings.Contains(page, token) {
		t.Error("the page has the operator token")
	}
}

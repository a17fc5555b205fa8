package cli_test

import (
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

package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// post sends JSON and returns the body of the response, whose status must be
// 200.
func post(t *testing.T, url string, body any) string {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return send(t, request)
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, request)
}

func send(t *testing.T, request *http.Request) string {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", request.URL, response.StatusCode, body, err)
	}
	return string(body)
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	_, port, stop := p.serve(t, "--host", "0.0.0.0")
	url := "http://127.0.0.1:" + port
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, url + "/health"}, // the server stored its address in the data folder
		{[]string{"--port", port}, url + "/health"},
		{[]string{"--port", port, "--host", "0.0.0.0"}, url + "/health"},
		{[]string{"--port", port, "--ready"}, url + "/health/ready"},
		{[]string{"--url", url, "--port", "1"}, url + "/health"},
		{[]string{"--url", url + "/", "--ready", "--timeout", "20s"}, url + "/health/ready"},
	} {
		got := p.run(t, "", append([]string{"healthcheck"}, tt.args...)...)
		if got != (result{0, "healthy: " + tt.want + " responded OK\n", ""}) {
			t.Errorf("%q: got %+v", tt.args, got)
		}
	}
	p.fails(t, "", []string{"healthcheck", "--port", "0"}, "--port")
	p.fails(t, "", []string{"healthcheck", "--url", "127.0.0.1:" + port}, "--url")
	withPassword := strings.Replace(url, "://", "://ada:"+secretText+"@", 1)
	if got := p.run(t, "", "healthcheck", "--url", withPassword); got.status != 1 || strings.Contains(got.out+got.err, secretText) {
		t.Errorf("a URL with a password: %+v", got)
	}
	p.fails(t, "", []string{"healthcheck", "--url", url + "/elsewhere"}, "/elsewhere/health responded 404")
	stop()
	p.fails(t, "", []string{"healthcheck", "--port", port}, "unhealthy", url+"/health")
	for _, timeout := range []string{"0s", "-1s", "soon"} {
		if got := p.run(t, "", "healthcheck", "--timeout="+timeout); got.status != 2 {
			t.Errorf("--timeout %s: got %+v", timeout, got)
		}
	}
}

// The health check fails for servers that are not healthy and for other
// programs.
func TestHealthcheck_OtherResponses(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"not ready", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "503"},
		{"another program", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>OK") }, "another program"},
		{"leads elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, "302"},
		{"too late", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			p.fails(t, "", []string{"healthcheck", "--url", server.URL, "--timeout", "500ms"}, "unhealthy", tt.want)
		})
	}
}

// The certificate is for another name, which does not matter for a loopback
// address. The path comes from base_path.
func TestHealthcheck_TLSAndBasePath(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/characters/health" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, `"OK"`)
	}))
	defer server.Close()
	port := server.URL[strings.LastIndex(server.URL, ":")+1:]
	p := &place{folder: t.TempDir(), env: map[string]string{
		"WEB_BACKEND_TLS_CERT": "cert.pem", "WEB_BACKEND_TLS_KEY": "key.pem", "WEB_BACKEND_BASE_PATH": "/characters",
	}}
	if got := p.must(t, "", "healthcheck", "--port", port); got != "healthy: https://127.0.0.1:"+port+"/characters/health responded OK" {
		t.Errorf("got %q", got)
	}
	p.must(t, "", "healthcheck", "--url", server.URL+"/characters")
}

// The document is the same as that of a server, byte for byte.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	printed := p.must(t, "", "openapi")
	host, port, _ := p.serve(t)
	if served := get(t, "http://"+host+":"+port+"/openapi.json"); printed+"\n" != served {
		t.Errorf("printed are %d bytes, served %d others", len(printed)+1, len(served))
	}
	file := p.folder + "/openapi.json"
	if got := p.must(t, "", "openapi", "--out", file); got != "" {
		t.Errorf("with --out it prints %q", got)
	}
	if got := readText(t, file); got != printed+"\n" {
		t.Errorf("the file has %d bytes, want %d", len(got), len(printed)+1)
	}
	p.fails(t, "", []string{"openapi", "--out", p.folder + "/none/openapi.json"}, "/none/openapi.json")
}

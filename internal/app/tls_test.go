package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"web-backend/internal/app"
	"web-backend/internal/config"
)

// pair is a self-signed certificate for 127.0.0.1 and its key, in PEM.
type pair struct{ cert, key []byte }

func newPair(t *testing.T, serial int64) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}

// withTLS configures cfg to serve p from files of the test.
func withTLS(t *testing.T, cfg *config.Config, p pair) {
	t.Helper()
	folder := t.TempDir()
	cfg.TLSCert, cfg.TLSKey = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	write(t, cfg.TLSCert, p.cert)
	write(t, cfg.TLSKey, p.key)
}

// write replaces a file in the way that certificate tools do: it moves a new
// file over it.
func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// ask sends a request over a new connection to a server. The server must
// present one of pairs. ask returns the serial number of the presented
// certificate.
func ask(t *testing.T, s *server, path string, pairs ...pair) (serial int64, received string) {
	t.Helper()
	roots := x509.NewCertPool()
	for _, p := range pairs {
		roots.AppendCertsFromPEM(p.cert)
	}
	client := &http.Client{Timeout: deadline, Transport: &http.Transport{
		DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.TLS.PeerCertificates[0].SerialNumber.Int64(), response.Proto + " " + response.Status
}

func TestRun_TLS(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	first := newPair(t, 1)
	withTLS(t, cfg, first)
	s := run(t, cfg)
	if !strings.HasPrefix(s.url, "https://") {
		t.Errorf("announced as %s", s.url)
	}
	if serial, received := ask(t, s, "/health", first); serial != 1 || received != "HTTP/2.0 200 OK" {
		t.Errorf("got certificate %d, %s", serial, received)
	}
	plain, err := http.Get("http://" + s.address + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Body.Close()
	if plain.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %s", plain.Status)
	}
	old, err := tls.Dial("tcp", s.address, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true})
	if err == nil {
		old.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// A new certificate is served when both of its files are there and valid. Until
// then, the old certificate is served. The test controls the clock, and each
// call comes when the files are checked again.
func TestCertificate_Renewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		first, second := newPair(t, 1), newPair(t, 2)
		withTLS(t, cfg, first)
		log := newStream()
		served, err := app.ServedCertificate(cfg, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		look := func(when string, want int64) {
			t.Helper()
			time.Sleep(app.CertificateAge)
			if got := served().Leaf.SerialNumber.Int64(); got != want {
				t.Errorf("%s: got certificate %d, want %d", when, got, want)
			}
		}
		write(t, cfg.TLSCert, second.cert)
		for range 2 {
			look("with the key of another", 1)
		}
		if err := os.Rename(cfg.TLSKey, cfg.TLSKey+".away"); err != nil {
			t.Fatal(err)
		}
		look("without a key", 1)
		write(t, cfg.TLSKey, second.key)
		look("when both are new", 2)
		text := log.String()
		if got := strings.Count(text, "cannot be read again"); got != 2 {
			t.Errorf("it complained %d times, want once of the key of another and once of none: %s", got, text)
		}
		if strings.Count(text, "tls certificate read again") != 1 || strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("the log is %s", text)
		}
	})
}

// A running server serves a renewed certificate without a restart.
func TestRun_TLSRenewal(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	first, second := newPair(t, 1), newPair(t, 2)
	withTLS(t, cfg, first)
	s := run(t, cfg)
	write(t, cfg.TLSCert, second.cert)
	write(t, cfg.TLSKey, second.key)
	for end := time.Now().Add(deadline); ; {
		serial, _ := ask(t, s, "/health", first, second)
		if serial == 2 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("certificate %d is served %s after the renewal", serial, deadline)
		}
	}
}

func TestRun_TLSFilesOfNoUse(t *testing.T) {
	t.Parallel()
	first, second := newPair(t, 1), newPair(t, 2)
	for name, change := range map[string]func(*config.Config){
		"no such file":    func(cfg *config.Config) { cfg.TLSCert += ".missing" },
		"key of another":  func(cfg *config.Config) { write(t, cfg.TLSKey, second.key) },
		"no certificate":  func(cfg *config.Config) { write(t, cfg.TLSCert, []byte("nothing")) },
		"no key":          func(cfg *config.Config) { write(t, cfg.TLSKey, []byte("nothing")) },
		"exchanged files": func(cfg *config.Config) { cfg.TLSCert, cfg.TLSKey = cfg.TLSKey, cfg.TLSCert },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			withTLS(t, cfg, first)
			change(cfg)
			err := app.Run(t.Context(), cfg, app.Build{}, newStream(), newStream())
			if err == nil || !strings.Contains(err.Error(), cfg.TLSCert) {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(cfg.DataDir); err == nil {
				t.Error("the data folder was made")
			}
		})
	}
}

// All paths are below the base path, including links and redirects. The log
// shows the routes without it.
func TestRun_BasePath(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.BasePath = "/characters"
	s := run(t, cfg)
	if !strings.HasSuffix(s.url, "/characters") {
		t.Errorf("announced as %s", s.url)
	}
	if status, received := s.send(t, "/health", ""); status != http.StatusOK || received != `"OK"` {
		t.Errorf("got %d %s", status, received)
	}
	if status, received := s.send(t, "/api/v1/list_users", ""); status != http.StatusOK {
		t.Errorf("got %d %s", status, received)
	}
	s.stop() // the log line is written after the response
	if err := s.wait(t); err != nil || !strings.Contains(s.log.String(), "route=/api/v1/list_users status=200") {
		t.Errorf("%v, the log is %s", err, s.log.String())
	}
}

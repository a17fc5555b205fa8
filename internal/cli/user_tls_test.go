package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

// The operator token is sent only to a server with the certificate of tls_cert.
// The request is below its base_path.
func TestUser_ThroughTLS(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("operator-token-", 4)
	asked := make(chan string, 10)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path + " " + r.Header.Get("Authorization")
		w.Header().Set("X-Request-ID", "1")
		_, _ = io.WriteString(w, `{"user_id":"ada"}`)
	}))
	defer server.Close()
	p := &place{folder: t.TempDir()}
	own, foreign := filepath.Join(p.folder, "own.pem"), filepath.Join(p.folder, "foreign.pem")
	writeNew(t, own, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	writeNew(t, foreign, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newCertificate(t)})))
	store, err := sqlite.Open(filepath.Join(p.folder, "data"), sqlite.Keys(masterkey.Ring{}))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()

	if err := store.Announce(server.URL + "/characters"); err != nil {
		t.Fatal(err)
	}
	p.env = map[string]string{"WEB_BACKEND_TLS_CERT": own, "WEB_BACKEND_TLS_KEY": own, "WEB_BACKEND_OPERATOR_TOKEN": token}
	if got := p.must(t, "", "user", "create", "ada"); got != "ada" {
		t.Errorf("printed %q", got)
	}
	if got := <-asked; got != "/characters/api/v1/create_user Bearer "+token {
		t.Errorf("asked was %s", got)
	}
	p.env["WEB_BACKEND_TLS_CERT"] = foreign
	p.fails(t, "", []string{"user", "create", "bob"}, "another certificate than that in "+foreign)
	p.env["WEB_BACKEND_TLS_CERT"] = filepath.Join(p.folder, "none.pem")
	p.fails(t, "", []string{"user", "create", "bob"}, "tls_cert", "none.pem")
	p.env = map[string]string{"WEB_BACKEND_OPERATOR_TOKEN": token}
	p.fails(t, "", []string{"user", "create", "bob"}, "tls_cert", server.URL)
	if len(asked) > 0 {
		t.Errorf("it was asked: %s", <-asked)
	}
	if strings.Contains(p.printed(), token) {
		t.Errorf("the token was printed: %s", p.printed())
	}
}

// newCertificate returns a new certificate in DER.
func newCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

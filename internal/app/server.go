package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/config"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// serverURL gives the address at which a server of this configuration is
// reached from its own machine, base path included and without a slash at its
// end.
func serverURL(cfg *config.Config) (string, error) {
	if cfg.Port == 0 {
		return "", errors.New("port 0 does not say where the server listens; give its --port")
	}
	return localURL(cfg, cfg.Host, strconv.Itoa(cfg.Port)), nil
}

// boundURL is serverURL for the address that was bound in the end.
func boundURL(cfg *config.Config, bound net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return "", err
	}
	// Who listens on 0.0.0.0 may be shown as ::, where ::1 need not answer.
	if addr, err := netip.ParseAddr(cfg.Host); err == nil && addr.IsUnspecified() {
		host = cfg.Host
	}
	return localURL(cfg, host, port), nil
}

// localURL puts the loopback address in place of one that means all of them.
func localURL(cfg *config.Config, host, port string) string {
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
		if addr.Is6() {
			host = "::1"
		}
	}
	address := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)} // which escapes a zone
	if cfg.TLSCert != "" {
		address.Scheme = "https"
	}
	return address.String() + strings.TrimSuffix(cfg.BasePath, "/")
}

// knownURL is the URL of the server that runs on the data folder, if there is
// one and it is asked for, else that of the configuration.
func knownURL(cfg *config.Config, running bool) (string, error) {
	if running && store.InDataFolder(cfg) {
		// Who may not read it, or finds nothing, goes by the configuration.
		if url, err := sqlite.Announced(cfg.DataDir); err == nil && readServerURL(url) == nil {
			return url, nil
		}
	}
	return serverURL(cfg)
}

// readServerURL checks what is to be the URL of a server.
func readServerURL(text string) error {
	address, err := url.Parse(text)
	switch {
	case err != nil: // which would repeat the text
		return errors.New("it is no URL")
	case address.Scheme != "http" && address.Scheme != "https" || address.Hostname() == "" || address.Opaque != "":
		return errors.New("want a URL such as http://127.0.0.1:18080")
	case address.User != nil:
		return errors.New("no user name and no password belong in it")
	case strings.ContainsAny(text, "?#"):
		return errors.New("nothing belongs after the path")
	}
	return nil
}

// newHTTPClient gives a client for one server. It uses no proxy, which could
// not reach a loopback address, and follows no redirect, which would lead away
// from the server that is meant.
func newHTTPClient(tlsConfig *tls.Config, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// unverifiedTLS takes any certificate. The one of tls_cert is for the public
// name, not for the loopback address that is called from the same machine; and
// a health check sends no secret and believes nothing beyond "OK".
func unverifiedTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // see above
}

// ownCertificateTLS takes the certificate in a PEM file and no other, whatever
// name it is for: an operator token goes over the connection.
func ownCertificateTLS(path string) (*tls.Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tls_cert: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("tls_cert %s does not begin with a certificate (PEM)", path)
	}
	own, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("tls_cert %s: %w", path, err)
	}
	checked := unverifiedTLS()
	checked.VerifyConnection = func(state tls.ConnectionState) error {
		if !state.PeerCertificates[0].Equal(own) {
			return fmt.Errorf("the server shows another certificate than that in %s", path)
		}
		return nil
	}
	return checked, nil
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// HealthCheck says which server is asked, and for what.
type HealthCheck struct {
	URL string // of the server, without /health; "" for that of the configuration
	// Running makes it the server that runs on the data folder of the
	// configuration, if there is one, wherever that listens.
	Running bool
	Ready   bool // /health/ready instead of /health
	Timeout time.Duration
}

// CheckHealth asks a server whether it is well. It gives the URL that was asked;
// the error says why the server is not well.
func CheckHealth(ctx context.Context, cfg *config.Config, check HealthCheck) (string, error) {
	tlsConfig := unverifiedTLS()
	address := check.URL
	if address == "" {
		var err error
		if address, err = knownURL(cfg, check.Running); err != nil {
			return "", err
		}
	} else {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
			return "", errors.New("--url: want a URL such as http://127.0.0.1:18080")
		}
		if parsed.User != nil { // which would be printed with the URL
			return "", errors.New("--url: no user name and no password belong in it")
		}
		if !auth.IsLoopbackHost(parsed.Host) {
			tlsConfig = nil // checked as usual
		}
	}
	asked := strings.TrimRight(address, "/") + "/health"
	if check.Ready {
		asked += "/ready"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, asked, nil)
	if err != nil {
		return asked, err
	}
	answer, err := newHTTPClient(tlsConfig, check.Timeout).Do(request)
	if err != nil {
		return asked, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return asked, fmt.Errorf("%s: %w", asked, err)
	case answer.StatusCode != http.StatusOK:
		return asked, fmt.Errorf("%s answered %s%s", asked, answer.Status, reasonIn(body))
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte(`"OK`)): // a reason not to be quite content may follow
		return asked, fmt.Errorf("%s answered 200, but not as web-backend does; is another program there?", asked)
	}
	return asked, nil
}

// reasonIn is what an error response says, to follow its status; "" if it says
// nothing.
func reasonIn(body []byte) string {
	var answer struct{ Detail struct{ Error string } }
	if json.Unmarshal(body, &answer) != nil || answer.Detail.Error == "" {
		return ""
	}
	return ": " + answer.Detail.Error
}

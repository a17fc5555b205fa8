package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/config"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// knownURL returns the URL of the server that runs on the data folder, if
// running is set and there is one. Otherwise it returns the URL of the
// configuration.
func knownURL(cfg *config.Config, running bool) (string, error) {
	if running && store.InDataFolder(cfg) {
		// If the URL cannot be read or does not exist, use the configuration.
		if url, err := sqlite.Announced(cfg.DataDir); err == nil && CheckURL(url) == nil {
			return url, nil
		}
	}
	return cfg.URL()
}

// HealthCheck says which server to check, and how.
type HealthCheck struct {
	URL string // URL of the server, without /health; "" for the URL of the configuration
	// Running selects the server that runs on the data folder of the
	// configuration, at whatever address it listens. If there is none, the URL
	// of the configuration is used.
	Running bool
	Ready   bool // request /health/ready instead of /health
	Timeout time.Duration
}

// A URLError is an error in the URL of a [HealthCheck].
type URLError struct{ Err error }

// Error implements error.
func (e *URLError) Error() string { return "URL of the server: " + e.Err.Error() }

// Unwrap returns e.Err.
func (e *URLError) Unwrap() error { return e.Err }

// CheckHealth asks a server whether it is healthy. It returns the URL of the
// request. The error says why the server is not healthy.
func CheckHealth(ctx context.Context, cfg *config.Config, check HealthCheck) (string, error) {
	tlsConfig := unverifiedTLS()
	address := check.URL
	if address == "" {
		var err error
		if address, err = knownURL(cfg, check.Running); err != nil {
			return "", err
		}
	} else {
		if err := CheckURL(address); err != nil {
			return "", &URLError{err}
		}
		if parsed, err := url.Parse(address); err != nil || !auth.IsLoopbackHost(parsed.Host) {
			tlsConfig = nil // verify the certificate as usual
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
	response, err := newHTTPClient(tlsConfig, check.Timeout).Do(request)
	if err != nil {
		return asked, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	switch {
	case err != nil:
		return asked, fmt.Errorf("%s: %w", asked, err)
	case response.StatusCode != http.StatusOK:
		return asked, fmt.Errorf("%s responded %s%s", asked, response.Status, reasonIn(body))
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte(`"OK`)): // a warning may follow
		return asked, fmt.Errorf("%s responded 200, but not as web-backend does; is another program there?", asked)
	}
	return asked, nil
}

// reasonIn returns the message of an error response, with a colon before it, to
// follow the status. It returns "" if there is no message.
func reasonIn(body []byte) string {
	var decoded struct{ Detail struct{ Error string } }
	if json.Unmarshal(body, &decoded) != nil || decoded.Detail.Error == "" {
		return ""
	}
	return ": " + decoded.Detail.Error
}

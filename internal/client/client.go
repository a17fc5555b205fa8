// Package client is an HTTP client for the server. It is used to change users
// while the server runs, and to check the health of a server.
package client

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
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/secretfile"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// callTimeout limits the time of one call to the running server. The slowest
// work of the server is to hash a password.
const callTimeout = 30 * time.Second

// Operator changes users through the running server that owns the data folder.
// Its errors are messages for people.
type Operator struct {
	url           string
	token         backend.Secret // operator token; empty if none was found
	tokenLocation string         // where the token was expected
	http          *http.Client
}

// Reach returns an Operator for the server that owns the data folder. It calls
// the URL that this server stored in the folder. The operator token is sent to
// no other URL.
func Reach(cfg *config.Config) (*Operator, error) {
	o := &Operator{}
	var err error
	if o.url, err = sqlite.Announced(cfg.DataDir); err != nil {
		return nil, err
	}
	if err := CheckURL(o.url); err != nil {
		return nil, fmt.Errorf("the address that it left in the folder (server.address) is wrong: %w; restart the server", err)
	}
	tokens, location, err := operatorTokens(cfg)
	if err != nil {
		return nil, err
	}
	o.tokenLocation = location
	if len(tokens) > 0 {
		o.token = tokens[0]
	}
	var tlsConfig *tls.Config
	if strings.HasPrefix(strings.ToLower(o.url), "https:") {
		if cfg.TLSCert == "" {
			return nil, fmt.Errorf("it serves %s, and tls_cert does not say with which certificate; "+
				"use the server's own configuration", o.url)
		}
		if tlsConfig, err = ownCertificateTLS(cfg.TLSCert); err != nil {
			return nil, err
		}
	}
	o.http = newHTTPClient(tlsConfig, callTimeout)
	return o, nil
}

// operatorTokens returns the operator tokens of the server, and where they are
// expected. There may be none.
func operatorTokens(cfg *config.Config) (tokens []backend.Secret, location string, err error) {
	if tokens = cfg.Access.OperatorTokens(); len(tokens) > 0 || !store.InDataFolder(cfg) {
		return tokens, "the configuration (operator_token)", nil
	}
	location = filepath.Join(cfg.DataDir, auth.OperatorTokenFile)
	text, err := secretfile.Read(location)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, location, fmt.Errorf("operator token: %w", err)
	}
	return auth.SplitOperatorTokens(text), location, nil
}

// responseBody is the body of the responses of the routes below, for success and
// for errors.
type responseBody struct {
	UserID   string `json:"user_id"`
	AuthCode int    `json:"auth_code"`
	AuthMsg  string `json:"auth_msg"`
	Detail   struct {
		Error  string `json:"error"`
		Errors []struct {
			Msg string `json:"msg"`
		} `json:"errors"`
	} `json:"detail"`
}

// CreateUser creates a user. It returns the user id, which is userID, or a new
// id if userID is empty.
func (o *Operator) CreateUser(ctx context.Context, userID string) (string, error) {
	body := map[string]string{}
	if userID != "" {
		body["user_id"] = userID
	}
	decoded, err := o.call(ctx, "create_user", body)
	return decoded.UserID, err
}

// DeleteUser removes a user and everything that is stored for the user.
func (o *Operator) DeleteUser(ctx context.Context, userID string) error {
	return o.callFor(ctx, "delete_user", userID)
}

// SetPassword sets the password of the user with this id or this user name. It
// returns the id.
func (o *Operator) SetPassword(ctx context.Context, userID, username string, password backend.Secret) (string, error) {
	body := map[string]string{"new_password": password.Reveal()}
	if userID != "" {
		body["user_id"] = userID
	}
	if username != "" {
		body["username"] = username
	}
	decoded, err := o.call(ctx, "set_user_password", body)
	if err == nil && decoded.AuthCode != http.StatusOK {
		err = errors.New(decoded.AuthMsg)
	}
	return decoded.UserID, err
}

// DisableUser disables the account of a user and ends the user's tokens.
func (o *Operator) DisableUser(ctx context.Context, userID string) error {
	return o.callFor(ctx, "disable_user", userID)
}

// EnableUser enables the account of a user again.
func (o *Operator) EnableUser(ctx context.Context, userID string) error {
	return o.callFor(ctx, "enable_user", userID)
}

// EndUserSessions ends the tokens of a user.
func (o *Operator) EndUserSessions(ctx context.Context, userID string) error {
	return o.callFor(ctx, "end_user_sessions", userID)
}

// SetProviderKey stores a provider key of a user, or removes it if key is empty.
func (o *Operator) SetProviderKey(ctx context.Context, userID, name string, key backend.Secret) error {
	_, err := o.call(ctx, "update_user_config", map[string]string{"user_id": userID, name: key.Reveal()})
	return err
}

// callFor calls an endpoint that takes only a user id.
func (o *Operator) callFor(ctx context.Context, endpoint, userID string) error {
	_, err := o.call(ctx, endpoint, map[string]string{"user_id": userID})
	return err
}

// call sends a POST request to a route that an operator may use.
func (o *Operator) call(ctx context.Context, endpoint string, body map[string]string) (decoded responseBody, err error) {
	data, err := json.Marshal(body)
	if err != nil {
		return decoded, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url+"/api/v1/"+endpoint, bytes.NewReader(data))
	if err != nil {
		return decoded, err
	}
	request.Header.Set("Content-Type", "application/json")
	if o.token.IsSet() {
		request.Header.Set("Authorization", "Bearer "+o.token.Reveal())
	}
	response, err := o.http.Do(request)
	if err != nil {
		return decoded, fmt.Errorf("the data folder is in use, and its server cannot be reached at %s (%w); "+
			"run the command on the machine, or in the container, of the server", o.url, err)
	}
	defer response.Body.Close()
	data, err = io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return decoded, fmt.Errorf("the server at %s broke off its response: %w", o.url, err)
	}
	readable := len(data) == 0 || json.Unmarshal(data, &decoded) == nil
	ours := response.Header.Get("X-Request-ID") != "" // every response of web-backend has it
	switch {
	case response.StatusCode == http.StatusOK && readable && ours:
		return decoded, nil
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		return decoded, fmt.Errorf("the server at %s does not take the operator token of %s; "+
			"use the server's own configuration, or stop it", o.url, o.tokenLocation)
	case decoded.Detail.Error != "":
		return decoded, errors.New(decoded.Detail.Error)
	case len(decoded.Detail.Errors) > 0:
		return decoded, errors.New(decoded.Detail.Errors[0].Msg)
	}
	return decoded, fmt.Errorf("the server at %s responded %s, not as web-backend does; "+
		"run the command on the machine, or in the container, of the server", o.url, response.Status)
}

// CheckURL checks that text can be the URL of a server. Its error never
// contains text.
func CheckURL(text string) error {
	address, err := url.Parse(text)
	switch {
	case err != nil: // err would repeat the text
		return errors.New("it is not a URL")
	case address.Scheme != "http" && address.Scheme != "https" || address.Hostname() == "" || address.Opaque != "":
		return errors.New("want a URL such as http://127.0.0.1:18080")
	case address.User != nil:
		return errors.New("no user name and no password belong in it")
	case strings.ContainsAny(text, "?#"):
		return errors.New("nothing belongs after the path")
	}
	return nil
}

// newHTTPClient returns a client for one server. It uses no proxy, because a
// proxy could not reach a loopback address. It follows no redirects, because
// they would lead to another server.
func newHTTPClient(tlsConfig *tls.Config, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// unverifiedTLS accepts any certificate. The certificate of tls_cert is for the
// public name of the server, not for the loopback address that is called on the
// same machine. A health check sends no secret, and uses nothing of the
// response except whether it is "OK".
func unverifiedTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // see above
}

// ownCertificateTLS accepts only the certificate in a PEM file, whatever name
// it is for, because an operator token is sent over the connection.
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

// maxResponse is the maximum number of bytes that is read of a response.
const maxResponse = 1 << 20

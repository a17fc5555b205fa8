package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/secretfile"
	"web-backend/internal/store/sqlite"
)

// remoteTimeout bounds one call of the running server; hashing a password is
// the longest of its work.
const remoteTimeout = 30 * time.Second

// remoteUsers changes users through the running server, which owns the data
// folder.
type remoteUsers struct {
	url   string
	token backend.Secret // of an operator; empty if none was found
	place string         // where the token was looked for
	http  *http.Client
}

// reachServer prepares calls of the server that owns the data folder, at the
// URL that it announced there: the token goes nowhere else.
func reachServer(cfg *config.Config) (*remoteUsers, error) {
	r := &remoteUsers{place: "the configuration (operator_token)"}
	var err error
	if r.url, err = sqlite.Announced(cfg.DataDir); err != nil {
		return nil, err
	}
	if err := readServerURL(r.url); err != nil {
		return nil, fmt.Errorf("the address that it left in the folder (server.address) is wrong: %w; start the server anew", err)
	}
	tokens := cfg.Access.OperatorTokens()
	if len(tokens) == 0 {
		r.place = filepath.Join(cfg.DataDir, auth.OperatorTokenFile)
		text, err := secretfile.Read(r.place)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("operator token: %w", err)
		}
		tokens = auth.SplitOperatorTokens(text)
	}
	if len(tokens) > 0 {
		r.token = tokens[0]
	}
	var tlsConfig *tls.Config
	if strings.HasPrefix(strings.ToLower(r.url), "https:") {
		if cfg.TLSCert == "" {
			return nil, fmt.Errorf("it serves %s, and tls_cert does not say with which certificate; "+
				"use the server's own configuration", r.url)
		}
		if tlsConfig, err = ownCertificateTLS(cfg.TLSCert); err != nil {
			return nil, err
		}
	}
	r.http = newHTTPClient(tlsConfig, remoteTimeout)
	return r, nil
}

// remoteAnswer is what the answers of the routes below hold, success or not.
type remoteAnswer struct {
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

func (r *remoteUsers) create(ctx context.Context, userID string) (string, error) {
	body := map[string]string{}
	if userID != "" {
		body["user_id"] = userID
	}
	answer, err := r.call(ctx, "create_user", body)
	return answer.UserID, err
}

func (r *remoteUsers) remove(ctx context.Context, userID string) error {
	_, err := r.call(ctx, "delete_user", map[string]string{"user_id": userID})
	return err
}

func (r *remoteUsers) setPassword(ctx context.Context, userID, username string, password backend.Secret) (string, error) {
	body := map[string]string{"new_password": password.Reveal()}
	if userID != "" {
		body["user_id"] = userID
	}
	if username != "" {
		body["username"] = username
	}
	answer, err := r.call(ctx, "set_user_password", body)
	if err == nil && answer.AuthCode != http.StatusOK {
		err = errors.New(answer.AuthMsg)
	}
	return answer.UserID, err
}

func (r *remoteUsers) setKey(ctx context.Context, userID, name string, key backend.Secret) error {
	_, err := r.call(ctx, "update_user_config", map[string]string{"user_id": userID, name: key.Reveal()})
	return err
}

func (r *remoteUsers) close() error { return nil }

// call posts to a route that an operator may call.
func (r *remoteUsers) call(ctx context.Context, operation string, body map[string]string) (answer remoteAnswer, err error) {
	data, err := json.Marshal(body)
	if err != nil {
		return answer, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/api/v1/"+operation, bytes.NewReader(data))
	if err != nil {
		return answer, err
	}
	request.Header.Set("Content-Type", "application/json")
	if r.token.IsSet() {
		request.Header.Set("Authorization", "Bearer "+r.token.Reveal())
	}
	response, err := r.http.Do(request)
	if err != nil {
		return answer, fmt.Errorf("the data folder is in use, and its server cannot be reached at %s (%w); "+
			"run the command on the machine, or in the container, of the server", r.url, err)
	}
	defer response.Body.Close()
	data, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer, fmt.Errorf("the server at %s broke off its answer: %w", r.url, err)
	}
	readable := len(data) == 0 || json.Unmarshal(data, &answer) == nil
	ours := response.Header.Get("X-Request-ID") != "" // which every answer has
	switch {
	case response.StatusCode == http.StatusOK && readable && ours:
		return answer, nil
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		return answer, fmt.Errorf("the server at %s does not take the operator token of %s; "+
			"use the server's own configuration, or stop it", r.url, r.place)
	case answer.Detail.Error != "":
		return answer, errors.New(answer.Detail.Error)
	case len(answer.Detail.Errors) > 0:
		return answer, errors.New(answer.Detail.Errors[0].Msg)
	}
	return answer, fmt.Errorf("the server at %s answered %s, not as web-backend does; "+
		"run the command on the machine, or in the container, of the server", r.url, response.Status)
}

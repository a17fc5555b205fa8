package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/logging"
	"web-backend/internal/secretfile"
	"web-backend/internal/store"
)

// The number of keys that the rate limits remember. Each key takes about 250
// bytes.
const (
	rateAddresses = 20_000
	rateUsernames = 20_000
)

// openAccess converts the access configuration to the options of package api.
// It also returns where the operator token is, as text for people.
func openAccess(cfg *config.Config, log *logging.Log) (access api.AccessOptions, location string, err error) {
	if access.Mode, err = auth.ParseMode(cfg.Access.Mode); err != nil {
		return access, "", err
	}
	if access.Proxies, err = auth.ParseProxies(cfg.Access.TrustedProxies); err != nil {
		return access, "", fmt.Errorf("trusted_proxies: %w", err)
	}
	access.LocalOperator = cfg.Access.LocalOperator
	access.AddressTries = auth.NewRateLimit(cfg.Access.RatePerAddress, cfg.Access.RateAddressBurst, rateAddresses, time.Now)
	access.UserWrites = auth.NewRateLimit(cfg.Access.WritesPerUser, cfg.Access.WritesPerUserBurst, rateUsernames, time.Now)
	access.PairTries = auth.NewRateLimit(cfg.Access.RatePerUsername, cfg.Access.RatePerUsername, rateUsernames, time.Now)
	access.UsernameTries = auth.NewRateLimit(cfg.Access.RatePerUsernameFromAll, cfg.Access.RatePerUsernameFromAll, rateUsernames, time.Now)

	tokens, location := cfg.Access.OperatorTokens(), "from the configuration"
	if len(tokens) == 0 && store.InDataFolder(cfg) {
		location = absolute(filepath.Join(cfg.DataDir, auth.OperatorTokenFile))
		if tokens, err = keptOperatorTokens(location); err != nil {
			return access, "", fmt.Errorf("operator token: %w", err)
		}
		if mode, exposed := secretfile.Exposed(location); exposed {
			log.Warn("operator token may be read by others", "file", location, "mode", mode.String(), "remedy", "chmod 600")
		}
		for _, token := range tokens {
			if advice := auth.OperatorTokenAdvice(token); advice != "" {
				log.Warn("operator token is short", "file", location, "warning", advice)
			}
		}
	}
	if len(tokens) == 0 {
		location = "none"
	}
	access.OperatorTokens = auth.NewOperatorTokens(tokens)
	warnOfAccess(cfg, access, log)
	return access, location, nil
}

// warnOfAccess logs access settings that the operator may not have intended.
func warnOfAccess(cfg *config.Config, access api.AccessOptions, log *logging.Log) {
	if access.Mode == auth.Open {
		// This also holds for a loopback address: a web page that is open on
		// this machine can reach it through its own host name (DNS rebinding).
		log.Warn("access is open: anyone who reaches this address may read and change everything",
			"host", cfg.Host, "remedy", "set access: guarded or strict")
	}
	if access.Mode == auth.Strict && access.OperatorTokens.Len() == 0 {
		log.Warn("there is no operator token: no one can list, create or delete users, or see the log",
			"remedy", "set WEB_BACKEND_OPERATOR_TOKEN")
	}
	if access.Mode == auth.Strict && cfg.EnableCORS {
		log.Warn("access is strict and pages of other origins may call: the DLP3D web client is locked out, as it sends no access token",
			"remedy", "set access: guarded if people use that client")
	}
	if access.Mode == auth.Guarded && access.LocalOperator && len(cfg.Access.TrustedProxies) == 0 &&
		!auth.IsLoopbackHost(net.JoinHostPort(cfg.Host, "0")) {
		log.Warn("who seems to call from this machine is an operator without a token, and a proxy on it may make strangers seem so",
			"host", cfg.Host, "remedy", "set local_operator: false, or name the proxy in trusted_proxies")
	}
}

// keptOperatorTokens returns the tokens in the file at path. If the file does
// not exist, it is created with one new token. The caller must hold the lock of
// the store, so that no other process creates the file.
func keptOperatorTokens(path string) ([]backend.Secret, error) {
	text, err := secretfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		token := auth.NewOperatorToken()
		return []backend.Secret{token}, secretfile.Write(path, backend.NewSecret(token.Reveal()+"\n"))
	}
	if err != nil {
		return nil, err
	}
	tokens := auth.SplitOperatorTokens(text)
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%s is empty; remove it to have a new one made", path)
	}
	for _, token := range tokens {
		if err := auth.CheckOperatorToken(token); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return tokens, nil
}

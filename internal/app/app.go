// Package app wires the parts of the server together and runs them. It is the
// only package that knows all of them.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"

	"golang.org/x/net/netutil"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/logging"
)

// Run serves until ctx ends, then stops in order: it accepts nothing more,
// lets running requests finish within the configured time, and closes the
// store and the log. It says on console where it listens and where its files
// lie; log lines go to logLines. An error is one of starting, or of closing.
func Run(ctx context.Context, cfg *config.Config, console, logLines io.Writer) error {
	s, err := start(ctx, cfg, logLines)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped while it waited for its store
	}
	if err != nil {
		return err
	}
	s.announce(cfg, console)
	return s.serve(ctx, cfg)
}

// server is everything that runs, in the order in which it was started.
type server struct {
	log      *logging.Log
	listener net.Listener
	store    backend.Store
	place    string // of the store, for a person
	http     *http.Server

	operatorToken string // where it is, for a person
}

// start opens what can fail: first what leaves no file behind.
func start(ctx context.Context, cfg *config.Config, console io.Writer) (s *server, err error) {
	defaults, err := loadDefaults(cfg)
	if err != nil {
		return nil, err
	}
	s = &server{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	address := net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
		return s, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	if s.log, err = logging.Open(logging.Options{
		Console: console, ConsoleLevel: cfg.Log.ConsoleLevel,
		Path: cfg.Log.Path, FileLevel: cfg.Log.FileLevel, MaxSizeMB: cfg.Log.MaxSizeMB, MaxFiles: cfg.Log.MaxFiles,
	}); err != nil {
		return s, err
	}
	for _, warning := range cfg.Warnings {
		s.log.Warn("configuration", "warning", warning)
	}
	if s.store, s.place, err = openStore(ctx, cfg, s.log.Logger); err != nil {
		return s, err
	}
	access, tokenPlace, err := openAccess(cfg, s.log)
	if err != nil {
		return s, err
	}
	s.operatorToken = tokenPlace
	s.http = newHTTPServer(cfg, s.log.Logger, newService(cfg, s.store, defaults), access)
	return s, nil
}

func newService(cfg *config.Config, store backend.Store, defaults backend.Defaults) *backend.Service {
	return backend.New(store, backend.Options{
		Defaults:  defaults,
		Passwords: auth.NewPasswords(cfg.Accounts.PasswordParams()),
		Accounts: backend.AccountRules{
			PasswordMinLength: cfg.Accounts.PasswordMinLength, TokenLifetime: cfg.Access.TokenLifetime, NewToken: auth.NewToken,
		},
	})
}

func newHTTPServer(cfg *config.Config, log *slog.Logger, service *backend.Service, access api.AccessOptions) *http.Server {
	handler := api.New(service, log, api.Options{
		LogFile: cfg.Log.Path, MaxBodyBytes: int64(cfg.Limits.MaxBodyBytes), WriteTimeout: cfg.Limits.WriteTimeout,
		EnableCORS: cfg.EnableCORS, CORSOrigins: cfg.CORSOrigins, Access: access,
	}).Handler()
	return &http.Server{
		Handler: handler, MaxHeaderBytes: cfg.Limits.MaxHeaderBytes,
		ReadHeaderTimeout: cfg.Limits.ReadHeaderTimeout, ReadTimeout: cfg.Limits.ReadTimeout,
		WriteTimeout: cfg.Limits.WriteTimeout, IdleTimeout: cfg.Limits.IdleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// announce tells the person at the console where everything is.
func (s *server) announce(cfg *config.Config, console io.Writer) {
	url := "http://" + s.listener.Addr().String()
	logFile := cfg.Log.Path
	if logFile == "" {
		logFile = "none"
	}
	fmt.Fprintf(console, "web-backend is listening on %s\n"+
		"  documentation  %s/docs\n  store          %s\n  log            %s\n"+
		"  access         %s\n  operator token %s\n",
		url, url, s.place, logFile, cfg.Access.Mode, s.operatorToken)
	s.log.Info("server started", "url", url, "store", s.place, "log_file", logFile, "access", cfg.Access.Mode)
}

// serve answers requests until ctx ends, and stops in order.
func (s *server) serve(ctx context.Context, cfg *config.Config) error {
	failed := make(chan error, 1)
	go func() {
		failed <- s.http.Serve(netutil.LimitListener(s.listener, cfg.Limits.MaxConnections))
	}()
	select {
	case err := <-failed:
		return errors.Join(err, s.close())
	case <-ctx.Done():
	}
	s.log.Info("server stopping", "deadline", cfg.Limits.ShutdownTimeout)
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Limits.ShutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(deadline); err != nil {
		s.log.Warn("requests were broken off at the deadline", "error", err)
		_ = s.http.Close() // the listener is closed already
	}
	err := <-failed // a Serve that had not begun yet closes the listener only now
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.close())
}

// close closes what was started, last first.
func (s *server) close() error {
	var errs []error
	if s.listener != nil && s.http == nil {
		errs = append(errs, s.listener.Close()) // else the HTTP server owns it
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.log != nil {
		if s.http != nil {
			s.log.Info("server stopped")
		}
		errs = append(errs, s.log.Close())
	}
	return errors.Join(errs...)
}

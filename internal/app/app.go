// Package app assembles the server from its parts and runs it.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/connections"
	"web-backend/internal/console"
	"web-backend/internal/logging"
	"web-backend/internal/maintenance"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/telemetry"
)

// Run serves until ctx ends, then shuts down in order: it stops accepting
// connections, lets running requests finish within the configured time, and
// closes the store and the log. It writes to console where the server listens
// and where its files are; log lines go to logLines. It returns an error if the
// server cannot start or serve, or if closing fails.
func Run(ctx context.Context, cfg *config.Config, build Build, console, logLines io.Writer) error {
	s, err := start(ctx, cfg, build, console, logLines)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped while it waited for the store
	}
	if err != nil {
		return err
	}
	s.announce(cfg, console)
	return s.serve(ctx, cfg)
}

// server holds the parts that run, in the order in which they were started.
type server struct {
	log         *logging.Log
	listener    net.Listener
	store       backend.Store
	description string // of the store, as text for people
	location    string // of the store
	unready     string // why the server is not ready; "" if it is
	http        *http.Server
	bound       *connections.Bound
	backups     *maintenance.Schedule
	motion      *motionFiles
	api         *api.API
	console     *console.Console

	debugListener net.Listener // nil without a debug listener
	debug         *http.Server
	instruments   instruments

	operatorToken string // where the token is, as text for people
	tickets       *auth.Tickets
	backupFailure atomic.Pointer[console.BackupFailure] // nil if the last backup succeeded
}

// start opens everything that can fail. The steps that leave no file behind
// come first.
func start(ctx context.Context, cfg *config.Config, build Build, console, logLines io.Writer) (s *server, err error) {
	defaults, err := cfg.UserDefaults()
	if err != nil {
		return nil, err
	}
	certificate, err := openCertificate(cfg)
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
		Console: logLines, Streams: []io.Writer{console, logLines}, ConsoleLevel: cfg.Log.ConsoleLevel,
		Path: cfg.Log.Path, FileLevel: cfg.Log.FileLevel, MaxSizeMB: cfg.Log.MaxSizeMB, MaxFiles: cfg.Log.MaxFiles,
	}); err != nil {
		return s, err
	}
	for _, warning := range cfg.Warnings {
		s.log.Warn("configuration", "warning", warning)
	}
	warnOfUnknownNames(cfg, defaults, s.log.Logger)
	if err = s.openInstruments(ctx, build); err != nil {
		return s, err
	}
	opened, err := store.Open(ctx, cfg, s.log.Logger)
	if err != nil {
		return s, err
	}
	s.description, s.location, s.unready = opened.Description, opened.Location, opened.Unready
	embedded, _ := opened.Store.(*sqlite.Store) // nil on MongoDB
	s.store = s.instruments.store(opened)
	access, tokenPlace, err := openAccess(cfg, s.log)
	if err != nil {
		return s, err
	}
	s.operatorToken = tokenPlace
	motions, err := s.startMotion(cfg)
	if err != nil {
		return s, err
	}
	service := s.newService(cfg, defaults)
	s.api = s.newAPI(cfg, service, access, motions)
	s.mountConsole(cfg, service, access, build, embedded)
	if s.motion != nil {
		s.instruments.motionFiles(s.motion.library, s.api)
	}
	if err = s.openDebug(ctx, cfg, s.api, access.OperatorTokens.Len() > 0); err != nil {
		return s, err
	}
	s.http = newHTTPServer(cfg, s.log.Logger, s.api.Handler())
	s.http.RegisterOnShutdown(s.console.EndStreams)
	s.bound = connections.New(connections.Options{
		Max: cfg.Limits.MaxConnections, PerAddress: cfg.Limits.MaxConnectionsPerAddress, Proxies: access.Proxies, Log: s.log.Logger,
	})
	s.bound.Apply(s.http)
	s.instruments.clients(s.bound)
	s.http.TLSConfig = certificate.config(s.log.Logger)
	s.leaveAddress(cfg, embedded)
	return s, nil
}

// warnOfUnknownNames logs the unknown adapters, scenes and avatars in the files
// for new users. They are not errors, because an orchestrator may know names
// that this server does not.
func warnOfUnknownNames(cfg *config.Config, defaults backend.Defaults, log *slog.Logger) {
	for i, path := range cfg.DefaultCharacterConfigPaths {
		for _, name := range defaults.Characters[i].UnknownNames() {
			log.Warn("a default character has an unknown name, GET /api/v1/list_providers has the known ones",
				"file", path, "field", name.Field, "nearest", strings.Join(name.Nearest, ", "))
		}
	}
}

// leaveAddress stores the URL of this server where the commands that change
// users find it. A failure is only logged: the server still runs, but those
// commands cannot find it.
func (s *server) leaveAddress(cfg *config.Config, store *sqlite.Store) {
	if store == nil {
		return
	}
	url, err := cfg.BoundURL(s.listener.Addr())
	if err == nil {
		err = store.Announce(url)
	}
	if err != nil {
		s.log.Warn("commands that change users will not find this server", "error", err)
	}
}

func (s *server) newService(cfg *config.Config, defaults backend.Defaults) *backend.Service {
	return backend.New(s.store, backend.Options{
		Defaults:  defaults,
		Limits:    backend.Limits(cfg.Quotas),
		Passwords: s.instruments.passwords(auth.NewPasswords(cfg.Accounts.PasswordParams())),
		Accounts: backend.AccountRules{
			RegistrationClosed: cfg.Accounts.Registration == config.RegistrationClosed,
			PasswordMinLength:  cfg.Accounts.PasswordMinLength, TokenLifetime: cfg.Access.TokenLifetime, NewToken: auth.NewToken,
		},
	})
}

func (s *server) newAPI(cfg *config.Config, service *backend.Service, access api.AccessOptions, motions api.MotionOptions) *api.API {
	return api.New(service, s.log.Logger, api.Options{
		BasePath: cfg.BasePath, LogFile: cfg.Log.Path, FlushLog: s.log.Flush, MaxBodyBytes: int64(cfg.Limits.MaxBodyBytes), WriteTimeout: cfg.Limits.WriteTimeout,
		EnableCORS: cfg.EnableCORS, CORSOrigins: cfg.CORSOrigins, Access: access, Motion: motions,
		Unready:  s.unready,
		Observer: telemetry.NewObserver(s.instruments.metrics, s.instruments.tracing), Metrics: s.instruments.metrics.Write,
	})
}

func newHTTPServer(cfg *config.Config, log *slog.Logger, handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, MaxHeaderBytes: cfg.Limits.MaxHeaderBytes, ConnContext: api.OneWriteContext,
		ReadHeaderTimeout: cfg.Limits.ReadHeaderTimeout, ReadTimeout: cfg.Limits.ReadTimeout,
		WriteTimeout: cfg.Limits.WriteTimeout, IdleTimeout: cfg.Limits.IdleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// "OPTIONS *" gets the same headers, id and log line as every request,
		// and the 404 of a path that does not exist.
		DisableGeneralOptionsHandler: true,
	}
}

// announce writes to console the URLs of the server and where its files are.
func (s *server) announce(cfg *config.Config, console io.Writer) {
	scheme := "http"
	if s.http.TLSConfig != nil {
		scheme = "https"
	}
	url := scheme + "://" + s.listener.Addr().String() + cfg.BasePath
	consoleURL := url // a browser cannot open 0.0.0.0
	if bound, err := cfg.BoundURL(s.listener.Addr()); err == nil {
		consoleURL = bound
	}
	consoleURL += "/console"
	logFile := "none"
	if cfg.Log.Path != "" {
		logFile = absolute(cfg.Log.Path)
	}
	s.log.Flush() // log lines of the start come first
	fmt.Fprintf(console, "web-backend is listening on %s\n"+
		"  console        %s\n  documentation  %s/docs\n  store          %s\n  log            %s\n"+
		"  access         %s\n  operator token %s\n",
		url, consoleURL, url, s.description, logFile, cfg.Access.Mode, s.operatorToken)
	s.announceLink(consoleURL, console)
	if s.unready != "" {
		fmt.Fprintf(console, "  NOT READY      %s\n", s.unready)
	}
	s.log.Info("server started", "url", url, "store", s.description, "log_file", logFile, "access", cfg.Access.Mode)
}

// serve handles requests until ctx ends or no more connections can be accepted,
// then shuts down in order.
func (s *server) serve(ctx context.Context, cfg *config.Config) error {
	s.backups = maintenance.ScheduleBackups(cfg, s.log.Logger, s.backupDone)
	s.serveDebug()
	failed := make(chan error, 1)
	go func() {
		listener := api.OneWrite(s.bound.Listener(s.listener))
		if s.http.TLSConfig != nil {
			failed <- s.http.ServeTLS(listener, "", "") // TLSConfig reads the files
			return
		}
		failed <- s.http.Serve(listener)
	}()
	var failure error
	select {
	case failure = <-failed: // no more connections are accepted; the rest of the shutdown is the same
	case <-ctx.Done():
	}
	s.log.Info("server stopping", "deadline", cfg.Limits.ShutdownTimeout)
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Limits.ShutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(deadline); err != nil {
		s.log.Warn("requests were broken off at the deadline", "error", err)
		_ = s.http.Close() // Shutdown has already closed the listener
	}
	s.api.CloseMotionSessions(deadline)
	s.instruments.tracing.Close(deadline)
	if failure == nil {
		failure = <-failed // if Serve had not started yet, it closes the listener only now
	}
	if errors.Is(failure, http.ErrServerClosed) {
		failure = nil
	}
	return errors.Join(failure, s.close())
}

// close closes everything that was started, in reverse order.
func (s *server) close() error {
	s.backups.Stop()
	s.motion.stop()
	errs := []error{s.closeDebug()}
	if s.listener != nil && s.http == nil {
		errs = append(errs, s.listener.Close()) // otherwise the HTTP server owns it
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

// absolute returns path as an absolute path. A relative path does not help a
// reader who does not know where the server was started. If it cannot be made
// absolute, path is returned unchanged.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

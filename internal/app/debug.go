package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"web-backend/internal/api"
	"web-backend/internal/config"
)

// errDebugToken is returned when a debug listener is configured but there is no
// operator token to use it with.
var errDebugToken = errors.New("debug_address: it opens with an operator token only, and there is none; set operator_token")

// openDebug opens the debug listener for operators, if the configuration has an
// address for it. Without an operator token it returns an error, because no
// client could use the listener.
func (s *server) openDebug(ctx context.Context, cfg *config.Config, handler *api.API, hasToken bool) (err error) {
	if cfg.DebugAddress == "" {
		return nil
	}
	if !hasToken {
		return errDebugToken
	}
	if s.debugListener, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.DebugAddress); err != nil {
		return fmt.Errorf("debug_address: cannot listen on %s: %w", cfg.DebugAddress, err)
	}
	// There is no write timeout, because the client chooses how long a profile
	// takes.
	s.debug = &http.Server{
		Handler: handler.DebugHandler(), ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), MaxHeaderBytes: cfg.Limits.MaxHeaderBytes,
		ReadHeaderTimeout: cfg.Limits.ReadHeaderTimeout, ReadTimeout: cfg.Limits.ReadTimeout, IdleTimeout: time.Minute,
	}
	return nil
}

// serveDebug serves on the debug listener until closeDebug.
func (s *server) serveDebug() {
	if s.debug == nil {
		return
	}
	s.log.Info("debug listener started", "address", s.debugListener.Addr().String())
	go func() { _ = s.debug.Serve(s.debugListener) }() // the server ends it with closeDebug
}

// closeDebug closes the debug listener and aborts its requests: a profile must
// not delay shutdown.
func (s *server) closeDebug() error {
	switch {
	case s.debug != nil:
		_ = s.debug.Close() // the only possible error is from closing the listener
	case s.debugListener != nil:
		return s.debugListener.Close()
	}
	return nil
}

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

// errDebugToken is the error of a debug listener that nobody could use.
var errDebugToken = errors.New("debug_address: it opens with an operator token only, and there is none; set operator_token")

// openDebug listens for operators where the configuration says, if it does.
// Without an operator token nobody could use it.
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
	// No bound on the time of an answer: whoever profiles says how long.
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
	go func() { _ = s.debug.Serve(s.debugListener) }() // its end is that of the server
}

// closeDebug breaks off what runs there: a profile must not hold up a stop.
func (s *server) closeDebug() error {
	switch {
	case s.debug != nil:
		_ = s.debug.Close() // of the listener only, which is going anyway
	case s.debugListener != nil:
		return s.debugListener.Close()
	}
	return nil
}

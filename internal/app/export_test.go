package app

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"

	"web-backend/internal/config"
)

// CertificateAge is how long a certificate is served before its files are
// checked again.
const CertificateAge = certificateAge

// ServedCertificate returns a function that returns the certificate to serve
// now.
func ServedCertificate(cfg *config.Config, log *slog.Logger) (func() *tls.Certificate, error) {
	c, err := openCertificate(cfg)
	if err != nil {
		return nil, err
	}
	c.config(log)
	return c.get, nil
}

// RunBroken is the same as Run, with a listener that breaks when broken is
// closed.
func RunBroken(ctx context.Context, cfg *config.Config, console io.Writer, broken <-chan struct{}) error {
	s, err := start(ctx, cfg, Build{}, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	s.announce(cfg, console)
	go func() {
		<-broken
		_ = s.listener.Close()
	}()
	return s.serve(ctx, cfg)
}

package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"web-backend/internal/config"
)

// certificateAge is how long a certificate is served before its files are
// checked again.
const certificateAge = time.Second

// certificate is a TLS certificate from two PEM files. It is read again when
// one of the files has changed. A renewal writes one file after the other, so
// the old certificate is served until the two files match.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mutex   sync.Mutex
	current *tls.Certificate
	looked  time.Time      // when the files were last checked
	loaded  [2]os.FileInfo // the state of the files when current was read
	failed  [2]os.FileInfo // the state of the files when reading them last failed
}

// openCertificate reads the certificate files named in cfg. It returns nil if
// cfg does not name any.
func openCertificate(cfg *config.Config) (*certificate, error) {
	if cfg.TLSCert == "" && cfg.TLSKey == "" {
		return nil, nil
	}
	c := &certificate{certFile: cfg.TLSCert, keyFile: cfg.TLSKey}
	files, err := c.files()
	if err != nil {
		return nil, err
	}
	return c, c.load(files)
}

// config returns the TLS configuration that serves c. Changes of the
// certificate are logged to log. It returns nil if there is no certificate.
func (c *certificate) config(log *slog.Logger) *tls.Config {
	if c == nil {
		return nil
	}
	c.log = log
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
	}
}

// get returns the certificate to serve now. If a changed certificate cannot be
// read, this is logged once for each change of the files.
func (c *certificate) get() *tls.Certificate {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if time.Since(c.looked) < certificateAge {
		return c.current
	}
	c.looked = time.Now()
	files, err := c.files()
	if err == nil && same(files, c.loaded) {
		return c.current
	}
	if err == nil {
		err = c.load(files)
	}
	switch {
	case err == nil:
		c.log.Info("tls certificate read again", "tls_cert", c.certFile, "expires", c.current.Leaf.NotAfter)
	case !same(files, c.failed):
		c.failed = files
		c.log.Warn("tls certificate cannot be read again; the former one is served",
			"error", err, "expires", c.current.Leaf.NotAfter)
	}
	return c.current
}

// files returns the state of both files. It follows links, because some tools
// renew a certificate by moving a link.
func (c *certificate) files() (files [2]os.FileInfo, err error) {
	for i, file := range []string{c.certFile, c.keyFile} {
		if files[i], err = os.Stat(file); err != nil {
			return [2]os.FileInfo{}, fmt.Errorf("the TLS certificate cannot be read: %w", err)
		}
	}
	return files, nil
}

// load reads the certificate. The argument is the current state of its files.
func (c *certificate) load(files [2]os.FileInfo) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("tls_cert %s with tls_key %s: %w", c.certFile, c.keyFile, err)
	}
	c.current, c.loaded, c.looked = &pair, files, time.Now()
	return nil
}

// same reports whether the files are unchanged between the states a and b.
func same(a, b [2]os.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			if a[i] != b[i] {
				return false
			}
			continue
		}
		if !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}

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
// looked at again.
const certificateAge = time.Second

// certificate is the TLS certificate of two PEM files, read again when one of
// them has changed. Until both fit together the former one is served: whoever
// renews them writes one after the other.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mutex   sync.Mutex
	current *tls.Certificate
	looked  time.Time      // when the files were last looked at
	loaded  [2]os.FileInfo // the files as they were when current was read
	failed  [2]os.FileInfo // the files as they were when reading them failed last
}

// openCertificate reads the files that cfg names; nil if it names none.
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

// config is the TLS configuration that serves c and tells log when it changes;
// nil without a certificate.
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

// get gives the certificate to serve now. That it cannot be renewed is logged
// once for each change of the files.
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

// files looks at both files; a link is followed, as some renew by moving one.
func (c *certificate) files() (files [2]os.FileInfo, err error) {
	for i, file := range []string{c.certFile, c.keyFile} {
		if files[i], err = os.Stat(file); err != nil {
			return [2]os.FileInfo{}, fmt.Errorf("the TLS certificate cannot be read: %w", err)
		}
	}
	return files, nil
}

// load reads the files, which look like files now.
func (c *certificate) load(files [2]os.FileInfo) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("tls_cert %s with tls_key %s: %w", c.certFile, c.keyFile, err)
	}
	c.current, c.loaded, c.looked = &pair, files, time.Now()
	return nil
}

// same reports whether files have not changed between two looks at them.
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

package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ErrNoPort says that the configuration leaves the port to the system.
var ErrNoPort = errors.New("port 0 does not say where the server listens")

// URL gives the address at which a server of this configuration is
// reached from its own machine, base path included and without a slash at its
// end.
func (c *Config) URL() (string, error) {
	if c.Port == 0 {
		return "", ErrNoPort
	}
	return c.localURL(c.Host, strconv.Itoa(c.Port)), nil
}

// BoundURL is URL for the address that was bound in the end.
func (c *Config) BoundURL(bound net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return "", err
	}
	// Who listens on 0.0.0.0 may be shown as ::, where ::1 need not answer.
	if addr, err := netip.ParseAddr(c.Host); err == nil && addr.IsUnspecified() {
		host = c.Host
	}
	return c.localURL(host, port), nil
}

// localURL puts the loopback address in place of one that means all of them.
func (c *Config) localURL(host, port string) string {
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
		if addr.Is6() {
			host = "::1"
		}
	}
	address := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)} // which escapes a zone
	if c.TLSCert != "" {
		address.Scheme = "https"
	}
	return address.String() + strings.TrimSuffix(c.BasePath, "/")
}

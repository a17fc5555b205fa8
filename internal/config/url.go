package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ErrNoPort is returned if the configuration lets the system choose the port.
var ErrNoPort = errors.New("port 0 does not say where the server listens")

// URL returns the URL at which a server with this configuration is reached from
// its own machine. It includes the base path and does not end with a slash.
func (c *Config) URL() (string, error) {
	if c.Port == 0 {
		return "", ErrNoPort
	}
	return c.localURL(c.Host, strconv.Itoa(c.Port)), nil
}

// BoundURL is like URL, but uses the address on which the server actually
// listens.
func (c *Config) BoundURL(bound net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return "", err
	}
	// A listener on 0.0.0.0 may be reported as ::, and then ::1 may not respond.
	if addr, err := netip.ParseAddr(c.Host); err == nil && addr.IsUnspecified() {
		host = c.Host
	}
	return c.localURL(host, port), nil
}

// localURL uses the loopback address if host is the unspecified address.
func (c *Config) localURL(host, port string) string {
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
		if addr.Is6() {
			host = "::1"
		}
	}
	address := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)} // String escapes a zone
	if c.TLSCert != "" {
		address.Scheme = "https"
	}
	return address.String() + strings.TrimSuffix(c.BasePath, "/")
}

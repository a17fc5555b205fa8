package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"web-backend/internal/auth"
)

// server returns a text that names a server.
func server(target *string, allowed string, read func(string) (string, error)) value {
	v := textual(target, allowed, read)
	v.server = true
	return v
}

// host is a host name or an IP address. port is the key of its port.
func host(target *string, port string, required bool) value {
	return server(target, "a host name or an IP address, without a port, which goes into "+port, func(s string) (string, error) {
		if s == "" && !required {
			return "", nil
		}
		return s, hostFlaw(s)
	})
}

var (
	hostLabel    = regexp.MustCompile(`^[\pL\pN_]([\pL\pN_-]*[\pL\pN_])?$`)
	dottedDigits = regexp.MustCompile(`^[0-9.]+$`)
)

// hostFlaw returns an error if s can be neither an IP address nor a host name.
func hostFlaw(s string) error {
	if err := textFlaw(s); err != nil {
		return err
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return flaw("stands in brackets; leave them out")
	}
	const mostName, mostLabel = 253, 63 // bytes, RFC 1035
	if dottedDigits.MatchString(s) || len(s) > mostName {
		return errNotAllowed
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if !hostLabel.MatchString(label) || len(label) > mostLabel {
			return errNotAllowed
		}
	}
	return nil
}

// readProxy accepts an IP address or a network in CIDR notation.
func readProxy(entry string) (string, error) {
	_, err := auth.ParseProxies([]string{entry})
	return entry, err
}

// asBrowsers converts a host name to ASCII. Unlike idna.Lookup, it allows
// underscores, because names of containers have them.
var asBrowsers = idna.New(idna.MapForLookup(), idna.StrictDomainName(false))

// readOrigin parses scheme and host. It returns them in the form in which
// browsers send an origin: in lower case, without the default port, and with
// the host in ASCII (Punycode). Patterns are rejected, because they would match
// no origin.
func readOrigin(origin string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.User != nil || strings.Contains(origin, "*") {
		return "", errNotAllowed
	}
	if _, after, _ := strings.Cut(origin, "://"); strings.ContainsAny(after, "/?#") {
		return "", flaw("has something behind the host; want scheme, host and port alone, such as https://example.org")
	}
	hostname := u.Hostname()
	if addr, err := netip.ParseAddr(hostname); err == nil {
		if hostname = addr.String(); addr.Is6() {
			hostname = "[" + hostname + "]"
		}
	} else if hostname, err = asBrowsers.ToASCII(hostname); err != nil || hostFlaw(hostname) != nil {
		return "", flaw("has a host that is not the name of one")
	}
	port := u.Port()
	if strings.HasSuffix(u.Host, ":") || port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		port = ""
	}
	if port != "" {
		if !isPort(port) {
			return "", flaw("has a port that is none")
		}
		port = ":" + port
	}
	return u.Scheme + "://" + hostname + port, nil
}

// isPort reports whether s is the number of a port.
func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// address is a listen address as HOST:PORT, or "".
func address(target *string) value {
	const allowed = "an address such as 127.0.0.1:6060 or [::1]:6060, with a port from 0 to 65535"
	return server(target, allowed, only(func(s string) bool {
		host, port, err := net.SplitHostPort(s)
		return s == "" || err == nil && hostFlaw(host) == nil && isPort(port)
	}))
}

// endpoint is an S3 server as HOST or HOST:PORT, or "".
func endpoint(target *string) value {
	const allowed = "a server such as oss.example or 127.0.0.1:9000, without a scheme and a path"
	return server(target, allowed, only(func(s string) bool {
		u, err := url.Parse("http://" + s)
		return s == "" || err == nil && u.Host == s && u.Hostname() != "" && isPort(cmp.Or(u.Port(), "0"))
	}))
}

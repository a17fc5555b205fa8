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

// host is a host name or an IP address.
type host struct {
	target   *string
	port     string // the key of its port
	required bool
}

func (v host) tags() []string { return []string{yamlText} }
func (v host) get() string    { return *v.target }
func (v host) allowed() string {
	return "a host name or an IP address, without a port, which goes into " + v.port
}

func (v host) set(s string) error {
	if s != "" || v.required {
		if err := hostFlaw(s); err != nil {
			return err
		}
	}
	*v.target = s
	return nil
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
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", flaw("has a port that is none")
		}
		port = ":" + port
	}
	return u.Scheme + "://" + hostname + port, nil
}

// address is a listen address as HOST:PORT, or "".
type address struct{ target *string }

func (v address) tags() []string { return []string{yamlText} }
func (v address) get() string    { return *v.target }
func (v address) allowed() string {
	return "an address such as 127.0.0.1:6060 or [::1]:6060, with a port from 0 to 65535"
}

func (v address) set(s string) error {
	if s != "" {
		host, port, err := net.SplitHostPort(s)
		if err != nil || hostFlaw(host) != nil {
			return errNotAllowed
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return errNotAllowed
		}
	}
	*v.target = s
	return nil
}

// endpoint is an S3 server as HOST or HOST:PORT, or "".
type endpoint struct{ target *string }

func (v endpoint) tags() []string { return []string{yamlText} }
func (v endpoint) get() string    { return *v.target }
func (v endpoint) allowed() string {
	return "a server such as oss.example or 127.0.0.1:9000, without a scheme and a path"
}

func (v endpoint) set(s string) error {
	if s != "" {
		u, err := url.Parse("http://" + s)
		if err != nil || u.Host != s || u.Hostname() == "" {
			return errNotAllowed
		}
		if _, err := strconv.ParseUint(cmp.Or(u.Port(), "0"), 10, 16); err != nil {
			return errNotAllowed
		}
	}
	*v.target = s
	return nil
}

package config

import (
	"regexp"
	"strings"

	"web-backend/internal/auth"
)

// checkMongoDB checks that the settings for an encrypted connection have an
// effect, and warns if the connection is not encrypted.
func (l *loader) checkMongoDB() {
	m := l.config.MongoDB
	byURI := m.URI.IsSet()
	switch {
	case byURI && (m.TLS || m.TLSCAFile != ""):
		l.faults = append(l.faults, "mongodb_tls, mongodb_tls_ca_file: are for mongodb_host, and mongodb_uri is set; "+
			"leave them out and use the options tls=true and tlsCAFile=FILE of the URI")
	case m.TLSCAFile != "" && !m.TLS:
		l.faults = append(l.faults, "mongodb_tls_ca_file: has no effect without mongodb_tls: true")
	}
	if lineEndInURI.MatchString(m.URI.Reveal()) {
		l.faults = append(l.faults, "mongodb_uri: the user name or the password has a line end in it (%0A or %0D); remove it")
	}
	if l.config.Store != StoreMongoDB {
		return
	}
	const risk = "the connection to a MongoDB server on another machine is not encrypted: " +
		"provider keys and password hashes can be read on the way; "
	switch {
	case byURI && isPlainURI(m.URI.Reveal()):
		l.warn("mongodb_uri: " + risk + "add tls=true to its options")
	case !byURI && m.Host != "" && !m.TLS && !isThisMachine(m.Host):
		l.warn("mongodb_host: " + risk + "set mongodb_tls: true")
	}
}

// lineEndInURI matches an escaped line end before the server names of a
// connection string.
var lineEndInURI = regexp.MustCompile(`(?i)^[^?]*%0[ad][^?]*@`)

// isPlainURI reports whether a connection string leads to another machine
// without TLS. It does not check whether the string is valid; the store does
// that.
func isPlainURI(uri string) bool {
	scheme, rest, _ := strings.Cut(uri, "://")
	rest, options, _ := strings.Cut(rest, "?")
	authority, _, _ := strings.Cut(rest, "/")
	encrypted := scheme == "mongodb+srv"
	for option := range strings.SplitSeq(options, "&") {
		name, value, _ := strings.Cut(option, "=")
		switch strings.ToLower(name) {
		case "tls", "ssl":
			encrypted = value == "true"
		case "tlscafile", "sslcertificateauthorityfile": // for the driver, these imply tls=true
			encrypted = true
		}
	}
	if encrypted {
		return false
	}
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	for host := range strings.SplitSeq(hosts, ",") {
		if !isThisMachine(host) {
			return true
		}
	}
	return false
}

// isThisMachine reports whether host names this machine. It looks only at the
// name. A name that ends in .sock is a socket in the file system.
func isThisMachine(host string) bool {
	return auth.IsLoopbackHost(host) || host == "::1" || strings.HasSuffix(host, ".sock")
}

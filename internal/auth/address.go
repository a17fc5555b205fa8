package auth

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Proxies are the addresses of reverse proxies whose statements about their
// clients are trusted. The zero value trusts no proxy.
type Proxies struct{ trusted []netip.Prefix }

// ParseProxies parses IP addresses and CIDR ranges. The error names the first
// entry that is neither.
func ParseProxies(entries []string) (Proxies, error) {
	var proxies Proxies
	for _, entry := range entries {
		prefix, err := parseProxy(entry)
		if err != nil {
			return Proxies{}, fmt.Errorf("trusted proxy %.64q: %w", entry, err)
		}
		proxies.trusted = append(proxies.trusted, prefix)
	}
	return proxies, nil
}

func parseProxy(entry string) (netip.Prefix, error) {
	if !strings.Contains(entry, "/") {
		addr, err := netip.ParseAddr(entry)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("want an IP address without port, zone and brackets, or a range such as 10.0.0.0/8")
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("want an IP address, or a range such as 10.0.0.0/8 or 2001:db8::/32")
	}
	if prefix.Masked() != prefix {
		return netip.Prefix{}, fmt.Errorf("the address has bits set beyond the first %d; the range that holds it is %s",
			prefix.Bits(), prefix.Masked())
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("an IPv4-mapped range has at least 96 bits, or is written as IPv4")
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix, nil
}

// Trusts reports whether addr is a trusted proxy. addr must be unmapped and
// without a zone.
func (p Proxies) Trusts(addr netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// ClientAddress returns the address of the client, as far as it can be trusted.
// peer is the other end of the connection. If peer is not a trusted proxy, the
// result is peer. Otherwise it is the rightmost address in forwardedFor that is
// not a trusted proxy, because anyone may have written the entries to the left
// of it. If an entry is not an address, the result is the last known address
// before it, to its right. If every entry is a trusted proxy, the result is the
// leftmost entry.
//
// forwardedFor holds the values of all X-Forwarded-For headers in their order.
// Each is a comma-separated list. The result does not have a zone and is not
// IPv4-mapped.
func (p Proxies) ClientAddress(peer netip.Addr, forwardedFor []string) netip.Addr {
	client := plain(peer)
	for _, list := range slices.Backward(forwardedFor) {
		for rest, more := list, true; more; {
			if !p.Trusts(client) {
				return client
			}
			var entry string
			comma := strings.LastIndexByte(rest, ',')
			entry, more = rest[comma+1:], comma >= 0
			rest = rest[:max(comma, 0)]
			addr, ok := forwardedAddress(strings.Trim(entry, " \t"))
			if !ok {
				return client
			}
			client = addr
		}
	}
	return client
}

// plain removes the differences between two forms of the same address.
func plain(addr netip.Addr) netip.Addr { return addr.WithZone("").Unmap() }

// forwardedAddress parses one entry of X-Forwarded-For: an address with or
// without a port. IPv6 addresses with a port are in brackets.
func forwardedAddress(entry string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(entry); err == nil {
		return plain(addr), true
	}
	if inner, ok := strings.CutPrefix(entry, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			addr, err := netip.ParseAddr(inner)
			return plain(addr), err == nil && addr.Is6()
		}
	}
	withPort, err := netip.ParseAddrPort(entry)
	return plain(withPort.Addr()), err == nil
}

// RateKey returns the key of an address in a rate limit. The key of an IPv4
// address is the address itself. The key of an IPv6 address is its /64, because
// every host can choose the other bits.
func RateKey(addr netip.Addr) string {
	addr = plain(addr)
	if !addr.Is6() {
		return addr.String()
	}
	prefix, _ := addr.Prefix(64) // fails only if the address has fewer bits
	return prefix.String()
}

// IsLoopbackHost reports whether host, the value of a Host header, certainly
// names this machine. It accepts three names, each with or without a port:
// "localhost" in any case, with or without the dot of the root; an address of
// 127.0.0.0/8 in the usual form; and "[::1]" in any notation. The site of a
// page can bind its own name to 127.0.0.1 after the page was loaded (DNS
// rebinding). Requests of that page then reach this machine, but their Host
// header contains the name of the site. Names below localhost are not accepted,
// because some resolvers look them up in the network.
func IsLoopbackHost(host string) bool {
	var name, port string
	var hasPort bool
	if end := strings.LastIndexByte(host, ']'); strings.HasPrefix(host, "[") && end > 0 {
		name, port = host[:end+1], host[end+1:]
		if port, hasPort = strings.CutPrefix(port, ":"); !hasPort && port != "" {
			return false
		}
	} else {
		name, port, hasPort = strings.Cut(host, ":")
	}
	if _, err := strconv.ParseUint(port, 10, 16); hasPort && err != nil {
		return false
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && addr == netip.IPv6Loopback()
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Is4() && addr.IsLoopback()
	}
	return isLocalhost(strings.TrimSuffix(name, "."))
}

// isLocalhost folds only ASCII, because strings.EqualFold treats ſ as s.
func isLocalhost(name string) bool {
	const localhost = "localhost"
	if len(name) != len(localhost) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != localhost[i] {
			return false
		}
	}
	return true
}

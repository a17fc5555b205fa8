package auth_test

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/auth"
)

func proxies(t testing.TB, entries ...string) auth.Proxies {
	t.Helper()
	p, err := auth.ParseProxies(entries)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseProxies_Errors(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		"":                  "want an IP address",
		"localhost":         "want an IP address without port",
		"10.0.0.1:80":       "without port, zone and brackets",
		"[::1]":             "without port, zone and brackets",
		"fe80::1%eth0":      "without port, zone and brackets",
		"10.0.0.1,10.0.0.2": "want an IP address",
		"10.0.0.1/8":        "the range that holds it is 10.0.0.0/8",
		"2001:db8::1/32":    "the range that holds it is 2001:db8::/32",
		"10.0.0.0/33":       "or a range such as",
		"10.0.0.0/":         "or a range such as",
		"10.0.0/8":          "or a range such as",
		"fe80::%eth0/64":    "or a range such as",
		"::ffff:0.0.0.0/80": "bits",
	} {
		_, err := auth.ParseProxies([]string{"127.0.0.1", entry})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"`+entry+`"`) {
			t.Errorf("%q: got %v, want the entry and %q", entry, err, want)
		}
	}
	if _, err := auth.ParseProxies([]string{strings.Repeat("x", 10000)}); err == nil || len(err.Error()) > 300 {
		t.Errorf("a long entry: got %v, want a short error", err)
	}
}

func TestProxies_ClientAddress(t *testing.T) {
	t.Parallel()
	trusted := proxies(t, "10.0.0.0/8", "::1", "fd00::/8", "::ffff:192.168.0.0/112", "203.0.113.7", "fe80::1")
	cases := map[string]struct {
		peer         string
		forwardedFor []string
		want         string
	}{
		"no proxy":                       {"198.51.100.1", nil, "198.51.100.1"},
		"no proxy, forged":               {"198.51.100.1", []string{"1.2.3.4"}, "198.51.100.1"},
		"next to a trusted range":        {"11.0.0.1", []string{"1.2.3.4"}, "11.0.0.1"},
		"proxy without header":           {"10.0.0.1", nil, "10.0.0.1"},
		"one proxy":                      {"10.0.0.1", []string{"1.2.3.4"}, "1.2.3.4"},
		"single trusted address":         {"203.0.113.7", []string{"1.2.3.4"}, "1.2.3.4"},
		"mapped range":                   {"192.168.3.4", []string{"1.2.3.4"}, "1.2.3.4"},
		"mapped peer":                    {"::ffff:10.0.0.1", []string{"1.2.3.4"}, "1.2.3.4"},
		"peer with a zone":               {"fe80::1%eth0", []string{"1.2.3.4"}, "1.2.3.4"},
		"client before a forged one":     {"10.0.0.1", []string{"6.6.6.6, 1.2.3.4"}, "1.2.3.4"},
		"forged trusted one":             {"10.0.0.1", []string{"6.6.6.6, 10.9.9.9, 1.2.3.4"}, "1.2.3.4"},
		"two proxies":                    {"10.0.0.1", []string{"6.6.6.6, 1.2.3.4, 10.0.0.2"}, "1.2.3.4"},
		"two headers":                    {"10.0.0.1", []string{"6.6.6.6", "1.2.3.4", "10.0.0.2"}, "1.2.3.4"},
		"forged header before":           {"10.0.0.1", []string{"6.6.6.6,10.0.0.3", "1.2.3.4,10.0.0.2"}, "1.2.3.4"},
		"all trusted":                    {"10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"not an address":                 {"10.0.0.1", []string{"1.2.3.4, unknown"}, "10.0.0.1"},
		"not an address, further left":   {"10.0.0.1", []string{"1.2.3.4, _hidden, 10.0.0.2"}, "10.0.0.2"},
		"empty header":                   {"10.0.0.1", []string{""}, "10.0.0.1"},
		"empty entry":                    {"10.0.0.1", []string{"1.2.3.4,"}, "10.0.0.1"},
		"empty entry in between":         {"10.0.0.1", []string{"1.2.3.4,,10.0.0.2"}, "10.0.0.2"},
		"port":                           {"10.0.0.1", []string{"1.2.3.4:5678"}, "1.2.3.4"},
		"trusted with port":              {"10.0.0.1", []string{"1.2.3.4, 10.0.0.2:443"}, "1.2.3.4"},
		"IPv6":                           {"::1", []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv6, brackets":                 {"::1", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv6, brackets and port":        {"::1", []string{"[2001:db8::1]:80"}, "2001:db8::1"},
		"IPv6, zone":                     {"::1", []string{"fe80::2%eth0"}, "fe80::2"},
		"IPv6, brackets and zone":        {"::1", []string{"[fe80::2%eth0]:80"}, "fe80::2"},
		"mapped":                         {"::1", []string{"::ffff:1.2.3.4"}, "1.2.3.4"},
		"mapped and trusted":             {"::1", []string{"1.2.3.4, [::ffff:10.0.0.2]:80"}, "1.2.3.4"},
		"mapped in brackets":             {"::1", []string{"[::ffff:1.2.3.4]"}, "1.2.3.4"},
		"IPv4 in brackets":               {"::1", []string{"[1.2.3.4]"}, "::1"},
		"bracket left open":              {"::1", []string{"[2001:db8::1"}, "::1"},
		"quotes":                         {"::1", []string{`"1.2.3.4"`}, "::1"},
		"port out of range":              {"::1", []string{"1.2.3.4:65536"}, "::1"},
		"leading zeros":                  {"::1", []string{"1.2.3.04"}, "::1"},
		"white space":                    {"::1", []string{" \t1.2.3.4 \t, 10.0.0.2\t"}, "1.2.3.4"},
		"mapped peer, untrusted":         {"::ffff:1.2.3.4", []string{"6.6.6.6"}, "1.2.3.4"},
		"zoned peer, untrusted":          {"fe80::9%eth0", []string{"6.6.6.6"}, "fe80::9"},
		"something else than an address": {"::1", []string{"<script>"}, "::1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := trusted.ClientAddress(netip.MustParseAddr(c.peer), c.forwardedFor)
			if got.String() != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if got := trusted.ClientAddress(netip.Addr{}, []string{"1.2.3.4"}); got.IsValid() {
		t.Errorf("a peer without an address: got %s, want none", got)
	}
	if got := (auth.Proxies{}).ClientAddress(netip.MustParseAddr("127.0.0.1"), []string{"1.2.3.4"}); !got.IsLoopback() {
		t.Errorf("no proxies: got %s, want the peer", got)
	}
}

func TestRateKey(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"1.2.3.4": "1.2.3.4", "::ffff:1.2.3.4": "1.2.3.4",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::": "2001:db8:1:2::/64",
		"2001:db8:1:3::": "2001:db8:1:3::/64", "::1": "::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := auth.RateKey(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	if got := auth.RateKey(netip.Addr{}); got == "" {
		t.Error("no address: got an empty key")
	}
}

var (
	loopbackHosts = []string{
		"localhost", "localhost:80", "LocalHost:8080", "localhost.", "localhost.:80", "127.0.0.1", "127.0.0.1:80",
		"127.255.255.254", "[::1]", "[::1]:443", "[0:0:0:0:0:0:0:1]:80",
	}
	otherHosts = []string{
		"", ":80", ".", "localhost:", "localhost:x", "localhost:+80", "localhost:65536", "localhost:80:80", "localhost..",
		"localhos", "localhosts", "a.localhost", "localhost.example.com", "localho\u017ft", "localhost\x00", " localhost",
		"localhost ", "localhost/", "user@localhost", "example.com", "127.0.0.1.example.com", "127.0.0.1.", "127.1", "127.0.1",
		"0x7f.0.0.1", "2130706433", "0177.0.0.1", "127.0.0.01", "128.0.0.1", "0.0.0.0", "10.0.0.1", "192.168.0.1:80", "::1",
		"::1:80", "[::1", "::1]", "[::1]80", "[::1]:", "[::1]:x", "[[::1]]", "[]", "[", "]", "[::]", "[::2]", "[::1%lo]",
		"[::ffff:127.0.0.1]", "[127.0.0.1]", "[localhost]", "[::1].", "[::1]]", "127.0.0.1:80:80", "127.0.0.1, example.com",
	}
)

func TestIsLoopbackHost(t *testing.T) {
	t.Parallel()
	for _, host := range loopbackHosts {
		if !auth.IsLoopbackHost(host) {
			t.Errorf("%q: got false, want true", host)
		}
	}
	for _, host := range otherHosts {
		if auth.IsLoopbackHost(host) {
			t.Errorf("%q: got true, want false", host)
		}
	}
}

// For every host that it accepts, the standard library must also find a
// loopback address.
func FuzzIsLoopbackHost(f *testing.F) {
	for _, host := range slices.Concat(loopbackHosts, otherHosts) {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !auth.IsLoopbackHost(host) {
			return
		}
		name, _, err := net.SplitHostPort(host)
		if err != nil {
			name, _, err = net.SplitHostPort(host + ":80")
		}
		if err != nil {
			t.Fatalf("%q is not a host", host)
		}
		if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() {
			return
		}
		if strings.TrimSuffix(strings.ToLower(name), ".") != "localhost" {
			t.Fatalf("%q is neither localhost nor an address", host)
		}
	})
}

func FuzzParseProxies(f *testing.F) {
	for _, entry := range []string{"10.0.0.0/8", "::1", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "fe80::1%eth0", "0.0.0.0/0", "::/0", "x"} {
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		trusted, err := auth.ParseProxies([]string{entry})
		if err != nil {
			return
		}
		first, _, _ := strings.Cut(entry, "/")
		client := netip.MustParseAddr("192.0.2.1")
		if got := trusted.ClientAddress(netip.MustParseAddr(first), []string{client.String()}); got != client {
			t.Fatalf("%q does not hold its own first address", entry)
		}
	})
}

// Entries that a client writes before those of the proxies must not change the
// result, unless all later entries are trusted proxies.
func FuzzProxies_ClientAddress(f *testing.F) {
	f.Add("10.0.0.1", "6.6.6.6", "1.2.3.4, 10.0.0.2")
	f.Add("::1", "10.0.0.1", "[2001:db8::1]:80")
	f.Add("1.2.3.4", ",,", "")
	f.Add("::ffff:10.0.0.1", "::ffff:6.6.6.6", "fe80::1%a, ::ffff:10.0.0.9")
	trusted := proxies(f, "10.0.0.0/8", "::1", "fd00::/8")
	within := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fd00::/8")}
	f.Fuzz(func(t *testing.T, peerText, forged, header string) {
		peer, err := netip.ParseAddr(peerText)
		if err != nil {
			return
		}
		got := trusted.ClientAddress(peer, []string{header})
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("got %s, want a plain address", got)
		}
		if slices.ContainsFunc(within, func(p netip.Prefix) bool { return p.Contains(got) }) {
			return
		}
		for _, more := range [][]string{{forged, header}, {forged + "," + header}, {forged, forged, header}} {
			if again := trusted.ClientAddress(peer, more); again != got {
				t.Fatalf("got %s with %q, and %s without", again, more, got)
			}
		}
	})
}

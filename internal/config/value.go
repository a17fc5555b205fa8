package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// value is a typed place for one setting.
type value interface {
	// set takes the text form, as the environment and flags have it, and
	// changes nothing on an error.
	set(text string) error
	// get gives the text form of what is set, which set takes; "***" for a
	// secret that is set.
	get() string
	// tags are the YAML types that the file may hold it in.
	tags() []string
	// allowed says what is allowed, for the message of a fault.
	allowed() string
}

// The YAML types of scalars, as the parser names them.
const (
	yamlText    = "!!str"
	yamlInteger = "!!int"
	yamlBoolean = "!!bool"
	yamlFloat   = "!!float"
	yamlNull    = "!!null"
)

// The YAML types of what holds others.
const (
	yamlMapping  = "!!map"
	yamlSequence = "!!seq"
	yamlMerge    = "!!merge"
)

// hidden is shown in place of a secret.
const hidden = "***"

// errNotAllowed says that a value is not what allowed describes.
var errNotAllowed = errors.New("is not allowed")

// flaw is an error that says what a value has that it must not have, and what
// to do. It does not show the value.
type flaw string

func (f flaw) Error() string { return string(f) }

// entryError is what is wrong with one entry of a list.
type entryError struct {
	number int // from 1
	entry  string
	err    error
}

func (e entryError) Error() string { return fmt.Sprintf("entry %d %v", e.number, e.err) }

// complaint says of found, a value as a fault may show it, why v does not take
// it. Show gives an entry of a list as the fault may show it; nil if it must not.
func complaint(v value, found string, err error, show func(string) string) string {
	if e, ok := errors.AsType[entryError](err); ok {
		found, err = fmt.Sprintf("entry %d", e.number), e.err
		if show != nil {
			found += " (" + show(e.entry) + ")"
		}
	}
	if f, ok := errors.AsType[flaw](err); ok {
		return found + " " + string(f)
	}
	return found + " is not allowed; want " + v.allowed()
}

// byteOrderMark begins files of some editors, and is no part of the text.
const byteOrderMark = "\ufeff"

// controlFlaw says what a text has that nobody types on purpose.
func controlFlaw(s string) error {
	isLineEnd := func(r rune) bool { return r == '\r' || r == '\n' }
	switch inner := strings.TrimFunc(s, isLineEnd); {
	case strings.HasPrefix(s, byteOrderMark):
		return flaw("begins with a byte order mark (U+FEFF); remove it")
	case strings.TrimRightFunc(s, isLineEnd) != s:
		return flaw("ends with a line end; remove it")
	case inner != s:
		return flaw("begins with a line end; remove it")
	}
	if at := strings.IndexFunc(s, unicode.IsControl); at >= 0 {
		r, _ := utf8.DecodeRuneInString(s[at:])
		return flaw(fmt.Sprintf("has a control character in it (%U); remove it", r))
	}
	return nil
}

// inQuotes reports whether a text stands in quotes, as where an env file or a
// service manager does not take them away.
func inQuotes(s string) bool {
	return len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0]
}

// textFlaw says what a name or a path has that nobody means.
func textFlaw(s string) error {
	if err := controlFlaw(s); err != nil {
		return err
	}
	switch {
	case inQuotes(s):
		return flaw("stands in quotes, which would be part of it; leave them out, since an env file keeps them")
	case strings.TrimSpace(s) != s:
		return flaw("begins or ends with a space; remove it")
	}
	return nil
}

// text is any text, or any but the empty one.
type text struct {
	target   *string
	required bool
}

func (v text) tags() []string { return []string{yamlText} }
func (v text) get() string    { return *v.target }

func (v text) allowed() string {
	if v.required {
		return "a text that is not empty"
	}
	return "a text"
}

func (v text) set(s string) error {
	if v.required && s == "" {
		return errNotAllowed
	}
	if err := textFlaw(s); err != nil {
		return err
	}
	*v.target = s
	return nil
}

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

// hostFlaw says why s can be neither an IP address nor the name of a host.
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

// secret is a text that is never shown.
type secret struct {
	target  *backend.Secret
	several bool // it may hold several, on a line each
}

func (v secret) tags() []string { return []string{yamlText} }
func (v secret) get() string {
	if v.target.IsSet() {
		return hidden
	}
	return ""
}
func (v secret) allowed() string { return "a text (in quotes if it looks like a number)" }
func (v secret) set(s string) error {
	looked := s
	if v.several {
		looked = strings.NewReplacer("\r", "", "\n", "", "\t", "").Replace(s)
	}
	if !utf8.ValidString(s) {
		return flaw("is not text in UTF-8; save it as UTF-8")
	}
	if err := controlFlaw(looked); err != nil {
		return err
	}
	*v.target = backend.NewSecret(s)
	return nil
}

// choice is one of a few words.
type choice struct {
	target  *string
	options []string
}

func (v choice) tags() []string  { return []string{yamlText} }
func (v choice) get() string     { return *v.target }
func (v choice) allowed() string { return "one of " + strings.Join(v.options, ", ") }
func (v choice) set(s string) error {
	if !slices.Contains(v.options, s) {
		return errNotAllowed
	}
	*v.target = s
	return nil
}

// number is a whole number from least to most.
type number struct {
	target      *int
	least, most int
}

func (v number) tags() []string { return []string{yamlInteger} }
func (v number) get() string    { return strconv.Itoa(*v.target) }
func (v number) allowed() string {
	return fmt.Sprintf("a whole number from %d to %d", v.least, v.most)
}

func (v number) set(s string) error {
	n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
	if err != nil || n < v.least || n > v.most {
		return errNotAllowed
	}
	*v.target = n
	return nil
}

// boolean is true or false.
type boolean struct{ target *bool }

func (v boolean) tags() []string  { return []string{yamlBoolean} }
func (v boolean) get() string     { return strconv.FormatBool(*v.target) }
func (v boolean) allowed() string { return "true or false" }
func (v boolean) set(s string) error {
	b, err := strconv.ParseBool(strings.ToLower(s))
	if err != nil {
		return errNotAllowed
	}
	*v.target = b
	return nil
}

// duration is a time span from least to most.
type duration struct {
	target      *time.Duration
	least, most time.Duration
}

func (v duration) tags() []string { return []string{yamlText} }
func (v duration) get() string    { return v.target.String() }
func (v duration) allowed() string {
	return fmt.Sprintf("a duration such as 30s or 1m30s, from %s to %s", v.least, v.most)
}

func (v duration) set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < v.least || d > v.most {
		return errNotAllowed
	}
	*v.target = d
	return nil
}

// level is a log level: a name, or a number of Python's logging.
type level struct{ target *slog.Level }

var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug, "10": slog.LevelDebug,
	"INFO": slog.LevelInfo, "20": slog.LevelInfo,
	"WARNING": slog.LevelWarn, "WARN": slog.LevelWarn, "30": slog.LevelWarn,
	"ERROR": slog.LevelError, "40": slog.LevelError,
	// slog knows nothing above an error, and nothing here logs a critical one.
	"CRITICAL": slog.LevelError, "50": slog.LevelError,
}

func (v level) tags() []string { return []string{yamlText, yamlInteger} }

func (v level) get() string {
	if *v.target == slog.LevelWarn {
		return "WARNING"
	}
	return v.target.String()
}

func (v level) allowed() string {
	return "DEBUG, INFO, WARNING, ERROR, CRITICAL or their numbers in Python, 10, 20, 30, 40, 50"
}

func (v level) set(s string) error {
	l, ok := levels[strings.ToUpper(s)]
	if !ok {
		return errNotAllowed
	}
	*v.target = l
	return nil
}

// list is a list of texts; in the environment they are separated by commas.
type list struct {
	target *[]string
	want   string // what is allowed, in words
	// read checks an element, and gives it as it is compared.
	read func(string) (string, error)
}

func (v list) tags() []string { return []string{yamlText} } // of each element

func (v list) get() string { return strings.Join(*v.target, ", ") }

func (v list) allowed() string { return v.want }

func (v list) set(s string) error {
	var elements []string
	for element := range strings.SplitSeq(s, ",") {
		if element = strings.TrimSpace(element); element != "" {
			elements = append(elements, element)
		}
	}
	return v.setList(elements)
}

func (v list) setList(elements []string) error {
	var read []string // nil if there are none, as everywhere
	for i, element := range elements {
		element, err := v.read(element)
		if err == nil && element == "" {
			err = errNotAllowed
		}
		if err != nil {
			return entryError{i + 1, elements[i], err}
		}
		read = append(read, element)
	}
	*v.target = read
	return nil
}

// readPath takes any path.
func readPath(entry string) (string, error) { return entry, textFlaw(entry) }

// readProxy takes an IP address or a network in CIDR notation.
func readProxy(entry string) (string, error) {
	_, err := auth.ParseProxies([]string{entry})
	return entry, err
}

// asBrowsers writes a host in ASCII; unlike idna.Lookup it takes an underscore,
// which names of containers have.
var asBrowsers = idna.New(idna.MapForLookup(), idna.StrictDomainName(false))

// readOrigin takes scheme and host, and gives them as browsers send an origin:
// in small letters, without the usual port, the host in ASCII (Punycode). A
// pattern would match none.
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

// path is where everything is served below: "" for the root, else it begins
// with "/" and does not end with one.
type path struct{ target *string }

func (v path) tags() []string { return []string{yamlText} }
func (v path) get() string    { return *v.target }
func (v path) allowed() string {
	return `a path such as /characters: it begins with "/", its parts are not empty, "." or "..", ` +
		"and consist of letters, digits and - _ . ~ @ : + , ="
}

var pathPattern = regexp.MustCompile(`^(/[A-Za-z0-9_.~@:+,=-]+)*$`)

func (v path) set(s string) error {
	s = strings.TrimSuffix(s, "/")
	if !pathPattern.MatchString(s) {
		return errNotAllowed
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "." || part == ".." {
			return errNotAllowed
		}
	}
	*v.target = s
	return nil
}

// address is where to listen, as HOST:PORT, or "".
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

// endpoint is a server of S3, as HOST or HOST:PORT, or "".
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

// localPath is a path below a folder.
type localPath struct{ target *string }

func (v localPath) tags() []string { return []string{yamlText} }
func (v localPath) get() string    { return *v.target }
func (v localPath) allowed() string {
	return "a path below the folder or in the bucket, not empty, not absolute and without a way out of it"
}

func (v localPath) set(s string) error {
	if !filepath.IsLocal(s) {
		return errNotAllowed
	}
	*v.target = s
	return nil
}

// timezone is the IANA name of a time zone, or "".
type timezone struct{ target *string }

func (v timezone) tags() []string  { return []string{yamlText} }
func (v timezone) get() string     { return *v.target }
func (v timezone) allowed() string { return "an IANA time zone such as Europe/Berlin, or UTC" }

func (v timezone) set(s string) error {
	if s != "" && !backend.KnownTimezone(s) {
		return errNotAllowed
	}
	*v.target = s
	return nil
}

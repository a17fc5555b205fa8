package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

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
)

// hidden is shown in place of a secret.
const hidden = "***"

// errNotAllowed says that a value is not what allowed describes.
var errNotAllowed = errors.New("is not allowed")

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
	*v.target = s
	return nil
}

// secret is a text that is never shown.
type secret struct{ target *backend.Secret }

func (v secret) tags() []string { return []string{yamlText} }
func (v secret) get() string {
	if v.target.IsSet() {
		return hidden
	}
	return ""
}
func (v secret) allowed() string { return "a text (in quotes if it looks like a number)" }
func (v secret) set(s string) error {
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
	want   string             // what is allowed, in words
	check  func(string) error // of each element; nil for none
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
	for _, element := range elements {
		if v.check != nil && v.check(element) != nil || element == "" {
			return errNotAllowed
		}
	}
	*v.target = elements
	return nil
}

// checkProxy takes an IP address or a network in CIDR notation.
func checkProxy(entry string) error {
	_, err := auth.ParseProxies([]string{entry})
	return err
}

// checkOrigin takes scheme and host, as browsers send an origin. A pattern
// would match none.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || origin != u.Scheme+"://"+u.Host || strings.Contains(origin, "*") {
		return errNotAllowed
	}
	return nil
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
		if err != nil || host == "" || strings.ContainsAny(host, "/@ ") {
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

package config

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"web-backend/internal/backend"
)

// value is a typed place for one setting.
type value interface {
	// set sets the value from its text form, as in the environment and in flags.
	// On an error, it changes nothing.
	set(text string) error
	// get returns the text form of the value, which set accepts; "***" for a
	// secret that is set.
	get() string
	// tags returns the YAML types that the value may have in a file.
	tags() []string
	// allowed describes the allowed values, for the message of a fault.
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

// The YAML types of collections.
const (
	yamlMapping  = "!!map"
	yamlSequence = "!!seq"
	yamlMerge    = "!!merge"
)

// hidden is shown in place of a secret.
const hidden = "***"

// text is any text. It may be restricted to texts that are not empty.
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

// secret is a text that is never shown.
type secret struct {
	target  *backend.Secret
	several bool // it may hold several secrets, one per line
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

// duration is a duration from least to most.
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
	// slog does not have a level above error, and this server does not log
	// critical messages.
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

// list is a list of texts. In the environment, they are separated by commas.
type list struct {
	target *[]string
	want   string // description of what is allowed
	// read checks an element and returns it in the form that is compared.
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
	var read []string // nil if there are none, as everywhere else
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

// readPath accepts any path.
func readPath(entry string) (string, error) { return entry, textFlaw(entry) }

// path is the path prefix of all routes. It is "" for the root. Otherwise it
// begins with "/" and does not end with one.
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

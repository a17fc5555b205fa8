package config

import (
	"cmp"
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

// value is where one setting is stored, and what may be set. The functions
// below, such as number, return one for each type of values.
type value struct {
	target  any      // points to the field
	allowed string   // description of the allowed values, for the message of a fault
	tags    []string // the YAML types that the value, or an element of a list, may have in a file
	server  bool     // a server: text before an "@" in it may be a password

	// set sets the value from its text form, as in the environment and in flags.
	// On an error, it changes nothing.
	set func(text string) error
	// get returns the text form of the value, which set accepts; "***" for a
	// secret that is set.
	get func() string

	// setList does what set does for the elements of a list; nil for other values.
	setList func(elements []string) error
	// load reads a tree, for a value that only a file can hold; nil for others. It
	// adds the faults to l.
	load func(l *loader, t tree)
}

// isSecret reports whether v must never be shown.
func (v value) isSecret() bool {
	_, ok := v.target.(*backend.Secret)
	return ok
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

// newValue returns a value that has the text form format and that parse reads.
// An error of parse that is neither a flaw nor an entryError says only that the
// text is not allowed.
func newValue[T any](target *T, allowed string, format func(T) string, parse func(string) (T, error), tags ...string) value {
	return value{
		target: target, allowed: allowed, tags: tags,
		get: func() string { return format(*target) },
		set: func(text string) error {
			parsed, err := parse(text)
			if err == nil {
				*target = parsed
			}
			return err
		},
	}
}

// textual returns a value that is a text. read checks it and returns it in the
// form that is stored.
func textual(target *string, allowed string, read func(string) (string, error)) value {
	return newValue(target, allowed, func(s string) string { return s }, read, yamlText)
}

// only returns a reader of the texts for which ok reports true.
func only(ok func(string) bool) func(string) (string, error) {
	return func(s string) (string, error) {
		if !ok(s) {
			return "", errNotAllowed
		}
		return s, nil
	}
}

// within returns a parser of the values from least to most.
func within[T cmp.Ordered](least, most T, parse func(string) (T, error)) func(string) (T, error) {
	return func(s string) (T, error) {
		parsed, err := parse(s)
		if err == nil && least <= parsed && parsed <= most { // not so for NaN
			return parsed, nil
		}
		return parsed, errNotAllowed
	}
}

// text is any text. It may be restricted to texts that are not empty.
func text(target *string, required bool) value {
	allowed := "a text"
	if required {
		allowed = "a text that is not empty"
	}
	return textual(target, allowed, func(s string) (string, error) {
		if required && s == "" {
			return "", errNotAllowed
		}
		return s, textFlaw(s)
	})
}

// secret is a text that is never shown. If several is set, it may hold several
// secrets, one per line.
func secret(target *backend.Secret, several bool) value {
	const allowed = "a text (in quotes if it looks like a number)"
	return newValue(target, allowed, backend.Secret.String, func(s string) (backend.Secret, error) {
		looked := s
		if several {
			looked = strings.NewReplacer("\r", "", "\n", "", "\t", "").Replace(s)
		}
		if !utf8.ValidString(s) {
			return backend.Secret{}, flaw("is not text in UTF-8; save it as UTF-8")
		}
		return backend.NewSecret(s), controlFlaw(looked)
	}, yamlText)
}

// choice is one of a few words.
func choice(target *string, options ...string) value {
	return textual(target, "one of "+strings.Join(options, ", "), only(func(s string) bool { return slices.Contains(options, s) }))
}

// number is a whole number from least to most.
func number(target *int, least, most int) value {
	return newValue(target, fmt.Sprintf("a whole number from %d to %d", least, most), strconv.Itoa,
		within(least, most, func(s string) (int, error) { return strconv.Atoi(strings.ReplaceAll(s, "_", "")) }), yamlInteger)
}

// boolean is true or false.
func boolean(target *bool) value {
	return newValue(target, "true or false", strconv.FormatBool,
		func(s string) (bool, error) { return strconv.ParseBool(strings.ToLower(s)) }, yamlBoolean)
}

// duration is a duration from least to most.
func duration(target *time.Duration, least, most time.Duration) value {
	return newValue(target, fmt.Sprintf("a duration such as 30s or 1m30s, from %s to %s", least, most), time.Duration.String,
		within(least, most, time.ParseDuration), yamlText)
}

var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug, "10": slog.LevelDebug,
	"INFO": slog.LevelInfo, "20": slog.LevelInfo,
	"WARNING": slog.LevelWarn, "WARN": slog.LevelWarn, "30": slog.LevelWarn,
	"ERROR": slog.LevelError, "40": slog.LevelError,
	// slog does not have a level above error, and this server does not log
	// critical messages.
	"CRITICAL": slog.LevelError, "50": slog.LevelError,
}

// level is a log level: a name, or a number of Python's logging.
func level(target *slog.Level) value {
	const allowed = "DEBUG, INFO, WARNING, ERROR, CRITICAL or their numbers in Python, 10, 20, 30, 40, 50"
	return newValue(target, allowed, func(l slog.Level) string {
		return strings.Replace(l.String(), "WARN", "WARNING", 1)
	}, func(s string) (slog.Level, error) {
		l, ok := levels[strings.ToUpper(s)]
		if !ok {
			return 0, errNotAllowed
		}
		return l, nil
	}, yamlText, yamlInteger)
}

// list is a list of texts. In the environment, they are separated by commas.
// read checks an element and returns it in the form that is compared.
func list(target *[]string, allowed string, read func(string) (string, error)) value {
	setList := func(elements []string) error {
		var all []string // nil if there are none, as everywhere else
		for i, element := range elements {
			element, err := read(element)
			if err == nil && element == "" {
				err = errNotAllowed
			}
			if err != nil {
				return entryError{i + 1, elements[i], err}
			}
			all = append(all, element)
		}
		*target = all
		return nil
	}
	return value{
		target: target, allowed: allowed, tags: []string{yamlText}, setList: setList,
		get: func() string { return strings.Join(*target, ", ") },
		set: func(s string) error {
			var elements []string
			for element := range strings.SplitSeq(s, ",") {
				if element = strings.TrimSpace(element); element != "" {
					elements = append(elements, element)
				}
			}
			return setList(elements)
		},
	}
}

// readPath accepts any path.
func readPath(entry string) (string, error) { return entry, textFlaw(entry) }

var pathPattern = regexp.MustCompile(`^(/[A-Za-z0-9_.~@:+,=-]+)*$`)

// path is the path prefix of all routes. It is "" for the root. Otherwise it
// begins with "/" and does not end with one.
func path(target *string) value {
	return textual(target, `a path such as /characters: it begins with "/", its parts are not empty, "." or "..", `+
		"and consist of letters, digits and - _ . ~ @ : + , =", func(s string) (string, error) {
		s = strings.TrimSuffix(s, "/")
		for part := range strings.SplitSeq(s, "/") {
			if part == "." || part == ".." {
				return "", errNotAllowed
			}
		}
		return only(pathPattern.MatchString)(s)
	})
}

// localPath is a path below a folder.
func localPath(target *string) value {
	return textual(target, "a path below the folder or in the bucket, not empty, not absolute and without a way out of it", only(filepath.IsLocal))
}

// timezone is the IANA name of a time zone, or "".
func timezone(target *string) value {
	return textual(target, "an IANA time zone such as Europe/Berlin, or UTC",
		only(func(s string) bool { return s == "" || backend.KnownTimezone(s) }))
}

// treeValue is a value that only a file can hold, as a tree that load reads.
func treeValue(target any, allowed string, get func() string, load func(l *loader, t tree)) value {
	return value{target: target, allowed: allowed, get: get, load: load, set: func(string) error { return errNotAllowed }}
}

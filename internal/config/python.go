package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"web-backend/internal/config/pyconfig"
)

// IsPython reports whether a configuration file is a Python module, like those
// of the original.
func IsPython(file string) bool { return strings.EqualFold(filepath.Ext(file), ".py") }

// loadPython reads a Python module. Its top-level names are keys, and its dicts
// are sections. Unlike a YAML file, a module may contain names that are not
// keys, because the original has settings that this server does not need.
func (l *loader) loadPython(name string, data []byte, getenv func(string) (string, bool)) {
	settings, faults := pyconfig.Evaluate(name, data, getenv)
	for _, fault := range faults {
		l.faults = append(l.faults, fmt.Sprintf("%s:%d: %s", name, fault.Line, fault.Text))
	}
	for _, s := range settings {
		l.loadPythonValue(fmt.Sprintf("%s:%d", name, s.Line), s.Name, s.Value, s.Literal)
	}
}

// loadPythonValue sets key, or the keys below it. None counts as not set.
func (l *loader) loadPythonValue(origin, key string, v starlark.Value, literal bool) {
	index := slices.IndexFunc(l.settings, func(s setting) bool { return s.key == key })
	unknown, isUnknown := v.(pyconfig.Unknown)
	dict, isDict := v.(*starlark.Dict)
	namesMongoDB := key == "mongodb_host" || key == "mongodb_uri"
	switch where := origin + ": " + showKey(key); {
	case isUnknown && unknown.Reason == "": // its fault is already recorded
	case index < 0 && !l.isSection(key):
		l.ignored = append(l.ignored, fmt.Sprintf("%s (%s)", showKey(key), origin))
		l.warn(where + ": is not a key of this server and is ignored")
	case namesMongoDB && (v == starlark.None || v == starlark.String("")):
		l.noValue[key] = origin // see warnOfEmbedded
	case v == starlark.None:
	case isUnknown:
		l.faults = append(l.faults, fmt.Sprintf("%s: has no value: %s", where, unknown.Reason))
	case index >= 0:
		l.setPython(l.settings[index], origin, v, literal)
	case !isDict:
		l.faults = append(l.faults, where+": want a dict of keys with values")
	default:
		for _, item := range dict.Items() {
			below, ok := starlark.AsString(item[0])
			if !ok {
				l.faults = append(l.faults, where+": want keys that are texts")
				continue
			}
			l.loadPythonValue(origin, key+"."+below, item[1], false)
		}
	}
}

// setPython sets s. The type of the value must match. A fault shows the value
// only if it is a literal in the file, because a computed value may hold a
// secret of the environment.
func (l *loader) setPython(s setting, origin string, v starlark.Value, literal bool) {
	l.origin[s.key] = origin
	if s.value.load != nil {
		s.value.load(l, tree{node: treeOf(v), location: func(int) string { return origin }, python: true})
		return
	}
	found := pyconfig.Kind(v)
	if text, tag := scalarText(v); literal && tag != "" && !s.value.isSecret() {
		found = quote(s.value, text)
	}
	if err := setFrom(s, v); err != nil {
		l.faults = append(l.faults, fmt.Sprintf("%s: %s: %s", origin, s.key, complaint(s.value, found, err, nil)))
	}
}

// setFrom sets s from a Starlark value.
func setFrom(s setting, v starlark.Value) error {
	if s.value.setList == nil {
		text, tag := scalarText(v)
		if !slices.Contains(s.value.tags, tag) {
			return errNotAllowed
		}
		return s.value.set(text)
	}
	sequence, ok := v.(starlark.Sequence)
	if _, isDict := v.(*starlark.Dict); !ok || isDict {
		return errNotAllowed
	}
	var elements []string
	for element := range starlark.Elements(sequence) {
		text, tag := scalarText(element)
		if !slices.Contains(s.value.tags, tag) {
			return errNotAllowed
		}
		elements = append(elements, text)
	}
	return s.value.setList(elements)
}

// scalarText returns the text form of a value and its YAML type. The type is ""
// if settings cannot have such a value.
func scalarText(v starlark.Value) (text, tag string) {
	switch v := v.(type) {
	case starlark.String:
		return string(v), yamlText
	case starlark.Int:
		return v.String(), yamlInteger
	case starlark.Bool:
		return fmt.Sprint(bool(v)), yamlBoolean
	}
	return "", ""
}

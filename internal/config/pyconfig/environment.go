package pyconfig

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// environ implements os.environ.
type environ struct{ module *module }

func (environ) String() string        { return "environ" }
func (environ) Type() string          { return "environ" }
func (environ) Freeze()               {}
func (environ) Truth() starlark.Bool  { return true }
func (environ) Hash() (uint32, error) { return 0, errors.New("unhashable") }
func (environ) AttrNames() []string   { return []string{"get"} }

// Attr implements [starlark.HasAttrs].
func (e environ) Attr(name string) (starlark.Value, error) {
	if name != "get" {
		return nil, nil //nolint:nilnil // which is how Starlark says that there is none
	}
	return starlark.NewBuiltin("os.environ.get", e.module.lookUp), nil
}

// unset is the error for a variable that is not set. The value of a statement
// that needs the variable is unknown. The operator in ignores the error.
type unset struct{ Unknown }

func (unset) Error() string { return "not set" }

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Get implements [starlark.Mapping]. A fault shows the name of a variable only
// if the name is in the module's text, because a computed name can be a secret.
func (e environ) Get(key starlark.Value) (starlark.Value, bool, error) {
	if u, ok := firstUnknown(key); ok {
		return u.named(""), true, nil
	}
	name, ok := starlark.AsString(key)
	if !ok {
		return nil, false, errors.New("the name of a variable must be a text")
	}
	if value, set := e.module.getenv(name); set {
		return starlark.String(value), true, nil
	}
	if !variablePattern.MatchString(name) || !strings.Contains(e.module.code, name) {
		return nil, false, unset{Unknown{Reason: "an environment variable is not set", module: e.module}}
	}
	return nil, false, unset{Unknown{Reason: "the environment variable " + name + " is not set", module: e.module}}
}

// lookUp implements os.getenv and os.environ.get.
func (m *module) lookUp(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
	var name, other starlark.Value = nil, starlark.None
	if err := starlark.UnpackArgs(b.Name(), args, named, "key", &name, "default?", &other); err != nil {
		return nil, err
	}
	value, _, err := environ{m}.Get(name)
	if errors.As(err, new(unset)) {
		return other, nil
	}
	return value, err
}

// os returns the value that import os binds.
func (m *module) os() *starlarkstruct.Module {
	ospath := &starlarkstruct.Module{Name: "os.path", Members: starlark.StringDict{
		"join":     onPaths("os.path.join", joinPath),
		"dirname":  onPaths("os.path.dirname", func(parts []string) string { return dirname(parts[0]) }),
		"abspath":  onPaths("os.path.abspath", func(parts []string) string { return absolute(parts[0]) }),
		"normpath": onPaths("os.path.normpath", func(parts []string) string { return path.Clean(parts[0]) }),
		"basename": onPaths("os.path.basename", func(parts []string) string { _, file := path.Split(parts[0]); return file }),
	}}
	getcwd := func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
		return starlark.String(absolute(".")), nil
	}
	return &starlarkstruct.Module{Name: "os", Members: starlark.StringDict{
		"getcwd": starlark.NewBuiltin("os.getcwd", getcwd),
		"path":   ospath, "environ": environ{m}, "getenv": starlark.NewBuiltin("os.getenv", m.lookUp), "sep": starlark.String("/"),
	}}
}

// absolute returns an absolute path, relative to the folder in which the server
// was started. It returns the path unchanged if that folder is unknown.
func absolute(file string) string {
	if path.IsAbs(file) {
		return path.Clean(file)
	}
	folder, err := os.Getwd()
	if err != nil {
		return file
	}
	return path.Join(filepath.ToSlash(folder), file)
}

// loggingLevels are the known members of module logging.
var loggingLevels = starlark.StringDict{
	"NOTSET": starlark.MakeInt(0), "DEBUG": starlark.MakeInt(10), "INFO": starlark.MakeInt(20),
	"WARN": starlark.MakeInt(30), "WARNING": starlark.MakeInt(30), "ERROR": starlark.MakeInt(40),
	"CRITICAL": starlark.MakeInt(50), "FATAL": starlark.MakeInt(50),
}

// onPaths returns a function that takes text arguments.
func onPaths(name string, f func(parts []string) string) *starlark.Builtin {
	call := func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
		if u, ok := firstUnknown(args...); ok {
			return u.named(""), nil
		}
		parts := make([]string, len(args))
		for i, arg := range args {
			text, ok := starlark.AsString(arg)
			if !ok {
				return nil, errors.New("want texts")
			}
			parts[i] = text
		}
		if len(parts) == 0 || len(named) > 0 {
			return nil, errors.New("want paths")
		}
		return starlark.String(f(parts)), nil
	}
	return starlark.NewBuiltin(name, call)
}

// joinPath joins paths like Python: a part that begins with "/" discards the
// parts before it, and the result is not cleaned.
func joinPath(parts []string) string {
	joined := parts[0]
	for _, part := range parts[1:] {
		switch {
		case strings.HasPrefix(part, "/"):
			joined = part
		case joined == "" || strings.HasSuffix(joined, "/"):
			joined += part
		default:
			joined += "/" + part
		}
	}
	return joined
}

// dirname keeps trailing slashes only if the folder consists of slashes.
func dirname(file string) string {
	folder, _ := path.Split(file)
	if trimmed := strings.TrimRight(folder, "/"); trimmed != "" {
		return trimmed
	}
	return folder
}

package pyconfig

import (
	"errors"
	"path"
	"regexp"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// environ is os.environ.
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

// unset is the error of a variable that is not there. A statement that needs
// it is not known; the operator in drops it.
type unset struct{ Unknown }

func (unset) Error() string { return "not set" }

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Get implements [starlark.Mapping]. A fault shows the name of a variable only
// if it stands in the module: a computed one can be a secret.
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
		return nil, false, unset{Unknown{"an environment variable is not set", "", e.module}}
	}
	return nil, false, unset{Unknown{"the environment variable " + name + " is not set", "", e.module}}
}

// lookUp is os.getenv and os.environ.get.
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

// os gives what import os binds.
func (m *module) os() *starlarkstruct.Module {
	ospath := &starlarkstruct.Module{Name: "os.path", Members: starlark.StringDict{
		"join":     onPaths("os.path.join", joinPath),
		"dirname":  onPaths("os.path.dirname", func(parts []string) string { return dirname(parts[0]) }),
		"basename": onPaths("os.path.basename", func(parts []string) string { _, file := path.Split(parts[0]); return file }),
	}}
	return &starlarkstruct.Module{Name: "os", Members: starlark.StringDict{
		"path": ospath, "environ": environ{m}, "getenv": starlark.NewBuiltin("os.getenv", m.lookUp), "sep": starlark.String("/"),
	}}
}

// onPaths makes a function of texts.
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

// joinPath joins as Python does: a part that begins with "/" begins anew, and
// nothing is cleaned.
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

// dirname keeps the slashes of a folder only if it has nothing else.
func dirname(file string) string {
	folder, _ := path.Split(file)
	if trimmed := strings.TrimRight(folder, "/"); trimmed != "" {
		return trimmed
	}
	return folder
}

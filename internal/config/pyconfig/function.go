package pyconfig

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.starlark.net/starlark"
)

// pythonFunctions are names that Python has and modules here have not.
var pythonFunctions = map[string]bool{
	"__import__": true, "abs": true, "all": true, "any": true, "bytes": true, "callable": true, "chr": true, "compile": true,
	"delattr": true, "dir": true, "enumerate": true, "eval": true, "exec": true, "exit": true, "filter": true, "getattr": true,
	"globals": true, "hasattr": true, "hex": true, "input": true, "isinstance": true, "iter": true, "locals": true, "map": true,
	"max": true, "min": true, "next": true, "oct": true, "open": true, "ord": true, "pow": true, "print": true, "quit": true,
	"range": true, "repr": true, "reversed": true, "round": true, "set": true, "setattr": true, "sorted": true, "sum": true,
	"super": true, "vars": true, "zip": true, "true": true, "false": true, "null": true, "none": true,
}

// builtins are the names that a module begins with.
func builtins() map[string]starlark.Value {
	return map[string]starlark.Value{
		"True": starlark.True, "False": starlark.False, "None": starlark.None,
		"dict": function{name: "dict", call: makeDict},
		"list": function{name: "list", call: func(e *evaluator, args []starlark.Value, _ map[string]starlark.Value) (starlark.Value, error) {
			elements, err := e.copied(args)
			return starlark.NewList(elements), err
		}},
		"tuple": function{name: "tuple", call: func(e *evaluator, args []starlark.Value, _ map[string]starlark.Value) (starlark.Value, error) {
			elements, err := e.copied(args)
			return starlark.Tuple(elements), err
		}},
		"int":   scalarFunction("int", toInt),
		"float": scalarFunction("float", toFloat),
		"str":   scalarFunction("str", toStr),
		"bool":  function{name: "bool", call: toBool},
		"len":   function{name: "len", call: lengthOf},
	}
}

// makeDict is dict(), dict(other) and both with names.
func makeDict(_ *evaluator, args []starlark.Value, named map[string]starlark.Value) (starlark.Value, error) {
	dict := starlark.NewDict(len(named))
	if len(args) > 1 {
		return nil, errors.New("it takes one dict and names")
	}
	for _, arg := range args {
		other, ok := arg.(*starlark.Dict)
		if !ok {
			return nil, fmt.Errorf("it takes a dict, not %s", Kind(arg))
		}
		for _, item := range other.Items() {
			if err := dict.SetKey(item[0], item[1]); err != nil {
				return nil, errors.New("a key is not allowed")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if err := dict.SetKey(starlark.String(name), named[name]); err != nil {
			return nil, errors.New("a key is not allowed")
		}
	}
	return dict, nil
}

// copied gives the elements of the one list or tuple in args.
func (e *evaluator) copied(args []starlark.Value) ([]starlark.Value, error) {
	if len(args) == 0 {
		return nil, nil
	}
	elements, ok := elementsOf(args[0])
	if len(args) > 1 || !ok {
		return nil, errors.New("it takes a list or a tuple")
	}
	return append([]starlark.Value(nil), elements...), nil
}

// scalarFunction is a function of one text, number or truth value.
func scalarFunction(name string, f func(starlark.Value) (starlark.Value, error)) function {
	return function{name: name, call: func(_ *evaluator, args []starlark.Value, named map[string]starlark.Value) (starlark.Value, error) {
		if len(args) != 1 || len(named) > 0 || !isScalar(args[0]) {
			return nil, errors.New("it takes one text or number")
		}
		return f(args[0])
	}}
}

func toInt(v starlark.Value) (starlark.Value, error) {
	switch v := v.(type) {
	case starlark.Int:
		return v, nil
	case starlark.Bool:
		if v {
			return starlark.MakeInt(1), nil
		}
		return starlark.MakeInt(0), nil
	case starlark.Float:
		if math.Abs(float64(v)) < math.MaxInt32 {
			return starlark.MakeInt64(int64(v)), nil
		}
	case starlark.String:
		n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(string(v)), "_", ""), 10, 64)
		if err == nil {
			return starlark.MakeInt64(n), nil
		}
		return nil, errors.New("the text is not a whole number")
	}
	return nil, fmt.Errorf("it does not take %s", Kind(v))
}

func toFloat(v starlark.Value) (starlark.Value, error) {
	switch v := v.(type) {
	case starlark.Float:
		return v, nil
	case starlark.Int:
		return v.Float(), nil
	case starlark.String:
		f, err := strconv.ParseFloat(strings.TrimSpace(string(v)), 64)
		if err == nil {
			return starlark.Float(f), nil
		}
		return nil, errors.New("the text is not a number")
	}
	return nil, fmt.Errorf("it does not take %s", Kind(v))
}

func toStr(v starlark.Value) (starlark.Value, error) {
	if text, ok := v.(starlark.String); ok {
		return text, nil
	}
	return starlark.String(v.String()), nil
}

func toBool(_ *evaluator, args []starlark.Value, _ map[string]starlark.Value) (starlark.Value, error) {
	if len(args) != 1 {
		return nil, errors.New("it takes one value")
	}
	return args[0].Truth(), nil
}

func lengthOf(_ *evaluator, args []starlark.Value, _ map[string]starlark.Value) (starlark.Value, error) {
	if len(args) == 1 {
		if n := starlark.Len(args[0]); n >= 0 {
			return starlark.MakeInt(n), nil
		}
	}
	return nil, errors.New("it takes a text, a list, a tuple or a dict")
}

// quoteName shows the name of a variable on one line.
func quoteName(name string) string { return strings.Trim(strconv.Quote(name), `"`) }

// getenvFunction is os.getenv and os.environ.get.
func getenvFunction(name string) function {
	return function{name: name, call: func(e *evaluator, args []starlark.Value, named map[string]starlark.Value) (starlark.Value, error) {
		if other, ok := named["default"]; ok && len(named) == 1 && len(args) == 1 {
			args, named = append(args, other), nil
		}
		if len(args) == 0 || len(args) > 2 || len(named) > 0 {
			return nil, errors.New("it takes a name and a default")
		}
		variable, ok := starlark.AsString(args[0])
		if !ok {
			return nil, errors.New("the name of a variable must be a text")
		}
		if value, set := e.getenv(variable); set {
			return starlark.String(value), nil
		}
		if len(args) == 2 {
			return args[1], nil
		}
		return starlark.None, nil
	}}
}

// pathFunction is a function of os.path on texts.
func pathFunction(name string, f func(parts []string) string) function {
	return function{name: "os.path." + name, call: func(_ *evaluator, args []starlark.Value, named map[string]starlark.Value) (starlark.Value, error) {
		parts := make([]string, len(args))
		for i, arg := range args {
			text, ok := starlark.AsString(arg)
			if !ok {
				return nil, fmt.Errorf("it takes texts, not %s", Kind(arg))
			}
			parts[i] = text
		}
		if len(parts) == 0 || len(named) > 0 || name != "join" && len(parts) > 1 {
			return nil, errors.New("it takes a path")
		}
		return starlark.String(f(parts)), nil
	}}
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

var (
	osPath = object{members: map[string]starlark.Value{
		"join": pathFunction("join", joinPath),
		"dirname": pathFunction("dirname", func(parts []string) string {
			folder, _ := path.Split(parts[0])
			if trimmed := strings.TrimRight(folder, "/"); trimmed != "" {
				return trimmed
			}
			return folder
		}),
		"basename": pathFunction("basename", func(parts []string) string {
			_, file := path.Split(parts[0])
			return file
		}),
	}}
	osModule = object{members: map[string]starlark.Value{
		"path": osPath, "environ": environ{}, "getenv": getenvFunction("os.getenv"), "sep": starlark.String("/"),
	}}
)

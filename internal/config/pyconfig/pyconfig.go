// Package pyconfig reads Python configuration modules like those of the Python
// web backend. They consist of assignments of plain values, most of them
// literals or environment variables. The package never runs Python. It removes
// imports and lets the interpreter of Starlark, a language with Python's
// grammar, execute the top-level statements one by one, so that it finds all
// faults.
//
// A module can affect only its own names. It cannot access files, programs or
// the network, and it can read only the environment variables that it names.
// The size of the file, the number of steps and the size of a setting are
// limited. Memory is not limited, except by Starlark's limit of 1 GiB for one
// repetition: a module belongs to its operator, as it did under Python.
package pyconfig

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// The limits of a module. They are far above the needs of configurations.
const (
	maxBytes = 256 << 10 // of the file
	maxSteps = 4 << 20   // of the interpreter
	maxValue = 1 << 20   // total of text bytes and elements of one setting
	maxDepth = 100       // nesting of the lists and dicts of one setting
)

// Setting is the final value of a top-level name of a module.
type Setting struct {
	Name    string
	Line    int            // where it got the value; in a loop, the last line that can set it
	Literal bool           // whether the value is a literal, not computed
	Value   starlark.Value // [Unknown] if it does not have one; may also be a function
}

// Fault describes something that cannot be evaluated. It does not show texts,
// names or values of the module or of the environment, because any of them can
// be a secret. It names only imports and variables that are not set.
type Fault struct {
	Line int
	Text string
}

func (f Fault) Error() string { return fmt.Sprintf("line %d: %s", f.Line, f.Text) }

// allowed is the end of faults about features that modules may not use.
const allowed = "; allowed are assignments, if and for, with texts, numbers, True, False, None, lists, tuples, dicts, sets, operators, " +
	"functions such as dict(), int() and len(), os.getenv, os.environ, os.path and the levels of logging"

// Evaluate evaluates a module. It returns the top-level names that do not begin
// with an underscore, in line order, and all faults. If the assignment of a
// setting has a fault, its value is [Unknown] without a reason. file is the
// value of __file__.
func Evaluate(file string, source []byte, getenv func(string) (string, bool)) ([]Setting, []Fault) {
	if len(source) > maxBytes {
		return nil, []Fault{{1, fmt.Sprintf("the file has %d bytes; at most %d are read", len(source), maxBytes)}}
	}
	if !utf8.Valid(source) || slices.Contains(source, 0) {
		return nil, []Fault{{1, "the file is not text in UTF-8"}}
	}
	code, imports, err := prepare(string(source))
	if err != nil {
		return nil, []Fault{*err}
	}
	code = rewrite(code)
	m := newModule(file, code, getenv)
	tree, parseErr := m.options.Parse("", code, 0)
	if parseErr != nil {
		return nil, []Fault{syntaxFault(parseErr)}
	}
	for _, i := range imports {
		m.bind(i)
	}
	adapt(tree)
	m.block(tree.Stmts)
	return m.settings(), m.faults
}

// syntaxFault returns the line of a parser's error, but not its message,
// because the message quotes the module.
func syntaxFault(err error) Fault {
	line := 1
	if e, ok := err.(syntax.Error); ok { //nolint:errorlint // the parser's documentation promises this type, unwrapped
		line = int(e.Pos.Line)
	}
	return Fault{line, "cannot be read" + allowed}
}

func (m *module) settings() []Setting {
	var all []Setting
	for name, p := range m.origins {
		if strings.HasPrefix(name, "_") {
			continue
		}
		value, left := m.globals[name], maxValue
		if !fits(value, &left, 0) {
			value = Unknown{Reason: "it is larger than a setting may be", module: m}
		}
		all = append(all, Setting{name, p.line, p.literal, value})
	}
	slices.SortFunc(all, func(a, b Setting) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return all
}

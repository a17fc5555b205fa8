// Package pyconfig reads Python configuration modules of the kind that the
// Python web backend has: assignments of plain values, most of them literals
// or environment variables. It never runs Python: imports are taken out, and
// the interpreter of Starlark, a language with Python's grammar, executes one
// statement of the top level after the other, so that all faults are found.
//
// Nothing that a module does reaches further than its own names: no files, no
// programs, no network, and of the environment only the variables that it
// names. The size of the file, the steps and the size of a setting are bounded.
// Memory is not, beyond Starlark's bound of 1 GiB for one repetition: a module
// is its operator's own, as it was under Python.
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

// The bounds of a module. They are far above what configurations need.
const (
	maxBytes = 256 << 10 // of the file
	maxSteps = 4 << 20   // of the interpreter
	maxValue = 1 << 20   // bytes of the texts of one setting, and elements
	maxDepth = 100       // of the lists and dicts of one setting
)

// Setting is what a name of a module's top level has in the end.
type Setting struct {
	Name    string
	Line    int            // where it got it; in a loop, the last place that can give it
	Literal bool           // whether it stands there as it is, not computed
	Value   starlark.Value // [Unknown] if it has none; may be a function, too
}

// Fault is what cannot be evaluated. It shows no text, name or value of the
// module or of the environment, since any of them can be a secret; only what is
// imported, and variables that are not set, are named.
type Fault struct {
	Line int
	Text string
}

func (f Fault) Error() string { return fmt.Sprintf("line %d: %s", f.Line, f.Text) }

// allowed ends the faults about what modules may not have.
const allowed = "; allowed are assignments, if and for, with texts, numbers, True, False, None, lists, tuples, dicts, sets, operators, " +
	"functions such as dict(), int() and len(), os.getenv, os.environ, os.path and the levels of logging"

// Evaluate reads a module. It gives every top-level name whose own name does
// not begin with an underscore, in order of lines, and all faults; a setting
// whose assignment has a fault is [Unknown] without a reason. File is what
// __file__ is.
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

// syntaxFault gives the place of a parser's error, not its words: they quote
// the module.
func syntaxFault(err error) Fault {
	line := 1
	if e, ok := err.(syntax.Error); ok { //nolint:errorlint // the parser's documentation promises this type, unwrapped
		line = int(e.Pos.Line)
	}
	return Fault{line, "cannot be read" + allowed}
}

func (m *module) settings() []Setting {
	var all []Setting
	for name, p := range m.places {
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

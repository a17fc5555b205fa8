// Package pyconfig reads Python configuration modules of the kind that the
// Python web backend has: assignments of plain values, most of them literals
// or environment variables. It never runs Python. The parser, the values and
// their operators are those of Starlark, a language with Python's grammar; what
// a statement does is written here, since Starlark's own interpreter knows no
// import and bounds steps but not memory.
//
// Nothing that a module does reaches further than its own names: no files, no
// programs, no network, and of the environment only the variables that it
// names.
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
	maxWork  = 8 << 20   // steps, bytes of texts and elements of lists
	maxDepth = 200       // of an expression, or of blocks
)

// Setting is what a name of a module's top level has in the end.
type Setting struct {
	Name    string
	Line    int            // where it got it
	Literal bool           // whether it stands there as it is, not computed
	Value   starlark.Value // a text, number, truth value, None, list, tuple, dict, or [Unknown]
}

// Fault is what cannot be evaluated. It shows no value of the module or of the
// environment: any of them can be a secret.
type Fault struct {
	Line int
	Text string
}

func (f Fault) Error() string { return fmt.Sprintf("line %d: %s", f.Line, f.Text) }

// allowed ends the faults about what modules may not have.
const allowed = "; allowed are assignments and if, with texts, numbers, True, False, None, lists, tuples, dicts, operators, " +
	"dict(), int(), float(), str(), bool(), len(), list(), tuple(), os.getenv, os.environ and os.path"

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
	tree, parseErr := new(syntax.FileOptions).Parse("", code, 0)
	if parseErr != nil {
		return nil, []Fault{syntaxFault(parseErr)}
	}
	e := newEvaluator(file, getenv)
	for _, i := range imports {
		e.bind(i)
	}
	e.block(tree.Stmts, 0)
	return e.settings(), e.faults
}

// syntaxFault gives the place of a parser's error, not its words: they quote
// the module.
func syntaxFault(err error) Fault {
	line := 1
	if e, ok := err.(syntax.Error); ok { //nolint:errorlint // the parser's documentation promises this type, unwrapped
		line = int(e.Pos.Line)
	}
	return Fault{line, "cannot be read as an assignment or if" + allowed}
}

func (e *evaluator) settings() []Setting {
	var all []Setting
	for name, g := range e.globals {
		if !strings.HasPrefix(name, "_") && g.line > 0 {
			all = append(all, Setting{name, g.line, g.literal, g.value})
		}
	}
	slices.SortFunc(all, func(a, b Setting) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return all
}

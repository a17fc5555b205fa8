package pyconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// module is a module that is being evaluated.
type module struct {
	code    string
	getenv  func(string) (string, bool)
	options *syntax.FileOptions
	thread  *starlark.Thread
	globals starlark.StringDict
	origins map[string]origin // where the names that statements bound got their values
	faults  []Fault
	needed  *Unknown // the unknown value that the statement needs
}

// origin is where a name got its value.
type origin struct {
	line    int
	literal bool
}

// known is the name of a function that modules cannot name.
const known = "known()"

func newModule(file, code string, getenv func(string) (string, bool)) *module {
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	m := &module{
		code: code, getenv: getenv, origins: map[string]origin{},
		options: &syntax.FileOptions{TopLevelControl: true, GlobalReassign: true, Set: true},
		thread:  &starlark.Thread{Print: func(*starlark.Thread, string) {}},
		globals: starlark.StringDict{
			"__file__": starlark.String(file), "__name__": starlark.String("config"),
			known: guarded(known, func(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
				return args[0], nil
			}),
		},
	}
	m.thread.SetMaxExecutionSteps(maxSteps)
	for _, name := range []string{"int", "float", "len"} {
		m.globals[name] = guarded(name, starlark.Universe[name].(*starlark.Builtin).CallInternal) //nolint:forcetypeassert // it is
	}
	return m
}

// guarded returns a function that needs the values of its arguments.
func guarded(
	name string, call func(*starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error),
) *starlark.Builtin {
	return starlark.NewBuiltin(name, func(
		thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple,
	) (starlark.Value, error) {
		if u, ok := firstUnknown(args...); ok {
			return nil, u.need()
		}
		return call(thread, args, named)
	})
}

// adapt changes the tree so that it behaves like Python. Comparisons need the
// values of their operands: in Starlark, values of different types are never
// equal, and it does not ask either of them. Arguments with ** are moved to the
// end of a call.
func adapt(tree *syntax.File) {
	guard := func(x syntax.Expr) syntax.Expr {
		start, end := x.Span()
		return &syntax.CallExpr{
			Fn: &syntax.Ident{NamePos: start, Name: known}, Lparen: start, Args: []syntax.Expr{x}, Rparen: end,
		}
	}
	syntax.Walk(tree, func(n syntax.Node) bool {
		switch x := n.(type) {
		case *syntax.CallExpr:
			isLast := func(a syntax.Expr) bool { stars, ok := a.(*syntax.UnaryExpr); return ok && stars.Op == syntax.STARSTAR }
			last := slices.DeleteFunc(slices.Clone(x.Args), func(a syntax.Expr) bool { return !isLast(a) })
			x.Args = append(slices.DeleteFunc(x.Args, isLast), last...)
		case *syntax.BinaryExpr:
			switch x.Op { //nolint:exhaustive // the comparisons only
			case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE, syntax.IN, syntax.NOT_IN:
				x.X, x.Y = guard(x.X), guard(x.Y)
			}
		}
		return true
	})
}

// bind does the work of an import. Of modules other than os, only the levels of
// logging are known.
func (m *module) bind(b binding) {
	var value starlark.Value = Unknown{Reason: "it comes from module " + b.module + ", which is not read", Member: b.member, module: m}
	switch b.module {
	case "logging":
		logging := Unknown{Reason: "it comes from module logging, of which only the levels are read", module: m, members: loggingLevels}
		if value = logging; b.member != "" {
			value, _ = logging.Attr(b.member) // this never fails
		}
	case "os":
		value = m.os()
	case "os.path":
		value = m.os().Members["path"]
	}
	if library, ok := value.(*starlarkstruct.Module); ok && b.member != "" {
		if value = library.Members[b.member]; value == nil {
			value = Unknown{Reason: "it comes from module " + b.module + ", of which this is not read", Member: b.member, module: m}
		}
	}
	m.globals[b.name] = value
}

// block executes statements. After a fault in one statement, it continues with
// the next, unless the step limit is reached.
func (m *module) block(statements []syntax.Stmt) {
	for _, s := range statements {
		if m.spent() {
			return
		}
		if condition, ok := s.(*syntax.IfStmt); ok {
			m.condition(condition)
		} else {
			m.statement(s)
		}
	}
}

func (m *module) spent() bool { return m.thread.ExecutionSteps() >= maxSteps }

// condition executes the chosen branch statement by statement, so that the
// origin of a name is where it got its value.
func (m *module) condition(s *syntax.IfStmt) {
	value, err := starlark.EvalExprOptions(m.options, m.thread, s.Cond, m.globals)
	if u, ok := m.isUnknown(value, err); ok {
		start, _ := s.Cond.Span()
		m.faults = append(m.faults, Fault{int(start.Line), "a condition is not known: " + orReported(u)})
		return
	}
	switch {
	case err != nil:
		m.note(s, err)
	case bool(value.Truth()):
		m.block(s.True)
	default:
		m.block(s.False)
	}
}

// isUnknown reports whether a statement or a condition needs an unknown value.
// It also prepares the thread for the next statement.
func (m *module) isUnknown(value starlark.Value, err error) (Unknown, bool) {
	needed := m.needed
	m.needed = nil
	if m.spent() {
		return Unknown{}, false
	}
	m.thread.Uncancel()
	var missing unset
	switch u, ok := value.(Unknown); {
	case needed != nil:
		return needed.named(""), true
	case errors.As(err, &missing):
		return missing.Unknown, true
	default:
		return u, ok
	}
}

func orReported(u Unknown) string {
	if u.Reason == "" {
		return "it depends on a value with a fault"
	}
	return u.Reason
}

// statement executes s. If an assignment needs an unknown value, its names
// become unknown, too. In any other statement, an unknown value is a fault.
func (m *module) statement(s syntax.Stmt) {
	// ExecREPLChunk is like ExecFile, for statements that share their names.
	err := starlark.ExecREPLChunk(&syntax.File{Stmts: []syntax.Stmt{s}, Options: m.options}, m.thread, m.globals)
	names := boundBy(s)
	assignment, isAssignment := s.(*syntax.AssignStmt)
	value, unknown := m.isUnknown(nil, err)
	switch {
	case err == nil:
	case unknown && isAssignment && len(names) > 0:
	case unknown:
		start, _ := s.Span()
		m.faults = append(m.faults, Fault{int(start.Line), "a value is not known: " + orReported(value)})
		value = Unknown{module: m}
	default:
		m.note(s, err)
		value = Unknown{module: m}
	}
	for _, name := range names {
		if err != nil {
			m.globals[name.Name] = value
		}
		if m.globals.Has(name.Name) { // the body of a loop may not have run
			literal := isAssignment && assignment.Op == syntax.EQ && assignment.LHS == syntax.Expr(name) && isLiteral(assignment.RHS)
			m.origins[name.Name] = origin{int(name.NamePos.Line), literal}
		}
	}
}

// boundBy returns the names that a statement binds, in order.
func boundBy(s syntax.Stmt) []*syntax.Ident {
	var names []*syntax.Ident
	var targets func(x syntax.Expr)
	targets = func(x syntax.Expr) {
		switch x := x.(type) {
		case *syntax.Ident:
			names = append(names, x)
		case *syntax.ParenExpr:
			targets(x.X)
		case *syntax.TupleExpr:
			for _, element := range x.List {
				targets(element)
			}
		case *syntax.ListExpr:
			for _, element := range x.List {
				targets(element)
			}
		}
	}
	syntax.Walk(s, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.AssignStmt:
			targets(n.LHS)
		case *syntax.ForStmt:
			targets(n.Vars)
		}
		return true
	})
	return names
}

// isLiteral reports whether x is a literal value.
func isLiteral(x syntax.Expr) bool {
	if minus, ok := x.(*syntax.UnaryExpr); ok && minus.Op == syntax.MINUS {
		x = minus.X
	}
	_, ok := x.(*syntax.Literal)
	return ok
}

// note records an error of Starlark as a fault. The words of the fault do not
// contain text of the module.
func (m *module) note(s syntax.Stmt, err error) {
	start, _ := s.Span()
	fault := Fault{int(start.Line), "cannot be evaluated" + allowed}
	var unresolved resolve.ErrorList
	var failed *starlark.EvalError
	switch {
	case errors.As(err, &unresolved):
		for _, e := range unresolved {
			fault.Line, fault.Text = int(e.Pos.Line), "this is not allowed here"+allowed
			if strings.HasPrefix(e.Msg, "undefined") {
				fault.Text = fmt.Sprintf("the name at column %d is not defined; a text needs quotes%s", e.Pos.Col, allowed)
			}
			m.faults = append(m.faults, fault)
		}
		return
	case m.spent():
		fault.Text = "this takes more steps than a configuration may"
	case errors.As(err, &failed):
		fault.Text = sentence(failed)
	}
	if failed != nil {
		for _, frame := range failed.CallStack { // outermost first
			if frame.Pos.Line > 0 {
				fault.Line = int(frame.Pos.Line)
			}
		}
	}
	m.faults = append(m.faults, fault)
}

// sentences maps words in an error of Starlark to the sentence for the fault.
var sentences = []struct{ words, sentence string }{
	{"has no .", "a value has no such attribute or method" + allowed},
	{"not in dict", "the dict does not have this key"},
	{"out of range", "there is no such element"},
	{"by zero", "a division by zero"},
	{"unpack", "there are more or fewer names than values"},
	{"non-function", "such a value cannot be called"},
	{"", "the types of the values do not fit what is done with them"},
}

// sentence returns the sentence for the error of a statement. It may show names
// of functions: they are not from the module, because a module cannot define
// functions.
func sentence(failed *starlark.EvalError) string {
	if last := len(failed.CallStack) - 1; last >= 0 && failed.CallStack[last].Pos.Line == 0 {
		return fmt.Sprintf("the call of %s failed: it does not take these values", failed.CallStack[last].Name)
	}
	for _, s := range sentences {
		if strings.Contains(failed.Msg, s.words) {
			return s.sentence
		}
	}
	return ""
}

package pyconfig

import (
	"fmt"
	"maps"
	"math/big"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// evaluator goes through the statements of one module.
type evaluator struct {
	getenv  func(string) (string, bool)
	globals map[string]global
	faults  []Fault
	work    int // what is left of maxWork
	depth   int // of the expression
	spent   bool
	thread  starlark.Thread // of the operations of Starlark that need one; it runs no code
}

// global is what a name stands for.
type global struct {
	value   starlark.Value
	line    int // 0 if no statement assigned it
	literal bool
}

func newEvaluator(file string, getenv func(string) (string, bool)) *evaluator {
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	e := &evaluator{getenv: getenv, globals: map[string]global{}, work: maxWork}
	for name, value := range builtins() {
		e.globals[name] = global{value: value}
	}
	e.globals["__file__"] = global{value: starlark.String(file)}
	e.globals["__name__"] = global{value: starlark.String("config")}
	return e
}

// bind does what an import does. Of a module other than os nothing is known.
func (e *evaluator) bind(b binding) {
	var value starlark.Value = Unknown{"it comes from module " + b.module + ", which is not read"}
	switch b.module {
	case "os":
		value = osModule
	case "os.path":
		value = osPath
	}
	if o, ok := value.(object); ok && b.member != "" {
		if value, ok = o.members[b.member]; !ok {
			value = Unknown{"it comes from module " + b.module + ", of which this is not read"}
		}
	}
	e.globals[b.name] = global{value: value}
}

// failure is a fault at a place.
func failure(at syntax.Node, format string, args ...any) error {
	start, _ := at.Span()
	return Fault{int(start.Line), fmt.Sprintf(format, args...)}
}

// note notes an error of a statement.
func (e *evaluator) note(err error) {
	if fault, ok := err.(Fault); ok { //nolint:errorlint // all errors here are faults, and none wraps another
		e.faults = append(e.faults, fault)
	}
}

// spend takes n of the work that is left.
func (e *evaluator) spend(at syntax.Node, n int) error {
	if e.spent || n > e.work {
		e.spent = e.spent || n == 1 // else what follows may fit
		return failure(at, "this takes more memory or steps than a configuration may")
	}
	e.work -= n
	return nil
}

// block executes statements. What one gets wrong does not keep the next from
// being looked at, unless the bound on work is reached.
func (e *evaluator) block(statements []syntax.Stmt, depth int) {
	for _, statement := range statements {
		if e.spent {
			return
		}
		if depth > maxDepth {
			e.note(failure(statement, "blocks are nested too deeply"))
			return
		}
		switch s := statement.(type) {
		case *syntax.AssignStmt:
			e.assignment(s)
		case *syntax.ExprStmt:
			if _, err := e.eval(s.X); err != nil {
				e.note(err)
			}
		case *syntax.IfStmt:
			e.condition(s, depth)
		case *syntax.BranchStmt:
			if s.Token != syntax.PASS {
				e.note(failure(s, "%s is not read here%s", s.Token, allowed))
			}
		default:
			e.note(failure(s, "such a statement is not read%s", allowed))
		}
	}
}

func (e *evaluator) condition(s *syntax.IfStmt, depth int) {
	holds, err := e.truth(s.Cond)
	switch {
	case err != nil:
		e.note(err)
	case holds:
		e.block(s.True, depth+1)
	default:
		e.block(s.False, depth+1)
	}
}

// truth evaluates a condition.
func (e *evaluator) truth(x syntax.Expr) (bool, error) {
	value, err := e.eval(x)
	if err != nil {
		return false, err
	}
	if unknown, ok := isUnknown(value); ok {
		return false, failure(x, "a condition is not known: %s", orReported(unknown))
	}
	return bool(value.Truth()), nil
}

func orReported(u Unknown) string {
	if u.Reason == "" {
		return "it depends on a value with a fault"
	}
	return u.Reason
}

func (e *evaluator) assignment(s *syntax.AssignStmt) {
	value, err := e.assigned(s)
	if err == nil {
		err = e.assign(s.LHS, value, isLiteral(s.RHS) && s.Op == syntax.EQ)
	}
	if err == nil {
		return
	}
	e.note(err)
	if name, ok := s.LHS.(*syntax.Ident); ok {
		e.globals[name.Name] = global{value: Unknown{}, line: int(name.NamePos.Line)}
	}
}

// isLiteral reports whether x is a value as it stands there.
func isLiteral(x syntax.Expr) bool {
	if minus, ok := x.(*syntax.UnaryExpr); ok && minus.Op == syntax.MINUS {
		x = minus.X
	}
	_, ok := x.(*syntax.Literal)
	return ok
}

// augmented are the operators that change a name.
var augmented = map[syntax.Token]syntax.Token{
	syntax.PLUS_EQ: syntax.PLUS, syntax.MINUS_EQ: syntax.MINUS, syntax.STAR_EQ: syntax.STAR,
	syntax.SLASH_EQ: syntax.SLASH, syntax.SLASHSLASH_EQ: syntax.SLASHSLASH, syntax.PERCENT_EQ: syntax.PERCENT,
	syntax.PIPE_EQ: syntax.PIPE,
}

// assigned gives the value of the right side, with += of both sides.
func (e *evaluator) assigned(s *syntax.AssignStmt) (starlark.Value, error) {
	value, err := e.eval(s.RHS)
	if err != nil || s.Op == syntax.EQ {
		return value, err
	}
	op, ok := augmented[s.Op]
	if !ok {
		return nil, failure(s, "the operator %s is not read%s", s.Op, allowed)
	}
	old, err := e.eval(s.LHS)
	if err != nil {
		return nil, err
	}
	return e.binary(s, op, old, value)
}

// assign gives value to a name, an element of a dict, or several names.
func (e *evaluator) assign(to syntax.Expr, value starlark.Value, literal bool) error {
	switch to := to.(type) {
	case *syntax.ParenExpr:
		return e.assign(to.X, value, literal)
	case *syntax.Ident:
		e.globals[to.Name] = global{value, int(to.NamePos.Line), literal}
		return nil
	case *syntax.IndexExpr:
		return e.assignElement(to, value)
	case *syntax.TupleExpr:
		return e.assignSeveral(to, to.List, value)
	case *syntax.ListExpr:
		return e.assignSeveral(to, to.List, value)
	}
	return failure(to, "only names and elements of dicts can be assigned")
}

func (e *evaluator) assignElement(to *syntax.IndexExpr, value starlark.Value) error {
	container, err := e.eval(to.X)
	if err != nil {
		return err
	}
	key, err := e.eval(to.Y)
	if err != nil {
		return err
	}
	if _, ok := isUnknown(container, key); ok {
		return nil
	}
	dict, ok := container.(*starlark.Dict)
	if !ok || !isScalar(key) {
		return failure(to, "only names and elements of dicts can be assigned")
	}
	if err := dict.SetKey(key, value); err != nil {
		return failure(to, "this element cannot be assigned")
	}
	return nil
}

func (e *evaluator) assignSeveral(at syntax.Node, targets []syntax.Expr, value starlark.Value) error {
	elements, ok := elementsOf(value)
	if !ok || len(elements) != len(targets) {
		return failure(at, "%d names want a list or a tuple of %d values", len(targets), len(targets))
	}
	for i, target := range targets {
		if _, ok := target.(*syntax.Ident); !ok {
			return failure(target, "only names can be assigned together")
		}
		if err := e.assign(target, elements[i], false); err != nil {
			return err
		}
	}
	return nil
}

// elementsOf gives the elements of a list or a tuple.
func elementsOf(v starlark.Value) ([]starlark.Value, bool) {
	switch v := v.(type) {
	case starlark.Tuple:
		return v, true
	case *starlark.List:
		elements := make([]starlark.Value, v.Len())
		for i := range elements {
			elements[i] = v.Index(i)
		}
		return elements, true
	}
	return nil, false
}

// eval evaluates an expression.
func (e *evaluator) eval(x syntax.Expr) (starlark.Value, error) {
	if err := e.spend(x, 1); err != nil {
		return nil, err
	}
	if e.depth++; e.depth > maxDepth {
		e.spent = true // whatever follows is as deep
		return nil, failure(x, "an expression is nested too deeply")
	}
	defer func() { e.depth-- }()
	switch x := x.(type) {
	case *syntax.Literal:
		return e.literal(x)
	case *syntax.Ident:
		return e.name(x)
	case *syntax.ParenExpr:
		return e.eval(x.X)
	case *syntax.UnaryExpr:
		return e.unary(x)
	case *syntax.BinaryExpr:
		return e.operation(x)
	case *syntax.CondExpr:
		holds, err := e.truth(x.Cond)
		if err != nil {
			return nil, err
		}
		if holds {
			return e.eval(x.True)
		}
		return e.eval(x.False)
	}
	return e.composite(x)
}

// composite evaluates what makes containers, or looks into values.
func (e *evaluator) composite(x syntax.Expr) (starlark.Value, error) {
	switch x := x.(type) {
	case *syntax.ListExpr:
		elements, err := e.evalAll(x.List)
		return starlark.NewList(elements), err
	case *syntax.TupleExpr:
		elements, err := e.evalAll(x.List)
		return starlark.Tuple(elements), err
	case *syntax.DictExpr:
		return e.dict(x)
	case *syntax.DotExpr:
		value, err := e.eval(x.X)
		if err != nil {
			return nil, err
		}
		return memberOf(x, value)
	case *syntax.IndexExpr:
		return e.element(x)
	case *syntax.CallExpr:
		return e.call(x)
	}
	return nil, failure(x, "such an expression is not read%s", allowed)
}

func (e *evaluator) evalAll(list []syntax.Expr) ([]starlark.Value, error) {
	values := make([]starlark.Value, 0, len(list))
	for _, x := range list {
		value, err := e.eval(x)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func (e *evaluator) literal(x *syntax.Literal) (starlark.Value, error) {
	switch v := x.Value.(type) {
	case string:
		if x.Token == syntax.STRING {
			return starlark.String(v), e.spend(x, len(v))
		}
	case int64:
		return starlark.MakeInt64(v), nil
	case *big.Int:
		return nil, failure(x, "this number is too large")
	case float64:
		return starlark.Float(v), nil
	}
	return nil, failure(x, "such a literal is not read%s", allowed)
}

// name gives what a name stands for. A fault shows a name only if it is one of
// Python's: what is not defined can be a password without its quotes.
func (e *evaluator) name(x *syntax.Ident) (starlark.Value, error) {
	if g, ok := e.globals[x.Name]; ok {
		return g.value, nil
	}
	if pythonFunctions[x.Name] {
		return nil, failure(x, "%s is not read here%s", x.Name, allowed)
	}
	return nil, failure(x, "the name at column %d is not defined; a text needs quotes", x.NamePos.Col)
}

func (e *evaluator) dict(x *syntax.DictExpr) (starlark.Value, error) {
	dict := starlark.NewDict(len(x.List))
	for _, entry := range x.List {
		pair, ok := entry.(*syntax.DictEntry)
		if !ok {
			return nil, failure(entry, "such a dict is not read%s", allowed)
		}
		key, err := e.eval(pair.Key)
		if err != nil {
			return nil, err
		}
		value, err := e.eval(pair.Value)
		if err != nil {
			return nil, err
		}
		if !isScalar(key) || dict.SetKey(key, value) != nil {
			return nil, failure(pair, "the key of a dict must be a text or a number")
		}
	}
	return dict, nil
}

func (e *evaluator) call(x *syntax.CallExpr) (starlark.Value, error) {
	args, named, err := e.arguments(x)
	if err != nil {
		return nil, err
	}
	var fn starlark.Value
	if dot, ok := x.Fn.(*syntax.DotExpr); ok {
		receiver, err := e.eval(dot.X)
		if err != nil {
			return nil, err
		}
		if methods := methodsOf(receiver); methods != nil {
			return e.method(x, receiver, dot.Name.Name, methods, args, named)
		}
		if fn, err = memberOf(dot, receiver); err != nil {
			return nil, err
		}
	} else if fn, err = e.eval(x.Fn); err != nil {
		return nil, err
	}
	f, ok := fn.(function)
	if !ok {
		if unknown, ok := isUnknown(fn); ok {
			return unknown, nil
		}
		return nil, failure(x, "%s cannot be called", Kind(fn))
	}
	if f.name != "dict" && f.name != "list" && f.name != "tuple" {
		if unknown, ok := isUnknown(args...); ok {
			return unknown, nil
		}
	}
	result, err := f.call(e, args, named)
	if err != nil {
		return nil, failure(x, "%s: %v", f.name, err)
	}
	return result, e.spend(x, size(result))
}

// arguments evaluates those of a call.
func (e *evaluator) arguments(x *syntax.CallExpr) ([]starlark.Value, map[string]starlark.Value, error) {
	var args []starlark.Value
	named := map[string]starlark.Value{}
	for _, arg := range x.Args {
		if pair, ok := arg.(*syntax.BinaryExpr); ok && pair.Op == syntax.EQ {
			name, ok := pair.X.(*syntax.Ident)
			if !ok {
				return nil, nil, failure(arg, "such an argument is not read")
			}
			value, err := e.eval(pair.Y)
			if err != nil {
				return nil, nil, err
			}
			named[name.Name] = value
			continue
		}
		if stars, ok := arg.(*syntax.UnaryExpr); ok && (stars.Op == syntax.STAR || stars.Op == syntax.STARSTAR) {
			all, err := e.starred(stars)
			if err != nil {
				return nil, nil, err
			}
			maps.Copy(named, all)
			continue
		}
		value, err := e.eval(arg)
		if err != nil {
			return nil, nil, err
		}
		args = append(args, value)
	}
	return args, named, nil
}

// starred gives the named arguments that **x stands for.
func (e *evaluator) starred(x *syntax.UnaryExpr) (map[string]starlark.Value, error) {
	if x.Op != syntax.STARSTAR || x.X == nil {
		return nil, failure(x, "* before an argument is not read")
	}
	value, err := e.eval(x.X)
	if err != nil {
		return nil, err
	}
	dict, ok := value.(*starlark.Dict)
	if !ok {
		return nil, failure(x, "** before an argument wants a dict")
	}
	all := map[string]starlark.Value{}
	for _, item := range dict.Items() {
		name, ok := starlark.AsString(item[0])
		if !ok {
			return nil, failure(x, "** before an argument wants a dict whose keys are texts")
		}
		all[name] = item[1]
	}
	return all, e.spend(x, dict.Len())
}

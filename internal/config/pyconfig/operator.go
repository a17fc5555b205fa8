package pyconfig

import (
	"math"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// unary evaluates not x, -x and +x.
func (e *evaluator) unary(x *syntax.UnaryExpr) (starlark.Value, error) {
	if x.Op == syntax.NOT {
		holds, err := e.truth(x.X)
		return starlark.Bool(!holds), err
	}
	if x.X == nil {
		return nil, failure(x, "the operator %s is not read here", x.Op)
	}
	value, err := e.eval(x.X)
	if err != nil {
		return nil, err
	}
	if unknown, ok := isUnknown(value); ok {
		return unknown, nil
	}
	switch value.(type) {
	case starlark.Int, starlark.Float:
		if x.Op == syntax.MINUS || x.Op == syntax.PLUS {
			if result, err := starlark.Unary(x.Op, value); err == nil {
				return result, nil
			}
		}
	}
	return nil, failure(x, "the operator %s does not take %s", x.Op, Kind(value))
}

// operation evaluates x op y.
func (e *evaluator) operation(x *syntax.BinaryExpr) (starlark.Value, error) {
	left, err := e.eval(x.X)
	if err != nil {
		return nil, err
	}
	if x.Op == syntax.AND || x.Op == syntax.OR {
		if unknown, ok := isUnknown(left); ok {
			return unknown, nil
		}
		if bool(left.Truth()) == (x.Op == syntax.OR) {
			return left, nil
		}
		return e.eval(x.Y)
	}
	right, err := e.eval(x.Y)
	if err != nil {
		return nil, err
	}
	return e.binary(x, x.Op, left, right)
}

// binary does what an operator does with two values.
func (e *evaluator) binary(at syntax.Node, op syntax.Token, left, right starlark.Value) (starlark.Value, error) {
	if (op == syntax.IN || op == syntax.NOT_IN) && right == (environ{}) {
		name, ok := starlark.AsString(left)
		if !ok {
			return nil, failure(at, "the name of a variable must be a text")
		}
		_, set := e.getenv(name)
		return starlark.Bool(set == (op == syntax.IN)), nil
	}
	if unknown, ok := isUnknown(left, right); ok {
		return unknown, nil
	}
	if err := e.spend(at, size(left)+size(right)); err != nil {
		return nil, err
	}
	result, err := e.apply(at, op, left, right)
	if err != nil {
		return nil, err
	}
	if result == nil {
		return nil, failure(at, "the operator %s does not take %s and %s", op, Kind(left), Kind(right))
	}
	if number, ok := result.(starlark.Int); ok {
		if _, fits := number.Int64(); !fits {
			return nil, failure(at, "the number is too large")
		}
	}
	return result, e.spend(at, size(result))
}

// apply gives nil if op does not take such values.
func (e *evaluator) apply(at syntax.Node, op syntax.Token, left, right starlark.Value) (starlark.Value, error) {
	switch op {
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		if !isScalar(left) || !isScalar(right) {
			return nil, nil //nolint:nilnil // as the comment says
		}
		holds, err := starlark.Compare(op, left, right)
		if err != nil {
			return nil, nil //nolint:nilerr,nilnil // the caller names the types
		}
		return starlark.Bool(holds), nil
	case syntax.IN, syntax.NOT_IN:
		if !isScalar(left) {
			return nil, nil //nolint:nilnil // as the comment says
		}
	case syntax.STAR:
		if err := e.spendRepeat(at, left, right); err != nil {
			return nil, err
		}
	case syntax.PERCENT:
		if format, ok := left.(starlark.String); ok {
			if err := e.spendFormat(at, string(format), operands(right)); err != nil {
				return nil, err
			}
		}
	case syntax.PLUS, syntax.MINUS, syntax.SLASH, syntax.SLASHSLASH, syntax.PIPE:
	default:
		return nil, nil //nolint:nilnil // as the comment says
	}
	result, err := starlark.Binary(op, left, right)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // its text can hold a value
	}
	return result, nil
}

// operands are what x % y formats.
func operands(y starlark.Value) []starlark.Value {
	switch y := y.(type) {
	case starlark.Tuple:
		return y
	case *starlark.Dict:
		var values []starlark.Value
		for _, item := range y.Items() {
			values = append(values, item[1])
		}
		return values
	}
	return []starlark.Value{y}
}

// spendRepeat bounds text * n and list * n before it is made.
func (e *evaluator) spendRepeat(at syntax.Node, left, right starlark.Value) error {
	if _, ok := left.(starlark.Int); ok {
		left, right = right, left
	}
	count, ok := right.(starlark.Int)
	if _, ofNumber := left.(starlark.Int); !ok || ofNumber {
		return nil
	}
	n, fits := count.Int64()
	if !fits || n > maxWork {
		n = maxWork
	}
	return e.spend(at, product(size(left), int(max(n, 0))))
}

// spendFormat bounds what a format makes of values: each place in it can take
// the longest of them. Lists are not formatted: one can hold itself often.
func (e *evaluator) spendFormat(at syntax.Node, format string, values []starlark.Value) error {
	longest := 1
	for _, value := range values {
		if !isScalar(value) {
			return failure(at, "only texts, numbers, True, False and None can be put into a text")
		}
		longest = max(longest, 6*size(value)) // %r writes some bytes as \\x00
	}
	places := strings.Count(format, "%") + strings.Count(format, "{")
	return e.spend(at, len(format)+product(places, longest))
}

// product is a * b, or a number above every bound.
func product(a, b int) int {
	if a > 0 && b > math.MaxInt32/a {
		return math.MaxInt32
	}
	return a * b
}

// memberOf gives x.name of value, which is no method.
func memberOf(x *syntax.DotExpr, value starlark.Value) (starlark.Value, error) {
	name := x.Name.Name
	switch v := value.(type) {
	case Unknown:
		return v, nil
	case object:
		if member, ok := v.members[name]; ok {
			return member, nil
		}
		return nil, failure(x, "os has no %s here%s", name, allowed)
	case environ:
		if name == "get" {
			return getenvFunction("os.environ.get"), nil
		}
		return nil, failure(x, "os.environ has no %s here; allowed are os.environ[NAME] and os.environ.get", name)
	}
	return nil, failure(x, "%s has no .%s here%s", Kind(value), name, allowed)
}

// element evaluates x[y].
func (e *evaluator) element(x *syntax.IndexExpr) (starlark.Value, error) {
	container, err := e.eval(x.X)
	if err != nil {
		return nil, err
	}
	key, err := e.eval(x.Y)
	if err != nil {
		return nil, err
	}
	if container == (environ{}) {
		return e.variable(x, key)
	}
	if unknown, ok := isUnknown(container, key); ok {
		return unknown, nil
	}
	if dict, ok := container.(*starlark.Dict); ok && isScalar(key) {
		if value, found, err := dict.Get(key); err == nil && found {
			return value, nil
		}
		return nil, failure(x, "the dict does not have this key")
	}
	elements, isList := elementsOf(container)
	index, err := starlark.AsInt32(key)
	if !isList || err != nil {
		return nil, failure(x, "%s does not take %s in [ ]", Kind(container), Kind(key))
	}
	if err := e.spend(x, len(elements)); err != nil {
		return nil, err
	}
	if index < 0 {
		index += len(elements)
	}
	if index < 0 || index >= len(elements) {
		return nil, failure(x, "there is no such element: %s has %d", Kind(container), len(elements))
	}
	return elements[index], nil
}

// variable evaluates os.environ[name]. A variable that is not set matters only
// where a setting needs it.
func (e *evaluator) variable(at syntax.Node, key starlark.Value) (starlark.Value, error) {
	name, ok := starlark.AsString(key)
	if !ok {
		return nil, failure(at, "the name of a variable must be a text")
	}
	value, set := e.getenv(name)
	if !set {
		return Unknown{"the environment variable " + quoteName(name) + " is not set"}, nil
	}
	return starlark.String(value), e.spend(at, len(value))
}

// The methods that values have here. All of them take texts or numbers only, or
// keep what they are given as it is.
var (
	textMethods = []string{
		"capitalize", "count", "endswith", "find", "format", "join", "lower", "lstrip", "removeprefix", "removesuffix", "replace",
		"rfind", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper",
	}
	listMethods = []string{"append", "extend", "insert"}
	dictMethods = []string{"get", "items", "keys", "pop", "setdefault", "update", "values"}
)

func methodsOf(receiver starlark.Value) []string {
	switch receiver.(type) {
	case starlark.String:
		return textMethods
	case *starlark.List:
		return listMethods
	case *starlark.Dict:
		return dictMethods
	}
	return nil
}

// method calls a method of a text, a list or a dict.
func (e *evaluator) method(
	at *syntax.CallExpr, receiver starlark.Value, name string, methods []string,
	args []starlark.Value, named map[string]starlark.Value,
) (starlark.Value, error) {
	if !slices.Contains(methods, name) {
		return nil, failure(at, "%s has no method like this; allowed are %s", Kind(receiver), strings.Join(methods, ", "))
	}
	if text, ok := receiver.(starlark.String); ok {
		if unknown, found := unknownIn(args, named); found {
			return unknown, nil
		}
		if err := e.spendMethod(at, string(text), name, args, named); err != nil {
			return nil, err
		}
	}
	if !takes(receiver, name, args) {
		return nil, failure(at, ".%s does not take these values", name)
	}
	cost := size(receiver)
	for _, arg := range args {
		cost += size(arg)
	}
	if err := e.spend(at, cost); err != nil {
		return nil, err
	}
	attr, err := receiver.(starlark.HasAttrs).Attr(name) //nolint:forcetypeassert // all that methodsOf names have them
	if err != nil || attr == nil {
		return nil, failure(at, ".%s cannot be called", name)
	}
	var pairs []starlark.Tuple
	for key, value := range named {
		pairs = append(pairs, starlark.Tuple{starlark.String(key), value})
	}
	result, err := starlark.Call(&e.thread, attr, args, pairs)
	if err != nil {
		return nil, failure(at, ".%s does not take these values", name) // its text can hold one
	}
	return result, e.spend(at, size(result))
}

// takes reports whether a method of a dict may have args. A tuple is no key:
// hashing one that holds itself often takes for ever.
func takes(receiver starlark.Value, name string, args []starlark.Value) bool {
	if _, ok := receiver.(*starlark.Dict); !ok || len(args) == 0 {
		return true
	}
	_, isDict := args[0].(*starlark.Dict)
	return isDict == (name == "update") && (isDict || isScalar(args[0]))
}

// unknownIn gives the first unknown argument, or element of one.
func unknownIn(args []starlark.Value, named map[string]starlark.Value) (Unknown, bool) {
	for _, arg := range args {
		if elements, ok := elementsOf(arg); ok {
			if unknown, found := isUnknown(elements...); found {
				return unknown, true
			}
		}
	}
	for _, value := range named {
		if unknown, found := isUnknown(value); found {
			return unknown, true
		}
	}
	return isUnknown(args...)
}

// spendMethod bounds the methods whose result can be far longer than what they
// are given.
func (e *evaluator) spendMethod(
	at syntax.Node, text, name string, args []starlark.Value, named map[string]starlark.Value,
) error {
	switch name {
	case "format":
		values := slices.Clone(args)
		for _, value := range named {
			values = append(values, value)
		}
		return e.spendFormat(at, text, values)
	case "replace":
		if len(args) > 1 {
			return e.spend(at, product(len(text)+1, size(args[1])))
		}
	case "join":
		if len(args) == 0 {
			return nil
		}
		elements, _ := elementsOf(args[0])
		total := product(len(elements), len(text)+1)
		for _, element := range elements {
			total += size(element)
		}
		return e.spend(at, total)
	case "split", "rsplit", "splitlines", "count":
		return e.spend(at, len(text)*16) // a text of its own for each part
	}
	return nil
}

package pyconfig

import (
	"errors"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// Unknown stands for a value that is known only when Python runs the module,
// such as numpy.float32, or that does not exist, such as a variable that is not
// set. Its members, calls and operators return an Unknown again. Anything else
// that needs its value, such as a condition, ends the statement.
type Unknown struct {
	Reason string // why it is unknown, for a fault; "" if there is already a fault
	Member string // its name in its module, such as float32; "" if it is computed

	module *module // the module that it belongs to
	// members are the known members of a Python module; nil if there are none.
	members starlark.StringDict
}

// errUnknown ends a statement that needs the value of an [Unknown].
var errUnknown = errors.New("not known")

// need records that a statement needs the value, and ends the statement. It
// does both because not all callers can return an error.
func (u Unknown) need() error {
	if u.module != nil {
		u.module.needed = &u
		u.module.thread.Cancel(errUnknown.Error())
	}
	return errUnknown
}

// String implements [starlark.Value].
func (u Unknown) String() string { return u.need().Error() }

// Type implements [starlark.Value].
func (u Unknown) Type() string { return "unknown" }

// Freeze implements [starlark.Value].
func (u Unknown) Freeze() {}

// Truth implements [starlark.Value].
func (u Unknown) Truth() starlark.Bool { return u.need() == nil }

// Hash implements [starlark.Value].
func (u Unknown) Hash() (uint32, error) { return 0, u.need() }

// Iterate implements [starlark.Iterable].
func (u Unknown) Iterate() starlark.Iterator {
	_ = u.need()
	return starlark.Tuple(nil).Iterate()
}

// Attr implements [starlark.HasAttrs].
func (u Unknown) Attr(name string) (starlark.Value, error) {
	if member, ok := u.members[name]; ok {
		return member, nil
	}
	return u.named(name), nil
}

// named returns an Unknown with this name that is unknown for the same reason.
func (u Unknown) named(name string) Unknown {
	u.Member, u.members = name, nil
	return u
}

// AttrNames implements [starlark.HasAttrs].
func (u Unknown) AttrNames() []string { return nil }

// Get implements [starlark.Mapping].
func (u Unknown) Get(starlark.Value) (starlark.Value, bool, error) {
	return u.named(""), true, nil
}

// Name implements [starlark.Callable].
func (u Unknown) Name() string { return u.Type() }

// CallInternal implements [starlark.Callable].
func (u Unknown) CallInternal(*starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return u.named(""), nil
}

// Unary implements [starlark.HasUnary].
func (u Unknown) Unary(syntax.Token) (starlark.Value, error) { return u.named(""), nil }

// Binary implements [starlark.HasBinary].
func (u Unknown) Binary(syntax.Token, starlark.Value, starlark.Side) (starlark.Value, error) {
	return u.named(""), nil
}

// firstUnknown returns the first unknown value.
func firstUnknown(values ...starlark.Value) (Unknown, bool) {
	for _, value := range values {
		if u, ok := value.(Unknown); ok {
			return u, true
		}
	}
	return Unknown{}, false
}

// Kind returns the name of v's type for a person.
func Kind(v starlark.Value) string {
	switch v.(type) {
	case starlark.String:
		return "a text"
	case starlark.Int:
		return "a whole number"
	case starlark.Float:
		return "a number with a fraction"
	case starlark.Bool:
		return "True or False"
	case starlark.NoneType:
		return "None"
	case *starlark.List:
		return "a list"
	case starlark.Tuple:
		return "a tuple"
	case *starlark.Dict:
		return "a dict"
	}
	return "such a value"
}

// fits subtracts the size of v from left: the bytes of its texts plus the
// number of its elements. It stops if nothing is left or if maxDepth is
// reached, because a value may contain itself.
func fits(v starlark.Value, left *int, depth int) bool {
	if *left--; depth > maxDepth {
		return false
	}
	switch v := v.(type) {
	case starlark.String:
		*left -= len(v)
	case starlark.Int:
		if _, small := v.Int64(); !small {
			*left = -1
		}
	case *starlark.Dict:
		for _, value := range v.Entries() {
			if *left < 0 || !fits(value, left, depth+1) {
				return false
			}
		}
	case starlark.Sequence:
		for element := range starlark.Elements(v) {
			if *left < 0 || !fits(element, left, depth+1) {
				return false
			}
		}
	}
	return *left >= 0
}

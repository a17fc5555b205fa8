package pyconfig

import (
	"errors"

	"go.starlark.net/starlark"
)

// Unknown stands for a value that is known only where the module runs in
// Python, such as numpy.float32, or that is not there, such as a variable that
// is not set. It may lie wherever no setting needs it.
type Unknown struct {
	Reason string // why it is not known, for a fault; "" if there is a fault already
}

// String implements [starlark.Value].
func (u Unknown) String() string { return "unknown" }

// Type implements [starlark.Value].
func (u Unknown) Type() string { return "unknown value" }

// Freeze implements [starlark.Value].
func (u Unknown) Freeze() {}

// Truth implements [starlark.Value].
func (u Unknown) Truth() starlark.Bool { return false }

// Hash implements [starlark.Value].
func (u Unknown) Hash() (uint32, error) { return 0, errors.New("unhashable") }

// object is something with members: os, os.path.
type object struct {
	Unknown
	members map[string]starlark.Value
}

// environ is os.environ.
type environ struct{ Unknown }

// function is a function that modules may call.
type function struct {
	Unknown
	name string
	call func(e *evaluator, args []starlark.Value, named map[string]starlark.Value) (starlark.Value, error)
}

// isUnknown gives the first of values that is unknown.
func isUnknown(values ...starlark.Value) (Unknown, bool) {
	for _, value := range values {
		switch v := value.(type) {
		case Unknown:
			return v, true
		case object, environ, function:
			return Unknown{"it is no value but a module or a function"}, true
		}
	}
	return Unknown{}, false
}

// isScalar reports whether v is a text, a number, a truth value or None.
func isScalar(v starlark.Value) bool {
	switch v.(type) {
	case starlark.String, starlark.Int, starlark.Float, starlark.Bool, starlark.NoneType:
		return true
	}
	return false
}

// Kind names the type of a value for a person.
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

// size is what v costs of the bound on work: bytes of a text, else elements.
func size(v starlark.Value) int {
	switch v := v.(type) {
	case starlark.String:
		return len(v) + 1
	case *starlark.List:
		return v.Len() + 1
	case starlark.Tuple:
		return v.Len() + 1
	case *starlark.Dict:
		return v.Len() + 1
	}
	return 1
}

package pyconfig_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.starlark.net/starlark"

	"web-backend/internal/config/pyconfig"
)

// secretText is the password in a module or in the environment.
const secretText = "hunter2-s3cret"

func getenv(name string) (string, bool) {
	value, ok := map[string]string{"PORT": "8080", "EMPTY": "", "SECRET": secretText}[name]
	return value, ok
}

// valueOf evaluates a module and returns the final value of x.
func valueOf(t *testing.T, module string) string {
	t.Helper()
	settings, faults := pyconfig.Evaluate("configs/local.py", []byte(module), getenv)
	if len(faults) > 0 {
		t.Fatalf("module %q: %v", module, faults)
	}
	for _, s := range settings {
		if s.Name == "x" {
			return s.Value.String()
		}
	}
	return "nothing"
}

func TestEvaluate_Values(t *testing.T) {
	t.Parallel()
	for module, want := range map[string]string{
		"":                                    "nothing",
		"x = 5":                               "5",
		"x = -1_000":                          "-1000",
		"\ufeffx = 5\r\ny = 6\r\n":            "5",
		"x = 1; x = 2  # the last one counts": "2",
		"x = 'a' + \"b\" * 2":                 `"abb"`,
		"x = '''a\nimport b\n'''":             `"a\nimport b\n"`,
		"x = r'\\d' + u'é'":                   `"\\dé"`,
		"x = '%s:%d' % ('a', 5)":              `"a:5"`,
		"x = '{}/{b}'.format(1, b='c')":       `"1/c"`,
		"x = ','.join(['a', 'b']).upper()":    `"A,B"`,
		"x = [1, (2, None), {'a': True}]":     `[1, (2, None), {"a": True}]`,
		"x = dict(dict(a=1, b=2), b=3)":       `{"a": 1, "b": 3}`,
		"y = dict(a=1)\nx = dict(**y, b=2)":   `{"b": 2, "a": 1}`,
		"y = {}\nx = y\ny['a'] = 1":           `{"a": 1}`,
		"x = [1]\nx += [2]\nx.append(3)":      "[1, 2, 3]",
		"x, y = 1, 2":                         "1",
		"x = {'a': [1, 2]}['a'][-1]":          "2",
		"x = 1 if 2 > 1 and not None else 3":  "1",
		"if 'PORT' in os.environ:\n    x = 1\nelse:\n    x = 2\nimport os":       "1",
		"if False: x = 1\nelif True: x = 3":                                      "3",
		"import os\nx = int(os.getenv('PORT'))":                                  "8080",
		"import os\nx = int(os.getenv('NONE', 7))":                               "7",
		"import os\nx = os.environ.get('EMPTY', 'a')":                            `""`,
		"import os\nx = os.getenv('NONE')":                                       "None",
		"import os.path\nx = os.path.join('a', 'b', '/c', 'd')":                  `"/c/d"`,
		"from os import getenv as g, environ\nx = g('PORT') + environ['PORT']":   `"80808080"`,
		"from os import (\n    getenv,  # one\n    environ)\nx = getenv('PORT')": `"8080"`,
		"import os, \\\n    sys\nx = os.path.dirname(__file__)":                  `"configs"`,
		"from os.path import join\nx = join('a', 'b')":                           `"a/b"`,
		"import numpy as np\ny = {'a': np.float32(1) + 1}\nx = len(y)":           "1",
		"import os\ny = os.environ['NONE']\nx = 1":                               "1",
		"for i in range(3):\n    if i > 1: continue\n    x = i":                  "1",
		"x = [i * 2 for i in [1, 2] if i > 1] + [0, 1, 2][1:]":                   "[4, 1, 2]",
		"x = sorted(set([2, 1, 2]))":                                             "[1, 2]",
		"x = (9223372036854775807 + 1) // 9223372036854775807":                   "1",
		"x = 'a'; print(x); x += 'b'":                                            `"ab"`,
		"x = {'import': 1, 'a': {'b':\n  2}}; import os":                         `{"import": 1, "a": {"b": 2}}`,
		"x: int = 5":    "5",
		"x = 1\nx: int": "1",
		"x: Dict[str, Any] = {'a': 1}  # b: c = d\ny=x":                         `{"a": 1}`,
		"x: Union[\n  int,  # a\n  'str'] = 5":                                  "5",
		"if True:\n    x: int = 5; y: str = 'a'":                                "5",
		"if True: x = 5\nelse: y: int = 6":                                      "5",
		"y = x = 5  # a = b":                                                    "5",
		"x = y = 5":                                                             "5",
		"z = {}\nz['a'] = y = x = [1, 2]; z['b'] = 2\nx = z":                    `{"a": [1, 2], "b": 2}`,
		"if True: a = x = 5\nb = 6":                                             "5",
		"a, b = c = 1, 2\nx = [a, b, c]":                                        "[1, 2, (1, 2)]",
		"a: int = 4\nb = x = a == 4":                                            "True",
		"d = {'a': 1}\nx = {**d, 'b': {**d}, **dict(a=2)}":                      `{"a": 2, "b": {"a": 1}}`,
		"d = {'a': 1}\nx = {\n  'b': 2,  # first\n  **d,\n  'c': 3,\n}":         `{"b": 2, "a": 1, "c": 3}`,
		"x = sorted({2, 1, 2})":                                                 "[1, 2]",
		"x = sorted({a + 1 for a in [1, 2]})":                                   "[2, 3]",
		"x = {a: 1 for a in [1]}":                                               "{1: 1}",
		"x = {\n}":                                                              "{}",
		"x = 1 if 2 <= 3 and 3 != 4 else 5":                                     "1",
		"import logging\nx = logging.WARNING":                                   "30",
		"import logging as l\nx = [l.INFO, l.CRITICAL]":                         "[20, 50]",
		"from logging import DEBUG as D, getLogger\ny = getLogger('a')\nx = D":  "10",
		"import os\nx = os.path.abspath('/a/../b/')":                            `"/b"`,
		"import os\nx = os.path.abspath('a') == os.path.join(os.getcwd(), 'a')": "True",
		"import os\nx = os.path.normpath('a/./b/..')":                           `"a"`,
		"if __name__ == '__main__':\n    x = 1":                                 "nothing",
		"\"\"\"What it is.\"\"\"\npass\nx = str(1) + str('a') + str(True)":      `"1aTrue"`,
	} {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			if got := valueOf(t, module); got != want {
				t.Errorf("x is %s, want %s", got, want)
			}
		})
	}
}

func TestEvaluate_Settings(t *testing.T) {
	t.Parallel()
	settings, faults := pyconfig.Evaluate("c.py", []byte("__a__ = 1\n_b = 2\nimport numpy as np\nc = 3\n\nd = c\nc = 4"), nil)
	want := []pyconfig.Setting{
		{Name: "d", Line: 6, Value: starlark.MakeInt(3)},
		{Name: "c", Line: 7, Literal: true, Value: starlark.MakeInt(4)},
	}
	if len(faults) > 0 || !reflect.DeepEqual(settings, want) {
		t.Errorf("got %v, %v, want %v", settings, faults, want)
	}
}

func TestEvaluate_Faults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		module string
		want   []string // the beginning of each fault
	}{
		{"x = 1\ny = open('a')", []string{"line 2: the name at column 5 is not defined; a text needs quotes; allowed are assignments"}},
		{"def f():\n    return 1", []string{"line 1: def is not read here; allowed"}},
		{"x = 1\nclass A: pass", []string{"line 2: class is not read here; allowed"}},
		{"x = lambda: 1", []string{"line 1: lambda is not read here"}},
		{"while True: pass", []string{"line 1: while is not read here"}},
		{"with a: pass", []string{"line 1: with is not read here"}},
		{"x = 1 is None", []string{"line 1: is is not read here"}},
		{"from os import *", []string{"line 1: this import is not read; allowed are import NAME"}},
		{"x = f'{y}'", []string{"line 1: f-strings are not read; join texts with + or .format()"}},
		{"x = ('a'\n     'b')", []string{"line 2: two texts stand side by side; put + between them"}},
		{"x = 'a", []string{"line 1: a text has no end"}},
		{"x = \n", []string{"line 1: cannot be read; allowed are"}},
		{"x: int = open('a')\ny: str", []string{"line 1: the name at column 10 is not defined"}},
		{"x: Dict[\n  str, int] = {\n**open('a')}", []string{"line 3: the name at column"}},
		{"x = y = open('a')\nz = w", []string{"line 1: the name", "line 2: the name at column 5"}},
		{"x = {**1}", []string{"line 1: the types of the values do not fit"}},
		{"x = {1, 2", []string{"line 1: cannot be read"}},
		{"x = {**d, ", []string{"line 1: cannot be read"}},
		{"x = {{}}", []string{"line 1: the call of set failed"}},
		{"import logging\nif logging.root.level: x = 1", []string{"line 2: a condition is not known: it comes from module logging, of which only the levels are read"}},
		{"x = true", []string{"line 1: the name at column 5 is not defined"}},
		{"x = 5\ny = " + "hunter2", []string{"line 2: the name at column 5 is not defined; a text needs quotes"}},
		{"x = 'a' + 1", []string{"line 1: the types of the values do not fit"}},
		{"x = {}['a']", []string{"line 1: the dict does not have this key"}},
		{"x = [1][1]", []string{"line 1: there is no such element"}},
		{"x = int('a')", []string{"line 1: the call of int failed: it does not take these values"}},
		{"x = 'a'.encode()", []string{"line 1: a value has no such attribute or method; allowed are"}},
		{"import os\nx = os.system('true')", []string{"line 2: a value has no such attribute or method"}},
		{"import os\nx = os.environ.items()", []string{"line 2: a value has no such attribute or method"}},
		{"import sys\nif sys.argv:\n    x = 1", []string{"line 2: a condition is not known: it comes from module sys"}},
		{"x = (1, 2)\nx['a'] = 1\ny = open('b')\nz = x", []string{"line 2: the types of the values do not fit", "line 3: the name at column 5 is not defined"}},
		{"x = hunter\ny = 5 + z + v", []string{
			"line 1: the name at column 5 is not defined", "line 2: the name at column 9 is not defined", "line 2: the name at column 13",
		}},
		{"x = 1 / 0", []string{"line 1: a division by zero"}},
		{"x, y = 1", []string{"line 1: the types of the values do not fit"}},
		{"x, y = [1]", []string{"line 1: there are more or fewer names than values"}},
		{"x = 5()", []string{"line 1: such a value cannot be called"}},
		{"x = 'a'.join([1])", []string{"line 1: the call of join failed"}},
		{"for i in [1, 2]:\n    x = i\n    y = x['a']", []string{"line 3: the types of the values"}},
		{"load('a', 'b')", []string{"line 1: the types of the values"}},
		{"import os\nx = {}\nx['a'] = '%s' % os.environ['NONE']", []string{
			"line 3: a value is not known: the environment variable NONE is not set"}},
		{"import os\nif os.environ[os.environ['SECRET']] == 'a':\n    x = 1", []string{
			"line 2: a condition is not known: an environment variable is not set"}},
		{"import sys\nif 'a' == sys.platform:\n    x = 1", []string{"line 2: a condition is not known: it comes from module sys"}},
		{"import sys\nfor a in sys.argv:\n    x = a", []string{"line 2: a value is not known: it comes from module sys"}},
		{"x = \x00", []string{"line 1: the file is not text in UTF-8"}},
		{"x = '\xff'", []string{"line 1: the file is not text in UTF-8"}},
		{strings.Repeat("#", 300_000), []string{"line 1: the file has 300000 bytes; at most 262144 are read"}},
		{"x = " + strings.Repeat("(", 500) + strings.Repeat(")", 500), []string{"line 1: cannot be read"}},
		{"x = " + strings.Repeat("[", 100_000), []string{"line 1: cannot be read"}},
	}
	for _, tt := range tests {
		t.Run(tt.module[:min(len(tt.module), 30)], func(t *testing.T) {
			t.Parallel()
			_, faults := pyconfig.Evaluate("c.py", []byte(tt.module), getenv)
			var got []string
			for _, fault := range faults {
				got = append(got, fault.Error())
			}
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf(" got %q\nwant %q", got, tt.want)
			}
		})
	}
}

// If a value depends on an unknown name, it is also unknown, with the same
// reason. This is not a fault.
func TestEvaluate_Unknown(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{
		"u", "u.a", "u()", "u[0]", "u + 1", "1 - u", "-u", "not u", "u and 1", "u or 1", "1 if u else 2", "u == 1", "'a' in u", "u in ['a']",
		"int(u)", "float(u)", "len(u)", "str(u)", "bool(u)", "list(u)", "'%s' % u", "'%s %s' % ('a', u)", "'{}'.format(u)", "{}[u]", "{u: 1}",
		"[i for i in u]", "os.path.join('a', u)", "os.getenv(u)", "os.environ[u]", "'a' + os.environ['NONE']", "dict(a=os.environ['NONE'])",
	} {
		module := "import os\nfrom a import u\nx = " + expression
		settings, faults := pyconfig.Evaluate("c.py", []byte(module), getenv)
		if len(faults) > 0 || len(settings) != 1 {
			t.Errorf("%s: %v, %v", expression, settings, faults)
			continue
		}
		if u, ok := settings[0].Value.(pyconfig.Unknown); !ok || u.Reason == "" {
			t.Errorf("%s is %#v", expression, settings[0].Value)
		}
	}
}

// A member of another module is identified by its name, unless it is part of a
// computation.
func TestEvaluate_UnknownMember(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"np": "", "np.float32": "float32", "np.core.float64": "float64", "f": "float16", "{'a': np.float32}['a']": "float32",
		"np.float32(1)": "", "np.float32[0]": "", "-np.float32": "", "np.float32 + 1": "", "int(np.float32)": "", "os.path.join('a', np.float32)": "",
	} {
		settings, faults := pyconfig.Evaluate("c.py", []byte("import os\nimport numpy as np\nfrom numpy import float16 as f\nx = "+expression), nil)
		if len(faults) > 0 || len(settings) != 1 {
			t.Fatalf("%s: %v, %v", expression, settings, faults)
		}
		if u, ok := settings[0].Value.(pyconfig.Unknown); !ok || u.Member != want || u.Reason == "" {
			t.Errorf("%s is %#v, want the member %q", expression, settings[0].Value, want)
		}
	}
}

func TestEvaluate_Bounded(t *testing.T) {
	t.Parallel()
	const tooMuch = "line 2: this takes more steps than a configuration may"
	for _, module := range []string{
		"x = 1\nfor i in range(1000000000): x = i\ny = 2", "x = 1\ny = [i for i in range(1000000000) if i < 0]\nz = open",
	} {
		if _, faults := pyconfig.Evaluate("c.py", []byte(module), nil); len(faults) != 1 || faults[0].Error() != tooMuch {
			t.Errorf("%q: %v", module, faults)
		}
	}
	for _, module := range []string{
		"x = 'a' * 2000000", "x = [0] * 2000000", "x = [['a' * 1000] * 1000] * 1000", "x = {'a': 'a' * 2000000}", "x = []\nx.append(x)",
		"x = {}\nx['a'] = x", "x = 9223372036854775807 + 1",
	} {
		settings, faults := pyconfig.Evaluate("c.py", []byte(module), nil)
		if len(faults) > 0 || len(settings) != 1 {
			t.Fatalf("%q: %v, %v", module, settings, faults)
		}
		if u, _ := settings[0].Value.(pyconfig.Unknown); u.Reason != "it is larger than a setting may be" {
			t.Errorf("%q: %v", module, u.Reason)
		}
	}
}

// FuzzEvaluate checks that the evaluation of any module ends, that a fault is
// one line without text from the environment or the module, and that a second
// evaluation returns the same result.
func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{
		"import os\nx = os.getenv('SECRET')\ny = int(x)", "x = 1 if 'a' in 'b' else {'a': [1, (2,)]}", "from os import (environ,\n getenv)",
		"import os\nx = int(os.environ['SECRET'])", "import os\nx = os.environ['SECRET'] + 1", "import os\nx = {}[os.environ['SECRET']]",
		"import os\nx = '%d' % os.environ['SECRET']", "import os\nx = os.environ['SECRET'].format(x=1)", "x = 'a' 'b'", "if x: pass\nelse: x, y = 1, 2",
		"x = '''a\\'''b'''; y = r'\\'", "x = \"\\x\"", "import os\nx = float(os.getenv('SECRET')) % 0", "x = {}\nx['a'] = x\nx.update(x)",
		"import numpy as np\nx = np.a.b()(1)[2] + 1", "import os\nx = 'a'.join([os.getenv('SECRET'), 1])", "x = [1][0:1]", "x = 1 // 0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, module string) {
		settings, faults := pyconfig.Evaluate("c.py", []byte(module), getenv)
		for _, fault := range faults {
			if fault.Line < 1 || strings.ContainsAny(fault.Text, "\n\r\x00") || strings.Contains(fault.Text, secretText) {
				t.Errorf("fault %q", fault)
			}
		}
		for _, s := range settings {
			if s.Line < 1 || s.Value == nil || strings.HasPrefix(s.Name, "_") {
				t.Errorf("setting %q in line %d", s.Name, s.Line)
			}
		}
		if _, again := pyconfig.Evaluate("c.py", []byte(module), getenv); fmt.Sprint(again) != fmt.Sprint(faults) {
			t.Errorf("the second time differs: %v, then %v", faults, again)
		}
	})
}

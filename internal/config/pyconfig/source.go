package pyconfig

import (
	"regexp"
	"slices"
	"strings"
)

// source turns Python text into Starlark text. Imports, which have another form
// in Starlark, become pass, and numbers lose their underscores. The line
// numbers do not change.
type source struct {
	out       strings.Builder
	line      int
	depth     int  // nesting of brackets
	begins    bool // whether a statement can begin here
	afterText bool // whether the last token was a text

	importing bool
	statement strings.Builder // the current import, without brackets, comments and line ends
	imports   []binding
}

// binding is a name that an import binds.
type binding struct {
	name   string // the bound name
	module string
	member string // member of the module; "" for the module itself
}

// refused are Python words that are not supported outside of texts. Starlark
// has def and lambda, but there they would see the names of the line where they
// are defined.
var refused = []string{
	"assert", "async", "await", "class", "def", "del", "except", "finally", "from", "global", "import", "is", "lambda",
	"nonlocal", "raise", "return", "try", "while", "with", "yield",
}

// tokenPattern matches a text, or another token. The group holds the prefix
// letters of a text. Each byte belongs to exactly one token.
var tokenPattern = regexp.MustCompile(`(?s)([rubftRUBFT]{0,2})` +
	`(?:'''(?:\\.|[^\\])*?'''|"""(?:\\.|[^\\])*?"""|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")` +
	`|#[^\n]*|\\\n|[\pL_0-9][\pL\pN_]*|[ \t\f]+|[-+*/%&|^@<>=!:]+=|\*\*|.`)

// prepare returns the text for Starlark's parser and the bindings of the
// imports.
func prepare(text string) (code string, imports []binding, fault *Fault) {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text) + "\n"
	s := &source{line: 1, begins: true}
	for _, span := range tokenPattern.FindAllStringSubmatchIndex(text, -1) {
		token, letters := text[span[0]:span[1]], -1
		if span[2] >= 0 {
			letters = span[3] - span[2]
		}
		if problem := s.take(token, letters); problem != "" {
			return "", nil, &Fault{s.line, problem}
		}
		s.line += strings.Count(token, "\n")
	}
	if s.importing {
		return "", nil, &Fault{s.line - 1, badImport}
	}
	return s.out.String(), s.imports, nil
}

// take processes one token. letters is the number of letters before the quote
// of a text. It is negative for other tokens.
func (s *source) take(token string, letters int) (problem string) {
	switch token {
	case "(", "[", "{":
		s.depth++
	case ")", "]", "}":
		s.depth = max(s.depth-1, 0)
	}
	ends := s.depth == 0 && (token == "\n" || token == ";")
	if s.importing {
		if !ends {
			s.importPart(token)
			return ""
		}
		if !s.importEnd() {
			return badImport
		}
	}
	begins, afterText := s.begins, s.afterText
	if ends || !isBlank(token) {
		s.begins, s.afterText = ends || token == ":" && s.depth == 0, letters >= 0
	}
	if letters >= 0 {
		return s.text(token, letters, afterText)
	}
	return s.other(token, begins)
}

// other processes a token that is not a text. begins says whether it can begin
// a statement.
func (s *source) other(token string, begins bool) (problem string) {
	switch {
	case token == `'` || token == `"`:
		return "a text has no end"
	case begins && (token == "import" || token == "from"):
		s.importing = true
		s.statement.Reset()
		s.statement.WriteString(token)
		token = "pass"
	case slices.Contains(refused, token):
		return token + " is not read here" + allowed
	case token[0] >= '0' && token[0] <= '9':
		token = strings.ReplaceAll(token, "_", "")
	}
	s.out.WriteString(token)
	return ""
}

// isBlank reports whether Python ignores a token inside brackets.
func isBlank(token string) bool {
	return token == "\\\n" || token[0] == '#' || strings.TrimSpace(token) == ""
}

// text processes a text in quotes.
func (s *source) text(token string, letters int, afterText bool) (problem string) {
	switch prefix := strings.ToLower(token[:letters]); {
	case strings.ContainsAny(prefix, "ft"):
		return "f-strings are not read; join texts with + or .format()"
	case afterText:
		return "two texts stand side by side; put + between them"
	case prefix == "u": // has no meaning, and Starlark does not support it
		token = " " + token[1:]
	}
	s.out.WriteString(token)
	return ""
}

const badImport = "this import is not read; allowed are import NAME, import NAME as NAME and from NAME import NAME"

// importPart adds a token to the current import.
func (s *source) importPart(token string) {
	s.out.WriteString(strings.Repeat("\n", strings.Count(token, "\n")))
	switch {
	case isBlank(token):
		s.statement.WriteByte(' ')
	case token != "(" && token != ")":
		s.statement.WriteString(token)
	}
}

var (
	importPattern = regexp.MustCompile(`^(?:from\s+([\pL\pN_.]+)\s+)?import\s+(.+)$`)
	asPattern     = regexp.MustCompile(`^([\pL_][\pL\pN_.]*)(?:\s+as\s+([\pL_][\pL\pN_]*))?$`)
)

// importEnd records the bindings of an import. It reports whether the import is
// supported.
func (s *source) importEnd() bool {
	s.importing = false
	statement := importPattern.FindStringSubmatch(strings.TrimSpace(s.statement.String()))
	if statement == nil {
		return false
	}
	module := statement[1]
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(statement[2]), ","), ",") {
		m := asPattern.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil || module != "" && strings.Contains(m[1], ".") {
			return false
		}
		name, alias := m[1], m[2]
		root, _, _ := strings.Cut(name, ".")
		switch {
		case module != "" && alias == "":
			s.imports = append(s.imports, binding{name, module, name})
		case module != "":
			s.imports = append(s.imports, binding{alias, module, name})
		case alias != "":
			s.imports = append(s.imports, binding{alias, name, ""})
		default: // import a.b binds a
			s.imports = append(s.imports, binding{root, root, ""})
		}
	}
	return true
}

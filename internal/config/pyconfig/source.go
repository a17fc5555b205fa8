package pyconfig

import (
	"regexp"
	"slices"
	"strings"
)

// source turns Python's text into Starlark's: imports, which Starlark has in
// another form, become pass, and numbers lose their underscores. Lines stay
// where they were.
type source struct {
	text    string
	at      int // index into text of what is next
	line    int
	depth   int  // of brackets
	begins  bool // whether a statement can begin here
	out     strings.Builder
	imports []binding
}

// binding is a name that an import binds.
type binding struct {
	name   string // that it binds
	module string
	member string // of the module; "" for the module itself
}

// refused are words of Python that Starlark has not, outside of texts.
var refused = []string{
	"as", "assert", "async", "await", "class", "def", "del", "except", "finally", "for", "from", "global", "import",
	"is", "lambda", "nonlocal", "raise", "return", "try", "while", "with", "yield",
}

var (
	wordPattern   = regexp.MustCompile(`^[\pL_0-9][\pL\pN_]*`)
	prefixPattern = regexp.MustCompile(`^(?i)([rubft]|br|rb|fr|rf|tr|rt)?(?:"|')`)
)

// prepare gives the text for Starlark's parser and what the imports bind.
func prepare(text string) (code string, imports []binding, fault *Fault) {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	s := &source{text: text, line: 1, begins: true}
	for s.at < len(s.text) {
		if fault := s.next(); fault != nil {
			return "", nil, fault
		}
	}
	return s.out.String(), s.imports, nil
}

// copy takes n bytes over as they are.
func (s *source) copy(n int) {
	part := s.text[s.at : s.at+n]
	s.line += strings.Count(part, "\n")
	s.out.WriteString(part)
	s.at += n
}

// next takes one token over.
func (s *source) next() *Fault {
	rest := s.text[s.at:]
	if prefix := prefixPattern.FindString(rest); prefix != "" {
		return s.quoted(prefix)
	}
	if word := wordPattern.FindString(rest); word != "" {
		return s.word(word)
	}
	switch rest[0] {
	case '\n':
		s.begins = s.begins || s.depth == 0
	case ';', ':':
		s.begins = s.depth == 0
	case ' ', '\t', '\f':
	case '#':
		end := strings.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		s.copy(end)
		return nil
	case '\\':
		if strings.HasPrefix(rest, "\\\n") {
			s.copy(2)
			return nil
		}
		s.begins = false
	case '(', '[', '{':
		s.depth, s.begins = s.depth+1, false
	case ')', ']', '}':
		s.depth, s.begins = max(s.depth-1, 0), false
	default:
		s.begins = false
	}
	s.copy(1)
	return nil
}

// quoted takes a text in quotes over, whose first quote ends prefix.
func (s *source) quoted(prefix string) *Fault {
	line, letters, quote := s.line, strings.ToLower(prefix[:len(prefix)-1]), prefix[len(prefix)-1:]
	if strings.ContainsAny(letters, "ft") {
		return &Fault{line, "f-strings are not read; join texts with + or .format()"}
	}
	if letters == "u" { // means nothing, and Starlark has it not
		s.at++
		s.out.WriteByte(' ')
	} else {
		s.copy(len(letters))
	}
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.at:], triple) {
		quote = triple
	}
	end := len(quote)
	for rest := s.text[s.at:]; ; end++ {
		switch {
		case end >= len(rest) || rest[end] == '\n' && len(quote) == 1:
			return &Fault{line, "a text has no end"}
		case rest[end] == '\\':
			end++
			continue
		case !strings.HasPrefix(rest[end:], quote):
			continue
		}
		break
	}
	s.copy(end + len(quote))
	s.begins = false
	if prefixPattern.MatchString(s.text[s.at+s.blank():]) {
		return &Fault{s.line, "two texts stand side by side; put + between them"}
	}
	return nil
}

// blankPattern are what may lie between two tokens of a line; inBrackets, of
// several.
var (
	blankPattern = regexp.MustCompile(`^(?:[ \t\f]|\\\n)*`)
	inBrackets   = regexp.MustCompile(`^(?:[ \t\f\n]|\\\n|#[^\n]*\n)*`)
)

// blank counts the bytes to the next token.
func (s *source) blank() int {
	pattern := blankPattern
	if s.depth > 0 {
		pattern = inBrackets
	}
	return len(pattern.FindString(s.text[s.at:]))
}

// word takes a name, a keyword or a number over.
func (s *source) word(word string) *Fault {
	begins, attribute := s.begins, s.at > 0 && s.text[s.at-1] == '.'
	s.begins = begins && word == "else"
	switch {
	case word[0] >= '0' && word[0] <= '9':
		plain := strings.ReplaceAll(word, "_", "")
		s.out.WriteString(plain + strings.Repeat(" ", len(word)-len(plain)))
		s.at += len(word)
		return nil
	case begins && (word == "import" || word == "from"):
		return s.importStatement()
	case !attribute && slices.Contains(refused, word):
		return &Fault{s.line, word + " is not read here" + allowed}
	}
	s.copy(len(word))
	return nil
}

var (
	importPattern = regexp.MustCompile(`^import\s+(.+)$`)
	fromPattern   = regexp.MustCompile(`^from\s+([\pL\pN_.]+)\s+import\s+(.+)$`)
	asPattern     = regexp.MustCompile(`^([\pL_][\pL\pN_.]*)(?:\s+as\s+([\pL_][\pL\pN_]*))?$`)
)

// importStatement takes an import out and notes what it binds.
func (s *source) importStatement() *Fault {
	line, end, open := s.line, 0, 0
	var flat strings.Builder // without brackets, comments and line ends
	rest := s.text[s.at:]
scan:
	for ; end < len(rest); end++ {
		switch c := rest[end]; {
		case c == '(':
			open++
		case c == ')':
			open--
		case c == '#' && open > 0:
			for end+1 < len(rest) && rest[end+1] != '\n' {
				end++
			}
		case strings.HasPrefix(rest[end:], "\\\n"):
			end++
			flat.WriteByte(' ')
		case c == '\n' && open > 0:
			flat.WriteByte(' ')
		case c == '\n' || c == ';' || c == '#':
			break scan
		default:
			flat.WriteByte(c)
		}
	}
	lines := strings.Count(rest[:end], "\n")
	s.out.WriteString("pass" + strings.Repeat("\n", lines))
	s.at, s.line = s.at+end, s.line+lines
	bindings, ok := parseImport(strings.TrimSpace(flat.String()))
	if !ok {
		return &Fault{line, "this import is not read; allowed are import NAME, import NAME as NAME and from NAME import NAME"}
	}
	s.imports = append(s.imports, bindings...)
	return nil
}

// parseImport reads an import statement that stands on one line.
func parseImport(statement string) (bindings []binding, ok bool) {
	module, names := "", ""
	if m := fromPattern.FindStringSubmatch(statement); m != nil {
		module, names = m[1], m[2]
	} else if m := importPattern.FindStringSubmatch(statement); m != nil {
		names = m[1]
	} else {
		return nil, false
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(names), ","), ",") {
		m := asPattern.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, false
		}
		name, alias := m[1], m[2]
		switch {
		case module != "" && strings.Contains(name, "."):
			return nil, false
		case module != "":
			if alias == "" {
				alias = name
			}
			bindings = append(bindings, binding{alias, module, name})
		case alias != "":
			bindings = append(bindings, binding{alias, name, ""})
		default: // import a.b binds a
			root, _, _ := strings.Cut(name, ".")
			bindings = append(bindings, binding{root, root, ""})
		}
	}
	return bindings, true
}

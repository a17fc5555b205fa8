package pyconfig

import (
	"regexp"
	"slices"
	"strings"
)

// rewrite replaces Python syntax that Starlark does not have with Starlark
// syntax:
//
//	x: int = 1     x = 1
//	a = b = 1      b = 1; a = b
//	{1, 2}         set([1, 2])
//	{**d, 'a': 1}  ({} | (d) | {'a': 1})
//
// The line numbers do not change.
func rewrite(code string) string {
	r := &rewriter{tokens: tokenPattern.FindAllString(code, -1)}
	const deepest = 200 // nesting of brackets; each level copies its contents
	depth := 0
	for _, token := range r.tokens {
		switch token {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		}
		if depth > deepest {
			return code // no real configuration is nested so deeply
		}
	}
	var out strings.Builder
	for len(r.tokens) > 0 {
		out.WriteString(simple(r.statement()))
	}
	return out.String()
}

// rewriter consumes tokens from the front.
type rewriter struct{ tokens []string }

func (r *rewriter) next() string {
	token := r.tokens[0]
	r.tokens = r.tokens[1:]
	return token
}

// part is a token, or a pair of brackets with its contents.
type part string

func (p part) isBlank() bool { return isBlank(string(p)) }

// headers begin statements that can have other statements on the same line,
// after a colon.
var headers = []string{"if", "elif", "else", "for"}

// statement takes a simple statement including its end, or the header of a
// compound statement.
func (r *rewriter) statement() (parts []part) {
	first := part("")
	for len(r.tokens) > 0 {
		p := part(r.next())
		if first == "" && !p.isBlank() {
			first = p
		}
		switch p {
		case "(", "[", "{":
			p = r.brackets(string(p))
		}
		parts = append(parts, p)
		if p == "\n" || p == ";" || p == ":" && slices.Contains(headers, string(first)) {
			break
		}
	}
	return parts
}

var closing = map[string]string{"(": ")", "[": "]", "{": "}"}

// brackets takes the tokens from an opening bracket to the matching closing
// bracket.
func (r *rewriter) brackets(opening string) part {
	var items []string // separated by commas
	var item strings.Builder
	isDict, unpacks, begins := false, false, true
	for len(r.tokens) > 0 {
		token := r.next()
		switch {
		case token == closing[opening]:
			items = append(items, item.String())
			return display(opening, items, isDict, unpacks)
		case token == "(" || token == "[" || token == "{":
			token = string(r.brackets(token))
		case token == ":":
			isDict = true
		case token == "**" && begins:
			unpacks, token = true, unpacked
		}
		if token == "," {
			items, begins = append(items, item.String()), true
			item.Reset()
			continue
		}
		item.WriteString(token)
		begins = begins && isBlank(token)
	}
	return part(opening + strings.ReplaceAll(strings.Join(append(items, item.String()), ","), unpacked, "**")) // the parser reports it as unclosed
}

// unpacked replaces ** before an item. Modules cannot contain it; see Evaluate.
const unpacked = "\x00"

// display writes brackets with their contents.
func display(opening string, items []string, isDict, unpacks bool) part {
	all := strings.Join(items, ",")
	switch {
	case opening != "{" || !unpacks && isDict || strings.TrimSpace(all) == "":
		return part(opening + strings.ReplaceAll(all, unpacked, "**") + closing[opening])
	case !unpacks:
		return part("set([" + all + "])")
	}
	operands, run := []string{"{}"}, []string(nil) // a new dict, as in Python
	endRun := func() {
		if len(run) > 0 {
			operands = append(operands, "{"+strings.Join(run, ",")+"}")
		}
		run = nil
	}
	for _, item := range items {
		if before, dict, ok := strings.Cut(item, unpacked); ok {
			endRun()
			operands = append(operands, before+"("+dict+")")
		} else {
			run = append(run, item)
		}
	}
	endRun()
	return part("(" + strings.Join(operands, " | ") + ")")
}

var namePattern = regexp.MustCompile(`^[\pL_][\pL\pN_]*$`)

// simple writes a simple statement.
func simple(parts []part) string {
	var solid []int // indexes of the parts that are not blank
	for i, p := range parts {
		if !p.isBlank() {
			solid = append(solid, i)
		}
	}
	if len(solid) > 1 && parts[solid[1]] == ":" && namePattern.MatchString(string(parts[solid[0]])) && !slices.Contains(headers, string(parts[solid[0]])) {
		parts = withoutType(parts, solid[0], solid[1])
	}
	var signs []int
	for i, p := range parts {
		if p == "=" {
			signs = append(signs, i)
		}
	}
	if len(signs) > 1 {
		return chain(parts, signs)
	}
	return join(parts)
}

func join(parts []part) string {
	var text strings.Builder
	for _, p := range parts {
		text.WriteString(string(p))
	}
	return text.String()
}

// withoutType removes the type annotation of a name, which begins with a colon.
// If there is a type but no value, it removes the whole statement.
func withoutType(parts []part, name, colon int) []part {
	end := slices.Index(parts, "=")
	kept := slices.Clone(parts)
	if end < 0 {
		kept[name] = "pass"
		end = len(parts)
	}
	for i := colon; i < end; i++ {
		if p := kept[i]; !p.isBlank() && p != ";" {
			lines := strings.Count(string(p), "\n")
			kept[i] = part(strings.Repeat(" ", len(p)-lines) + strings.Repeat("\\\n", lines))
		}
	}
	return kept
}

// chain writes a chained assignment such as a = b = 1. signs are the positions
// of its equal signs. The last target gets the value, and the other targets get
// it from the last one.
func chain(parts []part, signs []int) string {
	end := len(parts) // of the value: a comment and the end of the statement stay last
	for end > 0 && (parts[end-1].isBlank() || parts[end-1] == ";") {
		end--
	}
	start := 0
	for parts[start].isBlank() { // skip the indent
		start++
	}
	last := signs[len(signs)-1]
	target := strings.TrimSpace(join(parts[signs[len(signs)-2]+1 : last]))
	var text strings.Builder
	text.WriteString(join(parts[:start]) + target + " " + join(parts[last:end]))
	for i, sign := range signs[:len(signs)-1] {
		if i > 0 {
			start = signs[i-1] + 1
		}
		text.WriteString("; " + strings.TrimSpace(join(parts[start:sign])) + " = " + strings.ReplaceAll(target, "\n", " "))
	}
	text.WriteString(join(parts[end:]))
	return text.String()
}

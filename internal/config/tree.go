package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.yaml.in/yaml/v3"

	"web-backend/internal/config/pyconfig"
)

// tree is the value of a key that holds keys of its own choice, such as
// motion.avatars. Python's values have the form of YAML's in it.
type tree struct {
	node   *yaml.Node
	place  func(line int) string // in the file
	python bool                  // its values may be computed, and are not shown
}

// treeValue is a value that only a file can hold, as a tree.
type treeValue interface {
	value
	load(l *loader, t tree)
}

// unknownTag marks what has no value in a Python module; the text says why.
const unknownTag = "!unknown"

// treeOf gives a value of Python as YAML has it. The package pyconfig bounds
// how large and how deep it is.
func treeOf(v starlark.Value) *yaml.Node {
	if text, tag := scalarText(v); tag != "" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
	}
	switch v := v.(type) {
	case starlark.NoneType:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: yamlNull}
	case starlark.Float:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: yamlFloat, Value: v.String()}
	case pyconfig.Unknown:
		if floatPattern.MatchString(v.Member) { // numpy.float32: its name says all
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: yamlText, Value: v.Member}
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: unknownTag, Value: v.Reason}
	case *starlark.Dict:
		node := &yaml.Node{Kind: yaml.MappingNode, Tag: yamlMapping}
		for key, value := range v.Entries() {
			node.Content = append(node.Content, treeOf(key), treeOf(value))
		}
		return node
	case starlark.Sequence:
		return &yaml.Node{Kind: yaml.SequenceNode, Tag: yamlSequence} // nothing reads a list
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: unknownTag, Value: "it is of a type that no key has"}
}

// textNode is a text in YAML, in quotes where it would be something else.
func textNode(text string) *yaml.Node {
	node := &yaml.Node{}
	node.SetString(text)
	return node
}

// block is a mapping of a tree, of which the keys are taken one by one.
type block struct {
	loader *loader
	tree   tree
	key    string // in full
	line   int
	fields []field
	taken  []string   // keys that were asked for
	kept   *yaml.Node // what was taken, less the secrets
}

type field struct {
	key  string
	line int
	node *yaml.Node
}

// block reads the keys of the mapping that key holds. It gives nil, and leaves
// a fault, if it is none.
func (l *loader) block(t tree, key string, node *yaml.Node) *block {
	b := &block{loader: l, tree: t, key: key, line: node.Line, kept: &yaml.Node{Kind: yaml.MappingNode}}
	node = resolve(node)
	if node.Kind != yaml.MappingNode {
		if reason, unknown := b.unknown(node); !unknown {
			b.fault(b.line, "", "want keys with values")
		} else if reason != "" {
			b.fault(b.line, "", "has no value: "+reason)
		}
		return nil
	}
	content, wrong := pairs(node)
	if wrong != nil {
		b.fault(wrong.Line, "", wrongMerge)
	}
	for i := 0; i+1 < len(content); i += 2 {
		f := field{content[i].Value, content[i].Line, content[i+1]}
		switch {
		case !slices.Contains([]string{yamlText, yamlInteger}, content[i].Tag) || f.key == "":
			b.fault(f.line, "", "want keys that are texts and not empty")
		case slices.ContainsFunc(b.fields, func(other field) bool { return other.key == f.key }):
			b.fault(f.line, f.key, "stands twice")
		default:
			b.fields = append(b.fields, f)
		}
	}
	return b
}

// wrongMerge is the fault of a merge key that brings nothing.
const wrongMerge = "<<: want keys with values, an alias of such, or a list of these"

// pairs gives the keys and values of a mapping in turn, those that merge keys
// (<<) bring last and only where the mapping has none of its own. Wrong is what
// cannot be merged. Each mapping is looked at once, so that none brings itself.
func pairs(mapping *yaml.Node) (content []*yaml.Node, wrong *yaml.Node) {
	looked, have := map[*yaml.Node]bool{}, map[string]bool{}
	var add func(node *yaml.Node)
	add = func(node *yaml.Node) {
		if node = resolve(node); looked[node] {
			return
		}
		looked[node] = true
		switch {
		case node.Kind == yaml.SequenceNode && node != mapping:
			for _, element := range node.Content {
				add(element)
			}
			return
		case node.Kind != yaml.MappingNode:
			wrong = node
			return
		}
		var merged []*yaml.Node
		own := map[string]bool{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			switch {
			case key.Tag == yamlMerge:
				merged = append(merged, value)
			case !have[key.Value]:
				own[key.Value] = true
				content = append(content, key, value)
			}
		}
		maps.Copy(have, own) // only now: a key that stands twice is a fault
		for _, value := range merged {
			add(value)
		}
	}
	add(mapping)
	return content, wrong
}

// resolve gives what an alias stands for.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// where is the place of a key of the block, and its name; "" for the block
// itself.
func (b *block) where(line int, key string) string {
	name := b.key
	if key != "" {
		name += "." + key
	}
	return b.tree.place(line) + ": " + showKey(name)
}

func (b *block) fault(line int, key, text string) {
	b.loader.faults = append(b.loader.faults, b.where(line, key)+": "+text)
}

// take gives what key holds; the node is nil if it is not given.
func (b *block) take(key string) field {
	if !slices.Contains(b.taken, key) {
		b.taken = append(b.taken, key)
	}
	index := slices.IndexFunc(b.fields, func(f field) bool { return f.key == key })
	if index < 0 {
		return field{key: key, line: b.line}
	}
	f := b.fields[index]
	if f.node = resolve(f.node); f.node.Tag == yamlNull {
		f.node = nil
	}
	return f
}

// has reports whether key is given.
func (b *block) has(key string) bool {
	return slices.ContainsFunc(b.fields, func(f field) bool { return f.key == key && resolve(f.node).Tag != yamlNull })
}

// set sets v to what key holds, whose type must be one of v's or of tags.
// Unless it is needed, it may be missing.
func (b *block) set(key string, v value, needed bool, tags ...string) {
	f := b.take(key)
	reason, isUnknown := b.unknown(f.node)
	switch {
	case f.node == nil && needed:
		b.fault(f.line, key, "is missing; want "+v.allowed())
	case f.node == nil:
	case isUnknown && reason == "": // its fault is noted already
	case isUnknown:
		b.fault(f.line, key, fmt.Sprintf("has no value: %s; want %s", reason, v.allowed()))
	case f.node.Kind != yaml.ScalarNode || !slices.Contains(append(tags, v.tags()...), f.node.Tag):
		b.fault(f.line, key, complaint(v, b.show(f.node, v), errNotAllowed, nil))
	default:
		b.setScalar(key, f, v)
	}
}

// setScalar sets v to a scalar of a type that it takes.
func (b *block) setScalar(key string, f field, v value) {
	_, isSecret := v.(secret)
	switch err := v.set(f.node.Value); {
	case err != nil:
		b.fault(f.line, key, complaint(v, b.show(f.node, v), err, nil))
	case !isSecret || f.node.Value == "":
		b.keep(key, &yaml.Node{Kind: yaml.ScalarNode, Tag: f.node.Tag, Value: f.node.Value})
	}
}

// unknown says why node has no value, if it has none; "" if there is a fault
// already. A tag in YAML says nothing.
func (b *block) unknown(node *yaml.Node) (reason string, ok bool) {
	if node == nil || !b.tree.python || node.Tag != unknownTag {
		return "", false
	}
	return node.Value, true
}

// keep notes that key holds node, for the file that says the same.
func (b *block) keep(key string, node *yaml.Node) {
	if node.Tag == yamlText {
		node = textNode(node.Value)
	}
	b.kept.Content = append(b.kept.Content, textNode(key), node)
}

// show is a value as a fault shows it: the value itself if it stands in the
// file and is no secret, else its type.
func (b *block) show(node *yaml.Node, v value) string {
	if _, ok := v.(secret); ok {
		return hidden
	}
	if node.Kind == yaml.ScalarNode && !b.tree.python {
		return shorten(quote(v, node.Value))
	}
	kinds := map[string]string{
		yamlMapping: "a dict", yamlSequence: "a list",
		yamlText: "a text", yamlInteger: "a whole number", yamlFloat: "a number with a fraction", yamlBoolean: "True or False",
	}
	if kind := kinds[node.Tag]; kind != "" {
		return kind
	}
	return "such a value"
}

// block gives the mapping that key holds; nil if it is none, or not given.
func (b *block) block(key string, needed bool) *block {
	f := b.take(key)
	if f.node == nil {
		if needed {
			b.fault(f.line, key, "is missing; want keys with values")
		}
		return nil
	}
	below := b.loader.block(b.tree, b.key+"."+key, &yaml.Node{
		Kind: f.node.Kind, Tag: f.node.Tag, Value: f.node.Value, Content: f.node.Content, Line: f.line,
	})
	if below != nil {
		b.kept.Content = append(b.kept.Content, textNode(key), below.kept)
	}
	return below
}

// done notes the keys that nobody took: as everywhere, a fault in YAML, and a
// warning in Python. Those of unused have no effect.
func (b *block) done(unused ...string) {
	for _, key := range unused {
		_ = b.take(key)
	}
	for _, f := range b.fields {
		switch {
		case slices.Contains(b.taken, f.key):
		case b.tree.python:
			b.loader.ignored = append(b.loader.ignored, fmt.Sprintf("%s (%s)", showKey(b.key+"."+f.key), b.tree.place(f.line)))
			b.loader.warn(b.where(f.line, f.key) + ": is no key of this server and is ignored")
		default:
			b.fault(f.line, f.key, "unknown key; the keys here are "+strings.Join(b.taken, ", "))
		}
	}
}

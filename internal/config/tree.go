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

// tree is the value of a key with freely chosen keys below it, such as
// motion.avatars. Values from Python are converted to the form of YAML values.
type tree struct {
	node     *yaml.Node
	location func(line int) string // in the file
	python   bool                  // values may be computed, and are not shown
}

// unknownTag marks a node without a value in a Python module. The node's text
// is the reason.
const unknownTag = "!unknown"

// treeOf converts a Python value to YAML. Package pyconfig limits its size and
// depth.
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
		if floatPattern.MatchString(v.Member) { // numpy.float32: the name is all that is needed
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
		return &yaml.Node{Kind: yaml.SequenceNode, Tag: yamlSequence} // lists are not used
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: unknownTag, Value: "it is of a type that no key has"}
}

// textNode returns a text as a YAML node, quoted if it would otherwise have
// another type.
func textNode(text string) *yaml.Node {
	node := &yaml.Node{}
	node.SetString(text)
	return node
}

// block is a mapping of a tree. Its keys are taken one by one.
type block struct {
	loader *loader
	tree   tree
	key    string // full name of the key
	line   int
	fields []field
	taken  []string   // keys that were asked for
	kept   *yaml.Node // what was taken, except the secrets
}

type field struct {
	key  string
	line int
	node *yaml.Node
}

// block returns the mapping at key. It returns nil and adds a fault if the
// value is not a mapping.
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

// wrongMerge is the fault of a merge key without a usable value.
const wrongMerge = "<<: want keys with values, an alias of such, or a list of these"

// pairs returns the keys and values of a mapping, alternating. Keys from merge
// keys (<<) come last, and only if the mapping does not have them itself. wrong
// is a node that cannot be merged. Each mapping is visited once, so that a
// mapping cannot merge itself.
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
		maps.Copy(have, own) // only now, because a duplicate key is a fault
		for _, value := range merged {
			add(value)
		}
	}
	add(mapping)
	return content, wrong
}

// resolve returns the node that an alias refers to.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// where returns the location and the name of a key of the block; with key "",
// those of the block itself.
func (b *block) where(line int, key string) string {
	name := b.key
	if key != "" {
		name += "." + key
	}
	return b.tree.location(line) + ": " + showKey(name)
}

func (b *block) fault(line int, key, text string) {
	b.loader.faults = append(b.loader.faults, b.where(line, key)+": "+text)
}

// take returns the value of key. The node is nil if the key is not set.
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

// has reports whether key is set.
func (b *block) has(key string) bool {
	return slices.ContainsFunc(b.fields, func(f field) bool { return f.key == key && resolve(f.node).Tag != yamlNull })
}

// set sets v to the value of key. The value's type must be one of v's types or
// of tags. The key may be missing unless it is needed.
func (b *block) set(key string, v value, needed bool, tags ...string) {
	f := b.take(key)
	reason, isUnknown := b.unknown(f.node)
	switch {
	case f.node == nil && needed:
		b.fault(f.line, key, "is missing; want "+v.allowed)
	case f.node == nil:
	case isUnknown && reason == "": // its fault is already recorded
	case isUnknown:
		b.fault(f.line, key, fmt.Sprintf("has no value: %s; want %s", reason, v.allowed))
	case f.node.Kind != yaml.ScalarNode || !slices.Contains(append(tags, v.tags...), f.node.Tag):
		b.fault(f.line, key, complaint(v, b.show(f.node, v), errNotAllowed, nil))
	default:
		b.setScalar(key, f, v)
	}
}

// setScalar sets v to a scalar of a type that v accepts.
func (b *block) setScalar(key string, f field, v value) {
	switch err := v.set(f.node.Value); {
	case err != nil:
		b.fault(f.line, key, complaint(v, b.show(f.node, v), err, nil))
	case !v.isSecret() || f.node.Value == "":
		b.keep(key, &yaml.Node{Kind: yaml.ScalarNode, Tag: f.node.Tag, Value: f.node.Value})
	}
}

// unknown returns the reason why node does not have a value. ok is false if it
// has one. The reason is "" if there is already a fault. A tag in a YAML file
// has no such meaning.
func (b *block) unknown(node *yaml.Node) (reason string, ok bool) {
	if node == nil || !b.tree.python || node.Tag != unknownTag {
		return "", false
	}
	return node.Value, true
}

// keep stores node under key for the equivalent configuration file.
func (b *block) keep(key string, node *yaml.Node) {
	if node.Tag == yamlText {
		node = textNode(node.Value)
	}
	b.kept.Content = append(b.kept.Content, textNode(key), node)
}

// show returns a value for a fault: the value itself if it is a literal in the
// file and not a secret, otherwise its type.
func (b *block) show(node *yaml.Node, v value) string {
	if v.isSecret() {
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

// block returns the mapping at key, or nil if it is not a mapping or not set.
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

// done reports the keys that were not taken. As elsewhere, they are a fault in
// YAML and a warning in Python. The keys in unused have no effect.
func (b *block) done(unused ...string) {
	for _, key := range unused {
		_ = b.take(key)
	}
	for _, f := range b.fields {
		switch {
		case slices.Contains(b.taken, f.key):
		case b.tree.python:
			b.loader.ignored = append(b.loader.ignored, fmt.Sprintf("%s (%s)", showKey(b.key+"."+f.key), b.tree.location(f.line)))
			b.loader.warn(b.where(f.line, f.key) + ": is not a key of this server and is ignored")
		default:
			b.fault(f.line, f.key, "unknown key; the keys here are "+strings.Join(b.taken, ", "))
		}
	}
}

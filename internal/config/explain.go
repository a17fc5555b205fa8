package config

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Report is the result of reading the sources, with all faults.
type Report struct {
	// Config has the default value for every key that has a fault.
	Config  *Config
	Faults  Faults
	entries []Entry
	ignored []string
	own     []string // secrets that cannot come from an environment variable
}

// Entry describes one key. Its fields do not hold secrets.
type Entry struct {
	Key      string `json:"key"`
	Value    string `json:"value"`  // text form; "***" for a secret that is set, or for a part that may be a secret
	Source   string `json:"source"` // where the value comes from
	Default  string `json:"default"`
	Variable string `json:"variable"` // environment variable; "" for none
	Secret   bool   `json:"secret"`

	differs bool // whether the value differs from the default
	node    *yaml.Node
}

// Examine reads the sources like [Load] and returns a full report.
func Examine(sources Sources) *Report {
	l := newLoader()
	l.read(sources)
	r := &Report{Config: l.config, Faults: l.faults, ignored: l.ignored, own: l.ownSecrets}
	defaults := Default().settings()
	for i, s := range l.settings {
		r.entries = append(r.entries, l.entry(s, defaults[i]))
	}
	return r
}

// Entries returns one entry for each key, in the order of the settings.
func (r *Report) Entries() []Entry { return r.entries }

// entry returns the entry of one setting.
func (l *loader) entry(s, standard setting) Entry {
	e := Entry{
		Key: s.key, Value: hideUserinfo(s.value.get()), Source: cmp.Or(l.origin[s.key], "default"), Default: standard.value.get(), Variable: s.env,
		Secret: s.value.isSecret(), differs: s.value.get() != standard.value.get(), node: yamlOf(s.value),
	}
	if s.key == originalKey {
		e.node = l.keptOriginal
	}
	return e
}

// userinfo matches a name and a password in a URI.
var userinfo = regexp.MustCompile(`//[^/\s,]*@`)

// hideUserinfo hides the user name and password of URIs in text.
func hideUserinfo(text string) string { return userinfo.ReplaceAllLiteralString(text, "//"+hidden+"@") }

// yamlOf returns v as YAML, or nil for a secret or a value that may hold one.
func yamlOf(v value) *yaml.Node {
	text := v.get()
	if v.isSecret() || text != hideUserinfo(text) {
		return nil
	}
	switch target := v.target.(type) {
	case *avatarFiles:
		return target.yaml()
	case *[]string:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: yamlSequence}
		for _, element := range *target {
			node.Content = append(node.Content, textNode(element))
		}
		return node
	case *int, *bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: v.tags[0], Value: text}
	}
	return textNode(text)
}

// YAML returns a configuration file that is equivalent to the sources. It omits
// default values. For secrets, it says only where to put them.
func (r *Report) YAML() (string, error) {
	top := &yaml.Node{Kind: yaml.MappingNode}
	sections := map[string]*yaml.Node{}
	var secrets []string
	for _, e := range r.entries {
		if e.Key == "store" {
			e.differs = e.differs || r.Config.MongoDB.Host != "" || r.Config.MongoDB.URI.IsSet()
		}
		if !e.differs {
			continue
		}
		if e.node == nil {
			secrets = append(secrets, e.remedy())
			continue
		}
		into, parts := top, strings.Split(e.Key, ".")
		for i, part := range parts[:len(parts)-1] {
			outer, section := into, strings.Join(parts[:i+1], ".")
			if into = sections[section]; into == nil {
				into = &yaml.Node{Kind: yaml.MappingNode}
				sections[section] = into
				outer.Content = append(outer.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: part}, into)
			}
		}
		into.Content = append(into.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: parts[len(parts)-1]}, e.node)
	}
	var text bytes.Buffer
	if len(top.Content) > 0 {
		encoder := yaml.NewEncoder(&text)
		encoder.SetIndent(2)
		if err := encoder.Encode(top); err != nil {
			return "", fmt.Errorf("write YAML: %w", err)
		}
	}
	writeComments(&text, "Secrets do not stand in this file. Set the variable, or name a file that holds it:", secrets)
	writeComments(&text, "Secrets that differ from those of other readers. Do not set the variable; write the secret into each reader:", r.own)
	writeComments(&text, "No keys of this server, and left out:", r.ignored)
	return text.String(), nil
}

// remedy says where the secret is now and where it should be.
func (e Entry) remedy() string {
	if !e.Secret {
		return fmt.Sprintf("%s: %s (now from %s)", e.Key, e.Variable, e.Source)
	}
	return fmt.Sprintf("%s: %s or %s_FILE (now from %s)", e.Key, e.Variable, e.Variable, e.Source)
}

// writeComments writes lines as comments below a title, if there are any.
func writeComments(text *bytes.Buffer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(text, "\n# %s\n", title)
	for _, line := range lines {
		fmt.Fprintf(text, "#   %s\n", strings.NewReplacer("\n", " ", "\r", " ").Replace(line))
	}
}

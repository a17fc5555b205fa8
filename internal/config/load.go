package config

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Sources are where the configuration comes from, the weakest first: defaults,
// File, Getenv, Flags.
type Sources struct {
	File   string                           // a YAML file; "" for none
	Getenv func(name string) (string, bool) // nil for no environment
	Flags  map[string]string                // by key
}

// Faults are everything that is wrong with a configuration, a line each.
type Faults []string

// Error gives all lines.
func (f Faults) Error() string {
	return fmt.Sprintf("the configuration has %d faults:\n  %s", len(f), strings.Join(f, "\n  "))
}

// loader reads the sources and gathers what is wrong with them.
type loader struct {
	config   *Config
	settings []setting
	faults   Faults
	given    map[string]bool // keys that some source set
}

// Load reads the sources in their order. An error is [Faults], complete, or
// that of reading the file.
func Load(sources Sources) (*Config, error) {
	l := &loader{config: Default(), given: map[string]bool{}}
	l.settings = l.config.settings()
	if sources.File != "" {
		data, err := os.ReadFile(sources.File)
		if err != nil {
			return nil, fmt.Errorf("configuration file: %w", err)
		}
		l.loadYAML(sources.File, data)
	}
	if sources.Getenv != nil {
		l.loadEnvironment(sources.Getenv)
	}
	for _, s := range l.settings {
		if flag, ok := sources.Flags[s.key]; ok {
			l.set(s, "flag --"+strings.ReplaceAll(s.key, "_", "-"), flag)
		}
	}
	// Naming a host chooses MongoDB, as the environment of the original's
	// image does, unless the store is chosen as well.
	if !l.given["store"] && l.config.MongoDB.Host != "" {
		l.config.Store = StoreMongoDB
	}
	if len(l.faults) > 0 {
		return nil, l.faults
	}
	return l.config, nil
}

// set sets s to text, which where says the origin of.
func (l *loader) set(s setting, where, text string) {
	l.given[s.key] = true
	if err := s.value.set(text); err != nil {
		l.reject(s, where, text)
	}
}

// reject notes that s does not take what where gave.
func (l *loader) reject(s setting, where, found string) {
	if _, ok := s.value.(secret); ok {
		found = "***"
	} else {
		found = fmt.Sprintf("%q", found)
	}
	l.faults = append(l.faults, fmt.Sprintf("%s: %s is not allowed; want %s", where, found, s.value.allowed()))
}

// loadEnvironment reads each setting's variable, and for a secret the file
// that the variable with _FILE names.
func (l *loader) loadEnvironment(getenv func(string) (string, bool)) {
	for _, s := range l.settings {
		if s.env == "" {
			continue
		}
		text, ok := getenv(s.env)
		if ok {
			l.set(s, "environment variable "+s.env, text)
		}
		if _, isSecret := s.value.(secret); !isSecret {
			continue
		}
		path, fromFile := getenv(s.env + "_FILE")
		switch {
		case !fromFile:
		case ok:
			l.faults = append(l.faults, fmt.Sprintf("environment: %s and %s_FILE are both set; want one", s.env, s.env))
		default:
			data, err := os.ReadFile(path)
			if err != nil {
				l.faults = append(l.faults, fmt.Sprintf("environment variable %s_FILE: %v", s.env, err))
				continue
			}
			l.set(s, path, strings.TrimRight(string(data), "\r\n"))
		}
	}
}

// loadYAML reads a file whose top level, and the level below logger_cfg, are
// keys.
func (l *loader) loadYAML(name string, data []byte) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		l.faults = append(l.faults, fmt.Sprintf("%s: not YAML: %v", name, err))
		return
	}
	if len(document.Content) == 0 {
		return // an empty file changes nothing
	}
	l.loadMapping(name, "", document.Content[0])
}

// loadMapping reads the keys of one mapping; prefix is that of their names.
func (l *loader) loadMapping(name, prefix string, node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		l.faults = append(l.faults, fmt.Sprintf("%s:%d: want keys with values", name, node.Line))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		keyNode, valueNode := node.Content[i], node.Content[i+1]
		key := prefix + keyNode.Value
		where := fmt.Sprintf("%s:%d: %s", name, keyNode.Line, key)
		if seen[key] {
			l.faults = append(l.faults, where+": stands twice")
			continue
		}
		seen[key] = true
		index := slices.IndexFunc(l.settings, func(s setting) bool { return s.key == key })
		switch {
		case index >= 0:
			l.loadNode(l.settings[index], where, valueNode)
		case l.isSection(key):
			l.loadMapping(name, key+".", valueNode)
		default:
			l.faults = append(l.faults, fmt.Sprintf("%s: unknown key; the keys here are %s", where, l.keysUnder(prefix)))
		}
	}
}

// isSection reports whether key holds other keys.
func (l *loader) isSection(key string) bool {
	return slices.ContainsFunc(l.settings, func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// keysUnder lists the keys that may stand where prefix leads to.
func (l *loader) keysUnder(prefix string) string {
	var keys []string
	for _, s := range l.settings {
		if rest, ok := strings.CutPrefix(s.key, prefix); ok {
			key, _, _ := strings.Cut(rest, ".")
			keys = append(keys, key)
		}
	}
	return strings.Join(slices.Compact(keys), ", ")
}

// loadNode sets s from a value of the file, whose type must fit.
func (l *loader) loadNode(s setting, where string, node *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	fits := func(n *yaml.Node) bool {
		return n.Kind == yaml.ScalarNode && slices.Contains(s.value.tags(), n.Tag)
	}
	l.given[s.key] = true
	if v, ok := s.value.(list); ok {
		elements := make([]string, 0, len(node.Content))
		for _, element := range node.Content {
			if fits(element) {
				elements = append(elements, element.Value)
			}
		}
		if node.Kind != yaml.SequenceNode || len(elements) != len(node.Content) || v.setList(elements) != nil {
			l.reject(s, where, render(node))
		}
		return
	}
	if !fits(node) {
		l.reject(s, where, render(node))
		return
	}
	l.set(s, where, node.Value)
}

// render shows a value of the file in a fault, shortened.
func render(node *yaml.Node) string {
	const most = 80 // bytes
	data, err := yaml.Marshal(node)
	if err != nil {
		return "?"
	}
	text := strings.TrimSpace(string(data))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

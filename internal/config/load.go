package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
)

// Sources are where the configuration comes from. In order of increasing
// priority, they are the defaults, File, Getenv and Flags.
type Sources struct {
	File   string                           // YAML, or Python if its name ends in .py; "" for none
	Getenv func(name string) (string, bool) // nil for no environment
	// Environ is [os.Environ]. Unknown names that have a prefix of this server
	// cause a warning. If Environ is nil, there is no such check.
	Environ func() []string
	Flags   map[string]string // by key
}

// Faults are all faults of a configuration, one per line.
type Faults []string

// Error returns all lines.
func (f Faults) Error() string {
	if len(f) == 1 {
		return "the configuration has a fault: " + f[0]
	}
	return fmt.Sprintf("the configuration has %d faults:\n  %s", len(f), strings.Join(f, "\n  "))
}

// loader reads the sources and collects their faults.
type loader struct {
	config   *Config
	settings []setting
	faults   Faults
	origin   map[string]string // the source of each key that a source has set
	seen     map[string]bool   // keys and sections that were found in the file so far
	ignored  []string          // names in the file that are not keys, with their locations
	asked    map[string]bool   // variables that a Python module reads itself
	noValue  map[string]string // keys without a value in a Python module, with their locations

	original     *tree      // motion_file_api_cfg; nil if there is none
	keptOriginal *yaml.Node // the parts of original that have an effect and are not secrets
	ownSecrets   []string   // secrets of original that differ from those of its other readers, with their locations
}

func newLoader() *loader {
	l := &loader{config: Default(), origin: map[string]string{}, seen: map[string]bool{},
		asked: map[string]bool{}, noValue: map[string]string{}}
	l.settings = l.config.settings()
	return l
}

// Load reads the sources in order of increasing priority. An error is of type
// [Faults] and contains all faults.
func Load(sources Sources) (*Config, error) {
	report := Examine(sources)
	if len(report.Faults) > 0 {
		return nil, report.Faults
	}
	return report.Config, nil
}

// read reads the sources in order and checks them.
func (l *loader) read(sources Sources) {
	if sources.File != "" {
		l.readFile(sources)
	}
	if sources.Getenv != nil {
		l.loadEnvironment(sources.Getenv)
	}
	for _, s := range l.settings {
		if flag, ok := sources.Flags[s.key]; ok {
			where := "flag --" + strings.ReplaceAll(s.key, "_", "-")
			l.set(s, where, where, flag)
		}
	}
	l.warnOfVariables(sources)
	l.chooseStore()
	if len(l.config.CORSOrigins) > 0 && !l.config.EnableCORS {
		l.faults = append(l.faults, "cors_origins: has no effect without enable_cors: true")
	}
	if cert, key := l.config.TLSCert != "", l.config.TLSKey != ""; cert != key {
		l.faults = append(l.faults, "tls_cert and tls_key: only one is set; want both or none")
	}
	l.checkMasterKey()
	l.checkAccess()
	l.checkMongoDB()
	l.checkMotion()
}

func (l *loader) readFile(sources Sources) {
	data, err := os.ReadFile(sources.File)
	switch {
	case err != nil:
		l.faults = append(l.faults, fmt.Sprintf("configuration file: %v", err))
	case IsPython(sources.File):
		l.loadPython(sources.File, data, func(name string) (string, bool) {
			l.asked[name] = true
			if sources.Getenv == nil {
				return "", false
			}
			return sources.Getenv(name)
		})
	default:
		l.loadYAML(sources.File, data)
	}
}

// chooseStore selects MongoDB if a server is configured but the store is not.
// The environment of the original's image does this.
func (l *loader) chooseStore() {
	byHost, byURI := l.config.MongoDB.Host != "", l.config.MongoDB.URI.IsSet()
	if _, chosen := l.origin["store"]; !chosen && (byHost || byURI) {
		l.config.Store = StoreMongoDB
		l.origin["store"] = "mongodb_host is set"
		if !byHost {
			l.origin["store"] = "mongodb_uri is set"
		}
	}
	switch {
	case l.config.Store == StoreMongoDB && !byHost && !byURI:
		l.faults = append(l.faults, "store: mongodb needs a server; set mongodb_host or mongodb_uri")
	case l.config.Store == StoreMongoDB && l.config.MasterKey.IsSet():
		l.warn("master_key: has no effect on store mongodb, where provider keys are plain")
	case l.config.Store == StoreEmbedded:
		l.warnOfEmbedded()
	}
}

// warnOfEmbedded warns if MongoDB seems to be intended but no server is
// configured, for example because the variable of its host is not set. In this
// case, existing users would seem lost, and new users would be stored in a
// folder that may be deleted with the container.
func (l *loader) warnOfEmbedded() {
	if _, chosen := l.origin["store"]; chosen {
		return
	}
	var named []string
	defaults := Default().settings()
	for i, s := range l.settings {
		if !strings.HasPrefix(s.key, "mongodb_") {
			continue
		}
		if location, ok := l.noValue[s.key]; ok {
			named = append(named, s.key+" has no value ("+location+")")
		} else if s.value.get() != defaults[i].value.get() {
			named = append(named, s.key+" is set ("+l.origin[s.key]+")")
		}
	}
	if len(named) > 0 {
		l.warn(fmt.Sprintf("store: no MongoDB server is named, so users and characters are kept in the embedded store in %s, though %s; "+
			"set MONGODB_HOST or MONGODB_URI, or store: embedded (WEB_BACKEND_STORE) if that is meant", l.config.DataDir, strings.Join(named, ", ")))
	}
}

// warn adds a warning about a setting that has no effect or is unwise.
func (l *loader) warn(line string) { l.config.Warnings = append(l.config.Warnings, line) }

// checkMasterKey adds faults of the master keys. It does not show any key.
func (l *loader) checkMasterKey() {
	if !l.config.MasterKey.IsSet() {
		return
	}
	if _, err := masterkey.Parse(l.config.MasterKey); err != nil {
		l.faults = append(l.faults, fmt.Sprintf("master_key: %v", err))
	}
}

// checkAccess checks access settings that cannot be checked when they are set.
func (l *loader) checkAccess() {
	if l.config.Access.OperatorToken.IsSet() && len(l.config.Access.OperatorTokens()) == 0 {
		l.faults = append(l.faults, "operator_token: there is none in what is set; want a token, or leave it out")
	}
	for _, token := range l.config.Access.OperatorTokens() {
		if err := auth.CheckOperatorToken(token); err != nil {
			l.faults = append(l.faults, fmt.Sprintf("operator_token: %v", err))
		} else if advice := auth.OperatorTokenAdvice(token); advice != "" {
			l.warn("operator_token: " + advice)
		}
	}
	if err := l.config.Accounts.PasswordParams().Check(); err != nil {
		l.faults = append(l.faults, fmt.Sprintf("password_hash: %v", err))
	}
}

// set sets s to text. origin is the source of the value. where is its location in
// that source, for a fault.
func (l *loader) set(s setting, origin, where, text string) {
	l.origin[s.key] = origin
	if err := backend.CheckText(text); err != nil {
		l.faults = append(l.faults, where+": "+err.Error())
		return
	}
	if err := s.value.set(text); err != nil {
		l.reject(s, where, text, err)
		return
	}
	if s.value.isSecret() && inQuotes(text) {
		l.warn(where + ": the secret stands in quotes, which are part of it; leave them out if that is not meant, since an env file keeps them")
	}
}

// reject adds a fault: s does not accept the value found at where.
func (l *loader) reject(s setting, where, found string, err error) {
	show := func(text string) string { return quote(s.value, text) }
	l.faults = append(l.faults, where+": "+complaint(s.value, show(found), err, show))
}

// quote returns a rejected value of v for a fault, but hides it if it may hold
// a secret.
func quote(v value, found string) string {
	if v.isSecret() || v.server && strings.Contains(found, "@") {
		return hidden
	}
	return strconv.Quote(hideUserinfo(found))
}

// kubernetesLink matches the value of the variable NAME_PORT that Kubernetes
// sets in every pod for a service with that name:
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var kubernetesLink = regexp.MustCompile(`^(tcp|udp|sctp)://[0-9A-Fa-f.:\[\]]+:[0-9]+$`)

// loadEnvironment reads the variable of each setting. For a secret, it also
// reads the file that the variable with the suffix _FILE names. An empty
// variable counts as not set, because compose files and shells set one if a
// value was not given.
func (l *loader) loadEnvironment(lookup func(string) (string, bool)) {
	getenv := func(name string) (string, bool) {
		text, _ := lookup(name)
		return text, text != ""
	}
	for _, s := range l.settings {
		if s.env == "" {
			continue
		}
		text, ok := getenv(s.env)
		if ok && strings.HasSuffix(s.env, "_PORT") && kubernetesLink.MatchString(text) {
			l.warn(fmt.Sprintf("environment variable %s: is ignored: Kubernetes set it for a service of this name, "+
				"which enableServiceLinks: false in the pod turns off", s.env))
			continue
		}
		if ok {
			where := "environment variable " + s.env
			l.set(s, where, where, text)
		}
		if !s.value.isSecret() {
			continue
		}
		path, fromFile := getenv(s.env + "_FILE")
		switch {
		case !fromFile:
		case ok:
			l.faults = append(l.faults, fmt.Sprintf("environment: %s and %s_FILE are both set; want one", s.env, s.env))
		default:
			l.loadSecretFile(s, path)
		}
	}
}

// loadSecretFile sets s from the file that its variable with the suffix _FILE
// names. An empty file is a fault, because the secret may be written later and
// must not be treated as not set.
func (l *loader) loadSecretFile(s setting, path string) {
	origin := fmt.Sprintf("file %s, named by %s_FILE", path, s.env)
	l.origin[s.key] = origin
	data, err := os.ReadFile(path)
	text := strings.TrimRight(strings.TrimPrefix(string(data), byteOrderMark), "\r\n")
	switch badPath := textFlaw(path); {
	case err != nil && badPath != nil:
		l.faults = append(l.faults, fmt.Sprintf("environment variable %s_FILE: %q %v", s.env, path, badPath))
	case err != nil:
		l.faults = append(l.faults, fmt.Sprintf("environment variable %s_FILE: %v", s.env, err))
	case strings.TrimSpace(text) == "":
		l.faults = append(l.faults, fmt.Sprintf("environment variable %s_FILE: %s is empty; write the secret into it, or do not set the variable", s.env, path))
	default:
		l.set(s, origin, origin, text)
	}
}

// loadYAML reads a YAML file. Its top level and the level below logger_cfg hold
// keys.
func (l *loader) loadYAML(name string, data []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return // an empty file changes nothing
	case err != nil:
		l.rejectFile(name, err)
		return
	}
	top := document.Content[0]
	if top.Tag != yamlNull {
		l.loadMapping(name, fmt.Sprintf("%s:%d", name, top.Line), "", top)
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		l.rejectFile(name, err)
	default:
		l.faults = append(l.faults, fmt.Sprintf("%s:%d: a second document begins here; want one", name, second.Line))
	}
}

// anchorName matches text of the file that the parser quotes. It must not be
// shown: the parser treats an unquoted password that begins with an asterisk as
// an unknown anchor.
var anchorName = regexp.MustCompile(`anchor '.*'`)

// rejectFile adds the fault that the file is not valid YAML.
func (l *loader) rejectFile(name string, err error) {
	reason := anchorName.ReplaceAllLiteralString(err.Error(), "anchor '***'")
	l.faults = append(l.faults, fmt.Sprintf("%s: not YAML: %s", name, reason))
}

// loadMapping reads the keys of a mapping. where is its location, and prefix is
// the prefix of its key names.
func (l *loader) loadMapping(name, where, prefix string, node *yaml.Node) {
	node = resolve(node)
	if node.Kind != yaml.MappingNode {
		l.faults = append(l.faults, where+": want keys with values")
		return
	}
	content, wrong := pairs(node)
	if wrong != nil {
		l.faults = append(l.faults, fmt.Sprintf("%s:%d: %s", name, wrong.Line, wrongMerge))
	}
	for i := 0; i+1 < len(content); i += 2 {
		keyNode, valueNode := content[i], content[i+1]
		key := prefix + keyNode.Value
		where := fmt.Sprintf("%s:%d: %s", name, keyNode.Line, showKey(key))
		if l.seen[key] {
			l.faults = append(l.faults, where+": stands twice")
			continue
		}
		l.seen[key] = true
		index := slices.IndexFunc(l.settings, func(s setting) bool { return s.key == key })
		switch {
		case resolve(valueNode).Tag == yamlNull && (index >= 0 || l.isSection(key)):
			// A key without a value counts as not set, like an empty variable and
			// None.
		case prefix == "" && strings.HasPrefix(key, "x-"):
			// Such keys are free for the file's own use, for example for anchors,
			// as in compose files.
		case index >= 0:
			l.loadNode(l.settings[index], where, valueNode)
		case l.isSection(key):
			l.loadMapping(name, where, key+".", valueNode)
		default:
			l.faults = append(l.faults, fmt.Sprintf("%s: unknown key; the keys here are %s", where, l.keysUnder(prefix)))
		}
	}
}

// showKey returns key for a fault, on one line. It hides a value that is part
// of the key because the space after the colon is missing.
func showKey(key string) string {
	if name, _, found := strings.Cut(key, ":"); found {
		key = name + ":***"
	}
	return strings.Trim(strconv.Quote(key), `"`)
}

// isSection reports whether key contains other keys.
func (l *loader) isSection(key string) bool {
	return slices.ContainsFunc(l.settings, func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// keysUnder returns the list of allowed keys below prefix.
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

// loadNode sets s from a value of the file. The type of the value must match.
func (l *loader) loadNode(s setting, where string, node *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	fits := func(n *yaml.Node) bool {
		return n.Kind == yaml.ScalarNode && slices.Contains(s.value.tags, n.Tag)
	}
	origin := strings.TrimSuffix(where, ": "+s.key)
	l.origin[s.key] = origin
	if s.value.load != nil {
		file := origin[:strings.LastIndexByte(origin, ':')]
		s.value.load(l, tree{node: node, location: func(line int) string { return fmt.Sprintf("%s:%d", file, line) }})
		return
	}
	if s.value.setList != nil {
		var elements []string // nil if there are none, as everywhere else
		for _, element := range node.Content {
			if fits(element) {
				elements = append(elements, element.Value)
			}
		}
		err := errNotAllowed
		if node.Kind == yaml.SequenceNode && len(elements) == len(node.Content) {
			err = s.value.setList(elements)
		}
		if err != nil {
			l.reject(s, where, render(node), err)
		}
		return
	}
	if !fits(node) {
		l.reject(s, where, render(node), errNotAllowed)
		return
	}
	l.set(s, origin, where, node.Value)
}

// render returns a value of the file for a fault, shortened.
func render(node *yaml.Node) string {
	switch {
	case node.Tag == yamlNull:
		return "null"
	case node.Kind == yaml.MappingNode: // if a line is indented too far, the mapping may contain a secret
		return "keys with values"
	}
	dropComments(node)
	data, err := yaml.Marshal(node)
	if err != nil {
		return "?"
	}
	return shorten(hideUserinfo(strings.TrimSpace(string(data))))
}

// shorten cuts text that is too long for a fault.
func shorten(text string) string {
	const most = 80 // bytes
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// dropComments removes the comments in node. They are not part of a value and
// may contain any text.
func dropComments(node *yaml.Node) {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	for _, child := range node.Content {
		dropComments(child)
	}
}

package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"web-backend/internal/spelling"
)

// prefixes are the prefixes of this server's variables.
var prefixes = []string{"WEB_BACKEND_", "MONGODB_"}

// otherVariables are variables that commands, builds and compose files read.
// The configuration does not read them.
var otherVariables = []string{
	"WEB_BACKEND_PASSPHRASE", "WEB_BACKEND_PASSPHRASE_FILE", "WEB_BACKEND_FAILPOINT", "WEB_BACKEND_VERSION", "WEB_BACKEND_COMMIT",
	"WEB_BACKEND_BIND", "WEB_BACKEND_PUBLISHED_PORT", "MONGODB_IMAGE_TAG",
}

// kubernetesName matches the end of the names, other than NAME_PORT, of
// variables that Kubernetes sets for a service; see kubernetesLink.
var kubernetesName = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// warnOfVariables warns of variables that look like those of this server but
// are unknown. They are not faults, unlike unknown keys in a file, because
// other programs share the environment. The warning does not show values.
func (l *loader) warnOfVariables(sources Sources) {
	if sources.Environ == nil || sources.Getenv == nil {
		return
	}
	known := l.variables()
	for _, line := range slices.Sorted(slices.Values(sources.Environ())) {
		name, _, _ := strings.Cut(line, "=")
		value, _ := sources.Getenv(name)
		switch {
		case value == "" || known[name] || l.asked[name]:
		case !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }):
		case kubernetesName.MatchString(name) || strings.HasSuffix(name, "_PORT") && kubernetesLink.MatchString(value):
		default:
			l.warn(fmt.Sprintf("environment variable %s: is not a variable of this server and is ignored%s", name, advise(name, known)))
		}
	}
}

// variables returns the names of all variables.
func (l *loader) variables() map[string]bool {
	known := map[string]bool{}
	for _, s := range l.settings {
		if s.env == "" {
			continue
		}
		known[s.env] = true
		if s.value.isSecret() {
			known[s.env+"_FILE"] = true
		}
	}
	for _, name := range otherVariables {
		known[name] = true
	}
	return known
}

// advise returns a hint which variable to set instead of an unknown one.
func advise(name string, known map[string]bool) string {
	if base, ok := strings.CutSuffix(name, "_FILE"); ok && known[base] {
		return fmt.Sprintf("; only a secret can come from a file: set %s itself", base)
	}
	names := map[string]string{} // maps each name that may be meant to its variable
	for variable := range known {
		names[variable] = variable
	}
	for _, s := range Default().settings() {
		if s.env != "" { // for example, logger_cfg.logger_path is WEB_BACKEND_LOG_PATH
			names[prefixes[0]+strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))] = s.env
		}
	}
	prefix := prefixes[slices.IndexFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })]
	var candidates []string
	for candidate := range names {
		candidates = append(candidates, candidate)
	}
	part := name[len(prefix):]
	found := spelling.Nearest(name, candidates, max(2, len(part)/2))
	const enough = 4 // minimum number of letters to search for it anywhere in a name
	if len(found) == 0 && len(part) >= enough {
		found = slices.DeleteFunc(candidates, func(candidate string) bool { return !strings.Contains(candidate, part) })
	}
	var near []string
	for _, candidate := range found {
		near = append(near, names[candidate])
	}
	slices.Sort(near)
	if near = slices.Compact(near); len(near) == 0 {
		return "; docs/configuration.md says which there are"
	}
	const mostNames = 3
	return "; did you mean " + strings.Join(near[:min(len(near), mostNames)], " or ") + "?"
}

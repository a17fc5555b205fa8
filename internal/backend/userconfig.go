package backend

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// DefaultTimezone is the time zone of a user config that does not name one
// (contract §5).
const DefaultTimezone = "Asia/Shanghai"

// UserConfig holds the settings of a user: provider keys and the time zone.
type UserConfig struct {
	UserID   string
	Timezone string // an IANA name
	// Keys holds provider keys by name (see [ProviderKeys]). A key that is
	// absent or empty is not set.
	Keys map[string]Secret
}

// equal reports whether c and other hold the same values. An empty key counts
// as absent.
func (c UserConfig) equal(other UserConfig) bool {
	set := func(c UserConfig) map[string]Secret {
		keys := maps.Clone(c.Keys)
		maps.DeleteFunc(keys, func(_ string, key Secret) bool { return !key.IsSet() })
		return keys
	}
	return c.UserID == other.UserID && c.Timezone == other.Timezone && maps.Equal(set(c), set(other))
}

// UserConfigPatch changes parts of a user config. If Timezone is nil, the time
// zone is not changed. A key that is not in Keys is not changed, and an empty
// one is cleared.
type UserConfigPatch struct {
	Timezone *string
	Keys     map[string]Secret
}

// Apply applies p to c.
func (p UserConfigPatch) Apply(c *UserConfig) {
	set(&c.Timezone, p.Timezone)
	if c.Keys == nil {
		c.Keys = make(map[string]Secret, len(p.Keys))
	}
	maps.Copy(c.Keys, p.Keys)
}

// location returns the time zone of c, or that of fallback if the stored name
// is missing or unknown on this machine. A bad name must not prevent the
// creation of a character.
func (c UserConfig) location(fallback string) *time.Location {
	for _, name := range []string{c.Timezone, fallback, DefaultTimezone} {
		if zone, err := loadLocation(name); err == nil {
			return zone
		}
	}
	return time.UTC
}

// machineZones are names that are not IANA names, or that mean a different zone
// on each machine. Some machines have files with these names in their time zone
// folders.
var machineZones = []string{"", "Local", "localtime", "posixrules", "Factory"}

// loadLocation loads an IANA time zone. Unlike time.LoadLocation, it does not
// accept a name that has no meaning on another machine.
func loadLocation(name string) (*time.Location, error) {
	if slices.Contains(machineZones, name) || strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/") {
		return nil, fmt.Errorf("%q is not an IANA time zone", name)
	}
	return time.LoadLocation(name)
}

// KnownTimezone reports whether name is an IANA time zone that this machine
// knows.
func KnownTimezone(name string) bool {
	_, err := loadLocation(name)
	return err == nil
}

// ParseDefaultUserConfig parses the JSON file of default_user_config_path: an
// object with provider keys and timezone, all optional. An error names the
// field but never its value, which may be a key.
func ParseDefaultUserConfig(data []byte) (UserConfig, error) {
	config := UserConfig{Timezone: DefaultTimezone, Keys: map[string]Secret{}}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return config, notAnObject(err)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		raw := fields[name]
		var text *string
		if err := json.Unmarshal(raw, &text); err != nil {
			return config, fmt.Errorf("field %q: want a string", name)
		}
		switch {
		case name == "user_id" || text == nil: // not used in a default
		case name == "timezone":
			if !KnownTimezone(*text) {
				return config, fmt.Errorf("field %q: want an IANA time zone such as %s", name, DefaultTimezone)
			}
			config.Timezone = *text
		case !slices.Contains(ProviderKeys, name):
			return config, fmt.Errorf("field %q: unknown; allowed are timezone, %s", name, strings.Join(ProviderKeys, ", "))
		case !validJSONText(raw, *text):
			return config, fmt.Errorf("field %q: %s", name, invalidTextProblem)
		default:
			config.Keys[name] = NewSecret(*text)
		}
	}
	return config, nil
}

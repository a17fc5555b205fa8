package console

import (
	"net/http"
	"slices"
	"strings"
)

// Configuration is what the server was started with, without secrets.
type Configuration struct {
	Settings []Setting
	Warnings []string
}

// Setting is one key of the configuration.
type Setting struct {
	Key, Value string
	Source     string // where the value comes from
	Set        bool   // it does not come from the defaults; set by the page
	Default    string
	Variable   string // environment variable that sets it; "" if there is none
}

func (v *visit) showConfiguration() error {
	shown := v.options.Configuration
	shown.Settings = slices.Clone(shown.Settings)
	for i, setting := range shown.Settings {
		shown.Settings[i].Set, shown.Settings[i].Source = setting.Source != "default", v.sourceText(setting.Source)
	}
	return v.show(http.StatusOK, "configuration", "configuration", shown)
}

// sourceText returns where a value comes from, in the language of the page. A
// file, a line and a flag are the same in every language.
func (v *visit) sourceText(source string) string {
	if name, ok := strings.CutPrefix(source, "environment variable "); ok {
		return strings.ReplaceAll(v.texts["configuration_from_variable"], "{name}", name)
	}
	if source == "default" {
		return v.texts["configuration_is_default"]
	}
	return source
}

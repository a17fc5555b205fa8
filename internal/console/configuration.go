package console

import "net/http"

// Configuration is what the server was started with, without secrets.
type Configuration struct {
	Settings []Setting
	Warnings []string
}

// Setting is one key of the configuration.
type Setting struct {
	Key, Value string
	Source     string // where the value comes from
	Default    string
	Variable   string // environment variable that sets it; "" if there is none
}

func (v *visit) showConfiguration() error {
	return v.show(http.StatusOK, "configuration", "configuration", v.options.Configuration)
}

package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// The linker sets the version and commit of a release:
//
//	-ldflags "-X web-backend/internal/cli.version=1.0.0 -X web-backend/internal/cli.commit=abc"
//
// Without these flags, the build information of the binary is used.
var version, commit string

// versionCommand prints the version of this binary.
type versionCommand struct {
	JSON bool `name:"json" help:"Print a JSON object."`
}

// Help implements kong.HelpProvider.
func (versionCommand) Help() string {
	return `    web-backend version
    web-backend version --json`
}

// Run prints one line.
func (c versionCommand) Run(streams Streams) error {
	v, commit := buildVersion()
	if c.JSON {
		return printJSON(streams.Out, map[string]string{
			"version": v, "commit": commit, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
		})
	}
	_, err := fmt.Fprintf(streams.Out, "web-backend %s, commit %s, %s %s/%s\n", v, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func buildVersion() (v, c string) {
	v, c = version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		v = cmp.Or(v, info.Main.Version)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				c = cmp.Or(c, s.Value)
			}
		}
	}
	if v == "(devel)" {
		v = ""
	}
	return cmp.Or(v, "development"), cmp.Or(c, "unknown")
}

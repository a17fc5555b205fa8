package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version and commit of a release are set by the linker:
//
//	-ldflags "-X web-backend/internal/cli.version=1.0.0 -X web-backend/internal/cli.commit=abc"
//
// Without it the build's own record is used.
var version, commit string

// versionCommand prints what this binary is.
type versionCommand struct{}

// Run prints one line.
func (versionCommand) Run(streams Streams) error {
	v, c := buildVersion()
	_, err := fmt.Fprintf(streams.Out, "web-backend %s, commit %s, %s %s/%s\n", v, c, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func buildVersion() (v, c string) {
	v, c = version, commit
	info, ok := debug.ReadBuildInfo()
	if ok && v == "" && info.Main.Version != "" {
		v = info.Main.Version
	}
	if v == "" || v == "(devel)" {
		v = "development"
	}
	if ok && c == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				c = s.Value
			}
		}
	}
	if c == "" {
		c = "unknown"
	}
	return v, c
}

package packages

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := read("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	warn := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) { t.Errorf("%s: %s", rule, message) }})
	stages, _, err := instructions.Parse(parsed.AST, warn)
	if err != nil {
		t.Fatal(err)
	}
	goVersion := goDirective(t)
	if base := stages[0].BaseName; !regexp.MustCompile(`^golang:` + regexp.QuoteMeta(goVersion) + `-bookworm@sha256:[0-9a-f]{64}$`).MatchString(base) {
		t.Errorf("it is built with %s, want the version %s of go.mod, and a digest", base, goVersion)
	}
	final := stages[len(stages)-1]
	if final.BaseName != "scratch" {
		t.Errorf("the last stage starts from %s", final.BaseName)
	}
	commands := map[string]instructions.Command{}
	for _, command := range final.Commands {
		commands[command.Name()] = command
	}
	if user, ok := commands["USER"].(*instructions.UserCommand); !ok || user.User != "65532:65532" {
		t.Errorf("USER is %+v", commands["USER"])
	}
	if volumes, ok := commands["VOLUME"].(*instructions.VolumeCommand); !ok || !slices.Equal(volumes.Volumes, []string{"/data", "/logs"}) {
		t.Errorf("VOLUME is %+v", commands["VOLUME"])
	}
	if ports, ok := commands["EXPOSE"].(*instructions.ExposeCommand); !ok || !slices.Equal(ports.Ports, []string{"80"}) {
		t.Errorf("EXPOSE is %+v", commands["EXPOSE"])
	}
	if check, ok := commands["HEALTHCHECK"].(*instructions.HealthCheckCommand); !ok || !slices.Equal(check.Health.Test, []string{"CMD", "/web-backend", "healthcheck"}) {
		t.Errorf("HEALTHCHECK is %+v; there is no shell and no curl", commands["HEALTHCHECK"])
	}
	if _, ok := commands["RUN"]; ok {
		t.Error("the last stage runs something, and there is no shell")
	}
}

// goDirective returns the Go version in the go.mod of the product.
func goDirective(t *testing.T) string {
	t.Helper()
	text, err := read("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if version, ok := strings.CutPrefix(line, "go "); ok {
			return strings.TrimSpace(version)
		}
	}
	t.Fatal("go.mod has no go directive")
	return ""
}

package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// GoReleaser and build.sh produce the same bytes. Their flags differ only in
// how they write version and commit.
func TestRelease_FlagsAgree(t *testing.T) {
	t.Parallel()
	script, err := read("tools/packages/build.sh")
	if err != nil {
		t.Fatal(err)
	}
	goreleaser, err := read(".goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`-ldflags "([^"]+)"`).FindSubmatch(script)
	if flags == nil {
		t.Fatal("build.sh has no -ldflags")
	}
	want := strings.NewReplacer("$2", "{{ .Version }}", "$3", "{{ .FullCommit }}").Replace(string(flags[1]))
	for _, want := range []string{"- " + want + "\n", "flags: [-trimpath, -buildvcs=false]\n", "env: [CGO_ENABLED=0]\n"} {
		if !strings.Contains(string(goreleaser), want) {
			t.Errorf(".goreleaser.yaml lacks %q", want)
		}
	}
}

func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("the unit is not verified: systemd-analyze is not here")
	}
	text, err := read("deploy/systemd/web-backend.service")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	program := filepath.Join(folder, "web-backend")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(folder, "web-backend.service")
	installed := strings.ReplaceAll(string(text), "/usr/bin/web-backend", program)
	if err := os.WriteFile(unit, []byte(installed), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, output)
	}
	// The exposure is 1.1 of 10 with systemd 252. The threshold is in tenths.
	output, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, output)
	}
}

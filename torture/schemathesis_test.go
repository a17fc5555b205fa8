//go:build failpoints

package torture

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"web-backend/internal/store/mongo/mongotest"
)

// schemathesis returns the path of the program schemathesis (schemathesis.io).
// It installs the program from requirements.txt into a virtual environment in
// the cache folder. missing says why the program is not available.
var schemathesis = sync.OnceValues(func() (program string, missing error) {
	requirements, err := os.ReadFile("requirements.txt")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	folder := filepath.Join(cache, "web-backend", fmt.Sprintf("schemathesis-%x", sha256.Sum256(requirements))[:26])
	program = filepath.Join(folder, "bin", "schemathesis")
	complete := filepath.Join(folder, "complete")
	if _, err := os.Stat(complete); err == nil {
		return program, nil
	}
	for _, command := range [][]string{
		{"python3", "-m", "venv", "--clear", folder},
		{filepath.Join(folder, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt"},
	} {
		if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, output)
		}
	}
	return program, os.WriteFile(complete, nil, 0o600)
})

var generated = regexp.MustCompile(`(\d+) generated, (\d+) passed`)

// On both stores, requests that are generated from the OpenAPI document get
// only responses that the document describes. No request causes a failure, and
// no malformed request is accepted.
func TestHostile_Schemathesis(t *testing.T) {
	t.Parallel()
	program, err := schemathesis()
	if err != nil {
		t.Skipf("SKIPPED: the API was NOT tested by Schemathesis, which cannot be installed: %v", err)
	}
	config, err := filepath.Abs("schemathesis.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []struct {
		name        string
		environment func(t *testing.T) []string
	}{
		{"embedded", func(*testing.T) []string { return nil }},
		{"mongodb", func(t *testing.T) []string {
			t.Helper()
			engine := mongotest.Engine(t)
			return []string{"WEB_BACKEND_STORE=mongodb", "MONGODB_URI=" + engine.URI(), "MONGODB_DATABASE=" + engine.Database(t), "MONGODB_TIMEOUT=30s"}
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, product, t.TempDir(), kind.environment(t)...)
			if s == nil {
				t.Fatal("the server does not start")
			}
			command := exec.Command(program, "--config-file", config, "run", "http://"+s.address+"/openapi.json",
				"--max-examples", strconv.Itoa(length(5, 500)), "--seed", strconv.FormatUint(seed, 10), "--no-color", "--continue-on-failure")
			command.Dir = t.TempDir()
			output, err := command.CombinedOutput()
			text := string(output)
			found := generated.FindStringSubmatch(text)
			if err != nil || found == nil || found[1] != found[2] {
				t.Fatalf("seed %d: %v\n%s", seed, err, text[max(0, len(text)-12_000):])
			}
			figure("hostile: Schemathesis, "+kind.name, "%s cases, 0 failures", found[1])
		})
	}
}
